internal import Bytes
package import FleetModel
internal import HTTP1
internal import HTTPSemantics

/// What a node does with a request, and why.
package struct Explanation: Sendable, Equatable {
    /// The listener that takes the request; nothing if there is none.
    package private(set) var listener: String?
    /// The path after normalisation, which routes are matched by.
    package private(set) var normalisedPath = ""
    /// The routes of the host and path that were asked before, each with why it does not serve the request.
    package private(set) var passed: [Passed] = []
    /// The route; nothing if none matches.
    package private(set) var route: String?
    /// Why it is that route, and what happens then.
    package private(set) var why: String
    /// The policies that run, in their order.
    package private(set) var policies: [String] = []
    /// The upstream that gets the request.
    package private(set) var upstream: String?
    /// Of the upstream's endpoints, the one that a node without load takes first; nothing where only a node can tell.
    package private(set) var endpoint: String?
    /// The endpoints that it is one of, while all of them take requests.
    package private(set) var endpoints: [String] = []
    /// The status of an answer that no upstream gives.
    package private(set) var status: Int?
    /// The path that the upstream, or the match, sees.
    package private(set) var path = ""
    /// The query that the upstream, or the match, sees; nothing without one.
    package private(set) var query: String?
    /// The Host field that the upstream sees.
    package private(set) var host = ""
    /// What happens to the messages' fields; nothing without a route, and in tests of configurations, which do not ask.
    package private(set) var effects: RouteEffects?

    /// A route that was passed over.
    package struct Passed: Sendable, Equatable {
        /// Its name.
        package let route: String
        /// Why it does not serve the request.
        package let why: String
    }

    /// Matches a request as a node with `configuration` does.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - configuration: What the node serves.
    ///   - listener: The listener's name; without, those on the URL's port, or else all in turn.
    /// - Throws: `ExplainedRequest.Fault` if there is no such listener, or a node would refuse the request.
    package init(
        _ request: ExplainedRequest,
        in configuration: Configuration,
        listener: String?
    ) throws(ExplainedRequest.Fault) {
        try self.init(request, RouteTables(configuration), listener: listener, asksEffects: true)
    }

    /// Matches a request by tables that are there already.
    init(
        _ request: ExplainedRequest,
        _ tables: RouteTables,
        listener: String?,
        asksEffects: Bool = false
    ) throws(ExplainedRequest.Fault) {
        let configuration = tables.configuration
        (why, self.listener) = ("there is no listener", nil)
        let candidates = try Self.listeners(for: request, in: configuration, named: listener)
        let doubts = FieldDoubts(configuration, of: candidates)
        self = try request.withHead(PathRules(configuration.paths), disbelieving: doubts.holds) {
            [self] head, octets, path throws(ExplainedRequest.Fault) in
            var explanation = self
            explanation.normalisedPath = String(decoding: path, as: UTF8.self)
            explanation.path = explanation.normalisedPath
            if head.hasQuery {
                explanation.query = String(copying: octets.extracting(head.query.indices))
            }
            explanation.host = String(copying: octets.extracting(head.authorityRange.indices))
            guard head.method != .connect, head.method != .trace else {
                explanation.why = "a node carries out no \(head.method.text)"
                explanation.status = 405
                return explanation
            }
            for candidate in candidates {
                let told = RequestFacts(request, at: candidate, head, octets, path)
                if explanation.decide(candidate, told, head, octets, tables, asksEffects) { break }
            }
            return explanation
        }
    }

    private static func listeners(
        for request: ExplainedRequest,
        in configuration: Configuration,
        named name: String?
    ) throws(ExplainedRequest.Fault) -> [Listener] {
        guard let name else {
            let serving = configuration.listeners.filter { $0.transport.hasRequests }
            let onPort = serving.filter { $0.address.port == request.port }
            if !onPort.isEmpty { return onPort }
            let spoken = serving.filter { ($0.transport == .https) == request.isSecure }
            return spoken.isEmpty ? serving : spoken
        }
        guard let listener = configuration.listeners.first(where: { $0.name == name }) else {
            var suggester = Suggester()
            let hint = suggester.hint(for: name, among: configuration.listeners.map(\.name))
            throw ExplainedRequest.Fault(
                description: "no listener is called \(quoted(name))\(hint)"
            )
        }
        guard listener.transport.hasRequests else {
            throw ExplainedRequest.Fault(
                description:
                    "\(quoted(name)) is a \(listener.transport.rawValue) listener, which has no routes"
            )
        }
        return [listener]
    }

    /// Looks for a route on one listener; false when there is none.
    private mutating func decide(
        _ listener: Listener,
        _ told: RequestFacts,
        _ head: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ tables: RouteTables,
        _ asksEffects: Bool
    ) -> Bool {
        let configuration = tables.configuration
        if self.listener == nil { self.listener = listener.name }
        if let port = listener.redirectPort, !told.isSecure {
            (self.listener, status) = (listener.name, 308)
            why = "every request is redirected to https on port \(port)"
            return true
        }
        if head.method == .options, told.forwardsLeft == 0 {
            (self.listener, status) = (listener.name, 200)
            why = "it may be forwarded no further, so the node answers itself"
            return true
        }
        let routes = configuration.routes
        let decision = tables.table(of: listener).explain(
            head,
            octets,
            path: told.path.span,
            client: told.client,
            routes: routes
        )
        let passed = decision.passed.map { Passed(route: routes[$0.route].name, why: $0.reason) }
        guard let match = decision.match else {
            if self.listener == listener.name { self.passed = passed }
            (why, status) = ("no route matches: 404", 404)
            return false
        }
        (self.listener, self.passed, status) = (listener.name, passed, nil)
        let route = routes[match.route]
        (self.route, policies, why) = (route.name, route.policies, match.reason)
        let answer = act(route, told, head, octets, configuration)
        var values = TemplateValues(
            told,
            route,
            configuration.requestID,
            upstream: status == nil ? upstream : ""
        )
        if let rewrite = route.rewrite, status == nil {
            let query = octets.extracting(head.query.indices)
            apply(rewrite, of: route, PathRules(configuration.paths), query, told.path, &values)
        }
        guard asksEffects else { return true }
        let plan = RoutePlan(route, configuration.policies)
        var effects = RouteEffects(plan, told, answer, isForwarded: status == nil, &values)
        if status == nil {
            let sent = SentFields(
                told,
                head,
                octets,
                at: listener,
                configuration,
                plan,
                upstream: configuration.upstreams.first { $0.name == upstream },
                host: host,
                &values
            )
            effects.take(sent, told, values)
            hide(&effects, configuration, route, told)
        }
        self.effects = effects
        return true
    }

    private func hide(
        _ effects: inout RouteEffects,
        _ configuration: Configuration,
        _ route: Route,
        _ told: RequestFacts
    ) {
        effects.hide(
            configuration,
            route,
            told,
            upstream: upstream,
            endpoint: endpoint ?? endpoints.first,
            path: path,
            host: host
        )
    }

    /// Does what a route says.
    ///
    /// - Returns: The answer that is given in the place of an upstream's, if one is.
    private mutating func act(
        _ route: Route,
        _ told: RequestFacts,
        _ head: borrowing RequestHead,
        _ octets: Span<UInt8>,
        _ configuration: Configuration
    ) -> LocalAnswer? {
        if let maintenance = route.maintenance, maintenance.isEnabled {
            why += "; maintenance answers \(maintenance.status)"
            status = maintenance.status
            return LocalAnswer(maintenance)
        }
        var answer: LocalAnswer?
        switch route.action {
        case .upstream(let name): take(upstream: name, configuration)
        case .split(let sides):
            let split = Split(sides, cohort: route.cohort)
            let shares = sides.map { "\($0.upstream) \($0.weight)" }.joined(separator: ", ")
            switch split.side(head, octets, client: told.client) {
            case .kept(let side):
                why += "; the client's side of the split \(shares)"
                take(upstream: sides[side].upstream, configuration)
            case .open: why += "; split by chance: \(shares)"
            case .openForCookie: why += "; split by chance, and kept by a cookie: \(shares)"
            }
        case .respond(let response):
            why += "; answers \(response.status)"
            (status, answer) = (response.status, LocalAnswer(response))
        case .redirect(let redirect):
            why += "; redirects with \(redirect.status)"
            (status, answer) = (redirect.status, LocalAnswer(redirect))
        }
        if let mirror = route.mirror, mirror.share > 0, status == nil {
            why += "; \(mirror.shareText) of such requests are copied to \(mirror.upstream)"
        }
        return answer
    }

    /// What the upstream sees in place of the request's path, query and host.
    private mutating func apply(
        _ rewrite: Rewrite,
        of route: Route,
        _ rules: PathRules,
        _ query: Span<UInt8>,
        _ path: [UInt8],
        _ values: inout TemplateValues
    ) {
        var output = Buffer(capacity: 2 * Limits.rewrittenPathBytesMax + query.count)
        if let rewriter = PathRewriter(route, rules: rules) {
            guard rewriter.append(path.span, to: &output) else {
                (status, upstream, endpoint, endpoints) = (500, nil, nil, [])
                why += "; what the rewrite makes of the path is none: 500"
                return
            }
            self.path = Self.text(of: output)
        }
        if let editor = QueryEditor(rewrite.query) {
            output.clear()
            var parts: [String] = []
            if editor.appendKept(query, to: &output) {
                parts.append(String(Self.text(of: output).dropFirst()))
            }
            if !editor.appended.segments.isEmpty {
                parts.append(values.text(of: editor.appended, QueryEditor.encode))
            }
            self.query = parts.isEmpty ? nil : parts.joined(separator: "&")
        }
        if let host = rewrite.host { self.host = host }
    }

    private static func text(of buffer: borrowing Buffer) -> String {
        buffer.withReadable { String(copying: $0) }
    }

    private mutating func take(upstream name: String, _ configuration: Configuration) {
        upstream = name
        guard let taken = configuration.upstreams.first(where: { $0.name == name }) else { return }
        let weighted = taken.endpoints.filter { $0.weight > 0 }
        let tier = weighted.map(\.tier).min() ?? 0
        let usable = weighted.filter { $0.tier == tier }
        endpoints = usable.map(\.address.description)
        // The turns of a smooth weighted round robin start with the heaviest, the first of equals.
        let first = usable.reduce(usable.first) { $1.weight > ($0?.weight ?? 0) ? $1 : $0 }
        let isTold = taken.balance == .roundRobin || usable.count <= 1
        endpoint = isTold ? first?.address.description : nil
        why += taken.choice(among: usable)
        guard let discovery = taken.discovery else { return }
        // What nodes find is theirs to know: it takes part in every choice.
        if !usable.isEmpty { endpoint = nil }
        let records = discovery.type == .srv ? "services" : "addresses"
        why += usable.isEmpty ? "; endpoints are" : "; further endpoints are"
        why += " the \(records) of \(discovery.name), which each node looks up"
    }
}

