package import AdminMessages

/// How the fleet is, on one screen: at most `nodeLinesMax` nodes are named, those that need attention first.
package struct StatusReport: Sendable {
    private static let nodeLinesMax = 10
    private static let warningLinesMax = 5

    private let status: StatusAnswer

    /// A report on `status`.
    package init(_ status: StatusAnswer) {
        self.status = status
    }

    /// The lines of the screen.
    package func rendered(_ palette: Palette) -> [String] {
        var lines = [headLine(palette), nodesLine(palette)]
        lines += versionLines(palette)
        lines.append(trafficLine(palette))
        let warnings = status.warnings ?? []
        lines += warnings.prefix(Self.warningLinesMax).map {
            "warning   " + palette.paint(visible($0), .warning)
        }
        if warnings.count > Self.warningLinesMax {
            lines.append("and \(warnings.count - Self.warningLinesMax) more: 'proxyctl certs'")
        }
        let errors = NodeReport.errorLines(of: status.rejections, palette: palette)
        if !errors.isEmpty {
            lines.append("")
            lines += errors.prefix(Self.nodeLinesMax)
            if errors.count > Self.nodeLinesMax {
                lines.append(
                    "and \(errors.count - Self.nodeLinesMax) more: 'proxyctl nodes' shows all"
                )
            }
        }
        return lines
    }

    private func headLine(_ palette: Palette) -> String {
        guard let head = status.head else {
            return "head      none: apply a configuration"
        }
        let digest = status.digest.map { " " + palette.paint(shortDigest($0), .faint) } ?? ""
        return "head      " + palette.paint("version \(head)", .strong) + digest
    }

    private func nodesLine(_ palette: Palette) -> String {
        let order = ["steady", "stale", "syncing", "joining", "draining", "unreachable", "revoked"]
        let rank = { (state: String) in order.firstIndex(of: state) ?? order.count }
        let present = status.states.filter { $0.value > 0 }
        let parts = present.sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }.map {
            palette.paint("\($0.value) \(visible($0.key))", NodeReport.style(ofState: $0.key))
        }
        let total = present.values.reduce(0, +)
        return "nodes     \(total)" + (parts.isEmpty ? "" : ": " + parts.joined(separator: ", "))
    }

    private func versionLines(_ palette: Palette) -> [String] {
        let counts = status.versions.filter { $0.nodes > 0 }.sorted { $0.version > $1.version }
        guard !counts.isEmpty else {
            return []
        }
        let parts = counts.prefix(5).map { count in
            let text = "\(count.nodes) on \(count.version)"
            return count.version == status.head ? text : palette.paint(text, .warning)
        }
        let drift = counts.filter { $0.version != status.head }.reduce(0) { $0 + $1.nodes }
        let more = counts.count > 5 ? ", \(counts.count - 5) more versions" : ""
        return [
            "serving   " + parts.joined(separator: ", ") + more,
            "drift     "
                + (drift == 0 ? "none" : palette.paint("\(drift) not on the head", .warning)),
        ]
    }

    private func trafficLine(_ palette: Palette) -> String {
        let errors = percentage(status.errorShare)
        let isBad = status.errorShare > 0.01
        let quantile = { (seconds: Double?) in
            seconds.map { shortDuration(seconds: $0) } ?? "-"
        }
        return "traffic   \(rate(status.requestsPerSecond)) requests/s, errors "
            + palette.paint(errors, isBad ? .bad : .plain)
            + ", p50 \(quantile(status.p50Seconds)), p99 \(quantile(status.p99Seconds))"
    }

    /// The same for programs.
    package static func value(of status: StatusAnswer) -> OutputValue {
        [
            "head": OutputValue(status.head),
            "digest": OutputValue(status.digest),
            "states": .object(status.states.mapValues { OutputValue($0 as Int?) }),
            "versions": .array(
                status.versions.map { count in
                    [
                        "version": OutputValue(count.version as UInt64?),
                        "nodes": OutputValue(count.nodes as Int?),
                    ]
                }
            ),
            "rejections": .array(status.rejections.map(NodeReport.value)),
            "requestsPerSecond": OutputValue(status.requestsPerSecond as Double?),
            "errorShare": OutputValue(status.errorShare as Double?),
            "p50Seconds": OutputValue(status.p50Seconds),
            "p99Seconds": OutputValue(status.p99Seconds),
            "warnings": .array((status.warnings ?? []).map { .string($0) }),
        ]
    }
}
