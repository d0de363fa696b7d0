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
/// several routes that only together leave nothing over are not found, nor is one that comes behind very many others of its
/// host and path.
package enum ShadowedRoutes {
    /// Looks for such routes.
    ///
    /// - Parameter configuration: A checked configuration.
    /// - Returns: Each route once, in file order.
    /// - Complexity: O(routes); a route is compared with `Limits.shadowComparisonsMax` of one kind at most.
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

        mutating func add(_ number: Int, _ route: Route) {
            if let value = route.values.first {
                Self.append(number, to: &byValue[value, default: []])
            } else {
                Self.append(number, to: &open)
            }
        }

        /// The routes that may shadow one.
        func candidates(for route: Route) -> [Int] {
            let values = route.values
            if values.isEmpty { return open }
            return (open + Set(values).flatMap { byValue[$0] ?? [] }).sorted()
        }

        private static func append(_ number: Int, to list: inout [Int]) {
            if list.count < Limits.shadowComparisonsMax { list.append(number) }
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
        let alike = group[route.conditions.path]?.candidates(for: route) ?? []
        for other in alike where other != number {
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

extension Route {
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
