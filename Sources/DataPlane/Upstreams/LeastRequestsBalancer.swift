/// A candidate as it was last seen.
private struct Entry {
    let index: Int
    let share: Double
    var inFlight: Int
    /// Requests in flight for the weight.
    var load: Double
    /// When it is its turn, among those of the same load.
    var turn: Double

    func isBefore(_ other: Entry) -> Bool {
        load < other.load || load == other.load && turn < other.turn
    }
}

/// The candidates in a heap: no entry is before the one at half of its place.
private struct Order {
    private(set) var heap: [Entry]
    /// The place of each candidate in the heap; -1 is none.
    private(set) var places: [Int]

    init(_ entries: [Entry], candidates: Int) {
        heap = entries
        places = Array(repeating: -1, count: candidates)
        for (place, entry) in entries.enumerated() { places[entry.index] = place }
        for place in (0..<heap.count / 2).reversed() { sink(heap[place], from: place) }
    }

    /// The place of a candidate; `nil` when it has no weight.
    func place(of index: Int) -> Int? {
        guard index >= 0, index < places.count, places[index] >= 0 else { return nil }
        return places[index]
    }

    /// Puts an entry where it belongs at or above a place.
    mutating func rise(_ entry: Entry, from start: Int) {
        Self.rise(entry, from: start, &heap, &places)
    }

    private static func rise(
        _ entry: Entry,
        from start: Int,
        _ entries: inout [Entry],
        _ placesOfAll: inout [Int]
    ) {
        var heap = entries.mutableSpan
        var places = placesOfAll.mutableSpan
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard entry.isBefore(heap[parent]) else { break }
            heap[place] = heap[parent]
            places[heap[place].index] = place
            place = parent
        }
        heap[place] = entry
        places[entry.index] = place
    }

    /// Puts an entry where it belongs at or below a place.
    mutating func sink(_ entry: Entry, from start: Int) {
        Self.sink(entry, from: start, &heap, &places)
    }

    private static func sink(
        _ entry: Entry,
        from start: Int,
        _ entries: inout [Entry],
        _ placesOfAll: inout [Int]
    ) {
        var heap = entries.mutableSpan
        var places = placesOfAll.mutableSpan
        var place = start
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(entry) else { break }
            heap[place] = heap[child]
            places[heap[place].index] = place
            place = child
        }
        heap[place] = entry
        places[entry.index] = place
    }
}

/// Chooses the candidate with the fewest requests in flight for its weight; of several, by weighted turn.
///
/// Of up to `refreshed` candidates, it is the turn of those that have fewer in flight for their weight than any would
/// have with one more: of equal ones, those with the fewest. So shares are those of the weights however little is in
/// flight, and a light candidate does not draw every request that finds a heavy one at work.
///
/// More candidates stand in a heap by what was last seen of them. Each choice looks at a few of them anew, so that all
/// are seen again after some choices, and at the one on top: what other workers have added there is never overlooked,
/// and what they have finished elsewhere is noticed a little later.
package final class LeastRequestsBalancer: Balancer {
    /// Candidates that each choice looks at anew.
    static let refreshed = 16

    /// The candidates where there are few; empty where they stand in the heap.
    private var few: [Entry] = []
    private var order: Order
    private var now = 0.0
    private var cursor = 0

    /// Makes a balancer; see `Balancer`.
    package init(weights: [Int], loads: [EndpointLoad], seed: UInt64) {
        order = Order([], candidates: 0)
        super.init(weights: weights, loads: loads, seed: seed)
        let entries = eligible.map { index in
            let share = 1 / Double(weights[index])
            let inFlight = loads[index].inFlight
            // Turns begin anywhere, so that a balancer made anew favours nobody.
            let phase = Double(random.next() >> 11) * 0x1p-53
            return Entry(
                index: index,
                share: share,
                inFlight: inFlight,
                load: Double(inFlight) * share,
                turn: phase * share
            )
        }
        if entries.count <= Self.refreshed {
            few = entries
        } else {
            order = Order(entries, candidates: weights.count)
        }
    }

    /// Looks at all of few candidates; at some of many anew, and takes what is on top.
    package override func choose(key: HashedKey, now instant: UInt64) -> Int? {
        if !few.isEmpty { return chooseOfFew() }
        guard !order.heap.isEmpty else { return nil }
        for _ in 0..<min(eligible.count, Self.refreshed) {
            cursor = cursor + 1 < eligible.count ? cursor + 1 : 0
            changed(eligible[cursor])
        }
        var top = order.heap[0]
        for _ in 0..<Self.drawsMax {
            changed(top.index)
            guard order.heap[0].index != top.index else { break }
            top = order.heap[0]
        }
        now = max(now, top.turn)
        top.turn = now + top.share
        // The request will begin there; if it does not, that is seen when the candidate is looked at anew.
        top.inFlight &+= 1
        top.load = Double(top.inFlight) * top.share
        order.sink(top, from: 0)
        return top.index
    }

    private func chooseOfFew() -> Int {
        var least = Double.infinity
        for place in few.indices {
            let inFlight = Double(loads[few[place].index].inFlight)
            few[place].load = inFlight * few[place].share
            least = min(least, (inFlight + 1) * few[place].share)
        }
        // Whoever would have the least has less now, so that there is one.
        var best = 0
        var turn = Double.infinity
        for place in few.indices where few[place].load < least && few[place].turn < turn {
            (best, turn) = (place, few[place].turn)
        }
        now = max(now, few[best].turn)
        few[best].turn = now + few[best].share
        return few[best].index
    }

    /// Looks at a candidate anew.
    package override func changed(_ index: Int) {
        guard let place = order.place(of: index) else { return }
        let inFlight = loads[index].inFlight
        var entry = order.heap[place]
        guard inFlight != entry.inFlight else { return }
        let rises = inFlight < entry.inFlight
        entry.inFlight = inFlight
        entry.load = Double(inFlight) * entry.share
        if rises { order.rise(entry, from: place) } else { order.sink(entry, from: place) }
    }
}
