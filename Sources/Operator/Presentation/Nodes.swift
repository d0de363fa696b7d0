package import AdminMessages
package import FoundationEssentials

/// The nodes of a fleet and what each is really serving.
package struct NodeReport: Sendable {
    private let nodes: [NodeAnswer]

    /// A report on `nodes`, in their order.
    package init(_ nodes: [NodeAnswer]) {
        self.nodes = nodes
    }

    /// A row per node, and a line per error below the table.
    package func rendered(_ palette: Palette, now: Date) -> [String] {
        if nodes.isEmpty {
            return ["no node has joined: 'proxyctl token create' makes a token for one"]
        }
        var table = Table([
            .init("NAME"), .init("STATE"), .init("VERSION", leansRight: true),
            .init("DESIRED", leansRight: true), .init("DIGEST"), .init("SEEN"), .init("BUILD"),
            .init("LABELS"),
        ])
        for node in nodes {
            let lags = node.version != node.desired
            table.append([
                .init(node.name, .strong), .init(node.state, Self.style(ofState: node.state)),
                .init(node.version.map(String.init) ?? "", lags ? .warning : .plain),
                .init(node.desired.map(String.init) ?? ""),
                .init(node.digest.map(shortDigest) ?? "", .faint),
                .init(node.seenAt.map { timeText($0, now: now) } ?? ""),
                .init(node.build), .init(labelText(node.labels)),
            ])
        }
        return table.rendered(palette) + Self.errorLines(of: nodes, palette: palette)
    }

    /// An array of `name, state, version, digest, desired, error, labels, build, seenAt`.
    package var value: OutputValue {
        .array(nodes.map(Self.value))
    }

    /// One node.
    package static func value(of node: NodeAnswer) -> OutputValue {
        [
            "name": .string(node.name),
            "state": .string(node.state),
            "version": OutputValue(node.version),
            "digest": OutputValue(node.digest),
            "desired": OutputValue(node.desired),
            "error": node.error.flatMap { $0.isEmpty ? nil : value(of: $0) } ?? nil,
            "labels": .object(node.labels.mapValues { .string($0) }),
            "build": .string(node.build),
            "seenAt": OutputValue(node.seenAt),
        ]
    }

    /// An array of `kind, name, field, message`.
    package static func value(of errors: [ResourceError]) -> OutputValue {
        .array(
            errors.map { error in
                [
                    "kind": .string(error.kind), "name": .string(error.name),
                    "field": .string(error.field), "message": .string(error.message),
                ]
            }
        )
    }

    /// One node in full, for people.
    package static func lines(of node: NodeAnswer, palette: Palette, now: Date) -> [String] {
        let lines = [
            "name     \(palette.paint(visible(node.name), .strong))",
            "state    \(palette.paint(visible(node.state), style(ofState: node.state)))",
            "serving  \(node.version.map { "version \($0)" } ?? "-")",
            "digest   \(node.digest ?? "-")",
            "desired  \(node.desired.map { "version \($0)" } ?? "-")",
            "seen     \(node.seenAt.map { "\(visible($0)) (\(timeText($0, now: now)))" } ?? "-")",
            "build    \(visible(node.build))",
            "labels   \(node.labels.isEmpty ? "-" : visible(labelText(node.labels)))",
        ]
        return lines + errorLines(of: [node], palette: palette)
    }

    /// `node eu-1: listener web: address: address already in use`, a line per error.
    static func errorLines(of nodes: [NodeAnswer], palette: Palette) -> [String] {
        nodes.flatMap { node in
            (node.error ?? []).map { error in
                palette.paint("node \(visible(node.name)): \(errorText(error))", .bad)
            }
        }
    }

    static func style(ofState state: String) -> TextStyle {
        switch state {
        case "steady": .good
        case "stale", "syncing", "joining", "draining": .warning
        case "unreachable", "revoked": .bad
        default: .plain
        }
    }
}

/// `listener web: address: address already in use`.
package func errorText(_ error: ResourceError) -> String {
    let resource = [error.kind, error.name == error.kind ? "" : error.name]
    let parts = [
        resource.filter { !$0.isEmpty }.joined(separator: " "), error.field, error.message,
    ]
    return visible(parts.filter { !$0.isEmpty }.joined(separator: ": "))
}

/// `region=eu zone=a`.
package func labelText(_ labels: [String: String]) -> String {
    labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
}
