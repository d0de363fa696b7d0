/// Integers with a prefix (RFC 7541 §5.1).
enum HPACKInteger {
    /// Reads an integer.
    ///
    /// - Parameters:
    ///   - block: The field block.
    ///   - index: Where the octet with the prefix is; moved past the integer.
    ///   - prefixBitCount: 1 to 8.
    /// - Returns: A number below `HPACKLimits.integerEnd`.
    /// - Throws: `integerTruncated`, `integerOverflow`.
    @inline(__always)
    static func read(
        _ block: Span<UInt8>,
        at index: inout Int,
        prefixBitCount: Int
    ) throws(HPACKError) -> Int {
        guard index < block.count else { throw .integerTruncated }
        let mask = (1 << prefixBitCount) - 1
        let prefix = Int(block[index]) & mask
        index += 1
        return prefix < mask ? prefix : try readContinuation(block, at: &index, prefix: prefix)
    }

    private static func readContinuation(
        _ block: Span<UInt8>,
        at index: inout Int,
        prefix: Int
    ) throws(HPACKError) -> Int {
        var value = prefix
        for number in 0..<HPACKLimits.continuationOctetsMax {
            guard index < block.count else { throw .integerTruncated }
            let octet = block[index]
            index += 1
            value += Int(octet & 0x7f) << (7 * number)  // below 2^36
            guard value < HPACKLimits.integerEnd else { throw .integerOverflow }
            if octet & 0x80 == 0 { return value }
        }
        throw .integerOverflow
    }

    /// Writes an integer.
    ///
    /// - Parameters:
    ///   - value: Not negative.
    ///   - prefixBitCount: 1 to 8.
    ///   - pattern: The bits above the prefix.
    ///   - output: Gets the octets.
    static func append(
        _ value: Int,
        prefixBitCount: Int,
        pattern: UInt8,
        to output: inout [UInt8]
    ) {
        let mask = (1 << prefixBitCount) - 1
        guard value >= mask else {
            output.append(pattern | UInt8(truncatingIfNeeded: value))
            return
        }
        output.append(pattern | UInt8(truncatingIfNeeded: mask))
        var rest = value - mask
        while rest >= 0x80 {
            output.append(0x80 | UInt8(truncatingIfNeeded: rest & 0x7f))
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }
}
