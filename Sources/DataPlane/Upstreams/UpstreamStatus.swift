package import FleetModel

/// What a node knows of an upstream at one moment.
package struct UpstreamStatus: Hashable, Sendable {
    /// The upstream's name.
    package let name: String
    /// Whether so few endpoints are available that all are used.
    package let isPanicking: Bool
    /// All endpoints.
    package let endpoints: [EndpointStatus]
    /// What else holds for the whole of it, for people; empty where nothing does.
    package let note: String
    /// What tries at each of the endpoints came to, in their order, as far as that was counted.
    package let tallies: [SuccessRateWindow.Tally]

    package init(
        name: String,
        isPanicking: Bool,
        endpoints: [EndpointStatus],
        note: String = "",
        tallies: [SuccessRateWindow.Tally] = []
    ) {
        (self.name, self.isPanicking, self.endpoints) = (name, isPanicking, endpoints)
        (self.note, self.tallies) = (note, tallies)
    }

    /// All that holds for the whole of it, for people.
    package var remark: String {
        let panic = isPanicking ? "panic: too few endpoints are available, so all are used" : ""
        return [panic, note].filter { !$0.isEmpty }.joined(separator: "; ")
    }

    /// The same with these endpoints.
    package func with(_ endpoints: [EndpointStatus]) -> UpstreamStatus {
        UpstreamStatus(name: name, isPanicking: isPanicking, endpoints: endpoints, note: note)
    }
}

/// What a node knows of an endpoint at one moment.
package struct EndpointStatus: Hashable, Sendable {
    /// Its address, as it is configured or was found.
    package let address: NetworkAddress
    /// Whether it takes requests.
    package let availability: Availability
    /// Why not, why it is left alone as long as there are others, or why it takes less than its weight says; empty where it
    /// takes its share.
    package let reason: String
    /// Since when that is so, in nanoseconds since 1970.
    package let sinceUnixNanoseconds: UInt64
    /// The check that ended last; `nil` is none.
    package let lastCheck: LastCheck?
    /// Its share of the requests, where it takes any.
    package let weight: Int
    /// Connections to it that are open.
    package let connections: Int
    /// Requests that are under way there.
    package let requests: Int
    /// Whether it came from DNS.
    package let isDiscovered: Bool

    /// What a check came to.
    package struct LastCheck: Hashable, Sendable {
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
        connections: Int,
        requests: Int = 0,
        isDiscovered: Bool = false
    ) {
        (self.address, self.availability, self.reason) = (address, availability, reason)
        (self.sinceUnixNanoseconds, self.lastCheck) = (sinceUnixNanoseconds, lastCheck)
        (self.weight, self.connections) = (weight, connections)
        (self.requests, self.isDiscovered) = (requests, isDiscovered)
    }
}
