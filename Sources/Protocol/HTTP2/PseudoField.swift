/// A pseudo-header field (RFC 9113 §8.3, RFC 8441 §4).
package enum PseudoField: UInt8, Sendable, CaseIterable {
    case method
    case scheme
    case authority
    case path
    case `protocol`
    case status

    /// The name with its colon.
    package var text: StaticString {
        switch self {
        case .method: ":method"
        case .scheme: ":scheme"
        case .authority: ":authority"
        case .path: ":path"
        case .protocol: ":protocol"
        case .status: ":status"
        }
    }

    /// The indices of the static table with this name.
    var staticIndices: Range<Int> {
        switch self {
        case .authority: 1..<2
        case .method: 2..<4
        case .path: 4..<6
        case .scheme: 6..<8
        case .status: 8..<15
        case .protocol: 0..<0
        }
    }
}
