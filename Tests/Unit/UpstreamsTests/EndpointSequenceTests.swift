import Testing
import Upstreams

@Suite("EndpointSequence")
struct EndpointSequenceTests {
    private func turn(_ weights: [Int], steps: Int) -> [Int] {
        var sequence = EndpointSequence(weights: weights)
        return (0..<steps).compactMap { _ in sequence.choose() }
    }

    @Test("Equal weights take turns")
    func equalWeights() {
        #expect(turn([1, 1, 1], steps: 6) == [0, 1, 2, 0, 1, 2])
        #expect(turn([7, 7], steps: 4) == [0, 1, 0, 1])
    }

    @Test("Heavier endpoints are chosen more often and spread evenly")
    func weighted() {
        #expect(turn([5, 1, 1], steps: 7) == [0, 0, 1, 0, 2, 0, 0])
    }

    @Test("An endpoint without weight is never chosen, and none at all gives nothing")
    func zeroWeight() {
        #expect(turn([0, 2], steps: 3) == [1, 1, 1])
        #expect(turn([0], steps: 3) == [])
        #expect(turn([], steps: 3) == [])
    }

    @Test("Weights with a long turn are exact over the turn, and near it all along")
    func longTurns() {
        let weights = [9_973, 4_999, 1, 0, 127]
        let sum = weights.reduce(0, +)
        var sequence = EndpointSequence(weights: weights)
        var counts = weights.map { _ in 0 }
        for step in 1...2 * sum {
            guard let index = sequence.choose() else { break }
            counts[index] += 1
            let expected = weights.map { Double($0) * Double(step) / Double(sum) }
            #expect(zip(counts, expected).allSatisfy { abs(Double($0) - $1) <= 2 })
        }
        #expect(counts == weights.map { 2 * $0 })
    }

    @Test("Weights as large as there are do no harm")
    func hugeWeights() {
        let chosen = turn([.max, 1, .max], steps: 4096)
        let counts = (0..<3).map { index in chosen.count { $0 == index } }
        #expect(abs(counts[0] - counts[2]) <= 2)
        #expect(counts.reduce(0, +) == 4096)
    }

    @Test("A thousand endpoints take turns, of equal weights and of others")
    func manyEndpoints() {
        #expect(turn(Array(repeating: 3, count: 1000), steps: 1000) == Array(0..<1000))
        let weights = (0..<1000).map { 1 + $0 % 97 }
        let chosen = turn(weights, steps: weights.reduce(0, +))
        var counts = weights.map { _ in 0 }
        for index in chosen { counts[index] += 1 }
        #expect(counts == weights)
    }

    @Test("A turn that is made anew again and again favours nobody")
    func changes() {
        for weights in [[1, 1, 1, 1], [3, 2, 1, 2], [5_000, 4_999, 5_000, 5_001]] {
            var sequence = EndpointSequence(weights: weights)
            var counts = weights.map { _ in 0 }
            for round in 0..<8_000 {
                // The last endpoint comes and goes.
                let now = round % 2 == 0 ? weights : Array(weights.dropLast())
                sequence = EndpointSequence(
                    EndpointSequence(weights: now),
                    weights: now,
                    after: sequence,
                    seed: round
                )
                for _ in 0..<3 { counts[sequence.choose() ?? 0] += 1 }
            }
            let share =
                Double(counts.dropLast().reduce(0, +)) / Double(weights.dropLast().reduce(0, +))
            for (count, weight) in zip(counts, weights).dropLast() {
                #expect(
                    abs(Double(count) / Double(weight) / share - 1) < 0.35,
                    "\(weights): \(counts)"
                )
            }
        }
    }

    @Test("A count does not pass its limit, and gives room back")
    func connectionCount() {
        let count = ConnectionCount(limit: 2)
        #expect(count.add())
        #expect(count.add())
        #expect(!count.add())
        count.remove()
        #expect(count.add())
        #expect(count.current == 2)
    }
}
