import Testing
import Upstreams

/// How far counts are from what weights promise: Pearson's chi-square.
func chiSquare(_ counts: [Int], _ weights: [Int]) -> Double {
    let total = Double(counts.reduce(0, +))
    let sum = Double(weights.reduce(0, +))
    return zip(counts, weights).reduce(0.0) { result, pair in
        let expected = total * Double(pair.1) / sum
        guard expected > 0 else { return pair.0 == 0 ? result : .infinity }
        let distance = Double(pair.0) - expected
        return result + distance * distance / expected
    }
}

/// Counts of the candidates that a balancer chooses.
private func counts(_ balancer: Balancer, of candidates: Int, choices: Int, hold: Bool = false)
    -> [Int]
{
    var counts = Array(repeating: 0, count: candidates)
    for step in 0..<choices {
        guard let index = balancer.choose(key: HashedKey("key \(step)"), now: 0) else {
            return counts
        }
        counts[index] += 1
        if hold { balancer.begin(index) }
    }
    return counts
}

private func loads(_ count: Int) -> [EndpointLoad] {
    (0..<count).map { _ in EndpointLoad() }
}

private func identities(_ count: Int) -> [HashedKey] {
    (0..<count).map { HashedKey("10.1.\($0 / 200).\($0 % 200):8080") }
}

@Suite("Balancers")
struct BalancerTests {
    /// With a probability of 1 in 1,000, chi-square is above it for four degrees of freedom.
    private let limit = 18.47
    private let weights = [5, 1, 3, 0, 1, 10]

    private func random(_ weights: [Int], seed: UInt64 = 1) -> Balancer {
        RandomBalancer(
            weights: weights,
            loads: loads(weights.count),
            table: AliasTable(weights: weights),
            seed: seed
        )
    }

    private func powerOfTwo(_ weights: [Int], _ given: [EndpointLoad]? = nil, seed: UInt64 = 1)
        -> Balancer
    {
        PowerOfTwoBalancer(
            weights: weights,
            loads: given ?? loads(weights.count),
            table: AliasTable(weights: weights),
            seed: seed
        )
    }

    @Test("Random choices are by weight", arguments: [1, 2, 3] as [UInt64])
    func randomShares(seed: UInt64) {
        let counts = counts(random(weights, seed: seed), of: weights.count, choices: 50_000)
        #expect(chiSquare(counts, weights) < limit, "\(counts)")
    }

    @Test("An idle upstream is used by weight with power of two", arguments: [1, 2, 3] as [UInt64])
    func powerOfTwoShares(seed: UInt64) {
        let counts = counts(powerOfTwo(weights, seed: seed), of: weights.count, choices: 50_000)
        #expect(chiSquare(counts, weights) < limit, "\(counts)")
    }

    @Test("Power of two compares two different ones, and takes the one with less in flight")
    func powerOfTwoCompares() {
        let given = loads(2)
        for _ in 0..<3 { given[0].began() }
        given[1].began()
        let pair = powerOfTwo([1, 1], given)
        #expect((0..<100).allSatisfy { _ in pair.choose(key: HashedKey("a"), now: 0) == 1 })
        // Of five, the one that is busy is never the better of two.
        let five = loads(5)
        five[2].began()
        let counts = counts(powerOfTwo([1, 1, 1, 1, 1], five), of: 5, choices: 1000)
        #expect(counts[2] == 0)
    }

    @Test("What is in flight at one that is far slower counts more with power of two")
    func powerOfTwoTies() {
        let given = loads(3)
        for index in 0..<3 {
            given[index].answered(after: index == 1 ? 20_000_000 : 2_000_000, now: 0, .mean)
        }
        let balancer = powerOfTwo([1, 1, 1], given)
        #expect(counts(balancer, of: 3, choices: 300)[1] == 0)
        for _ in 0..<4 {
            #expect(counts(balancer, of: 3, choices: 300)[1] == 0)
            given[0].began()
            given[2].began()
        }
        #expect(counts(balancer, of: 3, choices: 300)[1] > 150)
        given[1].began()
        #expect(counts(balancer, of: 3, choices: 300)[1] == 0)
        // What differs by little is not looked at.
        let alike = loads(2)
        alike[0].answered(after: 4_000_000, now: 0, .mean)
        alike[1].answered(after: 500_000, now: 0, .mean)
        #expect(counts(powerOfTwo([1, 1], alike), of: 2, choices: 300).allSatisfy { $0 > 100 })
    }

