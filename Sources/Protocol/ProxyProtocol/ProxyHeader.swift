/// What a PROXY protocol header says of a connection.
package enum ProxyHeader: Equatable, Sendable {
    /// Nothing: the addresses of the connection itself count.
    ///
    /// A proxy that speaks for itself (`LOCAL`), or that cannot tell (`UNKNOWN`, `UNSPEC`, a unix or datagram socket).
    case unspecified
    /// Who has connected to the proxy, and where to.
    case addresses(source: ProxyAddress, destination: ProxyAddress)
}

/// An IPv4 or IPv6 address with a port, as a header has it.
package struct ProxyAddress: Hashable, Sendable {
    /// The upper 64 bits of an IPv6 address; 0 for IPv4.
    package let high: UInt64
    /// The lower 64 bits; an IPv4 address is the low 32.
    package let low: UInt64
    package let isIPv6: Bool
    package let port: UInt16

    /// Makes an IPv4 address.
    package init(v4 address: UInt32, port: UInt16) {
        (high, low, isIPv6) = (0, UInt64(address), false)
        self.port = port
    }

    /// Makes an IPv6 address.
    package init(high: UInt64, low: UInt64, port: UInt16) {
        (self.high, self.low, isIPv6) = (high, low, true)
        self.port = port
    }
}

/// What the front of a connection's octets came to.
package enum ProxyHeaderReading: Equatable, Sendable {
    /// All that is there may be the beginning of a header.
    case incomplete
    /// It is something else: no header stands there.
    case absent
    /// A header of so many octets; what follows is the client's.
    case complete(ProxyHeader, byteCount: Int)
}

/// The first octets of either version.
enum ProxySignature {
    /// `PROXY `.
    static let line: [UInt8] = Array("PROXY ".utf8)
    /// Nothing that a protocol in text begins with (§2.2).
    static let binary: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
}
