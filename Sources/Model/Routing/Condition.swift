internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions

/// One thing that a request is asked for besides the host and the path of a route, made for matching.
///
/// Of fields, those count that the upstream gets, in the spellings that it may take for the name: `x_beta` and `x.beta` are `x-beta` to
/// gateways in the manner of CGI (RFC 3875 §4.1.18).
///
/// A field, a parameter or a cookie may stand several times in a request: one value that fits is enough.
enum Condition: Sendable {
    case path(PathTest)
    case methods([[UInt8]])
    case field(NamedTest, FieldName)
    case parameter(NamedTest)
    case cookie(NamedTest)
    case clients([AddressRange])

    /// Whether the condition holds.
    ///
    /// - Parameters:
    ///   - request: The request's head.
    ///   - octets: The message from its start.
    ///   - path: The normalised path, without the query.
    ///   - client: The client's address.
    /// - Returns: `nil` where a regular expression could not tell.
    func holds(
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ path: Span<UInt8>,
        _ client: ClientAddress
    ) -> Bool? {
        switch self {
        case .path(let test): test.holds(path)
        case .methods(let names):
            names.contains { name in
                name.span.equals(octets.extracting(request.methodRange.indices))
            }
        case .field(let test, let name): Self.field(test, name, request, octets)
        case .parameter(let test):
            Self.parameter(test, octets.extracting(request.query.indices))
        case .cookie(let test): Self.cookie(test, request, octets)
        case .clients(let ranges):
            ranges.contains { $0.contains(high: client.high, low: client.low) }
        }
    }

    private static func field(
        _ test: NamedTest,
        _ name: FieldName,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>
    ) -> Bool? {
        let lines = request.fields.lines
        for index in 0..<lines.count {
            let line = lines[index]
            guard line.name == name || line.name == .other && test.isSpelledInTwoWays,
                !line.isWithdrawn
            else { continue }
            if line.name == .other {
                guard test.isName(octets.extracting(line.nameRange)) else { continue }
            }
            guard let isFit = test.fits(octets.extracting(line.valueRange)) else { return nil }
            if isFit { return test.isWanted }
        }
        return !test.isWanted
    }

    /// The query is cut at each `&`; names and values are percent-decoded once, and `+` is a space.
    private static func parameter(_ test: NamedTest, _ query: Span<UInt8>) -> Bool? {
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: UInt8(ascii: "&"), from: start, to: query.count)
            let equals = query.firstIndex(of: UInt8(ascii: "="), from: start, to: end)
            if QueryText.equals(query.extracting(start..<equals), test.name.span) {
                let value = query.extracting(min(equals + 1, end)..<end)
                guard let isFit = test.fits(encoded: value) else { return nil }
                if isFit { return test.isWanted }
            }
            start = end + 1
        }
        return !test.isWanted
    }

    private static func cookie(
        _ test: NamedTest,
        _ request: borrowing RequestHead,
        _ octets: Span<UInt8>
    ) -> Bool? {
        var isFit: Bool? = false
        request.forEachCookie(test.name.span, octets) { value in
            isFit = test.fits(octets.extracting(value))
            return isFit == false
        }
        return isFit.map { $0 == test.isWanted }
    }
}

/// What a value with a name must be.
struct NamedTest: Sendable {
    /// The name; of fields, in lower case.
    let name: [UInt8]
    private let test: Test
    /// Whether a value must fit; false where the name must not be there.
    let isWanted: Bool
    /// Whether another sign may stand for a hyphen of the name.
    let isSpelledInTwoWays: Bool

    private enum Test: Sendable {
        case exact([UInt8])
        case prefix([UInt8])
        case regex(RegularExpression)
        case anything
    }

    /// Takes a condition; `nil` for a regular expression that does not compile, which no checked configuration has.
    init?(_ condition: ValueCondition) {
        name = Array(condition.name.utf8)
        isWanted = condition.test != .present(false)
        isSpelledInTwoWays = name.contains(where: Self.isSign)
        switch condition.test {
        case .exact(let text): test = .exact(Array(text.utf8))
        case .prefix(let text): test = .prefix(Array(text.utf8))
        case .present: test = .anything
        case .regex(let pattern):
            // A configuration's patterns were compiled when it was checked.
            guard let expression = try? RegularExpression(pattern: pattern) else { return nil }
            test = .regex(expression)
        }
    }

    /// Whether a field's name is this one.
    func isName(_ spelt: Span<UInt8>) -> Bool {
        guard spelt.count == name.count else { return false }
        for index in spelt.indices {
            let (one, other) = (asciiLowercased(spelt[index]), name[index])
            guard one == other || Self.isSign(one) && Self.isSign(other) else { return false }
        }
        return true
    }

