internal import EventLoop
package import FleetModel
package import SystemCalls

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

/// What the workers of a node share of one upstream in one version.
package struct SharedUpstream: Sendable {
    /// One endpoint's part.
    package struct SharedEndpoint: Sendable {
        package let addresses: [StreamAddress]
        package let count: ConnectionCount

        package init(addresses: [StreamAddress], count: ConnectionCount) {
            self.addresses = addresses
            self.count = count
        }
    }

    package let upstream: Upstream
    package let count: ConnectionCount
    /// In the order of `upstream.endpoints`.
    package let endpoints: [SharedEndpoint]

    package init(upstream: Upstream, count: ConnectionCount, endpoints: [SharedEndpoint]) {
        self.upstream = upstream
        self.count = count
        self.endpoints = endpoints
    }
}
