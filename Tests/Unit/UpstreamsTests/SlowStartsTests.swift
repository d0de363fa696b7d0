import EventLoop
import FleetModel
import Testing
import Upstreams

@Suite("Slow start")
struct SlowStartsTests {
    private let second: UInt64 = 1_000_000_000
    private let states = (0..<4).map { _ in EndpointState(connectionsMax: .max) }

    private func member(
        _ index: Int,
        _ availability: Availability = .available,
        tier: Int = 0
    ) -> Member {
        let address = NetworkAddress(path: "/run/\(index)")
        return Member(
            endpoint: Endpoint(address: address, weight: 2, tier: tier),
            addresses: [],
            state: states[index],
            availability: availability,
            weight: 2
        )
    }

    private func weights(
        _ starts: inout SlowStarts,
        _ members: [Member],
        atSecond now: UInt64
    ) -> [Int] {
        let instant = LoopInstant(nanoseconds: now * second)
        return starts.apply(to: members, over: 10 * second, now: instant).map(\.weight)
    }

    @Test("Endpoints that come first are not new, and one that comes later grows evenly")
    func comesLater() {
        var starts = SlowStarts()
        #expect(weights(&starts, [member(0), member(1)], atSecond: 1) == [2, 2])
        #expect(!starts.isGrowing)
        let three = [member(0), member(1), member(2)]
        #expect(weights(&starts, three, atSecond: 5) == [200, 200, 2])
        #expect(starts.isGrowing)
        #expect(weights(&starts, three, atSecond: 10) == [200, 200, 100])
        #expect(weights(&starts, three, atSecond: 15) == [2, 2, 2])
        #expect(!starts.isGrowing)
    }

    @Test(
        "One that takes requests again is new again",
        arguments: [.unhealthy, .ejected, .drained] as [Availability]
    )
    func comesBack(from availability: Availability) {
        var starts = SlowStarts()
        _ = weights(&starts, [member(0), member(1)], atSecond: 1)
        #expect(weights(&starts, [member(0), member(1, availability)], atSecond: 2) == [2, 2])
        #expect(weights(&starts, [member(0), member(1)], atSecond: 20) == [200, 2])
    }

    @Test("Where all are new there is nobody to protect them")
    func allNew() {
        var starts = SlowStarts()
        _ = weights(&starts, [member(0)], atSecond: 1)
        #expect(weights(&starts, [member(1), member(2)], atSecond: 2) == [2, 2])
        _ = weights(&starts, [member(1, .unhealthy), member(2, .unhealthy)], atSecond: 3)
        #expect(weights(&starts, [member(1), member(2)], atSecond: 4) == [2, 2])
        // One is left alone while it grows.
        #expect(weights(&starts, [member(1), member(2), member(3)], atSecond: 5) == [200, 200, 2])
        #expect(weights(&starts, [member(3)], atSecond: 6) == [2])
        // Backups get no requests that a tier before them could leave to them.
        let backups = [member(0, tier: 1), member(3)]
        _ = weights(&starts, [member(0, tier: 1), member(3, .unhealthy)], atSecond: 7)
        #expect(weights(&starts, backups, atSecond: 30) == [2, 2])
    }

    @Test("Without a time nothing grows")
    func off() {
        var starts = SlowStarts()
        _ = starts.apply(to: [member(0)], over: nil, now: LoopInstant(nanoseconds: 1))
        let weights = starts.apply(
            to: [member(0), member(1)],
            over: nil,
            now: LoopInstant(nanoseconds: 2)
        )
        #expect(weights.map(\.weight) == [2, 2])
        #expect(!starts.isGrowing)
        let now = LoopInstant(nanoseconds: 3)
        #expect(starts.share(of: weights[1].state, over: 0, now: now) == nil)
    }
}
