/// Chooses among an upstream's candidates for one worker.
///
/// A candidate is known by its index in the list that the balancer was made of; one whose weight is not above 0 is never
/// chosen. A balancer is confined to its worker. What workers share are the candidates' loads, which are atomic, and
/// tables that never change. Round robin does without: see `EndpointSequence`.
package class Balancer {
    final let weights: [Int]
    final let loads: [EndpointLoad]
    /// Where requests count besides; `nil` where nobody wants to know their sum.
    package final let total: UpstreamLoad?
    /// The candidates with a weight, in order.
    final let eligible: [Int]
    final var random: RandomSource

    /// Makes a balancer.
    ///
    /// - Parameters:
    ///   - weights: Each candidate's share relative to the others.
    ///   - loads: Each candidate's load; as many as there are weights.
    ///   - seed: Makes the worker's draws differ from those of others.
    ///   - total: Where requests count besides.
    init(weights: [Int], loads: [EndpointLoad], seed: UInt64, total: UpstreamLoad? = nil) {
        precondition(weights.count == loads.count, "\(weights.count) weights, \(loads.count) loads")
        self.weights = weights
        self.loads = loads
        self.total = total
        eligible = weights.indices.filter { weights[$0] > 0 }
        random = RandomSource(seed: seed)
    }

    /// Chooses a candidate.
    ///
    /// - Parameters:
    ///   - key: What the request is hashed by, where the balancing asks for it.
    ///   - now: Monotonic nanoseconds.
    /// - Returns: The candidate's index, or `nil` when none has a weight.
    package func choose(key: HashedKey, now: UInt64) -> Int? { nil }

    /// Whether a candidate has more in flight than it may, which workers that choose at the same moment bring about.
    package func isOverfull(_ index: Int) -> Bool { false }

    /// Learns that the load of a candidate has changed on this worker.
    package func changed(_ index: Int) {}

    /// Counts a request that begins at a candidate; `end` is owed.
    package final func begin(_ index: Int) {
        loads[index].began()
        total?.began()
        changed(index)
    }

    /// Counts that a request of `begin` has been answered and has ended.
    package final func end(_ index: Int, after nanoseconds: UInt64, now: UInt64) {
        loads[index].answered(after: nanoseconds, now: now)
        loads[index].ended()
        total?.ended()
        changed(index)
    }

    /// Chooses a candidate other than those that have been tried, if there is one.
    ///
    /// - Parameters:
    ///   - key: As for `choose`.
    ///   - now: Monotonic nanoseconds.
    ///   - tried: The candidates to leave out; few.
    /// - Returns: The candidate's index; one that has been tried when there is no other.
    package func choose(key: HashedKey, now: UInt64, avoiding tried: [Int]) -> Int? {
        let first = choose(key: key, now: now)
        guard let first, tried.contains(first) else { return first }
        for _ in 0..<Self.drawsMax {
            guard let next = choose(key: key, now: now) else { break }
            if !tried.contains(next) { return next }
        }
        let start = random.index(below: eligible.count)
        for step in eligible.indices {
            let index = eligible[(start + step) % eligible.count]
            if !tried.contains(index) { return index }
        }
        return first
    }

    /// Draws for one choice until others are looked through in order.
    static var drawsMax: Int { 4 }

    /// Some candidate with a weight other than one; that one when there is no other.
    final func other(than index: Int) -> Int {
        guard eligible.count > 1 else { return index }
        let place = random.index(below: eligible.count - 1)
        let drawn = eligible[place]
        // The last stands in for the one that is left out.
        return drawn == index ? eligible[eligible.count - 1] : drawn
    }
}

/// Chooses at random, by weight.
package final class RandomBalancer: Balancer {
    private let table: AliasTable

    /// Makes a balancer; see `Balancer`.
    ///
    /// - Parameters:
    ///   - weights: Each candidate's share relative to the others.
    ///   - loads: Each candidate's load.
    ///   - table: Of the same weights.
    ///   - seed: Makes the worker's draws differ from those of others.
    package init(weights: [Int], loads: [EndpointLoad], table: AliasTable, seed: UInt64) {
        self.table = table
        super.init(weights: weights, loads: loads, seed: seed)
    }

    /// Draws one.
    package override func choose(key: HashedKey, now: UInt64) -> Int? {
        table.draw(using: &random)
    }
}

