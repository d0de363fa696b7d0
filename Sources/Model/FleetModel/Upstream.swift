/// A named set of endpoints with balancing, pool and timeouts.
package struct Upstream: Hashable, Sendable {
    /// Unique among upstreams.
    package let name: String
    /// What its endpoints speak.
    package let transport: UpstreamProtocol
    /// How an endpoint is chosen.
    package let balance: Balance
    /// At least one, in file order; addresses are distinct and at least one weight is above 0.
    package let endpoints: [Endpoint]
    /// Limits of the pool.
    package let connections: UpstreamConnections
    /// How long an endpoint may take.
    package let timeouts: UpstreamTimeouts
    /// The PROXY header with which connections begin.
    package let proxyProtocol: UpstreamProxyProtocol
    /// TLS to the endpoints; `nil` is none.
    package let tls: UpstreamTLS?
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
package enum Balance: String, Hashable, Sendable {
    case roundRobin
}

/// One address in an upstream.
package struct Endpoint: Hashable, Sendable {
    /// An IP address, or a name to resolve, and a port of at least 1; or the path of a unix socket.
    package let address: NetworkAddress
    /// Its share of the requests, relative to the others; 0 takes none.
    package let weight: Int
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