    @Test("A mean is hardly moved by one slow answer, a peak is")
    func means() {
        let load = EndpointLoad()
        for step in 0..<1000 {
            load.answered(after: 1_000_000, now: UInt64(step) * 10_000_000, .mean)
        }
        load.answered(after: 100_000_000, now: 10_000_000_000, .mean)
        #expect(load.latency(at: 10_000_000_000) < 1_300_000)
        load.answered(after: 100_000_000, now: 10_000_000_000, .peak)
        #expect(load.latency(at: 10_000_000_000) == 100_000_000)
    }

    @Test(
        "Requests in flight spread by weight with power of two, and few endpoints have many more than others"
    )
    func powerOfTwoSpread() {
        let weights = Array(repeating: 1, count: 100)
        let counts = counts(powerOfTwo(weights), of: 100, choices: 10_000, hold: true)
        #expect((counts.max() ?? 0) - 100 <= 4, "\(counts.max() ?? 0)")
        let uneven = [1000, 1]
        let shares = BalancerTests.held(powerOfTwo(uneven), of: 2, requests: 2002)
        #expect(shares[1] >= 1 && shares[1] <= 8, "\(shares)")
    }

    private static func held(_ balancer: Balancer, of candidates: Int, requests: Int) -> [Int] {
        counts(balancer, of: candidates, choices: requests, hold: true)
    }

    @Test("Least requests takes weighted turns while nothing is in flight")
    func leastRequestsTurns() {
        let balancer = LeastRequestsBalancer(weights: weights, loads: loads(weights.count), seed: 4)
        for _ in 0..<5 {
            let turn = counts(balancer, of: weights.count, choices: 20)
            #expect(zip(turn, weights).allSatisfy { abs($0 - $1) <= 1 }, "\(turn)")
        }
    }

    @Test("Least requests fills endpoints by weight, and goes where one ends", arguments: [6, 300])
    func leastRequestsFills(count: Int) {
        let weights = (0..<count).map { 1 + $0 % 3 }
        let given = loads(count)
        let balancer = LeastRequestsBalancer(weights: weights, loads: given, seed: 1)
        let sum = weights.reduce(0, +)
        let chosen = counts(balancer, of: count, choices: 4 * sum, hold: true)
        #expect(chosen == weights.map { 4 * $0 })
        balancer.end(3, after: 1, now: 1)
        #expect(balancer.choose(key: HashedKey("a"), now: 1) == 3)
    }

    @Test("Least requests gives many endpoints their turns for as long as they are idle")
    func leastRequestsManyTurns() {
        let unequal = (0..<40).map { $0 == 0 ? 10_000 : 100 + $0 }
        for weights in [Array(repeating: 7, count: 17), unequal] {
            let given = loads(weights.count)
            let balancer = LeastRequestsBalancer(weights: weights, loads: given, seed: 3)
            var counts = Array(repeating: 0, count: weights.count)
            for _ in 0..<(10 * weights.reduce(0, +)) {
                guard let index = balancer.choose(key: HashedKey("a"), now: 0) else { break }
                counts[index] += 1
                balancer.begin(index)
                balancer.end(index, after: 1, now: 1)
            }
            for (count, weight) in zip(counts, weights) {
                #expect(abs(count - 10 * weight) <= 2 + weight / 50, "\(counts)")
            }
        }
    }

    @Test("Least requests gives by weight however little is in flight", arguments: [1, 2, 4, 30])
    func leastRequestsShares(atOnce: Int) {
        for weights in [[100, 1], [1, 2, 3, 4], [100, 100, 1]] {
            let balancer = LeastRequestsBalancer(
                weights: weights,
                loads: loads(weights.count),
                seed: 1
            )
            var counts = Array(repeating: 0, count: weights.count)
            var held: [Int] = []
            for _ in 0..<(20 * weights.reduce(0, +)) {
                guard let index = balancer.choose(key: HashedKey("a"), now: 0) else { break }
                balancer.begin(index)
                counts[index] += 1
                held.append(index)
                if held.count == atOnce { balancer.end(held.removeFirst(), after: 1, now: 1) }
            }
            for (count, weight) in zip(counts, weights) {
                #expect(abs(count - 20 * weight) <= 2 + weight, "\(weights): \(counts)")
            }
        }
    }

