package import FleetModel
internal import RegularExpressions

/// A route that no request gets to, as another one takes all of them.
package struct ShadowedRoute: Equatable, Sendable {
    /// The route's number.
    package let route: Int
    /// The number of the route that takes its requests, on one of its hosts at least.
    package let by: Int
    /// Why, as one clause.
    package let reason: String
}

extension ShadowedRoute {
    /// The warning for the author of a configuration.
    ///
    /// - Parameter routes: The configuration's routes.
    /// - Returns: One clause, after `routes[name]: `.
    package func warning(_ routes: [Route]) -> String {
        "never taken: \(quoted(routes[by].name)) \(reason)"
    }
}

/// Finds routes that are never taken.
///
/// Only routes of the same host can shadow one: a more specific host is asked first but has other requests, and a less
/// specific one is asked later. Of the same path, or of a prefix that holds all paths of a regular expression, a route
/// that comes first shadows another if its conditions hold wherever those of the other do. What is reported is sure;
/// several routes that only together leave nothing over are not found.
package enum ShadowedRoutes {
    /// Looks for such routes.
    ///
    /// - Parameter configuration: A checked configuration.
    /// - Returns: Each route once, in file order.
    /// - Complexity: O(routes), times the routes that share host and path.
    package static func find(in configuration: Configuration) -> [ShadowedRoute] {
        var found: [Int: ShadowedRoute] = [:]
        var reachable: Set<Int> = []
        for listener in configuration.listeners where listener.transport.hasRequests {
            let groups = groups(configuration.routes, listener.name)
            for (number, route) in configuration.routes.enumerated()
            where route.serves(listener.name) {
                guard !reachable.contains(number) else { continue }
                var shadow: (by: Int, reason: String)?
                for host in hosts(of: route) {
                    shadow = shadowing(number, configuration.routes, groups[host] ?? HostGroup())
                    if shadow == nil { break }
                }
                if let shadow {
                    found[number] = ShadowedRoute(
                        route: number,
                        by: shadow.by,
                        reason: shadow.reason
                    )
                } else {
                    reachable.insert(number)
                }
            }
        }
        return found.values.filter { !reachable.contains($0.route) }.sorted { $0.route < $1.route }
    }

    /// The routes of one host.
    private struct HostGroup {
        /// By path; `nil` is any.
        var byPath: [PathPattern?: [Int]] = [:]
        /// Those with a prefix or a regular expression, which may hold for all paths of others.
        var wide: [Int] = []
    }

    private static func hosts(of route: Route) -> [HostPattern?] {
        route.hosts.map { $0.map(Optional.some) } ?? [nil]
    }

    private static func groups(_ routes: [Route], _ listener: String) -> [HostPattern?: HostGroup] {
        var groups: [HostPattern?: HostGroup] = [:]
        for (number, route) in routes.enumerated() where route.serves(listener) {
            for host in hosts(of: route) {
                let path = route.conditions.path
                groups[host, default: HostGroup()].byPath[path, default: []].append(number)
                switch path {
                case .prefix, .regex: groups[host, default: HostGroup()].wide.append(number)
                case .exact, nil: break
                }
            }
        }
        return groups
    }

    private static func shadowing(
        _ number: Int,
        _ routes: [Route],
        _ group: HostGroup
    ) -> (by: Int, reason: String)? {
        let route = routes[number]
        for other in group.byPath[route.conditions.path] ?? [] where other != number {
            let isFirst =
                routes[other].conditionCount == route.conditionCount
                ? other < number : routes[other].conditionCount > route.conditionCount
            if isFirst, routes[other].holds(wherever: route) {
                return (other, "has the same host and path, and comes first")
            }
        }
        switch route.conditions.path {
        case .exact, .prefix: return nil
        case .regex, nil: break
        }
        for other in group.wide where other != number {
            guard routes[other].comesBefore(route), routes[other].holds(wherever: route) else {
                continue
            }
            return (other, "holds for all of its paths, and comes first")
        }
        return nil
    }
}

extension Route {
    /// Whether its path is asked for before that of another route with a regular expression or none, and holds for all
    /// paths of it.
    fileprivate func comesBefore(_ other: Route) -> Bool {
        switch (conditions.path, other.conditions.path) {
        case (.prefix("/")?, _): return true
        case (.prefix(let prefix)?, .regex(let pattern)?):
            // The pattern was compiled when it was checked.
            guard let expression = try? RegularExpression(pattern: pattern) else { return false }
            return expression.prefix.starts(with: Array((prefix + "/").utf8))
        case (.regex(let pattern)?, nil): return pattern == ".*" || pattern == "/.*"
        default: return false
        }
    }

    /// Whether its other conditions hold for every request for which those of another route do.
    fileprivate func holds(wherever other: Route) -> Bool {
        let (mine, theirs) = (conditions, other.conditions)
        guard
            mine.methods.isEmpty
                || (!theirs.methods.isEmpty && theirs.methods.allSatisfy(mine.methods.contains)),
            mine.clients.isEmpty
                || (!theirs.clients.isEmpty
                    && theirs.clients.allSatisfy { block in
                        mine.clients.contains { $0.covers(block) }
                    }),
            Self.hold(mine.headers, wherever: theirs.headers),
            Self.hold(mine.query, wherever: theirs.query),
            Self.hold(mine.cookies, wherever: theirs.cookies)
        else { return false }
        return exceptions.isEmpty || exceptions == other.exceptions
    }

    private static func hold(_ mine: [ValueCondition], wherever theirs: [ValueCondition]) -> Bool {
        mine.allSatisfy { condition in theirs.contains { condition.isSure(given: $0) } }
    }
}
