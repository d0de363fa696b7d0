internal import Bytes
package import FleetModel
internal import HTTPSemantics
internal import Routing

/// A request that `proxyctl explain` is asked about.
package struct ExplainedRequest: Sendable {
    /// Why a request cannot be explained.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One clause for the operator.
        package let description: String
    }

    let port: UInt16
    /// The authority as the Host field has it.
    let authority: String
    let host: String
    let path: String

    /// Reads the parts of a URL.
    ///
    /// - Parameters:
    ///   - url: `http://HOST[:PORT][/PATH][?QUERY]`.
    ///   - hostField: The value of a Host field that overrides the URL's authority.
    ///   - paths: What a path means there.
    /// - Throws: `Fault`, if a node would refuse the request (400) or the URL is none.
    package init(url: String, hostField: String?, paths: PathSettings) throws {
        guard url.hasPrefix("http://") else {
            let hint = url.hasPrefix("https://") ? ": this build has HTTP listeners only" : ""
            throw Fault(
                description: "'\(visible(url))' is not of the form http://HOST[:PORT]/PATH\(hint)"
            )
        }
        let rest = url.dropFirst("http://".count)
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        let target = rest[end...].prefix { $0 != "#" }
        authority = hostField ?? String(rest[..<end])
        let octets = Array(authority.utf8)
        guard let parsed = Authority.parse(octets.span, 0..<octets.count) else {
            throw Fault(description: "'\(visible(authority))' is not a host: a node answers 400")
        }
        host = String(decoding: octets[parsed.host.indices], as: UTF8.self)
        let urlOctets = Array(rest[..<end].utf8)
        let urlPort = Authority.parse(urlOctets.span, 0..<urlOctets.count)?.port ?? 0
        port = urlPort == 0 ? 80 : urlPort
        let raw = Array(target.prefix { $0 != "?" }.utf8)
        let rules = PathRules(paths)
        guard let normal = PathNormaliser.normalise(raw.span, 0..<raw.count, rules: rules) else {
            throw Fault(description: "a node refuses the path of '\(visible(url))' (400)")
        }
        path = String(decoding: normal, as: UTF8.self)
    }
}

/// What a node does with a request, and why.
package struct Explanation: Sendable, Equatable {
    /// The listener that takes the request; nothing if there is none.
    package private(set) var listener: String?
    /// The route; nothing if none matches.
    package private(set) var route: String?
    /// Why it is that route, and what happens then.
    package private(set) var why: String
    /// The policies that run, in their order.
    package private(set) var policies: [String] = []
    /// The upstream that gets the request.
    package private(set) var upstream: String?
    /// Of the upstream's endpoints, the one that a node without load takes first.
    package private(set) var endpoint: String?
    /// The path that the upstream, or the match, sees.
    package let path: String
    /// The Host field that the upstream sees.
    package let host: String

    /// Matches a request as a node with `configuration` does.
    ///
    /// - Parameters:
    ///   - request: The request.
    ///   - configuration: What the node serves.
    ///   - listener: The listener's name; without, those on the URL's port, or else all in turn.
    /// - Throws: `ExplainedRequest.Fault` if there is no such listener.
    package init(
        _ request: ExplainedRequest,
        in configuration: Configuration,
        listener: String?
    ) throws {
        (path, host) = (request.path, request.authority)
        (why, self.listener) = ("there is no listener", nil)
        let candidates = try Self.listeners(for: request, in: configuration, named: listener)
        let (hostOctets, pathOctets) = (Array(request.host.utf8), Array(request.path.utf8))
        for candidate in candidates {
            let table = RouteTable(routes: configuration.routes, listener: candidate.name)
            self.listener = self.listener ?? candidate.name
            why = "no route matches: 404"
            guard let match = table.explain(host: hostOctets.span, path: pathOctets.span) else {
                continue
            }
            self.listener = candidate.name
            take(configuration.routes[match.route], reason: match.reason, in: configuration)
            return
        }
    }

    private static func listeners(
        for request: ExplainedRequest,
        in configuration: Configuration,
        named name: String?
    ) throws -> [Listener] {
        guard let name else {
            let serving = configuration.listeners.filter { $0.transport.hasRequests }
            let onPort = serving.filter { $0.address.port == request.port }
            return onPort.isEmpty ? serving : onPort
        }
        guard let listener = configuration.listeners.first(where: { $0.name == name }) else {
            var suggester = Suggester()
            let hint = suggester.hint(for: name, among: configuration.listeners.map(\.name))
            throw ExplainedRequest.Fault(
                description: "no listener is called '\(visible(name))'\(hint)"
            )
        }
        guard listener.transport.hasRequests else {
            throw ExplainedRequest.Fault(
                description:
                    "'\(visible(name))' is a \(listener.transport.rawValue) listener, which has no routes"
            )
        }
        return [listener]
    }

    private mutating func take(_ route: Route, reason: String, in configuration: Configuration) {
        self.route = route.name
        switch route.action {
        case .upstream(let name):
            upstream = name
            let endpoints = configuration.upstreams.first { $0.name == name }?.endpoints ?? []
            let usable = endpoints.filter { $0.weight > 0 }
            // The turns of a smooth weighted round robin start with the heaviest, the first of equals.
            let first = usable.reduce(usable.first) { $1.weight > ($0?.weight ?? 0) ? $1 : $0 }
            endpoint = first?.address.description
            why = reason
            why += usable.count > 1 ? "; round robin over \(usable.count) endpoints" : ""
        case .split: break
        case .respond(let response): why = "\(reason); answers \(response.status)"
        case .redirect(let redirect): why = "\(reason); redirects with \(redirect.status)"
        }
    }

    /// `listener, route, why, policies, upstream, endpoint, path, host`.
    package var value: OutputValue {
        [
            "listener": OutputValue(listener), "route": OutputValue(route), "why": .string(why),
            "policies": .array(policies.map { .string($0) }), "upstream": OutputValue(upstream),
            "endpoint": OutputValue(endpoint), "path": .string(path), "host": .string(host),
        ]
    }

    /// The same for people.
    package func rendered(_ palette: Palette) -> [String] {
        let none = palette.paint("none", .warning)
        return [
            "listener  \(listener.map(visible) ?? none)",
            "route     \(route.map { palette.paint(visible($0), .strong) } ?? none)",
            "why       \(visible(why))",
            "policies  \(policies.isEmpty ? "none" : visible(policies.joined(separator: ", ")))",
            "upstream  \(upstream.map(visible) ?? "-")",
            "endpoint  \(endpoint.map(visible) ?? "-")",
            "path      \(visible(path))",
            "host      \(visible(host))",
        ]
    }
}
