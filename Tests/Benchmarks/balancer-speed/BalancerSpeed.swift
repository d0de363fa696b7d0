import ArgumentParser
import SystemCalls
import Upstreams

/// How long a choice of an endpoint takes: choosing, counting its beginning and its end.
@main
struct BalancerSpeed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "balancer-speed",
        abstract: "Measure how long each way of balancing takes for a choice.",
        discussion: """
            Writes one JSON object: the name of each way, and the nanoseconds of a choice with the counting of its
            beginning and end, in the fastest of many batches: what else the machine does only adds. A number of
            requests is in flight throughout: the oldest ends as a new one begins. hashTable is a table's making.
            """
    )

    @Option(help: "Endpoints of the upstream.")
    var endpoints = 1_000

    @Option(help: "Requests in flight.")
    var requests = 500

    @Option(help: "Batches of 10,000 choices to measure, of each way.")
    var batches = 200

    private static let batchSize = 10_000

    @Flag(help: "Give all endpoints the same weight.")
    var equal = false

    func validate() throws {
        guard (1...10_000).contains(endpoints) else {
            throw ValidationError("--endpoints: 1 to 10000")
        }
        guard (1...1_000_000).contains(requests) else {
            throw ValidationError("--requests: 1 to 1000000")
        }
        guard (1...1_000_000).contains(batches) else {
            throw ValidationError("--batches: 1 to 1000000")
        }
    }

    func run() throws {
        let upstream = UpstreamLoad()
        let weights = (0..<endpoints).map { equal ? 1 : 1 + $0 % 97 }
        func loads() -> [EndpointLoad] { weights.map { _ in EndpointLoad() } }
        var results: [(String, Double)] = [("roundRobin", sequence(weights))]
        let alias = AliasTable(weights: weights)
        let ways: [(String, Balancer)] = [
            ("random", RandomBalancer(weights: weights, loads: loads(), table: alias, seed: 1)),
            ("leastRequests", LeastRequestsBalancer(weights: weights, loads: loads(), seed: 1)),
            (
                "powerOfTwo",
                PowerOfTwoBalancer(weights: weights, loads: loads(), table: alias, seed: 1)
            ),
            ("latency", LatencyBalancer(weights: weights, loads: loads(), seed: 1)),
        ]
        results += ways.map { ($0.0, measure($0.1)) }
        let identities = weights.indices.map { HashedKey("10.0.\($0 / 250).\($0 % 250):8080") }
        let start = monotonicNanoseconds()
        let table = HashTable(identities: identities, weights: weights)
        results.append(("hashTable", Double(monotonicNanoseconds() - start)))
        let hash = HashBalancer(
            weights: weights,
            loads: loads(),
            table: table,
            upstream: upstream,
            seed: 1
        )
        results.append(("hash", measure(hash)))
        print(
            "{\(results.map { "\"\($0.0)\": \(($0.1 * 10).rounded() / 10)" }.joined(separator: ", "))}"
        )
    }

    /// The time of a step in the fastest batch, in nanoseconds.
    private func fastest(_ step: () -> Void) -> Double {
        var least = UInt64.max
        for _ in 0..<batches {
            let start = monotonicNanoseconds()
            for _ in 0..<Self.batchSize { step() }
            least = min(least, monotonicNanoseconds() - start)
        }
        return Double(least) / Double(Self.batchSize)
    }

    private func sequence(_ weights: [Int]) -> Double {
        var sequence = EndpointSequence(weights: weights)
        var sum = 0
        let result = fastest { sum &+= sequence.choose() ?? 0 }
        precondition(sum >= 0)
        return result
    }

    private func measure(_ balancer: Balancer) -> Double {
        var inFlight: [Int] = []
        var key: UInt64 = 0
        var now: UInt64 = 1_000_000_000
        for _ in 0..<requests {
            key &+= 0x9E37_79B9_7F4A_7C15
            if let index = balancer.choose(key: HashedKey(value: key), now: now) {
                balancer.begin(index)
                inFlight.append(index)
            }
        }
        guard inFlight.count == requests else { return .infinity }
        var oldest = 0
        return fastest {
            now += 10_000
            key &+= 0x9E37_79B9_7F4A_7C15
            balancer.end(inFlight[oldest], after: 1_000_000 + key >> 44, now: now)
            guard let index = balancer.choose(key: HashedKey(value: key), now: now) else { return }
            balancer.begin(index)
            inFlight[oldest] = index
            oldest = oldest + 1 < requests ? oldest + 1 : 0
        }
    }
}
