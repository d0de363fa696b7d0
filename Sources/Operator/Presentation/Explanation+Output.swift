package import Routing

extension Explanation {
    /// `listener, route, why, policies, upstream, endpoint, path, host`, and what led there.
    package var value: OutputValue {
        [
            "listener": OutputValue(listener), "route": OutputValue(route), "why": .string(why),
            "policies": .array(policies.map { .string($0) }), "upstream": OutputValue(upstream),
            "endpoint": OutputValue(endpoint), "path": .string(path), "host": .string(host),
            "query": OutputValue(query), "normalisedPath": .string(normalisedPath),
            "status": OutputValue(status),
            "passed": .array(
                passed.map { ["route": .string($0.route), "why": .string($0.why)] }
            ),
        ]
    }

    /// The same for people.
    package func rendered(_ palette: Palette) -> [String] {
        let none = palette.paint("none", .warning)
        let target = query.map { "\(path)?\($0)" } ?? path
        var lines = [
            "listener  \(listener.map(visible) ?? none)",
            "matched   \(visible(normalisedPath))",
        ]
        for route in passed {
            lines.append("not       \(visible(route.route)): \(visible(route.why))")
        }
        lines += [
            "route     \(route.map { palette.paint(visible($0), .strong) } ?? none)",
            "why       \(visible(why))",
            "policies  \(policies.isEmpty ? "none" : visible(policies.joined(separator: ", ")))",
        ]
        if let status { lines.append("status    \(status)") }
        guard status == nil else { return lines }
        return lines + [
            "upstream  \(upstream.map(visible) ?? "-")",
            "endpoint  \(endpoint.map(visible) ?? "-")",
            "path      \(visible(target))",
            "host      \(visible(host))",
        ]
    }
}
