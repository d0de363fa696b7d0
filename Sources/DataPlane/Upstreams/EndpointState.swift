/// What the workers of a node and its monitor share of one endpoint, in every version that names it: atomics alone.
package final class EndpointState: Sendable {
    /// Open connections to it.
    package let count: ConnectionCount

    /// Makes the state of an endpoint that nobody has used yet.
    ///
    /// - Parameter connectionsMax: How many connections may be open; `.max` for no limit.
    package init(connectionsMax: Int) {
        count = ConnectionCount(limit: connectionsMax)
    }
}

/// What the workers of a node and its monitor share of one upstream, in every version that names it.
package final class UpstreamState: Sendable {
    /// Open connections to all of its endpoints.
    package let count: ConnectionCount

    /// Makes the state of an upstream that nobody has used yet.
    ///
    /// - Parameter connectionsMax: How many connections may be open.
    package init(connectionsMax: Int) {
        count = ConnectionCount(limit: connectionsMax)
    }
}
