/// What is wrong with a name server's message.
package enum DNSError: Error, Equatable, Sendable {
    /// A value reaches past the end.
    case truncated
    /// It is a question, or answers another kind of one.
    case notAResponse
    /// It asks nothing, or several things.
    case questionCountInvalid
    /// It answers another question's type or class.
    case questionMismatch
    /// A label begins with octets that are neither a length nor a pointer (RFC 1035 §4.1.4).
    case labelTypeInvalid
    /// A pointer leads forward, to itself, or to a name that is behind it.
    case pointerInvalid
    /// A name is longer than 255 octets.
    case nameTooLong
    /// The content of a record has another length than its type.
    case contentLengthInvalid
}
