/// What the workers of a node and its monitor share of one endpoint, in every version that names it: atomics alone.
package final class EndpointState: Sendable {
    /// Open connections to it.
    package let count: ConnectionCount
    /// What tries at it came to.
    package let outcomes: EndpointOutcomes
    /// Requests in flight at it and how long they take, where the balancing looks at that.
    package let load = EndpointLoad()

    /// Makes the state of an endpoint that nobody has used yet.
    ///
    /// - Parameters:
    ///   - connectionsMax: How many connections may be open; `.max` for no limit.
    ///   - workerCount: How many workers there are.
    package init(connectionsMax: Int, workerCount: Int = 1) {
        count = ConnectionCount(limit: connectionsMax)
        outcomes = EndpointOutcomes(workerCount: workerCount)
    }
}

/// What the workers of a node and its monitor share of one upstream, in every version that names it.
package final class UpstreamState: Sendable {
    /// Open connections to all of its endpoints.
    package let count: ConnectionCount
    /// Requests in flight at all of its endpoints, where the balancing looks at that.
    package let load = UpstreamLoad()

    /// Makes the state of an upstream that nobody has used yet.
    ///
    /// - Parameter connectionsMax: How many connections may be open.
    package init(connectionsMax: Int) {
        count = ConnectionCount(limit: connectionsMax)
    }
}
