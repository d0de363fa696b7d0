package import FleetModel

/// What a node knows of an upstream at one moment.
package struct UpstreamStatus: Sendable {
    /// The upstream's name.
    package let name: String
    /// Whether so few endpoints are available that all are used.
    package let isPanicking: Bool
    /// All endpoints.
    package let endpoints: [EndpointStatus]

    package init(name: String, isPanicking: Bool, endpoints: [EndpointStatus]) {
        (self.name, self.isPanicking, self.endpoints) = (name, isPanicking, endpoints)
    }
}

/// What a node knows of an endpoint at one moment.
package struct EndpointStatus: Sendable {
    /// Its address, as it is configured or was found.
    package let address: NetworkAddress
    /// Whether it takes requests.
    package let availability: Availability
    /// Why not; empty where it does.
    package let reason: String
    /// Since when that is so, in nanoseconds since 1970.
    package let sinceUnixNanoseconds: UInt64
    /// The check that ended last; `nil` is none.
    package let lastCheck: LastCheck?
    /// Its share of the requests, where it takes any.
    package let weight: Int
    /// Connections to it that are open.
    package let connections: Int

    /// What a check came to.
    package struct LastCheck: Sendable {
        /// When it ended, in nanoseconds since 1970.
        package let unixNanoseconds: UInt64
        /// How long it took.
        package let nanoseconds: UInt64
        /// Why it failed; `nil` where it passed.
        package let failure: String?

        package init(unixNanoseconds: UInt64, nanoseconds: UInt64, failure: String?) {
            (self.unixNanoseconds, self.nanoseconds) = (unixNanoseconds, nanoseconds)
            self.failure = failure
        }
    }

    package init(
        address: NetworkAddress,
        availability: Availability,
        reason: String,
        sinceUnixNanoseconds: UInt64,
        lastCheck: LastCheck?,
        weight: Int,
        connections: Int
    ) {
        (self.address, self.availability, self.reason) = (address, availability, reason)
        (self.sinceUnixNanoseconds, self.lastCheck) = (sinceUnixNanoseconds, lastCheck)
        (self.weight, self.connections) = (weight, connections)
    }
}
