/// Weighted turns of endpoints whose weights have no short common turn: earliest deadline first.
///
/// The k-th choice of an endpoint of weight w is due at (k + phase) / w. Until time 1, which is a turn, each endpoint
/// is chosen exactly as often as its weight says; then the turn begins again. Phases are random, so that a turn that
/// begins anew, as it does when the endpoints change, favours none.
struct DeadlineTurn: Sendable {
    private struct Entry {
        var deadline: Double
        var chosen: Int
        let phase: Double
        let weight: Int
        let index: Int
    }

    /// A heap: no entry is due before the one at half of its place.
    private var heap: [Entry] = []
    private var stepsLeft = 0
    private let steps: Int

    init(weights: [Int], random: inout RandomSource) {
        for (index, weight) in weights.enumerated() where weight > 0 {
            let phase = Double(random.next() >> 11) * 0x1p-53
            heap.append(
                Entry(
                    deadline: phase / Double(weight),
                    chosen: 0,
                    phase: phase,
                    weight: weight,
                    index: index
                )
            )
        }
        steps = heap.reduce(0) { $0.addingReportingOverflow($1.weight).partialValue }
        stepsLeft = steps
        order()
    }

    /// Chooses what is due; `nil` when there is nothing.
    mutating func choose() -> Int? {
        guard var entry = heap.first else { return nil }
        entry.chosen &+= 1
        entry.deadline = (Double(entry.chosen) + entry.phase) / Double(entry.weight)
        sink(entry, from: 0)
        stepsLeft &-= 1
        if stepsLeft == 0 { beginAgain() }
        return entry.index
    }

    private mutating func beginAgain() {
        stepsLeft = steps
        for place in heap.indices {
            heap[place].chosen = 0
            heap[place].deadline = heap[place].phase / Double(heap[place].weight)
        }
        order()
    }

    private mutating func order() {
        for place in (0..<heap.count / 2).reversed() { sink(heap[place], from: place) }
    }

    /// Puts an entry where it belongs at or below a place.
    private mutating func sink(_ entry: Entry, from start: Int) {
        var heap = self.heap.mutableSpan
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline {
                child += 1
            }
            guard heap[child].deadline < entry.deadline else { break }
            heap[place] = heap[child]
            place = child
        }
        heap[place] = entry
    }
}
