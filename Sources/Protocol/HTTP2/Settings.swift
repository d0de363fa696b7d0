/// The settings of one side (RFC 9113 §6.5.2, RFC 8441 §3, RFC 9218 §2.1), with the RFC's defaults.
package struct HTTP2Settings: Equatable, Sendable {
    /// HEADER_TABLE_SIZE: octets of the table that this side decodes with.
    package internal(set) var headerTableBytes: UInt32 = 4096
    /// MAX_CONCURRENT_STREAMS: streams that the other side may have open; `nil` is no limit.
    package internal(set) var concurrentStreamsMax: UInt32?
    /// INITIAL_WINDOW_SIZE: window of a new stream for what the other side sends.
    package internal(set) var initialWindowBytes = HTTP2Settings.windowBytesDefault
    /// MAX_FRAME_SIZE: longest payload that this side takes.
    package internal(set) var frameBytesMax = HTTP2Settings.frameBytesMaxDefault
    /// MAX_HEADER_LIST_SIZE: longest field section that this side takes; `nil` is not said.
    package internal(set) var fieldSectionBytesMax: UInt32?
    /// ENABLE_CONNECT_PROTOCOL: whether extended CONNECT is understood.
    package internal(set) var allowsExtendedConnect = false

    /// The window before any SETTINGS, of streams and of the connection.
    package static let windowBytesDefault = 65535
    /// The largest window.
    package static let windowBytesMax = 0x7fff_ffff
    /// The longest payload that every peer takes.
    package static let frameBytesMaxDefault = 16384
    /// What MAX_FRAME_SIZE may say.
    package static let frameBytesMaxRange = 16384...0xff_ffff

    /// Identifiers.
    enum Name: UInt16 {
        case headerTableSize = 0x1
        case enablePush = 0x2
        case maxConcurrentStreams = 0x3
        case initialWindowSize = 0x4
        case maxFrameSize = 0x5
        case maxHeaderListSize = 0x6
        case enableConnectProtocol = 0x8
        case noRFC7540Priorities = 0x9
    }

    /// Takes one setting that a peer sent; unknown ones are ignored.
    ///
    /// - Parameters:
    ///   - identifier: Which setting.
    ///   - value: Its value.
    ///   - isServer: Whether the peer is a server, which must not enable push.
    /// - Throws: What the value must not be.
    mutating func take(
        _ identifier: UInt16,
        _ value: UInt32,
        fromServer isServer: Bool
    ) throws(HTTP2Error) {
        switch Name(rawValue: identifier) {
        case .headerTableSize: headerTableBytes = value
        case .enablePush:
            guard value <= (isServer ? 0 : 1) else { throw .settingEnablePushInvalid }
        case .maxConcurrentStreams: concurrentStreamsMax = value
        case .initialWindowSize:
            guard value <= HTTP2Settings.windowBytesMax else { throw .settingWindowInvalid }
            initialWindowBytes = Int(value)
        case .maxFrameSize:
            guard HTTP2Settings.frameBytesMaxRange.contains(Int(value)) else {
                throw .settingFrameSizeInvalid
            }
            frameBytesMax = Int(value)
        case .maxHeaderListSize: fieldSectionBytesMax = value
        case .enableConnectProtocol:
            // RFC 8441 §3: what was allowed stays so.
            guard value <= 1, value == 1 || !allowsExtendedConnect else {
                throw .settingConnectProtocolInvalid
            }
            allowsExtendedConnect = value == 1
        case .noRFC7540Priorities:
            guard value <= 1 else { throw .settingPrioritiesInvalid }
        case nil: break
        }
    }
}
