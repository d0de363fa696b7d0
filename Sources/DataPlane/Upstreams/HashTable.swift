/// Which endpoint a key belongs to, for all keys: a table that changes as little as it can when endpoints do.
///
/// Like Maglev's, it gives each of its slots to the endpoint that reaches it first, where each endpoint goes through the
/// slots in an order of its own, at a speed that is its weight. Unlike there, an endpoint that comes too late does not
/// make up for it, so that its way depends on its address and weight alone. What follows:
///
/// - a slot changes only if its endpoint goes or gets lighter, or to an endpoint that is new or got heavier: no key
///   moves but those that must;
/// - shares are by weight but for chance. With 1,000 endpoints a share differs from its ideal by 4 % (standard
///   deviation), with 10 by 0.4 %;
/// - nodes with the same endpoints have the same table, whatever came before and in whatever order.
package struct HashTable: Sendable {
    /// Slots; a power of two, the same for every upstream: a table of another size would move every key.
    static let slotBits = 18
    /// Candidates that a table tells apart.
    package static let candidatesMax = Int(UInt16.max)

    private let slots: [UInt16]

    /// Makes a table.
    ///
    /// - Parameters:
    ///   - identities: What each candidate is known by, such as the hash of its address.
    ///   - weights: Each candidate's share; one that is not above 0 gets no slot.
    /// - Complexity: About four million steps, 20 ms: not for a worker.
    package init(identities: [HashedKey], weights: [Int]) {
        precondition(identities.count == weights.count, "one weight for each candidate")
        var walks: [Walk] = []
        for (index, weight) in weights.prefix(Self.candidatesMax).enumerated() where weight > 0 {
            walks.append(
                Walk(identity: identities[index], weight: weight, index: UInt16(clamping: index))
            )
        }
        guard !walks.isEmpty else {
            slots = []
            return
        }
        // With equal times the order decides, which must not be that of the list.
        walks.sort { $0.seed < $1.seed }
        var filling = Filling()
        let sum = walks.reduce(0.0) { $0 + $1.weight }
        var time = 0.0
        while filling.left > 0 {
            // Of the slots that are left, six in seven are taken in each round.
            time += 2 / sum
            for index in walks.indices { walks[index].advance(to: time, &filling) }
        }
        slots = filling.slots
    }

    /// The slots as they are taken.
    private struct Filling {
        var slots = [UInt16](repeating: 0, count: 1 << HashTable.slotBits)
        var times = [Double](repeating: .infinity, count: 1 << HashTable.slotBits)
        var left = 1 << HashTable.slotBits
        /// When an endpoint of weight 1 makes each of its steps, as far as anybody has gone.
        private var clock: [Double] = []

        /// When an endpoint of weight 1 makes a step.
        ///
        /// The step's number is to be as good as drawn at random, and its time exponentially distributed, because of such
        /// times each is the least of all with a probability that is its rate: -ln(1 - (step + 1/2) / slots).
        mutating func time(of step: Int) -> Double {
            while step >= clock.count {
                // ln(a / b) is 2 artanh((a - b) / (a + b)), and few terms are enough: all machines find the same.
                let ahead = Double(2 * (slots.count - clock.count))
                let ratio = clock.isEmpty ? 1 / (2 * ahead - 1) : 1 / ahead
                let square = ratio * ratio
                let series = 1 + square * (1 / 3 + square * (1 / 5 + square * (1 / 7 + square / 9)))
                clock.append((clock.last ?? 0) + 2 * ratio * series)
            }
            return clock[step]
        }
    }

    /// The way of one endpoint through the slots.
    private struct Walk {
        let seed: UInt64
        let weight: Double
        let index: UInt16
        private let factors: (UInt32, UInt32)
        private let offset: UInt32
        private var step: UInt32 = 0

        init(identity: HashedKey, weight: Int, index: UInt16) {
            var random = RandomSource(seed: identity.value)
            seed = identity.value
            self.weight = Double(weight)
            self.index = index
            // Odd factors make each step of the mixing below a bijection, so that the way passes each slot once.
            factors = (
                UInt32(truncatingIfNeeded: random.next()) | 1,
                UInt32(truncatingIfNeeded: random.next()) | 1
            )
            offset = UInt32(truncatingIfNeeded: random.next())
        }

        /// Goes on until a time and takes the slots that it is the first to reach.
        mutating func advance(to end: Double, _ filling: inout Filling) {
            let mask: UInt32 = (1 << UInt32(HashTable.slotBits)) - 1
            let half = UInt32(HashTable.slotBits / 2)
            while step <= mask {
                let time = filling.time(of: Int(step)) / weight
                guard time < end else { break }
                // Arithmetic modulo the number of slots, a power of two below 2^32.
                var word = (step &* factors.0 &+ offset) & mask
                word ^= word >> half
                word = (word &* factors.1) & mask
                word ^= word >> half
                let slot = Int(word)
                let old = filling.times[slot]
                if time < old {
                    if old == .infinity { filling.left -= 1 }
                    filling.times[slot] = time
                    filling.slots[slot] = index
                }
                step += 1
            }
        }
    }

    /// Whether no candidate has a weight.
    package var isEmpty: Bool { slots.isEmpty }

    /// The candidate of a key.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - attempt: 0 for the one that it belongs to, more for those that stand in for it, in the key's own order; a
    ///     candidate may come more than once.
    /// - Returns: The candidate's index; `nil` when there is none.
    package func candidate(_ key: HashedKey, attempt: UInt64 = 0) -> Int? {
        guard !slots.isEmpty else { return nil }
        // Defined modulo 2^64: any spread of the attempts does.
        let word = attempt == 0 ? key.value : mixed(key.value &+ attempt &* 0x9E37_79B9_7F4A_7C15)
        return Int(slots[Int(truncatingIfNeeded: word >> UInt64(64 - Self.slotBits))])
    }
}

