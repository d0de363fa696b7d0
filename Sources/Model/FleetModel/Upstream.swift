/// A named set of endpoints with balancing, pool and timeouts.
package struct Upstream: Hashable, Sendable {
    /// Unique among upstreams.
    package let name: String
    /// What its endpoints speak.
    package let transport: UpstreamProtocol
    /// How an endpoint is chosen.
    package let balance: Balance
    /// What is hashed, where requests are balanced by a hash; `nil` otherwise.
    package let hash: HashKey?
    /// In file order; addresses are distinct, and at least one weight is above 0 unless endpoints are found.
    package let endpoints: [Endpoint]
    /// Where further endpoints are found; `nil` is nowhere.
    package let discovery: Discovery?
    /// What keeps a client at its endpoint; `nil` is nothing.
    package let sticky: Sticky?
    /// Limits of the pool.
    package let connections: UpstreamConnections
    /// Where requests wait for a connection.
    package let queue: UpstreamQueue
    /// How long an endpoint may take.
    package let timeouts: UpstreamTimeouts
    /// When a request is tried again; `nil` is only where that cannot be noticed.
    package let retry: Retry?
    /// How endpoints are checked; `nil` is not at all.
    package let health: HealthCheck?
    /// When an endpoint is left out for what it answers; `nil` is never.
    package let outliers: Outliers?
    /// When nothing is sent for a while; `nil` is never.
    package let circuit: Circuit?
    /// How long the share of a new endpoint grows; `nil` is not at all.
    package let slowStart: Duration?
    /// The PROXY header with which connections begin.
    package let proxyProtocol: UpstreamProxyProtocol
    /// TLS to the endpoints; `nil` is none.
    package let tls: UpstreamTLS?
}

extension Upstream {
    /// The host that an endpoint is known by: its own, or the name whose addresses it was found among.
    package func name(of endpoint: Endpoint) -> String {
        if let discovery, discovery.type == .a, case .ip = endpoint.address.host,
            !endpoints.contains(where: { $0.address == endpoint.address })
        {
            return discovery.name
        }
        return endpoint.address.hostText
    }
}

/// TLS to an upstream's endpoints.
package struct UpstreamTLS: Hashable, Sendable {
    /// The name to ask for and to verify; `nil` is the endpoint's own host.
    package let serverName: String?
    /// Whether the endpoint's certificate is verified.
    package let isVerified: Bool
    /// The certificate that holds the authorities to trust; `nil` is the system's.
    package let authority: String?
    /// The certificate to show; `nil` is none.
    package let clientCertificate: String?
}

/// The PROXY header with which an upstream's connections begin.
package enum UpstreamProxyProtocol: String, Hashable, Sendable {
    case off
    case v1
    case v2
}

/// What an upstream's endpoints speak.
package enum UpstreamProtocol: String, Hashable, Sendable {
    /// HTTP/1.1.
    case http1
    /// HTTP/2 in clear text, with prior knowledge.
    case h2c
    /// HTTP/2 over TLS.
    case h2
    /// Over TLS, HTTP/2 where the endpoint speaks it, else HTTP/1.1.
    case auto

    /// Whether it is spoken over TLS alone.
    package var needsTLS: Bool { self == .h2 || self == .auto }
}

/// How an endpoint is chosen.
package enum Balance: String, Hashable, Sendable, CaseIterable {
    /// In turn, evenly spread, by weight.
    case roundRobin
    /// The one with the fewest requests in flight for its weight.
    case leastRequests
    /// Of two drawn by weight, the one with fewer requests in flight.
    case powerOfTwo
    /// The one that is expected to answer first: peak EWMA of its times, and requests in flight.
    case latency
    /// By a consistent hash of a part of the request, with bounded loads.
    case hash
    /// Drawn by weight.
    case random
}

/// One address in an upstream.
package struct Endpoint: Hashable, Sendable {
    /// An IP address, or a name to resolve, and a port of at least 1; or the path of a unix socket.
    package let address: NetworkAddress
    /// Its share of the requests, relative to the others; 0 takes none.
    package let weight: Int
    /// The zone of nodes that prefer it; `nil` is none.
    package let zone: String?
    /// 0 is used first; others when lower ones have no endpoint that is available.
    package let tier: Int

    /// An endpoint with its defaults.
    package init(address: NetworkAddress, weight: Int = 1, zone: String? = nil, tier: Int = 0) {
        (self.address, self.weight, self.zone, self.tier) = (address, weight, zone, tier)
    }
}

/// Limits of an upstream's connections, per node; `nil` is no limit.
package struct UpstreamConnections: Hashable, Sendable {
    /// Open connections to all endpoints together.
    package let maximum: Int
    /// How long an unused connection is kept.
    package let idle: Duration
    /// Open connections to one endpoint.
    package let perEndpoint: Int?
}

/// Timeouts of an upstream; `nil` is no limit.
package struct UpstreamTimeouts: Hashable, Sendable {
    /// To establish a connection.
    package let connect: Duration
    /// From the end of the request to the first octet of the response; `nil` waits for ever.
    package let firstByte: Duration?
    /// Between two octets of a body, in either direction.
    package let idle: Duration?
    /// The whole exchange.
    package let total: Duration?
}
