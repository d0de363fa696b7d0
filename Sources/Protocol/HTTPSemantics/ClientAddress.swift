import Bytes

/// An IP address as sixteen octets in two numbers; IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2), so that an address
/// is the same whichever way somebody writes it.
package struct ClientAddress: Hashable, Sendable {
    /// The first eight octets.
    package let high: UInt64
    /// The last eight octets.
    package let low: UInt64

    /// Makes an address of its numbers.
    package init(high: UInt64, low: UInt64) {
        (self.high, self.low) = (high, low)
    }

    /// Whether it is an IPv4 address.
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Reads an element of X-Forwarded-For: an address, with or without a port, IPv6 with or without brackets.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the element; looked at only within `range`.
    ///   - range: The element's octets, without white space around them.
    /// - Returns: The address; `nil` where it is none, such as `unknown`, a host name, or an address with a zone.
    /// - Complexity: O(length); allocates nothing.
    package static func hop(_ octets: Span<UInt8>, _ range: Range<Int>) -> ClientAddress? {
        guard let first = range.first else { return nil }
        let end = range.upperBound
        if octets[first] == UInt8(ascii: "[") {
            let close = octets.firstIndex(of: UInt8(ascii: "]"), from: first, to: end)
            guard close < end, isPort(octets, close + 1..<end) else { return nil }
            return v6(octets, first + 1..<close)
        }
        let colon = octets.firstIndex(of: UInt8(ascii: ":"), from: first, to: end)
        if colon < end,
            octets.firstIndex(of: UInt8(ascii: ":"), from: colon + 1, to: end) < end
        {
            return v6(octets, range)
        }
        guard isPort(octets, colon..<end) else { return nil }
        return v4(octets, first..<colon)
    }

    /// Writes dotted decimal, or IPv6 without brackets as RFC 5952 has it.
    ///
    /// - Complexity: Allocates nothing but what `octets` needs to grow.
    package func append(to octets: inout [UInt8]) {
        if isIPv4 {
            for place in 0..<4 {
                if place > 0 { octets.append(UInt8(ascii: ".")) }
                Self.append(low >> UInt64(24 - 8 * place) & 0xFF, radix: 10, to: &octets)
            }
            return
        }
        let gap = longestGap
        var index = 0
        while index < 8 {
            if index == gap.lowerBound, gap.count > 1 {
                octets.append(UInt8(ascii: ":"))
                octets.append(UInt8(ascii: ":"))
                index = gap.upperBound
                continue
            }
            if index > 0, index != gap.upperBound || gap.count < 2 {
                octets.append(UInt8(ascii: ":"))
            }
            Self.append(group(index), radix: 16, to: &octets)
            index += 1
        }
    }

    /// The same in octets of its own.
    package var text: [UInt8] {
        var octets: [UInt8] = []
        append(to: &octets)
        return octets
    }

    // MARK: Writing

    private func group(_ index: Int) -> UInt64 {
        (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)) & 0xFFFF
    }

    /// The first of the longest runs of groups that are zero (RFC 5952 §4.2).
    private var longestGap: Range<Int> {
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, group(end) == 0 { end += 1 }
            if end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        return best
    }

    /// Writes a number of up to four digits.
    private static func append(_ number: UInt64, radix: UInt64, to octets: inout [UInt8]) {
        if number >= radix { append(number / radix, radix: radix, to: &octets) }
        let digit = UInt8(truncatingIfNeeded: number % radix)
        octets.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }

    // MARK: Reading

    /// Whether this is a port behind its colon, or nothing.
    private static func isPort(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let colon = range.first else { return true }
        guard octets[colon] == UInt8(ascii: ":"), (2...6).contains(range.count) else {
            return false
        }
        return octets.decimal(in: colon + 1..<range.upperBound).map { $0 < 65536 } ?? false
    }

    /// Four numbers without leading zeros.
    private static func v4(_ octets: Span<UInt8>, _ range: Range<Int>) -> ClientAddress? {
        var word: UInt64 = 0xFFFF
        var start = range.lowerBound
        for place in 0..<4 {
            let end = octets.firstIndex(of: UInt8(ascii: "."), from: start, to: range.upperBound)
            let part = start..<end
            guard (end == range.upperBound) == (place == 3), (1...3).contains(part.count),
                part.count == 1 || octets[start] != UInt8(ascii: "0"),
                let number = octets.decimal(in: part), number <= 255
            else { return nil }
            word = word << 8 | UInt64(number)
            start = end + 1
        }
        return ClientAddress(high: 0, low: word)
    }

    /// RFC 4291 §2.2 without a zone: groups before and behind `::`, which stands for one zero group or more.
    private static func v6(_ octets: Span<UInt8>, _ range: Range<Int>) -> ClientAddress? {
        let (colon, end) = (UInt8(ascii: ":"), range.upperBound)
        var (front, back): (UInt128, UInt128) = (0, 0)
        var (frontCount, backCount) = (0, 0)
        var hasGap = false
        var index = range.lowerBound
        while index < end {
            if octets[index] == colon {
                // One colon ends a group, and the next one is of `::`; at the front there are two.
                if index == range.lowerBound { index += 1 }
                guard index < end, octets[index] == colon, !hasGap else { return nil }
                hasGap = true
                index += 1
                continue
            }
            let stop = octets.firstIndex(of: colon, from: index, to: end)
            var (value, count): (UInt128, Int) = (0, 1)
            if stop - index <= 4, let group = octets.hexadecimal(in: index..<stop) {
                value = UInt128(group)
            } else if stop == end, let last = v4(octets, index..<stop) {
                (value, count) = (UInt128(last.low & 0xFFFF_FFFF), 2)
            } else {
                return nil
            }
            guard frontCount + backCount + count <= 8 else { return nil }
            if hasGap {
                back = back << UInt128(16 * count) | value
                backCount += count
            } else {
                front = front << UInt128(16 * count) | value
                frontCount += count
            }
            if stop == end { break }
            // A colon at the end is no part of an address.
            guard stop + 1 < end else { return nil }
            index = stop + 1
        }
        let total = frontCount + backCount
        guard hasGap ? total < 8 : total == 8 else { return nil }
        let all = (frontCount == 0 ? 0 : front << UInt128(16 * (8 - frontCount))) | back
        return ClientAddress(
            high: UInt64(truncatingIfNeeded: all >> 64),
            low: UInt64(truncatingIfNeeded: all)
        )
    }
}