extension Upstream {
    /// How one of several endpoints is chosen, to be added to a sentence; empty where there is no choice.
    fileprivate func choice(among endpoints: [Endpoint]) -> String {
        guard endpoints.count > 1 else { return "" }
        let rule =
            switch balance {
            case .roundRobin: "round robin over"
            case .leastRequests: "the fewest requests in flight among"
            case .powerOfTwo: "the one with fewer requests in flight, of two drawn from"
            case .latency: "the lowest expected latency among"
            case .hash: "a hash of \(hash?.noun ?? HashKey.clientAddress.noun) over"
            case .random: "drawn at random from"
            }
        var text = "; \(rule) \(endpoints.count) endpoints"
        if Set(endpoints.map(\.zone)).count > 1 { text += ", those of the node's zone first" }
        if let sticky { text += ", unless the cookie \(sticky.cookie) names one" }
        return text
    }
}

extension HashKey {
    /// What is hashed, for people.
    fileprivate var noun: String {
        switch self {
        case .clientAddress: "the client's address"
        case .header(let name): "the field \(name)"
        case .cookie(let name): "the cookie \(name)"
        case .query(let name): "the parameter \(name)"
        case .path: "the path"
        }
    }
}

/// Which fields of a request no route is taken for, as on a node: what a proxy alone may send, unless it may have come
/// from one that is trusted.
private struct FieldDoubts {
    private let isTrusted: Bool
    private let names: Set<String>

    init(_ configuration: Configuration, of candidates: [Listener]) {
        isTrusted = candidates.contains { !$0.trustedProxies.isEmpty }
        var names: Set<String> = []
        let tells = candidates.contains { !$0.certificateFields.isEmpty }
        if !isTrusted || tells { names = Set(configuration.listeners.flatMap(\.certificateFields)) }
        let identifier = configuration.requestID.header
        if identifier != "x-request-id" { names.insert(identifier) }
        self.names = names
    }

    func holds(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>) -> Bool {
        if line.name.isOfForwarding { return !isTrusted && line.name != .xRequestID }
        return names.contains { octets.extracting(line.nameRange).equalsIgnoringCase($0.utf8.span) }
    }
}

extension String {
    /// Copies octets of a request, which are visible ASCII or would have been refused.
    init(copying octets: Span<UInt8>) {
        var copy: [UInt8] = []
        for index in octets.indices { copy.append(octets[index]) }
        self.init(decoding: copy, as: UTF8.self)
    }
}
