package import AdminMessages
package import FoundationEssentials

/// Upstreams as the fleet sees them.
package struct UpstreamReport: Sendable {
    private let upstreams: [UpstreamAnswer]

    /// A report on `upstreams`, in their order.
    package init(_ upstreams: [UpstreamAnswer]) {
        self.upstreams = upstreams
    }

    /// A row per endpoint; below the table, lines on nodes that differ and on whole upstreams.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        var table = Table([
            .init("UPSTREAM"), .init("ENDPOINT"), .init("STATE"), .init("WEIGHT", leansRight: true),
            .init("REQUESTS", leansRight: true), .init("CONNS", leansRight: true), .init("SINCE"),
            .init("CHECKED"), .init("WHY"),
        ])
        var lines: [String] = []
        for upstream in upstreams {
            for endpoint in upstream.endpoints {
                table.append(Self.row(upstream.name, endpoint, now: now))
                lines += Self.nodeLines(upstream.name, endpoint, palette: palette, now: now)
            }
            if upstream.endpoints.isEmpty {
                lines.append(
                    palette.paint("upstream \(visible(upstream.name)): no endpoint", .bad)
                )
            }
            lines += upstream.notes.map { note in
                let text =
                    "upstream \(visible(upstream.name)) on \(visible(note.node)): \(visible(note.note))"
                return palette.paint(text, .warning)
            }
        }
        if upstreams.isEmpty { return ["no upstream is configured"] }
        return (table.isEmpty ? [] : table.rendered(palette)) + lines
    }

    private static func row(
        _ upstream: String,
        _ endpoint: EndpointAnswer,
        now: Date
    ) -> [Table.Cell] {
        let disputed = endpoint.disagreement != nil
        let weight =
            endpoint.configuredWeight.map { $0 == endpoint.weight ? "" : " of \($0)" } ?? ""
        return [
            .init(upstream, .strong),
            .init(endpoint.address + (endpoint.discovered ? " (dns)" : "")),
            .init(endpoint.state + (disputed ? " (!)" : ""), style(endpoint.state, disputed)),
            .init("\(endpoint.weight)\(weight)", weight.isEmpty ? .plain : .warning),
            .init("\(endpoint.requests)"), .init("\(endpoint.connections)"),
            .init(endpoint.since.map { timeText($0, now: now) } ?? ""),
            .init(endpoint.checkedAt.map { timeText($0, now: now) } ?? ""),
            .init(why(endpoint, now: now)),
        ]
    }

    /// The reason, what came of the last check, where nodes differ, and what operators want.
    private static func why(_ endpoint: EndpointAnswer, now: Date) -> String {
        var parts = told(endpoint.reason, endpoint.check)
        if let disagreement = endpoint.disagreement { parts.append(disagreement) }
        parts += endpoint.adjustments.map { text(of: $0, now: now) }
        return parts.joined(separator: "; ")
    }

    /// The reason and the last check, unless that is what the reason says.
    private static func told(_ reason: String?, _ check: String?) -> [String] {
        if let reason, let check, reason.hasSuffix(": " + check) { return [reason] }
        return [reason, check].compactMap(\.self)
    }

    /// `weight 5 by ann, in 9m`.
    static func text(of adjustment: AdjustmentAnswer, now: Date) -> String {
        let weight = adjustment.weight.map { " \($0)" } ?? ""
        let end = adjustment.until.map { ", ends \(timeText($0, now: now))" } ?? ""
        return "\(adjustment.action)\(weight) by \(adjustment.author)\(end)"
    }

    /// A line for each node that differs from the most, or has no session.
    private static func nodeLines(
        _ upstream: String,
        _ endpoint: EndpointAnswer,
        palette: Palette,
        now: Date
    ) -> [String] {
        guard endpoint.disagreement != nil || endpoint.nodes.contains(where: \.stale) else {
            return []
        }
        return endpoint.nodes.filter { $0.state != endpoint.state || $0.stale }.map { node in
            var parts = told(node.reason, node.check)
            if let since = node.since { parts.append("since \(timeText(since, now: now))") }
            let stale = node.stale ? " (last heard: it has no session)" : ""
            let text =
                "\(upstream) \(endpoint.address) on \(node.node): \(node.state)\(stale)"
                + (parts.isEmpty ? "" : ": " + parts.joined(separator: "; "))
            return palette.paint(visible(text), node.stale ? .faint : style(node.state, true))
        }
    }

    private static func style(_ state: String, _ isDisputed: Bool) -> TextStyle {
        switch state {
        case "healthy": isDisputed ? .warning : .good
        case "drained", "disabled", "unknown": .warning
        case "unhealthy", "ejected", "unresolved": .bad
        default: .plain
        }
    }

    // MARK: Values

    /// An array of upstreams: `name, endpoints, notes`.
    package var value: OutputValue { .array(upstreams.map(Self.value)) }

    private static func value(of upstream: UpstreamAnswer) -> OutputValue {
        [
            "name": .string(upstream.name),
            "endpoints": .array(upstream.endpoints.map(value)),
            "notes": .array(
                upstream.notes.map { ["node": .string($0.node), "note": .string($0.note)] }
            ),
        ]
    }

    private static func value(of endpoint: EndpointAnswer) -> OutputValue {
        [
            "address": .string(endpoint.address),
            "discovered": .bool(endpoint.discovered),
            "state": .string(endpoint.state),
            "reason": OutputValue(endpoint.reason),
            "since": OutputValue(endpoint.since),
            "checkedAt": OutputValue(endpoint.checkedAt),
            "check": OutputValue(endpoint.check),
            "disagreement": OutputValue(endpoint.disagreement),
            "configuredWeight": OutputValue(endpoint.configuredWeight),
            "weight": OutputValue(endpoint.weight as Int?),
            "connections": OutputValue(endpoint.connections as UInt64?),
            "requests": OutputValue(endpoint.requests as UInt64?),
            "adjustments": .array(endpoint.adjustments.map(value)),
            "nodes": .array(endpoint.nodes.map(value)),
        ]
    }

    private static func value(of node: EndpointNode) -> OutputValue {
        [
            "node": .string(node.node),
            "state": .string(node.state),
            "reason": OutputValue(node.reason),
            "since": OutputValue(node.since),
            "checkedAt": OutputValue(node.checkedAt),
            "check": OutputValue(node.check),
            "weight": OutputValue(node.weight as Int?),
            "connections": OutputValue(node.connections as UInt64?),
            "requests": OutputValue(node.requests as UInt64?),
            "stale": .bool(node.stale),
        ]
    }

    /// `upstream, endpoint, action, weight, until, author, time`.
    package static func value(of adjustment: AdjustmentAnswer) -> OutputValue {
        [
            "upstream": .string(adjustment.upstream),
            "endpoint": .string(adjustment.endpoint),
            "action": .string(adjustment.action),
            "weight": OutputValue(adjustment.weight),
            "until": OutputValue(adjustment.until),
            "author": .string(adjustment.author),
            "time": .string(adjustment.time),
        ]
    }

    /// `generation, adjustments, nodes, warnings`.
    package static func value(of answer: AdjustmentsAnswer) -> OutputValue {
        [
            "generation": OutputValue(answer.generation as UInt64?),
            "adjustments": .array(answer.adjustments.map(value)),
            "nodes": .array(
                answer.nodes.map { node in
                    [
                        "name": .string(node.name),
                        "state": .string(node.state.rawValue),
                        "reason": OutputValue(node.reason),
                        "problem": OutputValue(node.problem),
                    ]
                }
            ),
            "warnings": .array((answer.warnings ?? []).map { .string($0) }),
        ]
    }
}
