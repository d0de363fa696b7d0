internal import RegularExpressions

/// What makes a route impossible, or a part of it idle.
extension RecordChecker {
    /// Checks a route whose fields are all right by themselves.
    mutating func checkRoute(_ value: SettingValue, _ node: ConfigurationNode) {
        guard problems.isEmpty, !acceptsUnbuilt else { return }
        let route = Route(FieldReader(value, Settings.settings(of: .route).record))
        checkExceptions(route, node)
        checkConditions(route.conditions, ["match"], node)
        checkConditions(route.exceptions, ["match", "not"], node)
        checkPathExpressions(route, node)
        checkSplit(route, node)
        checkMirror(route, node)
        checkCaptures(route, node)
    }

    private mutating func complain(
        _ message: String,
        _ steps: [String],
        _ node: ConfigurationNode
    ) {
        var part = node
        for step in steps { part = part[step] ?? part }
        complain(message, field: steps.joined(separator: "."), at: part.place)
    }

    // MARK: Conditions that exclude each other

    private mutating func checkExceptions(_ route: Route, _ node: ConfigurationNode) {
        let (wanted, excluded) = (route.conditions, route.exceptions)
        if let path = excluded.path, path.covers(wanted.path) {
            complain(
                "every path that the route matches is excluded: it never matches",
                ["match", "not", "path"],
                node
            )
        }
        if !wanted.methods.isEmpty, wanted.methods.allSatisfy(excluded.methods.contains) {
            complain(
                "every method that the route matches is excluded: it never matches",
                ["match", "not", "methods"],
                node
            )
        }
        let isNobodyLeft =
            wanted.clients.isEmpty
            ? excluded.clients.contains { $0.prefixBits == 0 && $0.address.bitCount == 32 }
                && excluded.clients.contains { $0.prefixBits == 0 && $0.address.bitCount == 128 }
            : wanted.clients.allSatisfy { block in excluded.clients.contains { $0.covers(block) } }
        if isNobodyLeft {
            complain(
                "every client that the route matches is excluded: it never matches",
                ["match", "not", "clients"],
                node
            )
        }
        for (field, wanted, excluded) in [
            ("headers", wanted.headers, excluded.headers),
            ("query", wanted.query, excluded.query),
            ("cookies", wanted.cookies, excluded.cookies),
        ] {
            checkValues(field, wanted, excluded, node)
        }
    }

    private mutating func checkValues(
        _ field: String,
        _ wanted: [ValueCondition],
        _ excluded: [ValueCondition],
        _ node: ConfigurationNode
    ) {
        for condition in wanted {
            if condition.test == .present(false),
                let other = wanted.first(where: { $0.name == condition.name && $0 != condition })
            {
                complain(
                    "\(condition) and \(other) never hold together",
                    ["match", field],
                    node
                )
                return
            }
            if let exception = excluded.first(where: { $0.isSure(given: condition) }) {
                complain(
                    "\(exception) is excluded, and \(condition) is asked for: the route never matches",
                    ["match", "not", field],
                    node
                )
                return
            }
        }
    }

    /// Hosts are matched by `hosts`, and values are without white space at their ends.
    private mutating func checkConditions(
        _ conditions: RouteConditions,
        _ steps: [String],
        _ node: ConfigurationNode
    ) {
        for condition in conditions.headers where condition.name == "host" {
            complain(
                "host: say it in hosts, which knows it in every spelling and wherever it stands",
                steps + ["headers"],
                node
            )
        }
        for (field, list) in [("headers", conditions.headers), ("cookies", conditions.cookies)] {
            for condition in list {
                guard case .exact(let text) = condition.test else { continue }
                let ends = [text.utf8.first, text.utf8.last]
                let hasBlank = ends.contains { $0 == 0x20 || $0 == 0x09 }
                guard hasBlank || field == "cookies" && text.utf8.contains(UInt8(ascii: ";"))
                else { continue }
                complain(
                    "\(condition.name): \(quoted(text)) never matches: "
                        + (hasBlank ? "values have no space at their ends" : "; ends a cookie"),
                    steps + [field],
                    node
                )
            }
        }
    }

    /// A path begins with a slash, which a pattern that begins with a letter does not match.
    private mutating func checkPathExpressions(_ route: Route, _ node: ConfigurationNode) {
        for (path, steps) in [
            (route.conditions.path, ["match", "path", "regex"]),
            (route.exceptions.path, ["match", "not", "path", "regex"]),
        ] {
            guard case .regex(let pattern)? = path, let first = pattern.utf8.first,
                Texts.isAlphanumeric(first), !pattern.contains("|")
            else { continue }
            complain(
                "\(quoted(pattern)) never matches: it is for the whole path, which starts with /",
                steps,
                node
            )
        }
    }

