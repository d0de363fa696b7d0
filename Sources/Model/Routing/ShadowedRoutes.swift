package import FleetModel
internal import RegularExpressions

/// A route that no request gets to.
package struct ShadowedRoute: Equatable, Sendable {
    /// The route's number.
    package let route: Int
    /// The number of the route that takes its requests, on one of its hosts at least; `nil` where none gets to any route.
    package let by: Int?
    /// Why, as one clause.
    package let reason: String
}

extension ShadowedRoute {
    /// The warning for the author of a configuration.
    ///
    /// - Parameter routes: The configuration's routes.
    /// - Returns: One clause, after `routes[name]: `.
    package func warning(_ routes: [Route]) -> String {
        guard let by else { return "never taken: \(reason)" }
        return "never taken: \(quoted(routes[by].name)) \(reason)"
    }
}

/// Finds routes that are never taken.
///
/// Only routes of the same host can shadow one: a more specific host is asked first but has other requests, and a less
/// specific one is asked later. Of the same path, or of a prefix that holds all paths of a regular expression, a route
/// that comes first shadows another if its conditions hold wherever those of the other do. What is reported is sure;
/// several routes that only together leave nothing over are not found. Of very many routes of one host and path, one with
/// the same conditions as another is found, and one with narrower conditions than a late one is not: `notices` tells.
package enum ShadowedRoutes {
    /// Looks for such routes.
    ///
    /// - Parameter configuration: A checked configuration.
    /// - Returns: Each route once, in file order.
    /// - Complexity: O(routes); a route is compared with `Limits.shadowComparisonsMax` of one kind at most, and found among
    ///   all of them by its conditions.
    package static func find(in configuration: Configuration) -> [ShadowedRoute] {
        var found = redirected(configuration)
        var reachable: Set<Int> = []
        for listener in configuration.listeners where listener.takesRoutes {
            let groups = groups(configuration.routes, listener.name)
            for (number, route) in configuration.routes.enumerated()
            where route.serves(listener.name) {
                guard !reachable.contains(number) else { continue }
                var shadow: (by: Int, reason: String)?
                for host in hosts(of: route) {
                    shadow = shadowing(number, configuration.routes, groups[host] ?? [:])
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

    /// What the search leaves out, for the author of a configuration.
    ///
    /// - Parameter configuration: A checked configuration.
    /// - Returns: One clause, or none.
    package static func notices(on configuration: Configuration) -> [String] {
        let listeners = configuration.listeners.filter(\.takesRoutes)
        let hosts = listeners.flatMap { groups(configuration.routes, $0.name).values }
        let leftOut = hosts.flatMap { host in host.values.compactMap(\.firstLeftOut) }
        guard let first = leftOut.min() else { return [] }
        return [
            "routes[\(configuration.routes[first].name)] and those behind it: routes of one host and path are "
                + "compared with the first \(Limits.shadowComparisonsMax) alone, so some that are never taken may "
                + "not be named"
        ]
    }

    /// Routes all of whose listeners send every request to https, whoever asks.
    private static func redirected(_ configuration: Configuration) -> [Int: ShadowedRoute] {
        var found: [Int: ShadowedRoute] = [:]
        let listeners = configuration.listeners.filter(\.transport.hasRequests)
        for (number, route) in configuration.routes.enumerated() {
            let own = listeners.filter { route.serves($0.name) }
            guard !own.isEmpty, !own.contains(where: \.takesRoutes) else { continue }
            let name = own.count == 1 ? quoted(own[0].name) : "each of its listeners"
            let reason = "\(name) redirects every request to https"
            found[number] = ShadowedRoute(route: number, by: nil, reason: reason)
        }
        return found
    }

    /// The routes of one host by path; `nil` is any.
    private typealias HostGroup = [PathPattern?: PathGroup]

    /// The routes of one host and path, in file order.
    ///
    /// A route that asks for a value can only shadow others that ask for the same one.
    private struct PathGroup {
        /// Those that ask for no value, as many as are compared.
        var open: [Int] = []
        /// The others, by the first value that they ask for; as many as are compared.
        var byValue: [Value: [Int]] = [:]
        /// The first of those that have the same conditions, whatever their number.
        var byConditions: [Route.Test: Int] = [:]
        /// The first that others are not compared with.
        var firstLeftOut: Int?

        mutating func add(_ number: Int, _ route: Route) {
            let isFirst = byConditions[route.test] == nil
            // What is true of others with the same conditions is so of the first.
            guard isFirst else { return }
            byConditions[route.test] = number
            let isTaken =
                if let value = route.values.first {
                    Self.append(number, to: &byValue[value, default: []])
                } else {
                    Self.append(number, to: &open)
                }
            if !isTaken, firstLeftOut == nil { firstLeftOut = number }
        }

        /// The routes that may shadow one.
        func candidates(for route: Route) -> [Int] {
            let values = route.values
            if values.isEmpty { return open }
            return (open + Set(values).flatMap { byValue[$0] ?? [] }).sorted()
        }

        private static func append(_ number: Int, to list: inout [Int]) -> Bool {
            guard list.count < Limits.shadowComparisonsMax else { return false }
            list.append(number)
            return true
        }
    }

    /// A value that a condition asks for.
    fileprivate struct Value: Hashable {
        /// What has the value.
        enum Kind: Hashable {
            case header, query, cookie
        }

        let kind: Kind
        let name: String
        let text: String
    }

    private static func hosts(of route: Route) -> [HostPattern?] {
        route.hosts.map { $0.map(Optional.some) } ?? [nil]
    }

    private static func groups(_ routes: [Route], _ listener: String) -> [HostPattern?: HostGroup] {
        var groups: [HostPattern?: HostGroup] = [:]
        for (number, route) in routes.enumerated() where route.serves(listener) {
            for host in hosts(of: route) {
                let path = route.conditions.path
                groups[host, default: [:]][path, default: PathGroup()].add(number, route)
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
        let own = group[route.conditions.path]
        if let equal = own?.byConditions[route.test], equal < number {
            return (equal, "has the same host and path, and comes first")
        }
        for other in own?.candidates(for: route) ?? [] where other != number {
            let isFirst =
                routes[other].conditionCount == route.conditionCount
                ? other < number : routes[other].conditionCount > route.conditionCount
            if isFirst, routes[other].holds(wherever: route) {
                return (other, "has the same host and path, and comes first")
            }
        }
        let wide = route.widerPaths.flatMap { group[$0]?.candidates(for: route) ?? [] }
        for other in wide.sorted() where routes[other].holds(wherever: route) {
            return (other, "holds for all of its paths, and comes first")
        }
        return nil
    }
}

extension Listener {
    /// Whether some requests get to a route: where all are redirected, only what has come over https to a proxy that is
    /// trusted does.
    fileprivate var takesRoutes: Bool {
        transport.hasRequests && (redirectPort == nil || !trustedProxies.isEmpty)
    }
}

extension Route {
    /// All that a route asks for besides its host.
    fileprivate struct Test: Hashable {
        let conditions: RouteConditions
        let exceptions: RouteConditions
    }

    fileprivate var test: Test { Test(conditions: conditions, exceptions: exceptions) }

    /// The values that its conditions ask for.
    fileprivate var values: [ShadowedRoutes.Value] {
        func values(
            _ kind: ShadowedRoutes.Value.Kind,
            _ list: [ValueCondition]
        ) -> [ShadowedRoutes.Value] {
            list.compactMap { condition in
                guard case .exact(let text) = condition.test else { return nil }
                return ShadowedRoutes.Value(kind: kind, name: condition.name, text: text)
            }
        }
        return values(.header, conditions.headers) + values(.query, conditions.query)
            + values(.cookie, conditions.cookies)
    }

    /// Patterns that are asked before its own, and hold for all paths for which its own does.
    fileprivate var widerPaths: [PathPattern] {
        switch conditions.path {
        case .exact, .prefix: return []
        case nil: return [.prefix("/"), .regex(".*"), .regex("/.*")]
        case .regex(let pattern):
            // The pattern was compiled when it was checked.
            let beginning = (try? RegularExpression(pattern: pattern))?.prefix ?? []
            let slashes = beginning.indices.dropFirst().filter {
                beginning[$0] == UInt8(ascii: "/")
            }
            return [.prefix("/")]
                + slashes.map { .prefix(String(decoding: beginning[..<$0], as: UTF8.self)) }
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
