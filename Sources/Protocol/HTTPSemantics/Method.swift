import Bytes

/// A request method (RFC 9110 §9, RFC 5789); names are case-sensitive.
@frozen
public enum Method: UInt8, Sendable, CaseIterable {
    /// A method that the proxy has no rule for; it is forwarded as it was spelt.
    case other = 0
    /// `GET`
    case get
    /// `HEAD`
    case head
    /// `POST`
    case post
    /// `PUT`
    case put
    /// `DELETE`
    case delete
    /// `CONNECT`
    case connect
    /// `OPTIONS`
    case options
    /// `TRACE`
    case trace
    /// `PATCH` (RFC 5789)
    case patch

    /// The method's name; empty for `other`.
    public var text: StaticString {
        switch self {
        case .other: ""
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        }
    }

    /// Whether the method is essentially read-only (RFC 9110 §9.2.1).
    @inlinable
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }

    /// Whether sending the request twice intends what sending it once does (RFC 9110 §9.2.2).
    @inlinable
    public var isIdempotent: Bool {
        isSafe || self == .put || self == .delete
    }

    /// Finds the method that `range` spells.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the method.
    ///   - range: The method's octets, within `octets`.
    /// - Returns: The method, or `other`.
    public static func find(in octets: Span<UInt8>, _ range: Range<Int>) -> Method {
        guard range.count <= 8, !range.isEmpty else { return .other }
        // "GET" and so on, the first letter in the lowest octet.
        switch octets.word(at: range.lowerBound, count: range.count) {
        case 0x54_4547: return .get
        case 0x4441_4548: return .head
        case 0x5453_4f50: return .post
        case 0x54_5550: return .put
        case 0x4554_454c_4544: return .delete
        case 0x54_4345_4e4e_4f43: return .connect
        case 0x53_4e4f_4954_504f: return .options
        case 0x45_4341_5254: return .trace
        case 0x48_4354_4150: return .patch
        default: return .other
        }
    }
}
