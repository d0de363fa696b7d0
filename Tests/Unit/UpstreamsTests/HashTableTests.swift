import Testing
import Upstreams

@Suite("Consistent hashing")
struct HashTableTests {
    private let keys = (0..<40_000).map { HashedKey("user-\($0)") }

    private func addresses(_ count: Int) -> [String] {
        (0..<count).map { "10.2.\($0 / 200).\($0 % 200):80" }
    }

    /// The address of each key's endpoint.
    private func owners(_ endpoints: [(address: String, weight: Int)]) -> [String] {
        let table = HashTable(
            identities: endpoints.map { HashedKey($0.address) },
            weights: endpoints.map(\.weight)
        )
        return keys.map { key in table.candidate(key).map { endpoints[$0].address } ?? "" }
    }

    @Test("Keys spread by weight")
    func shares() {
        let weights = [1, 2, 3, 0, 4]
        let endpoints = Array(zip(addresses(5), weights))
        let owners = owners(endpoints.map { (address: $0.0, weight: $0.1) })
        for (address, weight) in endpoints {
            let share = Double(owners.count { $0 == address }) / Double(keys.count)
            #expect(abs(share - Double(weight) / 10) < 0.012, "\(address): \(share)")
        }
    }

    @Test(
        "Only the keys of an endpoint that goes move, and they are its share",
        arguments: [2, 3, 5, 10, 50, 1000],
        [false, true]
    )
    func removal(count: Int, isWeighted: Bool) {
        let all = addresses(count).enumerated().map {
            (address: $1, weight: isWeighted ? 50 + 17 * ($0 % 7) : 1)
        }
        // Some at once where there are many, or so few keys move that their number says nothing.
        let gone = max(count / 50, 1)
        let before = owners(all)
        let after = owners(Array(all.dropFirst(gone)))
        let lost = Set(all.prefix(gone).map(\.address))
        var moved = 0
        for (old, new) in zip(before, after) where old != new {
            moved += 1
            #expect(lost.contains(old))
        }
        let sum = all.reduce(0) { $0 + $1.weight }
        let share = all.prefix(gone).reduce(0) { $0 + $1.weight }
        let ideal = Double(keys.count) * Double(share) / Double(sum)
        #expect(Double(moved) < 1.2 * ideal, "\(moved) of \(ideal)")
        #expect(Double(moved) > 0.8 * ideal, "\(moved) of \(ideal)")
    }

    @Test("A weight that grows draws keys to its endpoint alone")
    func growth() {
        let all = addresses(5).map { (address: $0, weight: 100) }
        var heavier = all
        heavier[2].weight = 150
        var moved = 0
        for (old, new) in zip(owners(all), owners(heavier)) where old != new {
            moved += 1
            #expect(new == all[2].address)
        }
        // From a fifth to 150 / 550.
        let ideal = Double(keys.count) * (150.0 / 550 - 0.2)
        #expect(Double(moved) < 1.2 * ideal, "\(moved) of \(ideal)")
    }

    @Test("Neither the order of endpoints nor the unit of weights matters")
    func order() {
        let all = addresses(7).enumerated().map { (address: $1, weight: 1 + $0) }
        let owners = owners(all)
        #expect(owners == self.owners(all.reversed()))
        #expect(owners == self.owners(all.map { (address: $0.address, weight: $0.weight * 100) }))
    }

    @Test("The hash of octets and the table are the same in every version of the programs")
    func stability() {
        #expect(HashedKey("10.0.0.1:80").value == 15_833_689_265_622_162_035)
        let table = HashTable(
            identities: addresses(5).map { HashedKey($0) },
            weights: [1, 1, 1, 1, 1]
        )
        #expect(
            (0..<12).map { table.candidate(HashedKey("user-\($0)")) } == [
                1, 4, 4, 2, 0, 3, 3, 0, 3, 4, 4, 2,
            ]
        )
    }

    @Test(
        "No endpoint has more than its bound in flight, whatever the keys are",
        arguments: [1, 3, 1000]
    )
    func bound(keyCount: Int) {
        let weights = [1, 1, 2, 1, 3]
        let upstream = UpstreamLoad()
        let loads = weights.map { _ in EndpointLoad() }
        let balancer = HashBalancer(
            weights: weights,
            loads: loads,
            table: HashTable(identities: addresses(5).map { HashedKey($0) }, weights: weights),
            upstream: upstream,
            seed: 1
        )
        for step in 0..<400 {
            guard let index = balancer.choose(key: HashedKey("k\(step % keyCount)"), now: 0) else {
                break
            }
            balancer.begin(index)
            let total = Double(upstream.inFlight)
            let bound = (1.25 * total * Double(weights[index]) / 8 - 1e-9).rounded(.up)
            #expect(Double(loads[index].inFlight) <= max(bound, 3))
            #expect(!balancer.isOverfull(index))
        }
        #expect(upstream.inFlight == 400)
        // What other workers have begun at the same moment shows afterwards.
        for _ in 0..<200 { balancer.begin(0) }
        #expect(balancer.isOverfull(0))
    }

    @Test(
        "A key's stand-ins are its own: what overflows goes to the same endpoint while that has room"
    )
    func standIns() {
        let table = HashTable(
            identities: addresses(10).map { HashedKey($0) },
            weights: Array(repeating: 1, count: 10)
        )
        var next = Array(repeating: 0, count: 10)
        for key in keys.prefix(2000) {
            guard let first = table.candidate(key) else { continue }
            let second = (1...10).lazy.compactMap { table.candidate(key, attempt: $0) }.first {
                $0 != first
            }
            if first == 0, let second { next[second] += 1 }
        }
        // The keys of one endpoint overflow to all others.
        #expect(next.dropFirst().allSatisfy { $0 > 5 }, "\(next)")
    }
}
