package import FleetModel
package import HTTPSemantics

/// Addresses with a common prefix; IPv4 in its IPv4-mapped form.
package struct AddressRange: Sendable {
    private let high: UInt64
    private let low: UInt64
    private let highMask: UInt64
    private let lowMask: UInt64

    /// The addresses of a block.
    package init(_ block: AddressBlock) {
        var octets = block.address.octets
        var bits = block.prefixBits
        if octets.count == 4 {
            octets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + octets
            bits += 96
        }
        var words: [UInt64] = [0, 0]
        for (index, octet) in octets.enumerated() where index < 16 {
            words[index / 8] = words[index / 8] << 8 | UInt64(octet)
        }
        highMask = Self.mask(min(bits, 64))
        lowMask = Self.mask(max(bits - 64, 0))
        high = words[0] & highMask
        low = words[1] & lowMask
    }

    private static func mask(_ bits: Int) -> UInt64 {
        bits == 0 ? 0 : UInt64.max << UInt64(64 - bits)
    }

    /// Whether an address is one of them.
    package func contains(_ address: MappedAddress) -> Bool {
        address.high & highMask == high && address.low & lowMask == low
    }
}
