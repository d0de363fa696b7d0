import RegularExpressions

/// A pattern, a template for what its matches are replaced by, and a text: a line each, and the text is all the rest.
enum PatternTexts {
    private static let all = try? RegularExpression(pattern: ".*")
    private static let none = try? RegularExpression(pattern: "a\\bb")

    /// Feeds the three.
    static func run(_ octets: [UInt8]) {
        let lines = octets.split(
            separator: UInt8(ascii: "\n"),
            maxSplits: 2,
            omittingEmptySubsequences: false
        )
        guard lines.count == 3 else { return }
        let pattern = String(decoding: lines[0], as: UTF8.self)
        // What takes long is known to: a run is for what it does not know.
        let text = Array(lines[2].prefix(256))
        let expression: RegularExpression
        do throws(RegularExpressionError) {
            expression = try RegularExpression(pattern: pattern)
        } catch {
            precondition(!error.description.isEmpty)
            return
        }
        do throws(MatchError) {
            try match(expression, text)
        } catch {
            preconditionFailure("nothing is known of so short a text: \(error)")
        }
        do throws(Substitution.ParseError) {
            let template = String(decoding: lines[1], as: UTF8.self)
            replace(expression, try Substitution(template, for: expression), text)
        } catch {
            precondition(!error.description.isEmpty)
        }
    }

    private static func match(
        _ expression: RegularExpression,
        _ text: [UInt8]
    ) throws(MatchError) {
        let isWhole = try expression.matchesWhole(text.span)
        var captures = Captures()
        let isCaptured = try expression.captures(whole: text.span, into: &captures)
        precondition(isCaptured == isWhole, "with groups it is matched otherwise")
        if isWhole {
            precondition(captures[0] == 0..<text.count)
            check(captures, expression, text)
        }
        let isFound = try expression.firstMatch(in: text.span, into: &captures)
        precondition(isFound || !isWhole, "the whole is a match, and there is none")
        if isFound { check(captures, expression, text) }

        guard let all, let none, let set = try? RegularExpressionSet([none, expression, all]) else {
            preconditionFailure("no set of three patterns")
        }
        var indices: [Int] = []
        try set.appendMatches(whole: text.span, to: &indices)
        precondition(indices == (isWhole ? [1, 2] : [2]), "in a set it is matched otherwise")
    }

    private static func check(
        _ captures: Captures,
        _ expression: RegularExpression,
        _ text: [UInt8]
    ) {
        precondition(captures.count == expression.groupCount + 1)
        guard let whole = captures[0] else { preconditionFailure("a match without a place") }
        precondition(whole.upperBound <= text.count)
        for group in 1..<captures.count {
            guard let range = captures[group] else { continue }
            precondition(range.lowerBound >= whole.lowerBound)
            precondition(range.upperBound <= whole.upperBound)
        }
    }

    private static func replace(
        _ expression: RegularExpression,
        _ substitution: Substitution,
        _ text: [UInt8]
    ) {
        var captures = Captures()
        var output: [UInt8] = [1, 2, 3]
        do throws(MatchError) {
            let count = try expression.replaceMatches(
                in: text.span,
                with: substitution,
                captures: &captures,
                into: &output,
                octetsMax: 4_096
            )
            precondition(count <= text.count + 1 && output.count <= 4_096)
            precondition(count > 0 || output.count == text.count + 3)
        } catch {
            precondition(error == .resultTooLong || error == .matchesTooMany)
            precondition(output == [1, 2, 3])
        }
    }
}
