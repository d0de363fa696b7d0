/// A bound address with its protocol and limits.
package struct Listener: Hashable, Sendable {
    /// Unique among listeners.
    package let name: String
    /// Where it listens; always an IP address.
    ///
    /// Port 0 lets the system choose.
    package let address: NetworkAddress
    /// What it speaks.
    package let transport: ListenerProtocol
    /// Whether connections begin with a PROXY header.
    package let proxyProtocol: ListenerProxyProtocol
    /// Peers whose X-Forwarded-For and Forwarded are believed, walked from the right.
    package let trustedProxies: [AddressBlock]
    /// What a connection or a request may cost.
    package let limits: ListenerLimits
    /// How long a downstream may take.
    package let timeouts: ListenerTimeouts
    /// The upstream that a tcp listener relays to; `nil` for others.
    package let upstream: String?
    /// How an https listener terminates TLS; `nil` for others.
    package let tls: ListenerTLS?
    /// The port of https that an http listener sends every request to; `nil` for none.
    package let redirectPort: Int?
    /// Where a tls-passthrough listener relays to, by the server name that is asked for; empty for others.
    package let serverNames: [ServerNameRoute]
}

/// Which upstream a tls-passthrough listener relays a server name to.
package struct ServerNameRoute: Hashable, Sendable {
    /// The name, or all below one.
    package let name: HostPattern
    /// The upstream's name.
    package let upstream: String
}

/// What a listener speaks.
package enum ListenerProtocol: String, Hashable, Sendable {
    /// HTTP/1.1, and HTTP/2 with prior knowledge.
    case http
    /// HTTP/1.1 and HTTP/2 over TLS.
    case https
    /// Anything: each connection is relayed as it is.
    case tcp
    /// TLS that is relayed as it is, by its server name.
    case tlsPassthrough = "tls-passthrough"

    /// Whether it carries requests, which routes are for.
    package var hasRequests: Bool { self == .http || self == .https }
}

/// Whether a listener's connections begin with a PROXY header.
package enum ListenerProxyProtocol: String, Hashable, Sendable {
    /// None is looked for.
    case off
    /// One is taken where it is there, from trusted proxies where such are named.
    case accept
    /// Connections without one are closed.
    case require
}

/// Limits of a listener; `nil` is no limit.
package struct ListenerLimits: Hashable, Sendable {
    /// Open connections per node.
    package let connections: Int
    /// Open connections per client address and node.
    package let connectionsPerClient: Int?
    /// Octets of a request's field section; 431 above.
    package let fieldSectionBytes: Int
    /// Field lines of a request; 431 above.
    package let fieldLines: Int
    /// Octets of a request-target; 414 above.
    package let requestTargetBytes: Int
    /// Octets of a request's content; 413 above.
    package let bodyBytes: Int?
    /// Requests that one connection carries before it is closed.
    package let requestsPerConnection: Int?
    /// Concurrent streams of an HTTP/2 connection.
    package let streamsPerConnection: Int
}

/// Timeouts of a listener.
package struct ListenerTimeouts: Hashable, Sendable {
    /// For a TLS handshake, or the ClientHello of one that is passed through.
    package let handshake: Duration
    /// From the first octet of a request to the end of its field section; and for a PROXY header.
    package let header: Duration
    /// Octets per second of a request's content that a client must come to, after 5 s; `nil` is no limit.
    package let minimumBodyRate: Int?
    /// Between two requests of one connection.
    package let idle: Duration
}
