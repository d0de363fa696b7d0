package import FleetModel
package import SystemCalls

/// A connection that a pool can keep while it carries nothing.
package protocol PooledConnection: AnyObject {
    /// Closes the connection, which the pool has let go.
    func close()
}

/// One endpoint as one worker sees it: where it is, and the connections to it that rest.
package final class EndpointPool<Connection: PooledConnection> {
    /// What the configuration calls it.
    package let endpoint: Endpoint
    /// As `Proxy-Status`, logs and metrics name it.
    package let label: [UInt8]
    /// Where its name leads; empty when it could not be resolved.
    package var addresses: [SocketAddress]
    /// Open connections to it over all workers.
    package let count: ConnectionCount
    private var idle: [Connection] = []
    private var nextAddress = 0
    /// Whether the configuration no longer names it; connections that come back are closed.
    package private(set) var isRetired = false

    init(endpoint: Endpoint, addresses: [SocketAddress], count: ConnectionCount) {
        self.endpoint = endpoint
        self.addresses = addresses
        self.count = count
        label = Array(endpoint.address.description.utf8)
    }

    /// Takes the connection that has rested for the shortest time.
    ///
    /// - Returns: The connection, or `nil` when none rests.
    package func takeIdle() -> Connection? {
        idle.popLast()
    }

    /// Keeps a connection that carries nothing any more, or closes it when the endpoint has gone.
    ///
    /// - Parameter connection: One to this endpoint.
    package func giveBack(_ connection: Connection) {
        if isRetired {
            connection.close()
        } else {
            idle.append(connection)
        }
    }

    /// Forgets a resting connection that has closed.
    ///
    /// - Parameter connection: One to this endpoint.
    package func forget(_ connection: Connection) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// The next of the endpoint's addresses, in turn.
    ///
    /// - Returns: An address, or `nil` when the name could not be resolved.
    package func address() -> SocketAddress? {
        guard !addresses.isEmpty else { return nil }
        nextAddress = nextAddress + 1 < addresses.count ? nextAddress + 1 : 0
        return addresses[nextAddress]
    }

    /// Closes what rests, and what comes back later.
    package func retire() {
        isRetired = true
        let resting = idle
        idle = []
        for connection in resting { connection.close() }
    }
}

/// An upstream as one worker sees it: its endpoints, whose turn it is, and its settings.
///
/// It lives on across versions: `update` keeps the endpoints that are still named, with their
/// connections.
package final class UpstreamPool<Connection: PooledConnection> {
    /// Its settings in the version that is being served.
    package private(set) var upstream: Upstream
    /// The octets of its name.
    package let label: [UInt8]
    /// Open connections over all workers.
    package let count: ConnectionCount
    package private(set) var endpoints: [EndpointPool<Connection>] = []
    private var sequence = EndpointSequence(weights: [])

    /// Makes the pool of one worker.
    ///
    /// - Parameters:
    ///   - shared: What the workers share of the upstream.
    ///   - worker: The worker's index, which sets where its turn begins.
    package init(shared: SharedUpstream, worker: Int) {
        upstream = shared.upstream
        label = Array(shared.upstream.name.utf8)
        count = shared.count
        update(to: shared, worker: worker)
    }

    /// Chooses an endpoint for a request.
    ///
    /// - Returns: The endpoint, or `nil` when none has a weight.
    package func choose() -> EndpointPool<Connection>? {
        guard let index = sequence.choose(), index < endpoints.count else { return nil }
        return endpoints[index]
    }

    /// Goes over to another version's settings.
    ///
    /// - Parameters:
    ///   - shared: What the workers share of the upstream.
    ///   - worker: The worker's index.
    package func update(to shared: SharedUpstream, worker: Int) {
        let sameWeights =
            endpoints.map(\.endpoint) == shared.upstream.endpoints && !sequence.isEmpty
        upstream = shared.upstream
        var old: [NetworkAddress: EndpointPool<Connection>] = [:]
        for endpoint in endpoints { old[endpoint.endpoint.address] = endpoint }
        endpoints = zip(shared.upstream.endpoints, shared.endpoints).map { endpoint, shared in
            if let kept = old[endpoint.address], kept.endpoint == endpoint {
                old[endpoint.address] = nil
                kept.addresses = shared.addresses
                return kept
            }
            return EndpointPool(
                endpoint: endpoint,
                addresses: shared.addresses,
                count: shared.count
            )
        }
        for endpoint in old.values { endpoint.retire() }
        if !sameWeights {
            sequence = EndpointSequence(
                weights: shared.upstream.endpoints.map(\.weight),
                startingAt: worker
            )
        }
    }

    /// Closes everything that rests; connections in use are closed when they come back.
    package func retire() {
        for endpoint in endpoints { endpoint.retire() }
        endpoints = []
        sequence = EndpointSequence(weights: [])
    }
}

/// What the workers of a node share of one upstream in one version.
package struct SharedUpstream: Sendable {
    /// One endpoint's part.
    package struct SharedEndpoint: Sendable {
        package let addresses: [SocketAddress]
        package let count: ConnectionCount

        package init(addresses: [SocketAddress], count: ConnectionCount) {
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
