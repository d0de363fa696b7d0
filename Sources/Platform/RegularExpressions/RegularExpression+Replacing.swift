extension RegularExpression {
    /// Appends a text with every match in it replaced.
    ///
    /// Matches do not overlap, and are looked for in the text as it was. An empty match directly behind another match is
    /// none: `x*` in `axb` is found before `a`, as `x`, and behind `b`.
    ///
    /// - Parameters:
    ///   - text: Up to 96 KiB.
    ///   - substitution: Read for this expression.
    ///   - captures: Room to work in.
    ///   - output: Is as it was if this throws.
    ///   - octetsMax: How long `output` may become.
    /// - Returns: How many matches were replaced.
    /// - Throws: That the text or the result is too long, that it has more than 100 matches, or that nothing is known.
    /// - Complexity: O(`text.count`) for each match.
    package func replaceMatches(
        in text: Span<UInt8>,
        with substitution: Substitution,
        captures: inout Captures,
        into output: inout [UInt8],
        octetsMax: Int
    ) throws(MatchError) -> Int {
        let before = output.count
        do throws(MatchError) {
            var (copied, start, replaced) = (0, 0, 0)
            while start <= text.count, try firstMatch(in: text, from: start, into: &captures) {
                guard let range = captures[0] else { break }
                if range.isEmpty, replaced > 0, range.lowerBound == copied {
                    start = range.lowerBound + 1
                    continue
                }
                guard replaced < Limits.replacementsMax else { throw .matchesTooMany }
                try Self.copy(text, copied..<range.lowerBound, into: &output, octetsMax: octetsMax)
                try substitution.expand(captures, of: text, into: &output, octetsMax: octetsMax)
                (copied, start, replaced) = (range.upperBound, range.upperBound, replaced + 1)
            }
            try Self.copy(text, copied..<text.count, into: &output, octetsMax: octetsMax)
            return replaced
        } catch {
            output.removeLast(output.count - before)
            throw error
        }
    }

    private static func copy(
        _ text: Span<UInt8>,
        _ range: Range<Int>,
        into output: inout [UInt8],
        octetsMax: Int
    ) throws(MatchError) {
        guard range.count <= octetsMax - output.count else { throw .resultTooLong }
        for index in range { output.append(text[index]) }
    }
}
