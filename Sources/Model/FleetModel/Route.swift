internal import RegularExpressions

/// Which requests, and what becomes of them.
package struct Route: Hashable, Sendable {
    /// Unique among routes.
    package let name: String
    /// Names of the listeners that it serves, never empty; `nil` is all HTTP listeners.
    package let listeners: [String]?
    /// The hosts that it serves, never empty; `nil` is any.
    package let hosts: [HostPattern]?
    /// What must hold of a request besides.
    package fileprivate(set) var conditions: RouteConditions
    /// Of these, nothing may hold.
    package fileprivate(set) var exceptions: RouteConditions
    /// What happens to a request that it matches.
    package let action: RouteAction
    /// How the request is changed for the upstream; `nil` leaves it as it is.
    package let rewrite: Rewrite?
    /// Names of policies, in the order in which they run.
    package let policies: [String]
    /// What keeps a client on its side of a split; `nil` chooses anew for each request.
    package let cohort: Cohort?
    /// Where a copy of requests goes.
    package let mirror: Mirroring?
    /// What is answered in place of the action for a while.
    package let maintenance: Maintenance?
    /// Limit of the whole exchange; `nil` leaves it to the upstream.
    package let totalTimeout: Duration?

    /// The same with patterns as paths are by the rules of `paths`.
    func settled(by rules: PathSettings) -> Route {
        var route = self
        route.conditions.path = conditions.path?.settled(by: rules)
        route.exceptions.path = exceptions.path?.settled(by: rules)
        return route
    }

    /// Whether it serves a listener, which carries requests.
    package func serves(_ listener: String) -> Bool {
        listeners.map { $0.contains(listener) } ?? true
    }
}

/// What must hold of a request, or must not.
package struct RouteConditions: Hashable, Sendable {
    /// The paths; `nil` is any.
    package fileprivate(set) var path: PathPattern?
    /// The methods; empty is any.
    package let methods: [String]
    /// Fields, by names in lower case.
    package let headers: [ValueCondition]
    /// Parameters of the query.
    package let query: [ValueCondition]
    /// Cookies.
    package let cookies: [ValueCondition]
    /// Addresses of clients; empty is any.
    package let clients: [AddressBlock]

    /// How many conditions there are besides the path: more of them win among routes of one path.
    package var count: Int {
        headers.count + query.count + cookies.count + (methods.isEmpty ? 0 : 1)
            + (clients.isEmpty ? 0 : 1)
    }

    /// Whether there is none, the path included.
    package var isEmpty: Bool { count == 0 && path == nil }
}

/// What must hold of the values that have a name.
///
/// A name may stand several times in a request: one value that fits is enough.
package struct ValueCondition: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    package let name: String
    /// What a value must be.
    package let test: Test

    /// As `explain` says it.
    package var description: String {
        switch test {
        case .exact(let text): "\(name) is \(quoted(text))"
        case .prefix(let text): "\(name) begins with \(quoted(text))"
        case .regex(let pattern): "\(name) matches \(quoted(pattern))"
        case .present(let isThere): isThere ? "\(name) is there" : "\(name) is not there"
        }
    }

    /// What a value must be.
    package enum Test: Hashable, Sendable {
        /// This text.
        case exact(String)
        /// Text that begins with this.
        case prefix(String)
        /// Text that this regular expression matches as a whole.
        case regex(String)
        /// Anything if true; if false, the name must not be there.
        case present(Bool)
    }
}

/// A host that a route serves, in lower case and without a port.
package enum HostPattern: Hashable, Sendable, CustomStringConvertible {
    /// This host alone; an IPv6 address keeps its brackets.
    case exact(String)
    /// One or more labels in front of this suffix, which starts with its first label: `*.example.com`
    /// is `wildcard("example.com")`.
    case wildcard(String)

    /// As the configuration writes it.
    package var description: String {
        switch self {
        case .exact(let host): host
        case .wildcard(let suffix): "*." + suffix
        }
    }
}

/// Paths that a route serves: normalised, starting with `/`, without dot segments, and with
/// percent-encodings only where they are needed, in upper case (RFC 3986 §6.2.2).
package enum PathPattern: Hashable, Sendable, CustomStringConvertible {
    /// This path alone.
    case exact(String)
    /// This path and all below it, by segment. Without a trailing slash, but for `/` itself.
    case prefix(String)
    /// Paths that this regular expression matches as a whole.
    case regex(String)

    /// The path's text.
    package var description: String {
        switch self {
        case .exact(let path), .prefix(let path), .regex(let path): path
        }
    }

    /// A prefix without the slash at its end: what follows it in a path that it holds for is nothing, or begins with a
    /// slash.
    ///
    /// In `/a//`, the first of the two ends a segment, and the other one an empty segment.
    package static func stem(ofPrefix path: String) -> String {
        path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    fileprivate func settled(by rules: PathSettings) -> PathPattern {
        switch self {
        case .exact(let path): .exact(Paths.settled(path, rules, isPrefix: false))
        case .prefix(let path): .prefix(Paths.settled(path, rules, isPrefix: true))
        case .regex: self
        }
    }
}

extension ValueCondition {
    /// Whether it holds for every request for which another condition holds.
    ///
    /// - Parameter other: The other condition.
    /// - Returns: False also where that is not known.
    package func isSure(given other: ValueCondition) -> Bool {
        guard name == other.name else { return false }
        switch (test, other.test) {
        case (.present(true), .present(let isThere)): return isThere
        case (.present(true), _): return true
        case (.present(false), let test): return test == .present(false)
        case (.exact(let text), .exact(let other)): return text == other
        case (.prefix(let text), .exact(let other)), (.prefix(let text), .prefix(let other)):
            return other.hasPrefix(text)
        case (.regex(let pattern), .exact(let other)):
            // The pattern was compiled when it was checked.
            let expression = try? RegularExpression(pattern: pattern)
            return (try? expression?.matchesWhole(other.utf8.span)) == true
        case (.regex(let pattern), .regex(let other)): return pattern == other
        case (.exact, _), (.prefix, _), (.regex, _): return false
        }
    }
}
