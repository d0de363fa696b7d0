package import FleetModel

/// Addresses with a common prefix; IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2).
package struct AddressRange: Sendable {
    private let high: UInt64
    private let low: UInt64
    private let highMask: UInt64
    private let lowMask: UInt64
    /// Whether the prefix is one of IPv6 and so short that IPv4 addresses have it in their mapped form: they are none
    /// of it.
    private let isAroundIPv4: Bool

    /// Takes a block of the configuration.
    package init(_ block: AddressBlock) {
        var octets = block.address.octets
        var bits = block.prefixBits
        if octets.count == 4 {
            octets = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] + octets
            bits += 96
        }
        isAroundIPv4 = bits < 96
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
    ///
    /// - Parameters:
    ///   - high: Its first eight octets.
    ///   - low: Its last eight octets.
    /// - Returns: True if it is.
    package func contains(high: UInt64, low: UInt64) -> Bool {
        guard high & highMask == self.high, low & lowMask == self.low else { return false }
        return !isAroundIPv4 || high != 0 || low >> 32 != 0xFFFF
    }
}
