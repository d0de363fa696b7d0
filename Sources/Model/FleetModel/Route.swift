/// A host match and a path match with an action.
package struct Route: Hashable, Sendable {
    /// Unique among routes.
    package let name: String
    /// Names of the listeners that it serves, never empty; `nil` is all HTTP listeners.
    package let listeners: [String]?
    /// The hosts that it serves, never empty; `nil` is any.
    package let hosts: [HostPattern]?
    /// The paths that it serves; `nil` is any.
    package let path: PathPattern?
    /// What happens to a request that it matches.
    package let action: RouteAction
    /// Limit of the whole exchange; `nil` leaves it to the upstream.
    package let totalTimeout: Duration?
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

    /// The path's text.
    package var description: String {
        switch self {
        case .exact(let path), .prefix(let path): path
        }
    }
}

/// What a route does.
package enum RouteAction: Hashable, Sendable {
    /// Forward to the upstream of that name.
    case upstream(String)
    /// Answer from the configuration.
    case respond(FixedResponse)
    /// Answer with a redirect.
    case redirect(Redirect)
}

/// A response out of the configuration.
package struct FixedResponse: Hashable, Sendable {
    /// A final status code, 200 to 599.
    package let status: Int
    /// Field lines in the order of their names, which are in lower case and never connection-specific.
    package let headers: [FieldLine]
    /// The content, which may be empty.
    package let body: Template
}

/// A field line of a fixed response.
package struct FieldLine: Hashable, Sendable {
    /// The field's name, in lower case.
    package let name: String
    /// The field's value.
    package let value: Template
}

/// A redirect out of the configuration.
package struct Redirect: Hashable, Sendable {
    /// 301, 302, 303, 307 or 308.
    package let status: Int
    /// The value of Location.
    package let location: Template
}
