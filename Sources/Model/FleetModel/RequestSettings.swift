/// Identifiers of requests.
package struct RequestIDSettings: Hashable, Sendable {
    /// The field, in lower case.
    package let header: String
    /// From whom an identifier is accepted.
    package let acceptance: Acceptance

    /// From whom an identifier is accepted.
    package enum Acceptance: String, Hashable, Sendable {
        /// From peers that are trusted proxies.
        case trusted
        /// From everybody.
        case always
        /// From nobody.
        case never
    }
}

/// Trace context (W3C Trace Context).
package struct Tracing: Hashable, Sendable {
    /// Whether it is passed on.
    package let propagates: Bool
}

/// How far metrics are broken down.
package struct MetricsSettings: Hashable, Sendable {
    /// Whether each endpoint has series of its own.
    package let perEndpoint: Bool
}

/// What paths mean.
package struct PathSettings: Hashable, Sendable {
    /// Whether several slashes in a row become one.
    package let mergesSlashes: Bool
    /// What becomes of `%2F`.
    package let encodedSlash: EncodedSlash

    /// What becomes of `%2F`.
    package enum EncodedSlash: String, Hashable, Sendable {
        /// The path is refused.
        case reject
        /// It stays encoded, within its segment.
        case keep
        /// It becomes a slash, and separates.
        case decode
    }
}

/// A test of a configuration's routes.
package struct RouteTest: Hashable, Sendable {
    /// Unique among tests.
    package let name: String
    /// The request's method.
    package let method: String
    /// The request's absolute URL.
    package let url: String
    /// Fields of the request, by names in lower case.
    package let headers: [Header]
    /// The client's address; `nil` is 127.0.0.1.
    package let client: String?
    /// The route that must come out, `none` where none may match; this and what follows is not looked at if `nil`.
    package let route: String?
    /// The upstream.
    package let upstream: String?
    /// The path that the upstream sees, with its query where one is expected.
    package let path: String?
    /// The status of an answer that no upstream gives.
    package let status: Int?

    /// A field of the request.
    package struct Header: Hashable, Sendable {
        /// The name, in lower case.
        package let name: String
        /// The value.
        package let value: String
    }
}
