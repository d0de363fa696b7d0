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

    /// Reads the settings.
    package init(_ upstream: Upstream) {
        connect = upstream.timeouts.connect.nanoseconds
        firstByte = upstream.timeouts.firstByte?.nanoseconds ?? .max
        idle = upstream.timeouts.idle?.nanoseconds ?? .max
        rest = upstream.connections.idle.nanoseconds
    }
}

/// One upstream as a version has it, for all workers of a node.
package struct SharedUpstream: Sendable {
    /// Its settings.
    package let upstream: Upstream
    /// What is shared of it.
    package let state: UpstreamState
    /// Its endpoints when the version was made ready.
    package let roster: Roster

    package init(upstream: Upstream, state: UpstreamState, roster: Roster) {
        (self.upstream, self.state, self.roster) = (upstream, state, roster)
    }
}
