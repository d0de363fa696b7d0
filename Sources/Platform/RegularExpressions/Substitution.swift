/// What matches are replaced by: text with `$1`, `${1}` and `${name}` for groups of a pattern, `$0` for the whole match
/// and `$$` for a dollar sign.
package struct Substitution: Sendable {
    private var literals: [UInt8] = []
    private var parts: [Part] = []

    private enum Part: Sendable {
        /// Octets of `literals`.
        case literal(Range<Int>)
        /// What a group captured; nothing if it took no part in the match.
        case group(Int)
    }

    /// Why a template was refused; places count from 1.
    package enum ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// It has more than 1,024 octets.
        case templateTooLong
        /// It has a character beyond ASCII, which paths have percent-encoded.
        case characterBeyondASCII(Character, place: Int)
        /// A dollar sign is followed by none of what may follow it.
        case dollarAlone(place: Int)
        /// `${` has no `}`, or nothing between.
        case nameMissing(place: Int)
        /// The pattern has no group with this number.
        case numberUnknown(String, place: Int)
        /// The pattern has no group with this name.
        case nameUnknown(String, place: Int)

        /// One line for the author of the template.
        package var description: String {
            switch self {
            case .templateTooLong:
                "the substitution is longer than \(Limits.substitutionBytesMax) octets"
            case .characterBeyondASCII(let character, let place):
                "character \(place): "
                    + RegularExpressionError.characterBeyondASCII(character).description
            case .dollarAlone(let place):
                "character \(place): $ is followed by a number, {name} or {number}; $$ is a dollar sign"
            case .nameMissing(let place):
                "character \(place): ${ is followed by a name or a number and }"
            case .numberUnknown(let number, let place):
                "character \(place): the pattern has no group \(number)"
                    + (number.count > 1 ? "; write ${\(number.prefix(1))} before a digit" : "")
            case .nameUnknown(let name, let place):
                "character \(place): the pattern has no group '\(name)'"
            }
        }
    }

    /// Reads a template.
    ///
    /// - Parameters:
    ///   - template: ASCII, up to 1,024 octets.
    ///   - expression: Whose groups it names.
    /// - Throws: What is wrong with it, and where.
    package init(_ template: String, for expression: RegularExpression) throws(ParseError) {
        guard template.utf8.count <= Limits.substitutionBytesMax else { throw .templateTooLong }
        for (index, character) in template.enumerated() where !character.isASCII {
            throw .characterBeyondASCII(character, place: index + 1)
        }
        let octets = Array(template.utf8)
        var index = 0
        while index < octets.count {
            guard octets[index] == UInt8(ascii: "$") else {
                append(literal: octets[index])
                index += 1
                continue
            }
            let rest = octets[(index + 1)...]
            switch rest.first {
            case UInt8(ascii: "$"):
                append(literal: UInt8(ascii: "$"))
                index += 2
            case UInt8(ascii: "{"):
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")), end > index + 2 else {
                    throw .nameMissing(place: index + 1)
                }
                let name = octets[(index + 2)..<end]
                parts.append(.group(try Self.group(name, expression, place: index + 1)))
                index = end + 1
            case .some(let octet) where Self.isDigit(octet):
                let digits = rest.prefix(while: Self.isDigit)
                parts.append(.group(try Self.group(digits, expression, place: index + 1)))
                index = digits.endIndex
            default:
                throw .dollarAlone(place: index + 1)
            }
        }
    }

    /// Appends the template with what the groups of a match captured.
    ///
    /// - Parameters:
    ///   - captures: The match, of the expression that the template was read for.
    ///   - text: The text of the match.
    ///   - output: Is as it was if this throws.
    ///   - octetsMax: How long `output` may become.
    /// - Throws: `resultTooLong` alone.
    package func expand(
        _ captures: Captures,
        of text: Span<UInt8>,
        into output: inout [UInt8],
        octetsMax: Int
    ) throws(MatchError) {
        let before = output.count
        for part in parts {
            let count: Int
            switch part {
            case .literal(let range): count = range.count
            case .group(let group): count = captures[group]?.count ?? 0
            }
            guard count <= octetsMax - output.count else {
                output.removeLast(output.count - before)
                throw .resultTooLong
            }
            switch part {
            case .literal(let range): output.append(contentsOf: literals[range])
            case .group(let group):
                guard let range = captures[group], range.upperBound <= text.count else { continue }
                for index in range { output.append(text[index]) }
            }
        }
    }

    // MARK: Leaves

    private mutating func append(literal octet: UInt8) {
        literals.append(octet)
        if case .literal(let range)? = parts.last, range.upperBound == literals.count - 1 {
            parts[parts.count - 1] = .literal(range.lowerBound..<literals.count)
        } else {
            parts.append(.literal((literals.count - 1)..<literals.count))
        }
    }

    private static func isDigit(_ octet: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet)
    }

    private static func group(
        _ name: ArraySlice<UInt8>,
        _ expression: RegularExpression,
        place: Int
    ) throws(ParseError) -> Int {
        let text = String(decoding: name, as: UTF8.self)
        guard name.allSatisfy(isDigit) else {
            guard let group = expression.groupNames[text] else {
                throw .nameUnknown(text, place: place)
            }
            return group
        }
        guard let group = Int(text), group <= expression.groupCount else {
            throw .numberUnknown(text, place: place)
        }
        return group
    }
}
