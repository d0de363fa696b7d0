package import FleetModel

/// Where a search begins: what a configuration serves, and what makes an origin fail.
package struct LeakPlan: Sendable {
    /// The first requests, without a repetition.
    package private(set) var requests: [LeakRequest] = []

    private let configuration: Configuration
    private let morePaths: [String]
    private var seen: Set<String> = []

    /// Plans a search.
    ///
    /// - Parameters:
    ///   - configuration: What the fleet serves.
    ///   - bases: URLs to begin at; without, every listener of HTTP is asked for every host of its routes.
    ///   - place: Where connections go in place of the listeners and the URLs' hosts.
    ///   - paths: More paths, for every host.
    package init(
        _ configuration: Configuration,
        bases: [LeakBase],
        place: HostPort?,
        paths: [String]
    ) {
        self.configuration = configuration
        morePaths = paths
        for base in bases {
            let target = place ?? base.place
            let host = LeakPlace(host: target.host, port: target.port, isSecure: base.isSecure)
            let routes = configuration.routes.filter { Self.serves($0, base.host) }
            add(host, authority: base.authority, paths: [base.path], routes)
        }
        guard bases.isEmpty else { return }
        for listener in configuration.listeners where listener.transport.hasRequests {
            add(listener, place)
        }
    }

    private mutating func add(_ listener: Listener, _ place: HostPort?) {
        let own = HostPort(host: listener.address.hostText, port: Int(listener.address.port)).local
        let target = place ?? own
        let isSecure = listener.transport == .https
        let host = LeakPlace(
            host: target.host,
            port: target.port,
            isSecure: isSecure,
            expectsProxyHeader: listener.proxyProtocol == .require
        )
        let routes = configuration.routes.filter { $0.listeners?.contains(listener.name) ?? true }
        let port = own.port == (isSecure ? 443 : 80) ? "" : ":\(own.port)"
        for name in hosts(of: routes) {
            let served = routes.filter { Self.serves($0, name) }
            add(host, authority: name + port, paths: [], served)
        }
    }

    /// One host for each pattern; a route of any host is asked for as the others are, or by a name of nobody's.
    private func hosts(of routes: [Route]) -> [String] {
        var names: [String] = []
        for route in routes {
            for pattern in route.hosts ?? [] {
                let name =
                    switch pattern {
                    case .exact(let host): host
                    case .wildcard(let suffix): "leaks.\(suffix)"
                    }
                if !names.contains(name) { names.append(name) }
            }
        }
        return names.isEmpty || routes.contains { $0.hosts == nil }
            ? names + ["leaks.example"] : names
    }

    private static func serves(_ route: Route, _ host: String) -> Bool {
        guard let patterns = route.hosts else { return true }
        return patterns.contains { pattern in
            switch pattern {
            case .exact(let name): name == host
            case .wildcard(let suffix): host.hasSuffix("." + suffix)
            }
        }
    }

    // MARK: Requests

    private mutating func add(
        _ place: LeakPlace,
        authority: String,
        paths: [String],
        _ routes: [Route]
    ) {
        func ask(_ method: String, _ target: String, _ fields: [String] = []) -> LeakRequest {
            LeakRequest(
                method: method,
                place: place,
                authority: authority,
                target: target,
                fields: fields
            )
        }
        for path in paths + morePaths + ["/"] { add(ask("GET", path)) }
        for route in routes {
            let path = Self.path(of: route)
            for method in ["GET", "HEAD", "OPTIONS"] { add(ask(method, path)) }
            let below = path.hasSuffix("/") ? path : path + "/"
            add(ask("GET", below))
            add(ask("GET", below + "no-such-page-of-proxyctl-leaks"))
            add(ask("GET", below + "%FF%FE%22%3Cx"))
            add(ask("GET", below + String(repeating: "a", count: LeakSearchLimits.longTargetBytes)))
            add(ask("GET", path, ["Range: bytes=999999999-"]))
            add(ask("GET", path, ["If-Match: \"no-such-tag\""]))
            add(ask("GET", path, ["Expect: the-impossible"]))
            add(ask("NOSUCHMETHOD", path))
        }
        for target in ["/%", "/..", "/a%2Fb", "/a%00"] { add(ask("GET", target)) }
        add(ask("TRACE", "/"))
        add(LeakRequest(place: place, authority: "", target: "/"))
    }

    private mutating func add(_ request: LeakRequest) {
        if seen.insert(request.key).inserted { requests.append(request) }
    }

    private static func path(of route: Route) -> String {
        switch route.conditions.path {
        case .exact(let path), .prefix(let path): path
        case .regex, nil: "/"
        }
    }
}

/// A URL to begin a search at.
package struct LeakBase: Sendable {
    /// Why it cannot be begun there.
    package struct Fault: Error, Sendable, CustomStringConvertible {
        /// One clause for the operator.
        package let description: String
    }

    let isSecure: Bool
    let authority: String
    let host: String
    let place: HostPort
    let path: String

    /// Reads `http://HOST[:PORT][/PATH]`, or https.
    ///
    /// - Throws: `Fault`.
    package init(_ url: String) throws(Fault) {
        let schemes = [("http://", false, 80), ("https://", true, 443)]
        guard let scheme = schemes.first(where: { url.lowercased().hasPrefix($0.0) }) else {
            throw Fault(description: "a URL begins with http:// or https://")
        }
        let rest = url.dropFirst(scheme.0.count)
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        authority = rest[..<end].lowercased()
        isSecure = scheme.1
        let text =
            authority.contains(":") && !authority.hasSuffix("]")
            ? authority : "\(authority):\(scheme.2)"
        guard let place = HostPort(text) else {
            throw Fault(description: "'\(authority)' is not of the form HOST or HOST:PORT")
        }
        self.place = place
        host = place.host.contains(":") ? "[\(place.host)]" : place.host
        let target = rest[end...].prefix { $0 != "#" }
        guard target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Fault(description: "its path must be percent-encoded")
        }
        path = target.hasPrefix("/") ? String(target) : "/" + target
    }
}
