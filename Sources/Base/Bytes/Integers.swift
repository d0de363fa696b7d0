// Integers in text, without String, without allocation, and without an overflow that goes unseen.

/// The value of a hexadecimal digit.
///
/// - Parameter octet: Any octet.
/// - Returns: 0 to 15, or `nil` when it is no HEXDIG.
@inlinable
@inline(__always)
public func hexadecimalDigit(_ octet: UInt8) -> UInt8? {
    let digit = octet &- 0x30
    if digit < 10 { return digit }
    let letter = (octet | 0x20) &- 0x61
    return letter < 6 ? letter + 10 : nil
}

/// The ASCII octet of a hexadecimal digit, upper case as RFC 3986 §2.1 asks in percent-encoding.
///
/// - Parameter value: The low four bits count.
/// - Returns: `0`–`9` or `A`–`F`.
@inlinable
public func hexadecimalUpper(_ value: UInt8) -> UInt8 {
    let digit = value & 15
    return digit < 10 ? 0x30 + digit : 0x41 + digit - 10
}

extension Span where Element == UInt8 {
    /// Reads `1*DIGIT` that fills `range`.
    ///
    /// - Parameter range: A range within these octets.
    /// - Returns: The number, or `nil` when the range is empty, holds another octet, or exceeds Int.
    @inlinable
    public func decimal(in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        var value = 0
        if range.count <= 18 {
            for index in range {
                let digit = self[index] &- 0x30
                guard digit < 10 else { return nil }
                value = value &* 10 &+ Int(digit)  // 18 digits are below 2^63
            }
            return value
        }
        for index in range {
            let digit = self[index] &- 0x30
            guard digit < 10 else { return nil }
            let (tens, overflowTens) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowSum) = tens.addingReportingOverflow(Int(digit))
            if overflowTens || overflowSum { return nil }
            value = sum
        }
        return value
    }

    /// Reads `1*HEXDIG` that fills `range`.
    ///
    /// - Parameter range: A range within these octets.
    /// - Returns: The number, or `nil` when the range is empty, holds another octet, or exceeds Int.
    @inlinable
    public func hexadecimal(in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        var value = 0
        for index in range {
            guard let digit = hexadecimalDigit(self[index]) else { return nil }
            guard value >> 59 == 0 else { return nil }
            value = value << 4 | Int(digit)
        }
        return value
    }
}

extension MutableSpan where Element == UInt8 {
    /// Writes a number in decimal from `offset` on.
    ///
    /// - Parameters:
    ///   - value: The number.
    ///   - offset: Where the first digit goes; there must be room for up to 20 octets.
    /// - Returns: The index after the last digit.
    @inlinable
    @discardableResult
    public mutating func writeDecimal(_ value: UInt64, at offset: Int) -> Int {
        var digitCount = 1
        var rest = value / 10
        while rest > 0 {
            digitCount += 1
            rest /= 10
        }
        let end = offset + digitCount
        var index = end
        rest = value
        repeat {
            index -= 1
            self[index] = 0x30 + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        return end
    }

    /// Writes a number in hexadecimal, lower case, from `offset` on.
    ///
    /// - Parameters:
    ///   - value: The number.
    ///   - offset: Where the first digit goes; there must be room for up to 16 octets.
    /// - Returns: The index after the last digit.
    @inlinable
    @discardableResult
    public mutating func writeHexadecimal(_ value: UInt64, at offset: Int) -> Int {
        let digitCount = Swift.max(1, (64 - value.leadingZeroBitCount + 3) / 4)
        var index = offset + digitCount
        var rest = value
        while index > offset {
            index -= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            self[index] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            rest >>= 4
        }
        return offset + digitCount
    }
}

/// The eight digits of a 32-bit number in lower-case hexadecimal, the first one in the lowest octet.
///
/// - Parameter number: Less than 2^32.
/// - Returns: Eight octets of ASCII as a little-endian word.
public func hexadecimalDigits(_ number: UInt64) -> UInt64 {
    // Spread the nibbles, one in each octet, the highest nibble in the lowest octet.
    var word = number.byteSwapped >> 32
    word = (word | word << 16) & 0x0000_FFFF_0000_FFFF
    word = (word | word << 8) & 0x00FF_00FF_00FF_00FF
    word = (word >> 4 | word << 8) & 0x0F0F_0F0F_0F0F_0F0F
    // An octet above 9 gains 6 and so carries into bit 4; neither sum leaves its octet.
    let letters = (word &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return word &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
}
