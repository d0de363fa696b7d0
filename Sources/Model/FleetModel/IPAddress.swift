/// An IPv4 or IPv6 address, as a value.
package enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// Four octets, the first most significant.
    case v4(UInt32)
    /// Sixteen octets, the first of `high` most significant.
    case v6(high: UInt64, low: UInt64)

    /// Reads dotted decimal without leading zeros, or RFC 4291 §2.2 text without a zone.
    package init?(_ text: some StringProtocol) {
        let octets = Array(text.utf8)
        if let word = Self.parseV4(octets[...]) {
            self = .v4(word)
        } else if let groups = Self.parseV6(octets) {
            var words: [UInt64] = [0, 0]
            for (index, group) in groups.enumerated() {
                words[index / 4] = words[index / 4] << 16 | UInt64(group)
            }
            self = .v6(high: words[0], low: words[1])
        } else {
            return nil
        }
    }

    /// Length of the address in bits.
    package var bitCount: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    /// The octets in network order: 4 or 16.
    package var octets: [UInt8] {
        func split(_ word: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * (count - 1 - $0))) }
        }
        switch self {
        case .v4(let word): return split(UInt64(word), 4)
        case .v6(let high, let low): return split(high, 8) + split(low, 8)
        }
    }

    /// The address with all bits after the first `bitCount` cleared.
    package func masked(to bitCount: Int) -> IPAddress {
        switch self {
        case .v4(let word):
            return .v4(bitCount >= 32 ? word : word & ~(UInt32.max >> UInt32(max(bitCount, 0))))
        case .v6(let high, let low):
            let highMask = bitCount >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(max(bitCount, 0)))
            let lowMask =
                bitCount >= 128 ? UInt64.max : ~(UInt64.max >> UInt64(max(bitCount - 64, 0)))
            return .v6(high: high & highMask, low: low & lowMask)
        }
    }

    /// Canonical text: dotted decimal, or RFC 5952.
    package var description: String {
        switch self {
        case .v4: octets.map(String.init).joined(separator: ".")
        case .v6: Self.writeV6(octets)
        }
    }

    private static func parseV4(_ octets: ArraySlice<UInt8>) -> UInt32? {
        // Most texts are names.
        guard let last = octets.last, UInt8(ascii: "0") <= last, last <= UInt8(ascii: "9") else {
            return nil
        }
        let parts = octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var word: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count) else { return nil }
            if part.count > 1 && part.first == UInt8(ascii: "0") { return nil }
            var value: UInt32 = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return nil }
            word = word << 8 | value
        }
        return word
    }

    /// Eight groups; `::` stands once for one or more groups of zeros, and the last two may be an
    /// IPv4 address.
    private static func parseV6(_ octets: [UInt8]) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        guard octets.count >= 2, octets.count <= 45, octets.contains(colon) else { return nil }
        var gap: Range<Int>?
        for index in 0..<(octets.count - 1)
        where octets[index] == colon && octets[index + 1] == colon {
            guard gap == nil else { return nil }
            gap = index..<(index + 2)
        }
        guard let gap else {
            guard let groups = parseGroups(octets[...]), groups.count == 8 else { return nil }
            return groups
        }
        guard
            let head = parseGroups(octets[..<gap.lowerBound]),
            let tail = parseGroups(octets[gap.upperBound...]),
            head.count + tail.count < 8
        else { return nil }
        // An IPv4 part may only end the whole address.
        if octets[..<gap.lowerBound].contains(UInt8(ascii: ".")) { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    private static func parseGroups(_ octets: ArraySlice<UInt8>) -> [UInt16]? {
        if octets.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = octets.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, let word = parseV4(part) {
                groups.append(UInt16(truncatingIfNeeded: word >> 16))
                groups.append(UInt16(truncatingIfNeeded: word))
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            let text = String(decoding: part, as: UTF8.self)
            guard part.first != UInt8(ascii: "+"), part.first != UInt8(ascii: "-"),
                let group = UInt16(text, radix: 16)
            else { return nil }
            groups.append(group)
        }
        return groups.count <= 8 ? groups : nil
    }

    /// RFC 5952 §4: lower case, no leading zeros, the first longest run of zero groups shortened.
    private static func writeV6(_ octets: [UInt8]) -> String {
        let groups = (0..<8).map { UInt16(octets[2 * $0]) << 8 | UInt16(octets[2 * $0 + 1]) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8 && groups[end] == 0 { end += 1 }
            if end - start > best.count { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.count < 2 { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

/// A block of addresses, such as `10.0.0.0/8`.
package struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    /// The lowest address of the block.
    package let address: IPAddress
    /// How many leading bits are fixed.
    package let prefixBits: Int

    /// Names a block; bits of `address` after the prefix are cleared.
    package init(address: IPAddress, prefixBits: Int) {
        self.prefixBits = min(max(prefixBits, 0), address.bitCount)
        self.address = address.masked(to: self.prefixBits)
    }

    /// Whether `candidate` lies in the block.
    ///
    /// An IPv4 address is in no IPv6 block.
    package func contains(_ candidate: IPAddress) -> Bool {
        candidate.bitCount == address.bitCount && candidate.masked(to: prefixBits) == address
    }

    /// Whether every address of another block is one of this.
    package func covers(_ other: AddressBlock) -> Bool {
        prefixBits <= other.prefixBits && contains(other.address)
    }

    /// `address/bits`.
    package var description: String { "\(address)/\(prefixBits)" }
}
