/// Why a stream or a connection ends (RFC 9113 §7).
package struct ErrorCode: RawRepresentable, Hashable, Sendable {
    /// The 32 bits as RST_STREAM and GOAWAY carry them; any number may come.
    package let rawValue: UInt32

    /// Takes the code that a peer sent.
    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Not a result of an error.
    package static let noError = ErrorCode(rawValue: 0x0)
    /// The peer broke the protocol in a way that no other code names.
    package static let protocolError = ErrorCode(rawValue: 0x1)
    /// Something unexpected here.
    package static let internalError = ErrorCode(rawValue: 0x2)
    /// The peer sent more than its window allows.
    package static let flowControlError = ErrorCode(rawValue: 0x3)
    /// SETTINGS were not acknowledged in time.
    package static let settingsTimeout = ErrorCode(rawValue: 0x4)
    /// A frame came for a stream that is half-closed.
    package static let streamClosed = ErrorCode(rawValue: 0x5)
    /// A frame has a length that it may not have.
    package static let frameSizeError = ErrorCode(rawValue: 0x6)
    /// The stream was refused before anything was done for it: the request may be sent again.
    package static let refusedStream = ErrorCode(rawValue: 0x7)
    /// The stream is not wanted any more.
    package static let cancel = ErrorCode(rawValue: 0x8)
    /// The field section compression context cannot be maintained.
    package static let compressionError = ErrorCode(rawValue: 0x9)
    /// The connection of a CONNECT request was reset or broke.
    package static let connectError = ErrorCode(rawValue: 0xA)
    /// The peer makes excessive load.
    package static let enhanceYourCalm = ErrorCode(rawValue: 0xB)
    /// The transport is not secure enough.
    package static let inadequateSecurity = ErrorCode(rawValue: 0xC)
    /// The peer requires HTTP/1.1.
    package static let http11Required = ErrorCode(rawValue: 0xD)
}

extension ErrorCode: CustomStringConvertible {
    /// The name that RFC 9113 §7 gives it, such as `PROTOCOL_ERROR`; else the number.
    package var description: String {
        let names = [
            "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL",
            "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ]
        return rawValue < names.count ? names[Int(rawValue)] : "error \(rawValue)"
    }
}