    /// Whether an octet of a name is a hyphen to some readers.
    private static func isSign(_ octet: UInt8) -> Bool {
        octet == UInt8(ascii: "-") || !OctetSet.plainName.contains(octet)
    }

    /// Whether a value fits; `nil` where a regular expression cannot tell.
    func fits(_ value: Span<UInt8>) -> Bool? {
        switch test {
        case .exact(let text): value.equals(text.span)
        case .prefix(let text):
            value.count >= text.count && value.extracting(..<text.count).equals(text.span)
        case .regex(let expression): expression.tells(value)
        case .anything: true
        }
    }

    /// The same of a value of a query, which is decoded.
    func fits(encoded value: Span<UInt8>) -> Bool? {
        switch test {
        case .exact(let text): QueryText.equals(value, text.span)
        case .prefix(let text): QueryText.begins(value, with: text.span)
        case .regex(let expression): expression.tells(QueryText.decoded(value).span)
        case .anything: true
        }
    }
}

/// A path that a route must not have.
struct PathTest: Sendable {
    private let test: Test

    private enum Test: Sendable {
        case exact([UInt8])
        /// Without a slash at its end.
        case prefix([UInt8])
        case regex(RegularExpression)
    }

    /// Takes a pattern; `nil` for a regular expression that does not compile, which no checked configuration has.
    init?(_ pattern: PathPattern) {
        switch pattern {
        case .exact(let path): test = .exact(Array(path.utf8))
        case .prefix(let path):
            let octets = Array(path.utf8)
            test = .prefix(octets.last == UInt8(ascii: "/") ? octets.dropLast() : octets)
        case .regex(let text):
            // As above.
            guard let expression = try? RegularExpression(pattern: text) else { return nil }
            test = .regex(expression)
        }
    }

    /// Whether a normalised path is such a one; `nil` where a regular expression cannot tell.
    func holds(_ path: Span<UInt8>) -> Bool? {
        switch test {
        case .exact(let octets): return path.equals(octets.span)
        case .prefix(let octets):
            guard path.count >= octets.count, path.extracting(..<octets.count).equals(octets.span)
            else { return false }
            return path.count == octets.count || path[octets.count] == UInt8(ascii: "/")
        case .regex(let expression): return expression.tells(path)
        }
    }
}

extension RegularExpression {
    /// Whether the whole of a text matches; `nil` where the engine gives up, and nothing is known.
    func tells(_ text: Span<UInt8>) -> Bool? {
        do throws(MatchError) {
            return try matchesWhole(text)
        } catch {
            return nil
        }
    }
}

extension Span<UInt8> {
    /// A range without the spaces and tabs at its ends.
    ///
    /// - Parameter range: Indices of the octets.
    /// - Returns: The part of it that remains.
    package func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] == 0x20 || self[start] == 0x09 { start += 1 }
        while start < end, self[end - 1] == 0x20 || self[end - 1] == 0x09 { end -= 1 }
        return start..<end
    }
}

extension RequestHead {
    /// The value of the first cookie with a name.
    ///
    /// - Parameters:
    ///   - name: The cookie's.
    ///   - octets: The message from its start.
    /// - Returns: Where it is in the octets; `nil` without one.
    package func cookie(_ name: Span<UInt8>, _ octets: Span<UInt8>) -> Range<Int>? {
        var found: Range<Int>?
        forEachCookie(name, octets) { value in
            found = value
            return false
        }
        return found
    }

    /// Gives the values of all cookies with a name, as indices of the octets, until `body` has seen enough.
    ///
    /// RFC 6265 §4.2.1, however many lines the cookies stand in; quotation marks belong to a value. White space around the
    /// equals sign does not, as many servers read it so.
    func forEachCookie(
        _ name: Span<UInt8>,
        _ octets: Span<UInt8>,
        _ body: (Range<Int>) -> Bool
    ) {
        let lines = fields.lines
        for index in 0..<lines.count where lines[index].name == .cookie {
            let line = lines[index].valueRange
            var start = line.lowerBound
            while start < line.upperBound {
                let end = octets.firstIndex(
                    of: UInt8(ascii: ";"),
                    from: start,
                    to: line.upperBound
                )
                let pair = octets.trimmed(start..<end)
                let equals = octets.firstIndex(
                    of: UInt8(ascii: "="),
                    from: pair.lowerBound,
                    to: pair.upperBound
                )
                if octets.extracting(octets.trimmed(pair.lowerBound..<equals)).equals(name) {
                    let value = min(equals + 1, pair.upperBound)..<pair.upperBound
                    guard body(octets.trimmed(value)) else { return }
                }
                start = end + 1
            }
        }
    }
}
