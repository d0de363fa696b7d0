/// A candidate as it was last seen.
private struct Candidate {
    /// What a request adds to its load: 1 by its weight.
    let share: Float
    /// How far apart its turns are; `Order.turnStepMax` for the least weight.
    let step: UInt32
    var inFlight: Int32
    /// Its place in the heap; -1 without a weight.
    var place: Int32
}

/// The candidates in a heap of four children each: no key is less than its parent's.
///
/// A key is the load, requests in flight for the weight, and then the turn, in one number: which of two comes first is
/// anybody's guess, and costs a branch that is guessed wrong unless it is a comparison of numbers. The bits of floats that
/// are not negative are in the order of the floats.
private struct Order {
    /// The largest distance of two turns of one candidate.
    static let turnStepMax: UInt32 = 1 << 28

    private var keys: [UInt64] = []
    private var indices: [UInt32] = []
    private var candidates: [Candidate] = []
    /// The turn that it is.
    private var now: UInt32 = 0

    /// Makes a heap of the candidates that have a weight, with nothing in flight.
    init(weights: [Int], _ random: inout RandomSource) {
        guard let least = weights.filter({ $0 > 0 }).min() else { return }
        for (index, weight) in weights.enumerated() {
            let share = weight > 0 ? 1 / Float(weight) : 0
            let step = UInt32(Float(Self.turnStepMax) * Float(least) * share)
            let place = weight > 0 ? keys.count : -1
            candidates.append(
                Candidate(share: share, step: step, inFlight: 0, place: Int32(clamping: place))
            )
            guard weight > 0 else { continue }
            // Turns begin anywhere, so that a balancer made anew favours nobody.
            keys.append(random.next() % UInt64(step + 1))
            indices.append(UInt32(clamping: index))
        }
        for place in keys.indices.reversed() { sink(keys[place], indices[place], from: place) }
    }

    /// The candidate whose turn it is.
    var first: Int { Int(indices[0]) }

    /// Counts another request of the first one, and its turn.
    mutating func takeFirst() {
        let index = first
        now = max(now, UInt32(truncatingIfNeeded: keys[0]))
        candidates[index].inFlight &+= 1
        let candidate = candidates[index]
        sink(Self.key(candidate, turn: now + candidate.step), indices[0], from: 0)
        if now >= 1 << 31 { beginAnew() }
    }

    /// Takes what a candidate has in flight.
    mutating func see(_ index: Int, inFlight: Int) {
        guard index >= 0, index < candidates.count else { return }
        let inFlight = Int32(clamping: inFlight)
        let seen = candidates[index]
        guard inFlight != seen.inFlight, seen.place >= 0 else { return }
        candidates[index].inFlight = inFlight
        let place = Int(seen.place)
        let key = Self.key(candidates[index], turn: UInt32(truncatingIfNeeded: keys[place]))
        if inFlight < seen.inFlight {
            rise(key, UInt32(index), from: place)
        } else {
            sink(key, UInt32(index), from: place)
        }
    }

    private static func key(_ candidate: Candidate, turn: UInt32) -> UInt64 {
        let load = Float(max(candidate.inFlight, 0)) * candidate.share
        return UInt64(load.bitPattern) << 32 | UInt64(turn)
    }

    /// Counts turns from the one that it is, long before they would overflow.
    ///
    /// Turns that have passed are the same then.
    private mutating func beginAnew() {
        for place in keys.indices {
            let turn = UInt32(truncatingIfNeeded: keys[place])
            keys[place] = keys[place] & ~0xFFFF_FFFF | UInt64(turn > now ? turn - now : 0)
        }
        now = 0
    }

    private mutating func rise(_ key: UInt64, _ index: UInt32, from start: Int) {
        Self.rise(key, index, from: start, &keys, &indices, &candidates)
    }

    /// Puts a key where it belongs at or above a place.
    private static func rise(
        _ key: UInt64,
        _ index: UInt32,
        from start: Int,
        _ allKeys: inout [UInt64],
        _ allIndices: inout [UInt32],
        _ allCandidates: inout [Candidate]
    ) {
        var keys = allKeys.mutableSpan
        var indices = allIndices.mutableSpan
        var candidates = allCandidates.mutableSpan
        var place = start
        while place > 0 {
            let parent = (place - 1) / 4
            guard key < keys[parent] else { break }
            keys[place] = keys[parent]
            indices[place] = indices[parent]
            candidates[Int(indices[place])].place = Int32(truncatingIfNeeded: place)
            place = parent
        }
        keys[place] = key
        indices[place] = index
        candidates[Int(index)].place = Int32(truncatingIfNeeded: place)
    }

