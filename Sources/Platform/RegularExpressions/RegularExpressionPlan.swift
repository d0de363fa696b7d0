/// Divides patterns into parts, each for one pass over a text.
///
/// A text has one beginning. So of the patterns of a part only those matter whose literal beginning is one of the
/// text's: those of a chain of prefixes. A part takes a pattern as long as its chain has room.
struct RegularExpressionPlan {
    private var entries: [Entry] = []

    private struct Entry {
        let index: Int
        let prefix: [UInt8]
        let instructions: Int
    }

    private struct Part {
        var members: [Int] = []
        var instructions = 0
        /// How many patterns have each literal beginning.
        var counts: [ArraySlice<UInt8>: Int] = [:]

        /// Patterns that a text with this beginning leaves possible, if none has a longer one.
        func overlap(_ prefix: [UInt8]) -> Int {
            (0...prefix.count).reduce(0) { $0 + (counts[prefix[..<$1]] ?? 0) }
        }
    }

    /// Adds a pattern.
    mutating func append(_ index: Int, prefix: [UInt8], instructions: Int) {
        entries.append(Entry(index: index, prefix: prefix, instructions: instructions))
    }

    /// The parts, each in ascending order.
    ///
    /// - Complexity: O(patterns × parts).
    func parts() -> [[Int]] {
        var parts: [Part] = []
        // Shorter beginnings come first: what is added later lengthens a chain only at its end.
        for entry in entries.sorted(by: {
            ($0.prefix.count, $0.index) < ($1.prefix.count, $1.index)
        }) {
            let place = parts.firstIndex { part in
                part.instructions + entry.instructions <= Limits.partInstructionsMax
                    && part.overlap(entry.prefix) < Limits.partOverlapMax
            }
            let index = place ?? parts.count
            if place == nil { parts.append(Part()) }
            parts[index].members.append(entry.index)
            parts[index].instructions += entry.instructions
            parts[index].counts[entry.prefix[...], default: 0] += 1
        }
        return parts.map { $0.members.sorted() }
    }
}
