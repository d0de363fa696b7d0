import AdminMessages
import Foundation
import Testing

@testable import Presentation

@Suite("Upstreams as operators read them")
struct UpstreamReportTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_060)
    private let plain = Palette(isColoured: false)

    private func node(_ name: String, _ state: String, stale: Bool = false) -> EndpointNode {
        EndpointNode(
            node: name,
            state: state,
            reason: state == "healthy" ? nil : "3 checks in a row failed",
            since: "2027-01-15T08:00:00.000Z",
            weight: 1,
            connections: 2,
            requests: 1,
            stale: stale
        )
    }

    private func endpoint(
        _ address: String,
        disagreement: String? = nil,
        adjustments: [AdjustmentAnswer] = [],
        nodes: [EndpointNode] = []
    ) -> EndpointAnswer {
        EndpointAnswer(
            address: address,
            discovered: false,
            state: "healthy",
            since: "2027-01-15T08:00:00.000Z",
            checkedAt: "2027-01-15T08:00:58.000Z",
            check: "passed in 1.2 ms",
            disagreement: disagreement,
            configuredWeight: 4,
            weight: adjustments.isEmpty ? 4 : 1,
            connections: 4,
            requests: 2,
            adjustments: adjustments,
            nodes: nodes
        )
    }

    @Test("what the reason says of the last check is not said twice")
    func reasonOnce() {
        let down = EndpointAnswer(
            address: "10.0.0.1:80",
            discovered: false,
            state: "unhealthy",
            reason: "check failed: status 500",
            check: "status 500",
            weight: 1,
            connections: 0,
            requests: 0,
            adjustments: [],
            nodes: []
        )
        let upstream = UpstreamAnswer(name: "shop", endpoints: [down], notes: [])
        let lines = UpstreamReport([upstream]).rendered(plain, now: now)
        #expect(lines[1].hasSuffix("check failed: status 500"), "\(lines[1])")
    }

    @Test("an endpoint on which all agree has one row")
    func plainRow() {
        let nodes = [node("n1", "healthy"), node("n2", "healthy")]
        let upstream = UpstreamAnswer(
            name: "shop",
            endpoints: [endpoint("10.0.0.1:80", nodes: nodes)],
            notes: []
        )
        let lines = UpstreamReport([upstream]).rendered(plain, now: now)
        #expect(lines.count == 2)
        for word in ["shop", "10.0.0.1:80", "healthy", "1m ago", "2s ago", "passed in 1.2 ms"] {
            #expect(lines[1].contains(word), "\(word)")
        }
        #expect(!lines[1].contains("(!)") && !lines[1].contains(" of 4"))
    }

    @Test("who differs, who is away and what operators want is said")
    func everything() {
        let wanted = AdjustmentAnswer(
            upstream: "shop",
            endpoint: "10.0.0.1:80",
            action: "weight",
            weight: 1,
            until: "2027-01-15T08:11:00.000Z",
            author: "ann\u{1B}",
            time: "2027-01-15T08:00:00.000Z"
        )
        let nodes = [
            node("n1", "healthy"), node("n2", "unhealthy"), node("n3", "healthy", stale: true),
        ]
        let upstream = UpstreamAnswer(
            name: "shop",
            endpoints: [
                endpoint(
                    "10.0.0.1:80",
                    disagreement: "unhealthy on n2 only",
                    adjustments: [wanted],
                    nodes: nodes
                )
            ],
            notes: [.init(node: "n1", note: "panic")]
        )
        let lines = UpstreamReport([upstream]).rendered(plain, now: now)
        let text = lines.joined(separator: "\n")
        for word in [
            "healthy (!)", "1 of 4", "unhealthy on n2 only", "weight 1 by ann", "ends in 10m",
            "shop 10.0.0.1:80 on n2: unhealthy: 3 checks in a row failed; since 1m ago",
            "on n3: healthy (last heard: it has no session)", "upstream shop on n1: panic",
        ] {
            #expect(text.contains(word), "\(word) in \(text)")
        }
        #expect(!text.contains("\u{1B}") && !text.contains("on n1: healthy"))
    }

    @Test("no upstream, and one without endpoints, is said")
    func nothing() {
        #expect(UpstreamReport([]).rendered(plain, now: now) == ["no upstream is configured"])
        let empty = UpstreamAnswer(name: "shop", endpoints: [], notes: [])
        let lines = UpstreamReport([empty]).rendered(plain, now: now)
        #expect(lines.last == "upstream shop: no endpoint")
    }

    @Test("the value for programs has every field, null where there is nothing")
    func value() throws {
        let upstream = UpstreamAnswer(
            name: "shop",
            endpoints: [endpoint("10.0.0.1:80", nodes: [node("n1", "healthy")])],
            notes: []
        )
        guard case .array(let list) = UpstreamReport([upstream]).value,
            case .array(let endpoints)? = list.first?.members?["endpoints"],
            let found = endpoints.first?.members
        else {
            Issue.record("it has another form")
            return
        }
        #expect(
            Set(found.keys) == [
                "address", "discovered", "state", "reason", "since", "checkedAt", "check",
                "disagreement", "configuredWeight", "weight", "connections", "requests",
                "adjustments", "nodes",
            ]
        )
        #expect(found["disagreement"] == .null && found["reason"] == .null)
        #expect(found["weight"] == .integer(4))
    }
}
