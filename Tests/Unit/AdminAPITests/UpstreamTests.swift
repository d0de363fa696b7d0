import AdminMessages
import ControlStore
import FleetModel
import HTTPTypes
import Synchronization
import Testing

@testable import AdminAPI
@testable import FleetServer

@Suite("Upstreams by the admin API")
struct UpstreamTests {
    private func scratch(
        _ nodes: [NodeUpstreamsStatus] = [],
        endpoints: String = #"[{"address":"127.0.0.1:1"},{"address":"127.0.0.1:2","weight":3}]"#
    ) async throws -> Scratch {
        let scratch = try await Scratch()
        let body =
            #"{"configuration":{"upstreams":[{"name":"a","endpoints":\#(endpoints)}]}}"#
        let made = try await scratch.call(.put, "/v1/configuration", body)
        #expect(made.status == 201, "\(made.body)")
        scratch.fleet.state.withLock { state in
            state.upstreams = nodes
            state.nodes = [makeNode("n1", .steady), makeNode("n2", .unreachable)]
        }
        return scratch
    }

    private func post(
        _ scratch: Scratch,
        _ word: String,
        _ fields: String,
        upstream: String = "a"
    ) async throws -> Answer {
        try await scratch.call(.post, "/v1/upstreams/\(upstream)/\(word)", "{\(fields)}")
    }

    @Test("the state is what most nodes say, and who differs is named")
    func opinion() async throws {
        let cases: [([NodeUpstreamsStatus], String, String?)] = [
            ([], "unknown", nil),
            ([makeUpstreams("n1", .healthy), makeUpstreams("n2", .healthy)], "healthy", nil),
            (
                [makeUpstreams("n1", .healthy), makeUpstreams("n2", .unhealthy)], "healthy",
                "unhealthy on n2 only"
            ),
            (
                [
                    makeUpstreams("n1", .healthy), makeUpstreams("n2", .unhealthy),
                    makeUpstreams("n3", .unhealthy),
                ], "unhealthy", "healthy on n1 only"
            ),
            // Who has not checked yet, and who is away, contradicts nobody.
            ([makeUpstreams("n1", .healthy), makeUpstreams("n2", .unknown)], "healthy", nil),
            (
                [makeUpstreams("n1", .healthy), makeUpstreams("n2", .ejected, isStale: true)],
                "healthy", nil
            ),
            ([makeUpstreams("n1", .ejected, isStale: true)], "ejected", nil),
            (
                (1...9).map { makeUpstreams("n\($0)", $0 < 6 ? .healthy : .ejected) }, "healthy",
                "ejected on 4 of 9 nodes (n6, n7, n8 and others)"
            ),
        ]
        let scratch = try await scratch()
        for (nodes, state, disagreement) in cases {
            scratch.fleet.state.withLock { $0.upstreams = nodes }
            let answer: UpstreamAnswer = try await scratch.call(.get, "/v1/upstreams/a").read()
            let endpoint = try #require(answer.endpoints.first)
            #expect(endpoint.state == state && endpoint.disagreement == disagreement)
            #expect(endpoint.nodes.count == nodes.count)
            let fresh = nodes.filter { !$0.isStale }.count
            #expect(endpoint.connections == UInt64(3 * fresh))
            // Nobody has reported the other one.
            #expect(answer.endpoints.map(\.state)[1] == "unknown")
            #expect(answer.endpoints.map(\.weight)[1] == 3)
        }
    }

    @Test("what was discovered is listed behind what is configured, and goes with its reports")
    func discovered() async throws {
        let nodes = [makeUpstreams("n1", .healthy, address: "10.0.0.5:80", isDiscovered: true)]
        let outlines = [
            (
                name: "a",
                outline: UpstreamOutline(
                    content: Array(
                        #"{"discovery":{"dns":"x:80"},"endpoints":[{"address":"127.0.0.1:1"}]}"#
                            .utf8
                    )
                )
            )
        ]
        let view = UpstreamView(outlines: outlines, nodes: nodes, adjustments: [])
        #expect(view.answers[0].endpoints.map(\.address) == ["127.0.0.1:1", "10.0.0.5:80"])
        #expect(view.answers[0].endpoints.map(\.discovered) == [false, true])
        #expect(view.answers[0].endpoints.map(\.configuredWeight) == [1, nil])
        let wanted = StoredAdjustment(
            endpoint: EndpointName(upstream: "a", address: "10.0.0.6:80"),
            adjustment: .weight(5),
            untilMilliseconds: nil,
            settings: Digest(hashing: []),
            author: "ops",
            createdMilliseconds: 0,
            endedByVersion: nil
        )
        let later = UpstreamView(outlines: outlines, nodes: [], adjustments: [wanted])
        #expect(later.answers[0].endpoints.map(\.address) == ["127.0.0.1:1", "10.0.0.6:80"])
        #expect(later.answers[0].endpoints[1].state == "unknown")
        #expect(later.answers[0].endpoints[1].adjustments.map(\.weight) == [5])
    }

