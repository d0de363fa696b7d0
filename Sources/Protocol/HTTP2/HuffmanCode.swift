import Bytes

/// Strings in the Huffman code of RFC 7541 §5.2 and appendix B.
///
/// Bits wait at the top of a word that is filled eight octets at a time. Codes of up to ten bits, those of nearly all
/// that is sent, take one look-up; the others a search through the bounds of their lengths.
enum HuffmanCode {
    /// Decodes a string.
    ///
    /// - Parameters:
    ///   - octets: The string as it was sent.
    ///   - output: Gets the decoded octets, at most 8/5 as many; when this throws, some of them.
    /// - Throws: `huffmanEndOfString`, `huffmanPaddingTooLong`, `huffmanPaddingInvalid`.
    /// - Complexity: O(octets); allocates only when `output` has no room.
    static func decode(_ octets: Span<UInt8>, into output: inout [UInt8]) throws(HPACKError) {
        let table = HuffmanTable.short
        let short = table.span
        // No code is shorter than five bits.
        let symbolCountMax = octets.count * 8 / 5
        try output.append(addingCapacity: symbolCountMax) { target throws(HPACKError) in
            var bits = Bits()
            repeat {
                bits.fill(from: octets)
                while bits.count >= Bits.codeBitCountMax {
                    let symbol = try bits.takeSymbol(short)
                    target.append(symbol)
                }
            } while bits.index < octets.count
            while !bits.isPadding {
                let left = bits
                let symbol = try bits.takeSymbol(short)
                guard bits.count >= 0 else { throw left.paddingError }
                target.append(symbol)
            }
        }
    }

    /// Bits that were read and not decoded.
    private struct Bits {
        static let codeBitCountMax = 30

        /// The bits, the next one at the top; what is below `count` of them belongs to octets to come, or is zero.
        private var word: UInt64 = 0
        /// Number of bits.
        private(set) var count = 0
        /// The next octet to read.
        private(set) var index = 0

        /// Whether what is left is padding: at most seven bits, all ones.
        ///
        /// No code is made of so few ones.
        var isPadding: Bool {
            count < 8 && word | (UInt64.max >> UInt64(count)) == UInt64.max
        }

        /// What is wrong with bits that end within a code.
        var paddingError: HPACKError {
            let isOnes = word | (UInt64.max >> UInt64(count)) == UInt64.max
            return isOnes ? .huffmanPaddingTooLong : .huffmanPaddingInvalid
        }

        /// Reads octets until 56 bits or more are there, or none are left.
        ///
        /// The bits of an octet that is read in part are put in again, which changes nothing.
        @inline(__always)
        mutating func fill(from octets: Span<UInt8>) {
            if index + 8 <= octets.count {
                word |= octets.word(at: index).byteSwapped >> UInt64(count)
                let octetCount = (63 - count) / 8
                index += octetCount
                count += 8 * octetCount
                return
            }
            while count <= 56, index < octets.count {
                word |= UInt64(octets[index]) << UInt64(56 - count)
                index += 1
                count += 8
            }
        }

        /// Takes the next code off; `count` is negative afterwards when it is not there as a whole.
        @inline(__always)
        mutating func takeSymbol(_ short: Span<UInt16>) throws(HPACKError) -> UInt8 {
            var entry = short[Int(truncatingIfNeeded: word >> 54)]
            if entry == 0 { entry = try Self.longEntry(word) }
            let bitCount = entry >> 8
            word <<= UInt64(bitCount)
            count -= Int(bitCount)
            return UInt8(truncatingIfNeeded: entry)
        }

        /// Finds a code that `short` has not, in the form that `short` has.
        ///
        /// It is given the word by value, so that the bits can stay in registers.
        private static func longEntry(_ word: UInt64) throws(HPACKError) -> UInt16 {
            let code = UInt32(truncatingIfNeeded: word >> 32)
            for group in HuffmanTable.groups where code < group.end {
                let place = (code - group.start) >> UInt32(32 - group.bitCount)
                let symbol = HuffmanTable.longSymbols[Int(group.firstSymbol) + Int(place)]
                return UInt16(group.bitCount) << 8 | UInt16(symbol)
            }
            throw .huffmanEndOfString
        }
    }

    /// How many octets a string has when it is coded.
    ///
    /// - Parameter octets: The string.
    /// - Returns: Number of octets with the padding.
    static func encodedCount(_ octets: Span<UInt8>) -> Int {
        let table = HuffmanTable.codes
        let codes = table.span
        var bitCount = 0
        for index in octets.indices {
            bitCount += Int(codes[Int(octets[index])] & 0xff)
        }
        return (bitCount + 7) / 8
    }

    /// Codes a string.
    ///
    /// - Parameters:
    ///   - octets: The string.
    ///   - encodedCount: What `encodedCount` says of it.
    ///   - output: Gets the coded octets.
    static func encode(_ octets: Span<UInt8>, encodedCount: Int, to output: inout [UInt8]) {
        let table = HuffmanTable.codes
        let codes = table.span
        output.append(addingCapacity: encodedCount) { target in
            var word: UInt64 = 0
            // Bits at the bottom of `word` that are not written; at most 7 between codes.
            var bitCount: UInt64 = 0
            for index in octets.indices {
                let code = codes[Int(octets[index])]
                word = word << (code & 0xff) | code >> 8
                bitCount += code & 0xff
                while bitCount >= 8 {
                    bitCount -= 8
                    target.append(UInt8(truncatingIfNeeded: word >> bitCount))
                }
            }
            if bitCount > 0 {
                let padding: UInt64 = 0xff >> bitCount
                target.append(UInt8(truncatingIfNeeded: word << (8 - bitCount) | padding))
            }
        }
    }
}
