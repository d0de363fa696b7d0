import FleetModel
import Resolution
import Testing

@Suite("Endpoints that answers make")
struct EndpointsTests {
    private func service(
        _ host: String,
        priority: UInt16,
        weight: UInt16,
        port: UInt16 = 80
    ) -> NameAnswer.Service {
        NameAnswer.Service(host: host, port: port, priority: priority, weight: weight)
    }

    private func made(_ services: [NameAnswer.Service]) -> [String] {
        NameAnswer(addresses: [], services: services, seconds: 1).endpoints(port: nil).map {
            "\($0.address) weight \($0.weight) tier \($0.tier)"
        }
    }

    @Test(
        "each address is an endpoint with the port of the setting, the same ones in the same order"
    )
    func addresses() {
        let answer = NameAnswer(
            addresses: [.v6(high: 0, low: 1), .v4(0xC000_0202), .v4(0xC000_0201)],
            seconds: 1
        )
        let endpoints = answer.endpoints(port: 8080)
        #expect(
            endpoints.map(\.address.description) == [
                "192.0.2.1:8080", "192.0.2.2:8080", "[::1]:8080",
            ]
        )
        #expect(endpoints.allSatisfy { $0.weight == 1 && $0.tier == 0 && $0.zone == nil })
        #expect(answer.endpoints(port: nil).isEmpty)
    }

    @Test("priorities are tiers from 0 on, and weights are weights")
    func services() {
        let services = [
            service("c", priority: 500, weight: 7), service("a", priority: 10, weight: 60),
            service("b", priority: 10, weight: 40, port: 81),
        ]
        #expect(
            made(services) == [
                "a:80 weight 60 tier 0", "b:81 weight 40 tier 0", "c:80 weight 7 tier 1",
            ]
        )
    }

    @Test("RFC 2782: a weight of 0 takes little beside others, and an equal share beside its like")
    func zeroWeights() {
        let mixed = [service("a", priority: 1, weight: 0), service("b", priority: 1, weight: 5)]
        #expect(made(mixed) == ["a:80 weight 1 tier 0", "b:80 weight 500 tier 0"])
        let equal = [service("a", priority: 1, weight: 0), service("b", priority: 1, weight: 0)]
        #expect(made(equal) == ["a:80 weight 1 tier 0", "b:80 weight 1 tier 0"])
    }

    @Test("a target that stands twice counts once, in its lower priority")
    func repeated() {
        let services = [service("a", priority: 2, weight: 1), service("a", priority: 1, weight: 9)]
        #expect(made(services) == ["a:80 weight 9 tier 0"])
    }
}