    @Test("Least requests sees what other workers do")
    func leastRequestsSharedLoads() {
        let given = loads(5)
        let ours = LeastRequestsBalancer(weights: [1, 1, 1, 1, 1], loads: given, seed: 1)
        let theirs = LeastRequestsBalancer(weights: [1, 1, 1, 1, 1], loads: given, seed: 2)
        for step in 0..<50 {
            let balancer = step % 2 == 0 ? ours : theirs
            balancer.begin(balancer.choose(key: HashedKey("a"), now: 0) ?? 0)
        }
        #expect(given.map(\.inFlight) == [10, 10, 10, 10, 10])
        for _ in 0..<3 { theirs.end(4, after: 1, now: 0) }
        #expect(ours.choose(key: HashedKey("a"), now: 0) == 4)
    }

    @Test("What has been tried is left out while there is another")
    func avoids() {
        let all: [Balancer] = [
            random([1, 1, 1000]), powerOfTwo([1, 1, 1000]),
            LeastRequestsBalancer(weights: [1, 1, 1000], loads: loads(3), seed: 1),
            LatencyBalancer(weights: [1, 1, 1000], loads: loads(3), seed: 1), hash([1, 1, 1000]).0,
        ]
        for balancer in all {
            for step in 0..<50 {
                let key = HashedKey("\(step)")
                #expect(balancer.choose(key: key, now: 0, avoiding: [2]) != 2)
                #expect(balancer.choose(key: key, now: 0, avoiding: [2, 0]) == 1)
                #expect(balancer.choose(key: key, now: 0, avoiding: [2, 1, 0]) != nil)
            }
        }
    }

    @Test("Nothing is chosen where nothing has a weight, and one alone always is")
    func fewCandidates() {
        for weights in [[], [0], [0, 0]] {
            let none: [Balancer] = [
                random(weights), powerOfTwo(weights), hash(weights).0,
                LeastRequestsBalancer(weights: weights, loads: loads(weights.count), seed: 1),
                LatencyBalancer(weights: weights, loads: loads(weights.count), seed: 1),
            ]
            for balancer in none {
                #expect(balancer.choose(key: HashedKey("a"), now: 0) == nil)
                #expect(balancer.choose(key: HashedKey("a"), now: 0, avoiding: [0]) == nil)
            }
        }
        let alone: [Balancer] = [
            random([0, 7]), powerOfTwo([0, 7]), hash([0, 7]).0,
            LeastRequestsBalancer(weights: [0, 7], loads: loads(2), seed: 1),
            LatencyBalancer(weights: [0, 7], loads: loads(2), seed: 1),
        ]
        for balancer in alone {
            #expect(counts(balancer, of: 2, choices: 20, hold: true) == [0, 20])
            #expect(balancer.choose(key: HashedKey("a"), now: 0, avoiding: [1]) == 1)
        }
    }

    private func hash(_ weights: [Int]) -> (HashBalancer, UpstreamLoad) {
        let upstream = UpstreamLoad()
        let balancer = HashBalancer(
            weights: weights,
            loads: loads(weights.count),
            table: HashTable(identities: identities(weights.count), weights: weights),
            upstream: upstream,
            seed: 1
        )
        return (balancer, upstream)
    }
}

@Suite("Latency balancing")
struct LatencyBalancerTests {
    private let second: UInt64 = 1_000_000_000
    private let key = HashedKey("any")

    @Test("Each unknown endpoint gets one request until it has answered")
    func firstSamples() {
        let given = loads(4)
        let balancer = LatencyBalancer(weights: [1, 1, 1, 1], loads: given, seed: 1)
        for endpoint in 0..<3 { given[endpoint].answered(after: 1_000_000, now: second) }
        #expect(balancer.choose(key: key, now: second) == 3)
        balancer.begin(3)
        for _ in 0..<100 {
            let index = balancer.choose(key: key, now: second) ?? 3
            #expect(index != 3)
            balancer.begin(index)
        }
        #expect(given[3].inFlight == 1)
    }

    @Test("Many requests at once to unknown endpoints spread evenly")
    func firstFlood() {
        let given = loads(5)
        let balancer = LatencyBalancer(weights: [1, 1, 1, 1, 1], loads: given, seed: 1)
        for _ in 0..<50 { balancer.begin(balancer.choose(key: key, now: 0) ?? 0) }
        #expect(given.map(\.inFlight) == [10, 10, 10, 10, 10])
    }

