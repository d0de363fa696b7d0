import Testing

@testable import FleetProtocol

@Suite("Back-off")
struct BackoffTests {
    @Test("Waiting times stay between the first and the cap, and at most treble")
    func range() {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(30))
        var random = SplitMix64(seed: 7)
        var previous = Duration.seconds(1)
        for _ in 0..<1_000 {
            let wait = backoff.next(using: &random)
            #expect(wait >= .seconds(1) && wait <= .seconds(30))
            #expect(wait <= previous * 3)
            previous = wait
        }
    }

    @Test("A thousand nodes that lose their control plane at once do not come back at once")
    func spread() {
        var random = SplitMix64(seed: 8)
        var halves = 0
        for _ in 0..<1_000 {
            var backoff = Backoff(first: .seconds(1), cap: .seconds(10))
            if backoff.next(using: &random) < .seconds(2) { halves += 1 }
        }
        #expect((400...600).contains(halves))
    }

    @Test("After a success it begins anew")
    func reset() {
        var backoff = Backoff(first: .seconds(1), cap: .seconds(30))
        var random = SplitMix64(seed: 9)
        for _ in 0..<20 { _ = backoff.next(using: &random) }
        backoff.reset()
        #expect(backoff.next(using: &random) <= .seconds(3))
    }
}
