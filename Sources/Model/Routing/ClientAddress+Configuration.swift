package import FleetModel
package import HTTPSemantics

extension ClientAddress {
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
