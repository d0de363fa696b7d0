/// How the end of a message's content is found (RFC 9112 §6.3).
@frozen
public enum BodyFraming: Equatable, Sendable {
    /// There is no content: the message ends with its head.
    case none
    /// Content-Length: this many octets follow; may be 0.
    case length(Int)
    /// The chunked coding says where it ends.
    case chunked
    /// The content of a response ends when the connection does.
    case untilClose
    /// The connection is no longer HTTP after the head: 101, or 2xx to CONNECT.
    case tunnel

    /// Whether no octet of content can follow.
    public var isEmpty: Bool {
        switch self {
        case .none: true
        case .length(let count): count == 0
        case .chunked, .untilClose, .tunnel: false
        }
    }
}

/// The protocol version in a start-line; a minor version above 1 is treated as 1 (RFC 9110 §2.5).
@frozen
public enum HTTPVersion: UInt8, Sendable {
    /// HTTP/1.0
    case http10
    /// HTTP/1.1
    case http11
}

/// The form of a request target (RFC 9112 §3.2).
@frozen
public enum RequestTargetForm: UInt8, Sendable {
    /// `/path?query`
    case origin
    /// `http://authority/path?query`
    case absolute
    /// `host:port`, of CONNECT
    case authority
    /// `*`, of OPTIONS
    case asterisk
}

/// The connection options that have a meaning here (RFC 9110 §7.6.1).
@frozen
public struct ConnectionOptions: OptionSet, Sendable {
    /// One bit for each option.
    public let rawValue: UInt8

    /// Makes a set of options.
    ///
    /// - Parameter rawValue: One bit for each option.
    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The option `close`.
    @inlinable public static var close: ConnectionOptions { ConnectionOptions(rawValue: 1) }
    /// The option `keep-alive`.
    @inlinable public static var keepAlive: ConnectionOptions { ConnectionOptions(rawValue: 2) }
    /// The option `upgrade`.
    @inlinable public static var upgrade: ConnectionOptions { ConnectionOptions(rawValue: 4) }
    /// The option `te`.
    @inlinable public static var te: ConnectionOptions { ConnectionOptions(rawValue: 8) }
    /// Any other: a field name.
    @inlinable public static var other: ConnectionOptions { ConnectionOptions(rawValue: 16) }
}
