/// What a peer may make us hold while one message's head or chunk header is incomplete.
package struct HTTP1Limits: Sendable {
    /// Longest field section, in octets with its line ends; 431 above.
    ///
    /// The default is fleet.yaml's.
    package var fieldSectionBytesMax: Int
    /// Most field lines; 431 above.
    ///
    /// The default is fleet.yaml's.
    package var fieldLinesMax: Int
    /// Longest request target, in octets; 414 above.
    ///
    /// The default is fleet.yaml's.
    package var requestTargetBytesMax: Int

    /// Makes limits.
    ///
    /// - Parameters:
    ///   - fieldSectionBytesMax: Longest field section in octets.
    ///   - fieldLinesMax: Most field lines.
    ///   - requestTargetBytesMax: Longest request target in octets.
    package init(
        fieldSectionBytesMax: Int = 64 * 1024,
        fieldLinesMax: Int = 100,
        requestTargetBytesMax: Int = 16 * 1024
    ) {
        self.fieldSectionBytesMax = fieldSectionBytesMax
        self.fieldLinesMax = fieldLinesMax
        self.requestTargetBytesMax = requestTargetBytesMax
    }

    /// Longest method, in octets; 501 above.
    ///
    /// The longest registered one has 17 (`UPDATEREDIRECTREF`).
    package static let methodBytesMax = 32
    /// Longest reason phrase, in octets; an origin that sends more is broken.
    package static let reasonPhraseBytesMax = 512
    /// Longest chunk header with its extensions and CRLF, in octets.
    ///
    /// Extensions have no use here, and without a bound they turn one octet of content into many
    /// (RFC 9112 §7.1.1).
    package static let chunkHeaderBytesMax = 256
    /// Most octets of chunk extensions in one message: a peer that needs more plays a game.
    package static let chunkExtensionBytesMax = 16 * 1024
    /// Most options in the Connection fields of one message; 400 above.
    ///
    /// Each is compared with every field line.
    package static let connectionOptionsMax = 32
    /// Most field lines that a head holds room for between messages; more is given back.
    package static let fieldLinesKept = 32
}