/// Chooses by a key of the request: consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016).
///
/// A candidate that has its bound of requests in flight, which is `boundFactor` times its share of all that are, rounded
/// up, is passed over for the next in the key's own order. A few are no load worth moving a key for.
package final class HashBalancer: Balancer {
    /// What a candidate may have in flight, relative to its fair share.
    static let boundFactor = 1.25
    /// What a candidate may have in flight in any case: requests of one client that overlap stay together.
    static let boundMin = 3
    /// Candidates in a key's own order that are looked at before any other is taken.
    static let attemptsMax: UInt64 = 24

    private let table: HashTable
    private let upstream: UpstreamLoad
    private let bounds: [Double]

    /// Makes a balancer; see `Balancer`.
    ///
    /// - Parameters:
    ///   - weights: Each candidate's share relative to the others.
    ///   - loads: Each candidate's load.
    ///   - table: Of the same weights.
    ///   - upstream: Where the loads of all candidates are summed up.
    ///   - seed: As for the others.
    package init(
        weights: [Int],
        loads: [EndpointLoad],
        table: HashTable,
        upstream: UpstreamLoad,
        seed: UInt64
    ) {
        self.table = table
        self.upstream = upstream
        let sum = weights.reduce(0.0) { $0 + Double(max($1, 0)) }
        bounds = weights.map { Self.boundFactor * Double(max($0, 0)) / max(sum, 1) }
        super.init(weights: weights, loads: loads, seed: seed, total: upstream)
    }

    /// Looks the key's candidates up until one is within its bound.
    package override func choose(key: HashedKey, now: UInt64) -> Int? {
        choose(key: key, now: now, avoiding: [])
    }

    /// Looks the key's candidates up until one is within its bound and has not been tried.
    package override func choose(key: HashedKey, now: UInt64, avoiding tried: [Int]) -> Int? {
        guard let first = table.candidate(key) else { return nil }
        // With the request that is to be placed.
        let total = Double(upstream.inFlight &+ 1)
        if isOpen(first, total), !tried.contains(first) { return first }
        var untried: Int?
        for attempt in 1...Self.attemptsMax {
            guard let next = table.candidate(key, attempt: attempt), !tried.contains(next) else {
                continue
            }
            if isOpen(next, total) { return next }
            untried = untried ?? next
        }
        // Few are within their bounds: whichever comes first in a walk that begins at a place of the key's.
        let start = Int(truncatingIfNeeded: key.value >> 33) % eligible.count
        for step in eligible.indices {
            let index = eligible[(start + step) % eligible.count]
            guard !tried.contains(index) else { continue }
            if isOpen(index, total) { return index }
            untried = untried ?? index
        }
        return untried ?? first
    }

    package override func isOverfull(_ index: Int) -> Bool {
        let inFlight = loads[index].inFlight
        if inFlight <= Self.boundMin { return false }
        return Double(inFlight) > bound(index, Double(upstream.inFlight))
    }

    /// Whether a candidate may take one more.
    private func isOpen(_ index: Int, _ total: Double) -> Bool {
        let inFlight = loads[index].inFlight
        if inFlight < Self.boundMin { return true }
        return Double(inFlight) < bound(index, total)
    }

    /// What a candidate may have in flight of so many.
    private func bound(_ index: Int, _ total: Double) -> Double {
        // The quotient of weights is not exact: what rounding adds must not make one more.
        (bounds[index] * total - 1e-9).rounded(.up)
    }
}
