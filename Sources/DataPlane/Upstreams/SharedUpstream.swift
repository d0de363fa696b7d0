internal import EventLoop
package import FleetModel

/// An upstream's limits of time, in nanoseconds; `.max` is none.
package struct UpstreamLimits: Equatable, Sendable {
    /// For making a connection.
    package let connect: UInt64
    /// From the request to the response's first octet.
    package let firstByte: UInt64
    /// Between two reads of a response.
    package let idle: UInt64
    /// For a connection that carries nothing.
    package let rest: UInt64
    /// For a request that waits for a connection.
    package let queue: UInt64

    /// Reads the settings.
    package init(_ upstream: Upstream) {
        connect = upstream.timeouts.connect.nanoseconds
        firstByte = upstream.timeouts.firstByte?.nanoseconds ?? .max
        idle = upstream.timeouts.idle?.nanoseconds ?? .max
        rest = upstream.connections.idle.nanoseconds
        queue = upstream.queue.timeout.nanoseconds
    }
}

/// One upstream as a version has it, for all workers of a node.
package struct SharedUpstream: Sendable {
    /// Its settings.
    package let upstream: Upstream
    /// What is shared of it.
    package let state: UpstreamState
    /// What is counted of its tries; `nil` where no setting asks for that.
    package let tries: UpstreamTries?
    /// Its endpoints when the version was made ready.
    package let roster: Roster

    package init(
        upstream: Upstream,
        state: UpstreamState,
        tries: UpstreamTries? = nil,
        roster: Roster
    ) {
        (self.upstream, self.state, self.tries, self.roster) = (upstream, state, tries, roster)
    }
}

/// What all workers of a node count of the tries of requests to one upstream, in every version that has `retry` or
/// `circuit`.
package final class UpstreamTries: Sendable {
    package let budget: RetryBudget
    package let breaker: CircuitBreaker

    /// Begins to count.
    ///
    /// - Parameter workerCount: Workers of the node.
    package init(workerCount: Int) {
        budget = RetryBudget(workerCount: workerCount)
        breaker = CircuitBreaker(workerCount: workerCount)
    }
}
