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

    @Test("Weights with a long turn are scaled, and every endpoint keeps a share")
    func hugeWeights() {
        let chosen = turn([.max, 1, .max], steps: EndpointSequence.stepsMax)
        let counts = (0..<3).map { index in chosen.count { $0 == index } }
        #expect(counts[1] > 0)
        #expect(abs(counts[0] - counts[2]) <= 1)
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