/// Chooses the one with less in flight of two that are drawn at random, by weight.
///
/// Where one of them answers far more slowly, what it has in flight counts four times.
package final class PowerOfTwoBalancer: Balancer {
    /// So many times as long as another one has to take, and by so many nanoseconds, who is called slow beside it.
    ///
    /// Endpoints of one kind never differ so much for long. What it has in flight counts so many times too.
    static let slownessFactor = 4.0
    static let slownessNanoseconds = 5e6
    /// How long it is remembered of one that gets no requests, in nanoseconds, as an estimate's memory.
    static let slownessMemory = 4 * EndpointLoad.memoryNanoseconds

    private let table: AliasTable

    /// Makes a balancer; see `Balancer`.
    ///
    /// - Parameters:
    ///   - weights: Each candidate's share relative to the others.
    ///   - loads: Each candidate's load.
    ///   - table: Of the same weights.
    ///   - seed: Makes the worker's draws differ from those of others.
    package init(weights: [Int], loads: [EndpointLoad], table: AliasTable, seed: UInt64) {
        self.table = table
        super.init(weights: weights, loads: loads, seed: seed)
    }

    /// Draws two and compares.
    ///
    /// The second is taken when it would have no more in flight for its weight with the request than the first has
    /// without it: for equal weights, when it has less. So an idle upstream is used by weight, and a light endpoint does
    /// not draw every request that finds a heavy one at work.
    package override func choose(key: HashedKey, now: UInt64) -> Int? {
        guard let first = table.draw(using: &random) else { return nil }
        let second = drawSecond(other: first)
        // Weights and counts are far below 2^31, so that their products as Double are exact enough.
        let (ofFirst, ofSecond) = (Double(weights[first]), Double(weights[second]))
        let load = Double(loads[first].inFlight) * ofSecond
        let other = Double(loads[second].inFlight) * ofFirst
        if other + ofFirst <= load {
            let isWorth =
                Self.slownessFactor * (other + ofFirst) <= load
                || !isSlow(second, beside: first, now)
            return isWorth ? second : first
        }
        let isWorth =
            Self.slownessFactor * (load + ofSecond) <= other
            || !isSlow(first, beside: second, now)
        return isWorth ? first : second
    }

    private func isSlow(_ index: Int, beside other: Int, _ now: UInt64) -> Bool {
        let latency = loads[other].latency(at: now, over: Self.slownessMemory)
        guard latency > 0 else { return false }
        let least = max(latency * Self.slownessFactor, latency + Self.slownessNanoseconds)
        return loads[index].latency(at: now, over: Self.slownessMemory) > least
    }

    private func drawSecond(other first: Int) -> Int {
        guard eligible.count > 2 else { return other(than: first) }
        for _ in 0..<Self.drawsMax {
            if let second = table.draw(using: &random), second != first { return second }
        }
        return other(than: first)
    }
}

/// Chooses the one that is expected to answer first: the least latency times requests in flight, by weight.
///
/// Among few candidates all are compared, among many some that are drawn at random. Candidates that nothing is known of
/// get one request each before they are compared, and no more until it is answered; those that have failed too, when the
/// time that the failure stands for has faded.
package final class LatencyBalancer: Balancer {
    /// Candidates up to which all are compared.
    static let comparedMax = 8
    /// Candidates that are drawn where there are more.
    static let drawn = 3
    /// The nanoseconds that stand for an endpoint whose first answer, or first after a failure, is awaited: about eleven
    /// days.
    static let unknownNanoseconds = 1e15

    private var start = 0

    /// Makes a balancer; see `Balancer`.
    package init(weights: [Int], loads: [EndpointLoad], seed: UInt64) {
        super.init(weights: weights, loads: loads, seed: seed)
        if !eligible.isEmpty { start = random.index(below: eligible.count) }
    }

    /// Compares what the candidates would cost.
    package override func choose(key: HashedKey, now: UInt64) -> Int? {
        let count = eligible.count
        guard count > 0 else { return nil }
        guard count > Self.comparedMax else { return leastOfAll(now) }
        var best = eligible[random.index(below: count)]
        var least = cost(best, now)
        for _ in 1..<Self.drawn {
            let next = other(than: best)
            let costs = cost(next, now)
            if costs < least { (best, least) = (next, costs) }
        }
        return best
    }

    /// Of candidates that cost the same, as unknown ones do, it is another one each time.
    private func leastOfAll(_ now: UInt64) -> Int {
        start = start + 1 < eligible.count ? start + 1 : 0
        var best = eligible[start]
        var least = cost(best, now)
        var place = start
        for _ in 1..<eligible.count {
            place = place + 1 < eligible.count ? place + 1 : 0
            let index = eligible[place]
            let costs = cost(index, now)
            if costs < least { (best, least) = (index, costs) }
        }
        return best
    }

    private func cost(_ index: Int, _ now: UInt64) -> Double {
        let load = loads[index]
        let inFlight = load.inFlight
        var latency = load.latency(at: now)
        if inFlight > 0, latency == 0 || load.hasFailed { latency = Self.unknownNanoseconds }
        return latency * Double(inFlight &+ 1) / Double(weights[index])
    }
}