    @Test("A slow endpoint is used when the others are busier by as much", arguments: [1, 3])
    func slowEndpoint(weight: Int) {
        let given = loads(2)
        let balancer = LatencyBalancer(weights: [1, weight], loads: given, seed: 1)
        given[0].answered(after: 1_000_000, now: second)
        given[1].answered(after: 10_000_000 * UInt64(weight), now: second)
        for _ in 0..<9 {
            #expect(balancer.choose(key: key, now: second) == 0)
            balancer.begin(0)
        }
        balancer.begin(0)
        #expect(balancer.choose(key: key, now: second) == 1)
    }

    @Test(
        "An estimate rises at once, falls with time, and an endpoint that was slow is asked again"
    )
    func estimates() {
        let load = EndpointLoad()
        load.answered(after: 1_000_000, now: 0)
        load.answered(after: 50_000_000, now: second)
        #expect(load.latency(at: second) == 50_000_000)
        load.answered(after: 1_000_000, now: second + second / 100)
        #expect(load.latency(at: second + second / 100) > 45_000_000)
        let later = load.latency(at: 6 * second + second / 100)
        #expect(abs(later / load.latency(at: second + second / 100) - 0.3679) < 0.001)
        load.answered(after: 1_000_000, now: 100 * second)
        #expect(load.latency(at: 100 * second) < 1_000_100)

        let given = loads(2)
        let balancer = LatencyBalancer(weights: [1, 1], loads: given, seed: 1)
        given[0].answered(after: 10_000_000, now: 0)
        given[1].answered(after: 1_000_000, now: 0)
        #expect(balancer.choose(key: key, now: second) == 1)
        given[1].answered(after: 1_000_000, now: 14 * second)
        #expect(balancer.choose(key: key, now: 14 * second) == 0)
    }

    @Test("A failure makes an endpoint look slow, however quick it is, and more so each time")
    func failures() {
        let load = EndpointLoad()
        load.answered(after: 1_000_000, now: second)
        load.failed(after: 10_000, now: second)
        #expect(load.latency(at: second) == 100_000_000)
        load.failed(after: 10_000, now: second)
        #expect(load.latency(at: second) == 400_000_000)
        for _ in 0..<10 { load.failed(after: 10_000, now: second) }
        #expect(load.latency(at: second) == 10_000_000_000)
        load.failed(after: 30 * second, now: second)
        #expect(load.latency(at: second) == Double(30 * second))
    }

    @Test("Who has failed is asked once after some seconds, and one answer puts an end to it")
    func returnAfterFailures() {
        let given = loads(2)
        let balancer = LatencyBalancer(weights: [1, 1], loads: given, seed: 1)
        for load in given { load.answered(after: 1_000_000, now: second) }
        given[0].failed(after: 10_000, now: second)
        #expect(balancer.choose(key: key, now: 2 * second) == 1)
        // Sent before the failure: it says nothing of the time after it.
        given[0].answered(after: 1_500_000_000, now: 2 * second)
        #expect(given[0].hasFailed)
        #expect(balancer.choose(key: key, now: 4 * second) == 0)
        balancer.begin(0)
        for _ in 0..<20 {
            #expect(balancer.choose(key: key, now: 40 * second) == 1, "one is on its way")
            balancer.begin(1)
        }
        given[0].answered(after: 1_000_000, now: 41 * second)
        #expect(!given[0].hasFailed)
        #expect(given[0].latency(at: 41 * second) == 1_000_000)
    }

    @Test("Of many endpoints the slow ones are left alone")
    func manyEndpoints() {
        let given = loads(100)
        for endpoint in 0..<100 {
            given[endpoint].answered(after: endpoint < 20 ? 50_000_000 : 1_000_000, now: second)
        }
        let balancer = LatencyBalancer(
            weights: Array(repeating: 1, count: 100),
            loads: given,
            seed: 9
        )
        var slow = 0
        for _ in 0..<10_000 where balancer.choose(key: key, now: second) ?? 0 < 20 { slow += 1 }
        // Three draws that are all slow: 0.2 * 0.2 * 0.2.
        #expect(slow < 120, "\(slow)")
    }
}
