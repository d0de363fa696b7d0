package import AdminMessages

/// How far the nodes are with a version.
package struct RolloutReport: Sendable {
    private let rollout: RolloutAnswer

    /// A report on `rollout`.
    package init(_ rollout: RolloutAnswer) {
        self.rollout = rollout
    }

    /// One line of progress: `version 7: 3 of 5 nodes serve it, 1 rejected, waiting for eu-4`.
    package var progressLine: String {
        let counted = rollout.nodes.filter { $0.state != .excluded }
        let applied = counted.count { $0.state == .applied }
        let rejected = counted.count { $0.state == .rejected }
        let pending = counted.filter { $0.state == .pending }.map(\.name)
        var line = "version \(rollout.version): \(applied) of \(counted.count) nodes serve it"
        line += rejected > 0 ? ", \(rejected) rejected" : ""
        if !pending.isEmpty {
            let named = pending.prefix(3).map(visible).joined(separator: ", ")
            let more = pending.count > 3 ? " and \(pending.count - 3) more" : ""
            line += ", waiting for \(named)\(more)"
        }
        return line
    }

    /// Why nodes do not serve the version: a line per error, per silent node and per excluded node.
    package func problemLines(_ palette: Palette) -> [String] {
        rollout.nodes.flatMap { node -> [String] in
            let name = "node \(visible(node.name))"
            switch node.state {
            case .applied: return []
            case .pending: return [palette.paint("\(name): no answer yet", .warning)]
            case .excluded:
                return [
                    palette.paint(
                        "\(name): not waited for: \(visible(node.reason ?? "excluded"))",
                        .faint
                    )
                ]
            case .rejected:
                let errors = node.errors.map { palette.paint("\(name): \(errorText($0))", .bad) }
                return errors.isEmpty ? [palette.paint("\(name): rejected", .bad)] : errors
            }
        }
    }

    /// `version, digest, nodes`, each node with `name, state, reason, errors`.
    package var value: OutputValue {
        [
            "version": OutputValue(rollout.version as UInt64?),
            "digest": .string(rollout.digest),
            "nodes": .array(
                rollout.nodes.map { node in
                    [
                        "name": .string(node.name),
                        "state": .string(node.state.rawValue),
                        "reason": OutputValue(node.reason),
                        "errors": NodeReport.value(of: node.errors),
                    ]
                }
            ),
        ]
    }
}
