/// What makes a message malformed within its field section (RFC 9113 §8.1.1, §8.2, §8.3); each case names one.
///
/// The stream ends with PROTOCOL_ERROR or status 400; the connection and its tables are sound.
package enum Malformation: UInt8, Equatable, Sendable, CaseIterable {
    case fieldNameEmpty
    case fieldNameUppercase
    case fieldNameInvalid
    case fieldValueInvalid
    case fieldValueBlankAtEdge
    case pseudoFieldUnknown
    case pseudoFieldRepeated
    case pseudoFieldAfterRegular
    case pseudoFieldValueInvalid
    case connectionSpecificField
    case teInvalid

    /// What is wrong, in a few words for a log.
    package var reason: StaticString {
        switch self {
        case .fieldNameEmpty: "empty field name"
        case .fieldNameUppercase: "upper-case letter in a field name"
        case .fieldNameInvalid: "invalid octet in a field name"
        case .fieldValueInvalid: "invalid octet in a field value"
        case .fieldValueBlankAtEdge: "white space around a field value"
        case .pseudoFieldUnknown: "unknown pseudo-header field"
        case .pseudoFieldRepeated: "repeated pseudo-header field"
        case .pseudoFieldAfterRegular: "pseudo-header field after a regular one"
        case .pseudoFieldValueInvalid: "invalid value of a pseudo-header field"
        case .connectionSpecificField: "connection-specific field"
        case .teInvalid: "TE other than trailers"
        }
    }
}
