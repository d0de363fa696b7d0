/// The Castagnoli checksum (RFC 3720 appendix B.4).
enum CRC32C {
    /// One entry for each octet: 0x82F63B78 is the polynomial, bits reversed.
    private static let table: [UInt32] = (0..<256).map { octet in
        var value = UInt32(octet)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
        return value
    }

    /// Computes the checksum of octets.
    ///
    /// - Parameters:
    ///   - octets: What to sum up.
    ///   - zeroed: Indices at which zeros count in place of the octets.
    /// - Returns: The checksum.
    static func checksum(_ octets: Span<UInt8>, zeroing zeroed: Range<Int>) -> UInt32 {
        var value = UInt32.max
        for index in octets.indices {
            let octet = zeroed.contains(index) ? 0 : octets[index]
            value = value >> 8 ^ table[Int(UInt8(truncatingIfNeeded: value) ^ octet)]
        }
        return ~value
    }
}