    // MARK: Splits

    private mutating func checkSplit(_ route: Route, _ node: ConfigurationNode) {
        guard case .split(let sides) = route.action else {
            if route.cohort != nil {
                complain("does nothing without split", ["cohort"], node)
            }
            return
        }
        if let isOn = node["cohort"]?["clientIP"], isOn.text == "false" {
            complain("leave cohort out: false keeps nobody", ["cohort", "clientIP"], node)
        }
        if sides.allSatisfy({ $0.weight == 0 }) {
            complain("every weight is 0; give one at least 1", ["split"], node)
        }
        var seen: Set<String> = []
        for (index, side) in sides.enumerated() where !seen.insert(side.upstream).inserted {
            complain(
                "\(quoted(side.upstream)) is listed twice: give it the sum of both weights",
                field: "split[\(index)].upstream",
                at: node["split"]?.place ?? node.place
            )
        }
    }

    // MARK: Mirrors

    /// A copy is of a request that goes somewhere, and goes somewhere else.
    private mutating func checkMirror(_ route: Route, _ node: ConfigurationNode) {
        guard let mirror = route.mirror else { return }
        switch route.action {
        case .upstream(let name) where name == mirror.upstream:
            complain(
                "\(quoted(name)) gets the requests themselves: name another upstream",
                ["mirror", "upstream"],
                node
            )
        case .split(let sides)
        where sides.allSatisfy { $0.upstream == mirror.upstream || $0.weight == 0 }:
            complain(
                "\(quoted(mirror.upstream)) gets all requests themselves: name another upstream",
                ["mirror", "upstream"],
                node
            )
        case .upstream, .split: break
        case .respond, .redirect:
            complain("does nothing without upstream or split", ["mirror"], node)
        }
    }

    // MARK: Captures

    /// Groups that templates of the route name are there.
    private mutating func checkCaptures(_ route: Route, _ node: ConfigurationNode) {
        for (steps, template) in route.templates {
            for group in template.captures {
                guard let reason = route.lacks(capture: group) else { continue }
                complain("${capture.\(group)}: \(reason)", steps, node)
            }
        }
    }
}

extension Route {
    /// Its own texts with variables, each with the field that holds it.
    fileprivate var templates: [([String], Template)] {
        var found: [([String], Template)] = []
        switch action {
        case .redirect(let redirect): found.append((["redirect", "location"], redirect.location))
        case .respond(let response):
            found.append((["respond", "body"], response.body))
            for line in response.headers { found.append((["respond", "headers"], line.value)) }
        case .upstream, .split: break
        }
        if let maintenance { found.append((["maintenance", "body"], maintenance.body)) }
        for (field, parameters) in [("set", rewrite?.query.set), ("add", rewrite?.query.add)] {
            for parameter in parameters ?? [] {
                found.append((["rewrite", "query", field], parameter.value))
            }
        }
        return found
    }

    /// Why a group that a template names is not there; `nil` if it is.
    func lacks(capture group: String) -> String? {
        guard case .regex(let pattern)? = conditions.path else {
            return "the route has no match.path.regex whose groups it could name"
        }
        // The pattern was compiled when it was checked.
        guard let expression = try? RegularExpression(pattern: pattern) else { return nil }
        if let number = Int(group) {
            guard number < 0 || number > expression.groupCount else { return nil }
            return expression.groupCount == 0
                ? "the route's match.path.regex has no groups"
                : "the route's match.path.regex has groups 1 to \(expression.groupCount)"
        }
        guard expression.groupNames[group] == nil else { return nil }
        return "the route's match.path.regex has no group of that name"
    }
}

extension PathPattern {
    /// Whether every path of another pattern is surely one of this; `nil` is any path.
    fileprivate func covers(_ other: PathPattern?) -> Bool {
        switch (self, other) {
        case (.prefix("/"), _), (.regex(".*"), _), (.regex("/.*"), _): return true
        case (_, nil): return false
        case (.exact(let path), .exact(let other)): return path == other
        case (.prefix(let prefix), .exact(let path)), (.prefix(let prefix), .prefix(let path)):
            return path == prefix || path.hasPrefix(prefix.hasSuffix("/") ? prefix : prefix + "/")
        case (.regex(let pattern), .regex(let other)): return pattern == other
        case (.regex(let pattern), .exact(let path)):
            // The pattern was compiled when it was checked.
            let expression = try? RegularExpression(pattern: pattern)
            return (try? expression?.matchesWhole(path.utf8.span)) == true
        case (.exact, .prefix), (.exact, .regex), (.prefix, .regex), (.regex, .prefix): return false
        }
    }
}
