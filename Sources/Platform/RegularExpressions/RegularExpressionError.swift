/// Why a pattern was refused.
package enum RegularExpressionError: Error, Hashable, Sendable {
    /// It has more than 1,024 octets.
    case patternTooLong
    /// It has a character beyond ASCII, which paths have percent-encoded.
    case characterBeyondASCII(Character)
    /// It is none: RE2's message, and the part of the pattern that it is about.
    case malformed(message: String, part: String)
    /// It uses what Perl has and an engine of linear time has not: lookaround, back-references.
    case syntaxUnsupported(part: String)
    /// It is compiled to more than 2,000 instructions.
    case programTooLarge
    /// A repetition is malformed or repeats more than 1,000 times, those around it included.
    case repetitionInvalid(part: String)
    /// It has more than 32 groups that capture.
    case groupsTooMany
    /// A group's name begins with a digit, as the number of another does.
    case groupNameInvalid(String)
    /// Two groups have this name.
    case groupNameRepeated(String)
    /// There was no memory for it.
    case memoryExhausted
}

extension RegularExpressionError: CustomStringConvertible {
    /// One line for the author of the pattern.
    package var description: String {
        switch self {
        case .patternTooLong:
            return "the pattern is longer than \(Limits.patternBytesMax) octets"
        case .characterBeyondASCII(let character):
            let octets = Array(String(character).utf8)
            let hex = octets.map { String($0, radix: 16, uppercase: true) }
            let path = hex.map { "%\($0)" }.joined()
            let field = hex.map { "\\x\($0)" }.joined()
            return "'\(character)' is beyond ASCII: write \(path) as it is in a path, or \(field)"
        case .malformed(let message, let part):
            return part.isEmpty ? message : "\(message): \(part)"
        case .syntaxUnsupported(let part) where part.hasPrefix("(?"):
            return "\(part): there is no lookaround, and a group is named (?P<name>...)"
        case .syntaxUnsupported(let part):
            return "\(part): no such escape sequence, and no back-references"
        case .programTooLarge:
            return "the pattern repeats too much: it takes more than "
                + "\(Limits.patternInstructionsMax) steps to match"
        case .repetitionInvalid(let part):
            return "\(part): no repetition, or with those around it of more than 1000 times"
        case .groupsTooMany:
            return "more than \(Limits.patternGroupsMax) groups capture: write (?:...) for others"
        case .groupNameInvalid(let name):
            return "the group's name '\(name)' begins with a digit"
        case .groupNameRepeated(let name):
            return "two groups have the name '\(name)'"
        case .memoryExhausted:
            return "there is no memory for the pattern"
        }
    }
}

/// Why nothing is known of a text: neither that it matches nor that it does not.
package enum MatchError: Error, Hashable, Sendable {
    /// The text has more than 96 KiB.
    case textTooLong
    /// What is made of it would be longer than the caller takes.
    case resultTooLong
    /// It has more than 100 matches that were to be replaced.
    case matchesTooMany
    /// The engine had no memory.
    case memoryExhausted
}
