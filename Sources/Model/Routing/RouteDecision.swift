package import FleetModel

/// How the route of a request was found.
package struct RouteDecision: Equatable, Sendable {
    /// The route; `nil` when none matches.
    package let match: RouteMatch?
    /// The routes of the request's host and path that were asked before and did not serve it, in order.
    package let passed: [Passed]

    /// A route that was passed over.
    package struct Passed: Equatable, Sendable {
        /// The route's number.
        package let route: Int
        /// Why it was passed over.
        package let reason: String
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
    /// Number of its other conditions.
    package let conditionCount: Int

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
        let others =
            switch conditionCount {
            case 0: ""
            case 1: ", and its condition holds"
            default: ", and its \(conditionCount) conditions hold"
            }
        return hostReason + ", " + pathReason + others
    }
}