    private mutating func sink(_ key: UInt64, _ index: UInt32, from start: Int) {
        Self.sink(key, index, from: start, &keys, &indices, &candidates)
    }

    /// Puts a key where it belongs at or below a place.
    private static func sink(
        _ key: UInt64,
        _ index: UInt32,
        from start: Int,
        _ allKeys: inout [UInt64],
        _ allIndices: inout [UInt32],
        _ allCandidates: inout [Candidate]
    ) {
        var keys = allKeys.mutableSpan
        var indices = allIndices.mutableSpan
        var candidates = allCandidates.mutableSpan
        var place = start
        while true {
            let first = 4 * place + 1
            guard first < keys.count else { break }
            var child = first
            var least = keys[first]
            if first + 3 < keys.count {
                let (second, third, fourth) = (keys[first + 1], keys[first + 2], keys[first + 3])
                let (left, right) = (min(least, second), min(third, fourth))
                let leftChild = second < least ? first + 1 : first
                let rightChild = fourth < third ? first + 3 : first + 2
                child = right < left ? rightChild : leftChild
                least = min(left, right)
            } else {
                for next in first..<keys.count where keys[next] < least {
                    (child, least) = (next, keys[next])
                }
            }
            guard least < key else { break }
            keys[place] = least
            indices[place] = indices[child]
            candidates[Int(indices[place])].place = Int32(truncatingIfNeeded: place)
            place = child
        }
        keys[place] = key
        indices[place] = index
        candidates[Int(index)].place = Int32(truncatingIfNeeded: place)
    }
}

/// One of few candidates.
private struct Contestant {
    let index: Int
    let share: Double
    var load = 0.0
    var turn: Double
}

/// Chooses the candidate with the fewest requests in flight for its weight; of several, by weighted turn.
///
/// Of up to `fewMax` candidates, it is the turn of those that have fewer in flight for their weight than any would
/// have with one more: of equal ones, those with the fewest. So shares are those of the weights however little is in
/// flight, and a light candidate does not draw every request that finds a heavy one at work.
///
/// More candidates stand in a heap by what was last seen of them. Each choice looks at a few of them anew, so that all
/// are seen again after some choices, and at the one on top: what other workers have added there is never overlooked,
/// and what they have finished elsewhere is noticed a little later.
package final class LeastRequestsBalancer: Balancer {
    /// Up to so many candidates are all looked at for each choice.
    static let fewMax = 16
    /// How many of more candidates each choice looks at anew.
    private static let refreshed = 4

    /// The candidates where there are few; empty where they stand in the heap.
    private var few: [Contestant] = []
    private var order: Order?
    private var now = 0.0
    private var cursor = 0

    /// Makes a balancer; see `Balancer`.
    package init(weights: [Int], loads: [EndpointLoad], seed: UInt64) {
        order = nil
        super.init(weights: weights, loads: loads, seed: seed)
        if eligible.count > Self.fewMax {
            order = Order(weights: weights, &random)
            for index in eligible { changed(index) }
        } else {
            few = eligible.map { index in
                let share = 1 / Double(weights[index])
                let phase = Double(random.next() >> 11) * 0x1p-53
                return Contestant(index: index, share: share, turn: phase * share)
            }
        }
    }

    /// Looks at all of few candidates; at some of many anew, and takes what is on top.
    package override func choose(key: HashedKey, now instant: UInt64) -> Int? {
        guard order != nil else { return few.isEmpty ? nil : chooseOfFew() }
        for _ in 0..<Self.refreshed {
            cursor = cursor + 1 < eligible.count ? cursor + 1 : 0
            changed(eligible[cursor])
        }
        var first = order?.first ?? 0
        for _ in 0..<Self.drawsMax {
            changed(first)
            guard let next = order?.first, next != first else { break }
            first = next
        }
        // The request will begin there; if it does not, that is seen when the candidate is looked at anew.
        order?.takeFirst()
        return first
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
        guard index >= 0, index < loads.count else { return }
        order?.see(index, inFlight: loads[index].inFlight)
    }
}
