/// Finds what a misspelt word was probably meant to be.
///
/// Works on a budget of table cells, so that a document full of wrong names stays cheap to refuse.
package struct Suggester {
    private var cells = ModelLimits.suggestionCellsMax

    /// Starts with the budget of one document.
    package init() {}

    /// `; did you mean X?`, or nothing where no candidate is close.
    package mutating func hint(
        for word: String,
        among candidates: some Sequence<String>,
        shown: (String) -> String = { $0 }
    ) -> String {
        guard let best = closest(to: word, among: candidates) else { return "" }
        return "; did you mean \(shown(best))?"
    }

    /// The candidate with the fewest edits, at most a third of the word's length and at least one.
    package mutating func closest(to word: String, among candidates: some Sequence<String>)
        -> String?
    {
        let letters = Array(word.lowercased().utf8)
        guard !letters.isEmpty, letters.count <= 64, cells > 0 else { return nil }
        let editsMax = max(1, letters.count / 3)
        var best: (edits: Int, word: String)?
        for candidate in candidates {
            // Looking at a candidate at all costs about as much as this many cells.
            cells -= 16
            if cells < 0 { break }
            let other = Array(candidate.lowercased().utf8)
            guard abs(other.count - letters.count) <= editsMax else { continue }
            cells -= letters.count * other.count
            let edits = Self.distance(letters, other)
            if edits <= editsMax, edits < best?.edits ?? Int.max { best = (edits, candidate) }
            if edits == 0 { break }
        }
        return best?.word
    }

    /// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        var row = last
        for i in 1...max(left.count, 1) where i <= left.count {
            row[0] = i
            for j in 1...max(right.count, 1) where j <= right.count {
                let cost = left[i - 1] == right[j - 1] ? 0 : 1
                row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
                if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
                    row[j] = min(row[j], beforeLast[j - 2] + 1)
                }
            }
            (beforeLast, last, row) = (last, row, beforeLast)
        }
        return last[right.count]
    }
}