    @Test("a change is made once, listed, and told with who keeps to it")
    func changes() async throws {
        let scratch = try await scratch()
        let fields = #""endpoint":"127.0.0.1:1","forSeconds":60,"author":"ann","message":"deploy""#
        let answer: AdjustmentsAnswer = try await post(scratch, "drain", fields).read()
        #expect(answer.adjustments.map(\.action) == ["drain"] && answer.warnings == nil)
        #expect(answer.adjustments[0].author == "ann" && answer.adjustments[0].until != nil)
        #expect(answer.nodes.map(\.state) == [.applied, .excluded])
        #expect(answer.nodes[1].reason == "unreachable")
        let listed: AdjustmentsAnswer = try await scratch.call(.get, "/v1/adjustments").read()
        #expect(listed == answer)
        let upstream: UpstreamAnswer = try await scratch.call(.get, "/v1/upstreams/a").read()
        #expect(upstream.endpoints[0].adjustments == answer.adjustments)
        let row = try #require(try await scratch.store.audit(before: nil, limit: 1).first)
        #expect(row.action == "upstream.drain" && row.subject == "a 127.0.0.1:1")
        #expect(
            row.author == "ann" && row.detail.hasPrefix("for ") && row.detail.hasSuffix(": deploy")
        )
        // The last one that is left is drained: that is allowed, and said.
        let weight = #""endpoint":"127.0.0.1:2","weight":0"#
        let last: AdjustmentsAnswer = try await post(scratch, "weight", weight).read()
        #expect(last.warnings?.first?.contains("503") == true)
        let metrics = try await scratch.call(.get, "/metrics", token: nil).body
        #expect(metrics.contains("weir_control_adjustments 2\n"))
        #expect(metrics.contains("weir_control_endpoints{state=\"unknown\"} 2\n"))
        #expect(metrics.contains("weir_control_disputed_endpoints 0\n"))
        for endpoint in ["127.0.0.1:1", "127.0.0.1:2"] {
            let reset = try await post(scratch, "reset", #""endpoint":"\#(endpoint)""#)
            #expect(reset.status == 200)
        }
        #expect(try await scratch.store.adjustments().entries.isEmpty)
    }

    @Test("addresses are known in every spelling")
    func spelling() async throws {
        let scratch = try await scratch(endpoints: #"[{"address":"Origin.Internal:80"}]"#)
        let answer = try await post(scratch, "drain", #""endpoint":"ORIGIN.internal:80""#)
        #expect(answer.status == 200, "\(answer.body)")
        let made: AdjustmentsAnswer = try answer.read()
        #expect(made.adjustments.map(\.endpoint) == ["origin.internal:80"])
    }

    @Test(
        "what cannot be is refused",
        arguments: [
            ("drain", "", 400), ("drain", #""endpoint":"x""#, 400),
            ("drain", #""endpoint":"127.0.0.1:1","weight":1"#, 400),
            ("drain", #""endpoint":"127.0.0.1:1","forSeconds":0"#, 400),
            ("drain", #""endpoint":"127.0.0.1:1","forSeconds":31622401"#, 400),
            ("drain", #""endpoint":"127.0.0.1:1","until":"now""#, 400),
            ("weight", #""endpoint":"127.0.0.1:1""#, 400),
            ("weight", #""endpoint":"127.0.0.1:1","weight":10001"#, 400),
            ("weight", #""endpoint":"127.0.0.1:1","weight":-1"#, 400),
            ("undrain", #""endpoint":"127.0.0.1:1","forSeconds":5"#, 400),
            ("reset", #""endpoint":"127.0.0.1:1","forSeconds":5"#, 400),
            ("drain", #""endpoint":"127.0.0.1:9""#, 404),
            ("undrain", #""endpoint":"127.0.0.1:9""#, 404),
            ("reset", #""endpoint":"127.0.0.1:9""#, 404),
        ]
    )
    func refusals(word: String, fields: String, status: Int) async throws {
        let scratch = try await scratch()
        let answer = try await post(scratch, word, fields)
        #expect(answer.status == status, "\(answer.body)")
        #expect(try await scratch.store.adjustments().generation == 1)
    }

    @Test("an upstream that is not there is not found")
    func unknown() async throws {
        let scratch = try await scratch()
        let fields = #""endpoint":"127.0.0.1:1""#
        #expect(try await post(scratch, "drain", fields, upstream: "b").status == 404)
        #expect(try await scratch.call(.get, "/v1/upstreams/b").status == 404)
    }
}
