/// Where a pattern and its groups were found in a text; one value serves any number of matches.
///
/// Ranges are those of the text of the last match that succeeded, and of nothing once one did not.
package struct Captures: Sendable {
    /// Two for each group, the whole match first; -1 for a group that took no part.
    var offsets: [Int32] = []
    /// Whether the last match succeeded.
    var isFound = false

    /// No match yet.
    package init() {}

    /// The groups, the whole match included; 0 before a match and after a failure.
    package var count: Int { isFound ? offsets.count / 2 : 0 }

    /// Indices of the octets of a group; 0 is the whole match.
    ///
    /// - Parameter group: From 0 on; any number.
    /// - Returns: `nil` for a group that took no part in the match or does not exist.
    package subscript(group: Int) -> Range<Int>? {
        guard group >= 0, group < count else { return nil }
        let (start, end) = (Int(offsets[2 * group]), Int(offsets[2 * group + 1]))
        guard start >= 0, start <= end else { return nil }
        return start..<end
    }

    /// Makes room for a match and its groups, and forgets the last match.
    mutating func prepare(groupCount: Int) {
        isFound = false
        let wanted = 2 * (groupCount + 1)
        guard offsets.count != wanted else { return }
        offsets.removeAll(keepingCapacity: true)
        offsets.append(contentsOf: repeatElement(-1, count: wanted))
    }
}
