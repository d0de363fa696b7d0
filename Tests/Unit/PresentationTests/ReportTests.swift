import AdminMessages
import Foundation
import Presentation
import Testing

private let plain = Palette(isColoured: false)

@Suite struct ReportTests {
    private static let changes: [ResourceChange] = [
        ResourceChange(
            kind: "route",
            name: "shop",
            change: .changed,
            fields: [
                FieldChange(field: "upstream", from: .string("a"), to: .string("b")),
                FieldChange(field: "timeouts.total", from: nil, to: .string("15s")),
                FieldChange(field: "respond.body", from: .string("two words"), to: nil),
            ]
        ),
        ResourceChange(kind: "upstream", name: "c", change: .added, fields: []),
        ResourceChange(kind: "listener", name: "web", change: .removed, fields: []),
    ]

    @Test("a difference is shown resource by resource and field by field")
    func difference() {
        #expect(
            ChangeReport(Self.changes).rendered(plain) == [
                "~ route shop",
                "    upstream: a -> b",
                "    timeouts.total: 15s",
                "    respond.body: \"two words\" -> (default)",
                "+ upstream c",
                "- listener web",
                "1 added, 1 removed, 1 changed",
            ]
        )
        #expect(ChangeReport([]).rendered(plain) == ["no differences"])
    }

    @Test("a difference for programs keeps every field, null where there is no value")
    func differenceValue() {
        let value = ChangeReport([Self.changes[0]]).value.compactJSON
        #expect(value.contains(#"{"field":"timeouts.total","from":null,"to":"15s"}"#))
        #expect(value.hasPrefix(#"[{"change":"changed","fields":["#))
    }

    private static let stale = NodeAnswer(
        name: "eu-1",
        state: "stale",
        version: 6,
        digest: "0123456789abcdef",
        desired: 7,
        error: [
            ResourceError(
                kind: "listener",
                name: "web",
                field: "address",
                message: "address already in use\u{1B}[2J"
            )
        ],
        labels: ["zone": "a", "region": "eu"],
        build: "1.0",
        seenAt: "2026-11-24T12:00:00Z"
    )

    @Test("nodes are rows, and each error is a line that cannot steer the terminal")
    func nodes() throws {
        let now = try #require(parseTime("2026-11-24T12:00:05Z"))
        #expect(
            NodeReport([Self.stale]).rendered(plain, now: now) == [
                "NAME  STATE  VERSION  DESIRED  DIGEST        SEEN    BUILD  LABELS",
                "eu-1  stale        6        7  0123456789ab  5s ago  1.0    region=eu zone=a",
                "node eu-1: listener web: address: address already in use\\u{1b}[2J",
            ]
        )
    }

    @Test("a node for programs has the documented keys, whatever is known of it")
    func nodeKeys() {
        let keys: Set<String> = [
            "name", "state", "version", "digest", "desired", "error", "labels", "build", "seenAt",
        ]
        var node = Self.stale
        #expect(Set(NodeReport.value(of: node).members?.keys ?? [:].keys) == keys)
        (node.version, node.digest, node.desired) = (nil, nil, nil)
        (node.error, node.seenAt) = (nil, nil)
        let value = NodeReport.value(of: node)
        #expect(Set(value.members?.keys ?? [:].keys) == keys)
        #expect(value.members?["error"] == .null)
    }

    @Test("status fits one screen however many nodes reject")
    func status() {
        let status = StatusAnswer(
            head: 7,
            digest: "0123456789abcdef",
            states: ["steady": 58, "stale": 40, "unreachable": 2],
            versions: [.init(version: 7, nodes: 58), .init(version: 6, nodes: 40)],
            rejections: Array(repeating: Self.stale, count: 40),
            requestsPerSecond: 12_345.6,
            errorShare: 0.0012,
            p50Seconds: 0.0013,
            p99Seconds: nil
        )
        let lines = StatusReport(status).rendered(plain)
        #expect(
            lines.prefix(5) == [
                "head      version 7 0123456789ab",
                "nodes     100: 58 steady, 40 stale, 2 unreachable",
                "serving   58 on 7, 40 on 6",
                "drift     40 not on the head",
                "traffic   12,346 requests/s, errors 0.12%, p50 1.3ms, p99 -",
            ]
        )
        #expect(lines.count <= 20)
        #expect(lines.last == "and 30 more: 'proxyctl nodes' shows all")
    }

    @Test("a rollout's progress names what is waited for, and its problems say why")
    func rollout() {
        let error = ResourceError(kind: "listener", name: "web", field: "", message: "taken")
        let report = RolloutReport(
            RolloutAnswer(
                version: 7,
                digest: "",
                nodes: [
                    .init(name: "a", state: .applied, reason: nil, errors: []),
                    .init(name: "b", state: .rejected, reason: nil, errors: [error]),
                    .init(name: "c", state: .pending, reason: nil, errors: []),
                    .init(name: "d", state: .excluded, reason: "draining", errors: []),
                ]
            )
        )
        #expect(
            report.progressLine
                == "version 7: 1 of 3 nodes serve it, 1 rejected, waiting for c"
        )
        #expect(
            report.problemLines(plain) == [
                "node b: listener web: taken", "node c: no answer yet",
                "node d: not waited for: draining",
            ]
        )
    }

    @Test("a frame redraws in place on a terminal, and is a plain block elsewhere")
    func frames() {
        #expect(Screen(isTerminal: false).frame(["a", "b"], isFirst: true) == "a\nb\n\n")
        #expect(
            Screen(isTerminal: true).frame(["a"], isFirst: false) == "\u{1B}[Ha\u{1B}[K\n\u{1B}[J"
        )
    }
}
