import Bytes
package import FleetModel

/// Which route serves a request on one listener: all routes of that listener, compiled.
///
/// The first route whose every condition holds wins, in this order over all hosts: exact host, longer
/// wildcard, any host; then exact path, longest prefix, any path; then file order. Hosts and paths are
/// found by hash, so a look-up costs the same for ten routes and for ten thousand:
///
///     host ──hash──▶ host node ──parent──▶ longer wildcard ──parent──▶ … ──▶ any host
///                        │
///     path segments ──hash──▶ exact path, or the longest prefix that is there
///
/// Hosts that have routes, but none for the path, hand over to their parent: the next less specific
/// host. Immutable; built by one worker for itself, so that no reference count is shared on the way.
package final class RouteTable: Sendable {
    private let hosts: HostIndex
    private let paths: PathIndex

    /// Compiles the routes of one listener.
    ///
    /// - Parameters:
    ///   - routes: All routes, in file order; results are indices into them.
    ///   - listener: The listener's name; routes that do not serve it are left out.
    /// - Complexity: O(total length of hosts and paths).
    package convenience init(routes: [Route], listener: String) {
        self.init(
            routes: routes.indices.lazy.filter { index in
                routes[index].listeners.map { $0.contains(listener) } ?? true
            }.map { ($0, routes[$0]) }
        )
    }

    /// Compiles routes whatever their listeners.
    ///
    /// - Parameter routes: Numbers and routes, in file order; results are these numbers.
    package init(routes: some Sequence<(Int, Route)>) {
        var hosts = HostIndex()
        var paths = PathIndex()
        for (number, route) in routes {
            for host in route.hosts.map({ $0.map(Optional.some) }) ?? [nil] {
                let node = hosts.insert(host)
                switch route.conditions.path {
                case .exact(let path):
                    paths.insert(path, isExact: true, host: node, route: number)
                case .prefix(let path):
                    let depth = paths.insert(path, isExact: false, host: node, route: number)
                    hosts.noteDepth(depth, of: node)
                case .regex, nil:
                    hosts.noteAnyPath(number, of: node)
                }
            }
        }
        hosts.finish()
        paths.finish()
        self.hosts = hosts
        self.paths = paths
    }

    /// Finds the route of a request.
    ///
    /// - Parameters:
    ///   - host: The host without a port, in any case; an IPv6 address with its brackets; may be empty.
    ///   - path: The normalised path, without the query.
    /// - Returns: The route's number, or `nil` when none matches.
    /// - Complexity: O(length of host and path), times the wildcards that hold for the host when the
    ///   more specific ones have no such path; allocates nothing.
    package func match(host: Span<UInt8>, path: Span<UInt8>) -> Int? {
        var node = hosts.find(host)
        while true {
            let found = paths.find(path, host: node, depths: hosts.depths(of: node))
            if found >= 0 { return paths.route(of: found) }
            if let route = hosts.anyPath(of: node) { return route }
            guard let parent = hosts.parent(of: node) else { return nil }
            node = parent
        }
    }

    /// Finds the route of a request and says why it is that one.
    ///
    /// - Parameters:
    ///   - host: As for `match`.
    ///   - path: As for `match`.
    /// - Returns: The match, or `nil` when no route matches.
    package func explain(host: Span<UInt8>, path: Span<UInt8>) -> RouteMatch? {
        var node = hosts.find(host)
        while true {
            let found = paths.find(path, host: node, depths: hosts.depths(of: node))
            if found >= 0 {
                return RouteMatch(
                    route: paths.route(of: found),
                    host: hosts.pattern(of: node),
                    path: paths.pattern(of: found)
                )
            }
            if let route = hosts.anyPath(of: node) {
                return RouteMatch(route: route, host: hosts.pattern(of: node), path: nil)
            }
            guard let parent = hosts.parent(of: node) else { return nil }
            node = parent
        }
    }
}

/// The route that was found, and the rules that led to it.
package struct RouteMatch: Equatable, Sendable {
    /// The route's number.
    package let route: Int
    /// The host pattern that holds; `nil` when the route serves any host.
    package let host: HostPattern?
    /// The path pattern that holds; `nil` when the route serves any path.
    package let path: PathPattern?

    /// The rules in words, as `proxyctl explain` shows them.
    package var reason: String {
        let hostReason =
            switch host {
            case .exact(let name): "host is \(name)"
            case .wildcard(let suffix): "host is under *.\(suffix)"
            case nil: "any host"
            }
        let pathReason =
            switch path {
            case .exact(let path): "path is \(path)"
            case .prefix(let path): "longest prefix is \(path)"
            case .regex(let pattern): "path matches \(pattern)"
            case nil: "any path"
            }
        return hostReason + ", " + pathReason
    }
}
