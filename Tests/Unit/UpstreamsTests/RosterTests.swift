import FleetModel
import Testing
import Upstreams

@Suite("Which endpoints requests go to")
struct RosterTests {
    private func member(
        _ availability: Availability = .available,
        weight: Int = 1,
        zone: String? = nil,
        tier: Int = 0,
        grownShare: Int = 100,
        isReachable: Bool = true
    ) -> Member {
        let address = NetworkAddress(path: "/run/origin")
        let endpoint = Endpoint(address: address, weight: weight, zone: zone, tier: tier)
        return Member(
            endpoint: endpoint,
            addresses: [],
            state: EndpointState(connectionsMax: .max),
            availability: availability,
            weight: weight,
            grownShare: grownShare,
            isReachable: isReachable
        )
    }

    private func chosen(
        _ members: [Member],
        zone: String? = nil,
        panicShare: Int? = nil
    ) -> [Int] {
        Roster(members: members, zone: zone, panicShare: panicShare).candidates.map(\.member)
    }

    @Test("Those that are available and have a weight")
    func available() {
        let members = [
            member(), member(.unhealthy), member(weight: 0), member(.drained),
            member(weight: 3),
        ]
        let roster = Roster(members: members, zone: nil, panicShare: nil)
        #expect(roster.candidates.map(\.member) == [0, 4])
        #expect(roster.candidates.map(\.weight) == [1, 3])
        #expect(!roster.isPanicking)
    }

    @Test("Those out of reach only where nobody else is left, and then all of them")
    func unreachable() {
        let (well, lost) = (member(), member(isReachable: false))
        #expect(chosen([lost, well, lost]) == [1])
        #expect(chosen([lost, lost, member(.unhealthy)]) == [0, 1])
        let backup = member(tier: 1)
        #expect(chosen([lost, backup]) == [1])
        #expect(chosen([lost, member(tier: 1, isReachable: false)]) == [0])
        // Panic is for endpoints that are said to be unwell, not for those that nobody can ask.
        let (ejected, gone) = (member(.ejected), member(.unhealthy, isReachable: false))
        #expect(chosen([well, ejected, gone, gone], panicShare: 50_000) == [0, 1])
    }

    @Test("A backup only when nobody before it is available")
    func tiers() {
        let backup = member(tier: 1)
        #expect(chosen([member(), member(.unhealthy), backup]) == [0])
        #expect(chosen([member(.ejected), member(.unhealthy), backup]) == [2])
        #expect(chosen([member(weight: 0), member(.unhealthy), backup]) == [2])
    }

    @Test("The node's zone, unless most of it is gone")
    func zones() {
        let far = member(zone: "b")
        let near = member(zone: "a")
        let gone = member(.unhealthy, zone: "a")
        #expect(chosen([far, near, near], zone: "a") == [1, 2])
        #expect(chosen([far, near, gone], zone: "a") == [1])
        #expect(chosen([far, near, gone, gone], zone: "a") == [0, 1])
        #expect(chosen([far, near], zone: "c") == [0, 1])
        #expect(chosen([far, near], zone: nil) == [0, 1])
        // One that is new takes no more than its share.
        #expect(chosen([far, member(zone: "a", grownShare: 49)], zone: "a") == [0, 1])
        #expect(chosen([far, member(zone: "a", grownShare: 50)], zone: "a") == [1])
        #expect(chosen([far, near, member(zone: "a", grownShare: 1)], zone: "a") == [1, 2])
        // In a panic, a zone whose endpoints are not well does not keep requests from one that is.
        #expect(chosen([far, gone, gone, gone], zone: "a", panicShare: 50_000) == [0, 1, 2, 3])
        #expect(chosen([far, near, gone, gone, gone], zone: "a", panicShare: 50_000).contains(0))
        #expect(chosen([gone, gone], zone: "a", panicShare: 50_000) == [0, 1])
    }

    @Test("All that an operator leaves when too few are available")
    func panic() {
        let well = member()
        let ejected = member(.ejected)
        let out = member(.disabled)
        #expect(chosen([well, ejected], panicShare: 50_000) == [0])
        #expect(chosen([well, ejected, ejected], panicShare: 50_000) == [0, 1, 2])
        #expect(chosen([ejected, out], panicShare: 50_000) == [0])
        #expect(chosen([ejected, ejected], panicShare: 0) == [0, 1], "nobody is left")
        #expect(chosen([well, ejected, ejected], panicShare: 0) == [0])
        let backup = member(tier: 1)
        #expect(chosen([ejected, ejected, backup], panicShare: 50_000) == [2])
        #expect(chosen([well, ejected, ejected, backup], panicShare: 50_000) == [0])
        #expect(chosen([ejected, ejected], panicShare: nil) == [])
        #expect(chosen([out, out], panicShare: 50_000) == [])
    }
}
