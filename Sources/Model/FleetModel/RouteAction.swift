/// What a route does.
package enum RouteAction: Hashable, Sendable {
    /// Forward to the upstream of that name.
    case upstream(String)
    /// Forward to one of several upstreams, never none and never of weight 0 together.
    case split([WeightedUpstream])
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

    /// Joins a name in lower case and a value.
    package init(name: String, value: Template) {
        (self.name, self.value) = (name, value)
    }
}

/// A redirect out of the configuration.
package struct Redirect: Hashable, Sendable {
    /// 301, 302, 303, 307 or 308.
    package let status: Int
    /// The value of Location.
    package let location: Template
}

/// An upstream's share of a split.
package struct WeightedUpstream: Hashable, Sendable {
    /// The upstream's name.
    package let upstream: String
    /// Its share of the sum of all weights, 0 to 10,000.
    package let weight: Int
}

/// What tells clients apart, so that each stays on its side of a split.
package enum Cohort: Hashable, Sendable {
    /// A cookie of this name, which is set where a client has none.
    case cookie(String)
    /// The value of this field, by its name in lower case.
    case header(String)
    /// The client's address.
    case clientAddress
}

/// Where a copy of requests goes.
package struct Mirroring: Hashable, Sendable {
    /// The upstream's name.
    package let upstream: String
    /// The share of requests, in thousandths of a percent.
    package let share: Int

    /// The share as the configuration writes it, such as `2.5%`.
    package var shareText: String { Quantity.percentageText(share) }
}

/// What is answered in place of a route's action for a while.
package struct Maintenance: Hashable, Sendable {
    /// Whether it holds.
    package let isEnabled: Bool
    /// The status code, 200 to 599.
    package let status: Int
    /// The value of Retry-After, in whole seconds; `nil` sends none.
    package let retryAfter: Duration?
    /// The content; empty is a short text that names the status.
    package let body: Template
}
