package import Routing

extension Explanation {
    /// `listener, route, why, policies, upstream, endpoint, path, host`, what led there, and what becomes of fields.
    package var value: OutputValue {
        var members = decision
        for (name, value) in effects.members { members[name] = value }
        return .object(members)
    }

    private var decision: [String: OutputValue] {
        [
            "listener": OutputValue(listener), "route": OutputValue(route), "why": .string(why),
            "policies": .array(policies.map { .string($0) }), "upstream": OutputValue(upstream),
            "endpoint": OutputValue(endpoint),
            "endpoints": .array(endpoints.map { .string($0) }), "path": .string(path),
            "host": .string(host),
            "query": OutputValue(query), "normalisedPath": .string(normalisedPath),
            "status": OutputValue(status),
            "passed": .array(
                passed.map { ["route": .string($0.route), "why": .string($0.why)] }
            ),
        ]
    }

    /// The endpoint, or those of which it is one.
    private var endpointText: String {
        if let endpoint { return visible(endpoint) }
        guard !endpoints.isEmpty else { return "-" }
        let shown = endpoints.prefix(5).map(visible).joined(separator: ", ")
        return "one of " + shown + (endpoints.count > 5 ? ", ..." : "")
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
        if status == nil {
            lines += [
                "upstream  \(upstream.map(visible) ?? "-")",
                "endpoint  \(endpointText)",
                "path      \(visible(target))",
                "host      \(visible(host))",
            ]
        }
        return lines + (effects?.rendered ?? [])
    }
}

extension RouteEffects? {
    /// `requestFields, sentFields, responseFields, answerFields, errorPages, hidden, locations, unknown`, empty without a
    /// route.
    fileprivate var members: [String: OutputValue] {
        let pages = self?.pages.map { page -> OutputValue in
            [
                "statuses": .string(page.statuses), "policy": .string(page.policy),
                "contentType": .string(page.contentType),
            ]
        }
        let locations = self?.locations.map { location -> OutputValue in
            ["said": .string(location.said), "shown": OutputValue(location.shown)]
        }
        let unknown = self?.unknown.map { unknown -> OutputValue in
            ["variable": .string(unknown.variable), "why": .string(unknown.why)]
        }
        return [
            "requestFields": .object(Self.members(self?.request, isRequest: true)),
            "sentFields": Self.lines(self?.sent),
            "responseFields": .object(Self.members(self?.response, isRequest: false)),
            "answerFields": Self.lines(self?.answer),
            "errorPages": .array(pages ?? []),
            "hidden": .array((self?.hidden ?? []).map { .string($0) }),
            "locations": .array(locations ?? []), "unknown": .array(unknown ?? []),
        ]
    }

    private static func members(
        _ fields: RouteEffects.Fields?,
        isRequest: Bool
    ) -> [String: OutputValue] {
        var members: [String: OutputValue] = [
            "set": lines(fields?.sets), "add": lines(fields?.adds),
            "remove": .array((fields?.removes ?? []).map { .string($0) }),
        ]
        if isRequest { members["dropped"] = .array((fields?.dropped ?? []).map { .string($0) }) }
        return members
    }

    private static func lines(_ lines: [RouteEffects.Line]?) -> OutputValue {
        .array(
            (lines ?? []).map { ["name": .string($0.name), "value": .string($0.value)] }
        )
    }
}

extension RouteEffects {
    /// The same for people: only what there is.
    fileprivate var rendered: [String] {
        var lines: [String] = []
        func add(_ label: String, _ texts: [String]) {
            for (index, text) in texts.enumerated() {
                let start = index == 0 ? label : ""
                let gap = String(repeating: " ", count: 10 - start.count)
                lines.append(start + gap + visible(text))
            }
        }
        add("request", request.rendered)
        add("sends", sent.map(\.rendered))
        add("answer", answer.map(\.rendered))
        add("response", response.rendered)
        add("pages", pages.map { "\($0.statuses) \($0.contentType), of \($0.policy)" })
        add("hidden", hidden.isEmpty ? [] : [hidden.joined(separator: ", ")])
        add("location", locations.map { "\($0.said) becomes \($0.shown ?? "nothing")" })
        add("unknown", unknown.map { "\($0.variable): \($0.why)" })
        return lines
    }
}

extension RouteEffects.Fields {
    fileprivate var rendered: [String] {
        var lines = sets.map { "set \($0.rendered)" } + adds.map { "add \($0.rendered)" }
        lines += removes.map { "remove \($0)" }
        if !dropped.isEmpty { lines.append("came and goes: \(dropped.joined(separator: ", "))") }
        return lines
    }
}

extension RouteEffects.Line {
    fileprivate var rendered: String { "\(name): \(value)" }
}
