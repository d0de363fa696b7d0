package import FleetModel

/// A client's address in two words; IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2).
package struct ClientAddress: Hashable, Sendable {
    /// Its first eight octets.
    package let high: UInt64
    /// Its last eight octets.
    package let low: UInt64

    /// Joins the words.
    package init(high: UInt64, low: UInt64) {
        (self.high, self.low) = (high, low)
    }

    /// Takes an address of the configuration or of a command line.
    package init(_ address: IPAddress) {
        var (high, low) = (UInt64(0), UInt64(0))
        let octets = address.octets
        if octets.count == 4 { low = 0xFFFF }
        for (index, octet) in octets.enumerated() {
            if index < octets.count - 8 {
                high = high << 8 | UInt64(octet)
            } else {
                low = low << 8 | UInt64(octet)
            }
        }
        self.init(high: high, low: low)
    }
}
