internal import Bytes

extension ProxyAddress {
    /// Reads an address of version 1; `nil` where it is none.
    ///
    /// IPv4: four numbers without leading zeros. IPv6: RFC 4291 §2.2 without a zone, `::` at most once.
    init?(_ octets: Span<UInt8>, _ range: Range<Int>, isIPv6: Bool, port: UInt16) {
        if isIPv6 {
            guard let (high, low) = Self.v6(octets, range) else { return nil }
            self.init(high: high, low: low, port: port)
        } else {
            guard let address = Self.v4(octets, range) else { return nil }
            self.init(v4: address, port: port)
        }
    }

    private static func v4(_ octets: Span<UInt8>, _ range: Range<Int>) -> UInt32? {
        var word: UInt32 = 0
        var start = range.lowerBound
        for place in 0..<4 {
            let end = octets.firstIndex(of: UInt8(ascii: "."), from: start, to: range.upperBound)
            guard (end == range.upperBound) == (place == 3),
                let number = octets.decimal(in: start..<end, digitsMax: 3), number <= 255
            else { return nil }
            word = word << 8 | UInt32(truncatingIfNeeded: number)
            start = end + 1
        }
        return word
    }

    private static func v6(
        _ octets: Span<UInt8>,
        _ range: Range<Int>
    ) -> (high: UInt64, low: UInt64)? {
        guard let gap = doubleColon(octets, range) else {
            guard let groups = groups(octets, range), groups.count == 8 else { return nil }
            return words(groups)
        }
        // An IPv4 address may only end the whole.
        let headRange = range.lowerBound..<gap
        guard octets.firstIndex(of: UInt8(ascii: "."), from: headRange.lowerBound, to: gap) == gap,
            let head = groups(octets, headRange),
            let tail = groups(octets, gap + 2..<range.upperBound),
            head.count + tail.count < 8
        else { return nil }
        let zeros = [UInt16](repeating: 0, count: 8 - head.count - tail.count)
        return words(head + zeros + tail)
    }

    private static func words(_ groups: [UInt16]) -> (high: UInt64, low: UInt64) {
        var (high, low): (UInt64, UInt64) = (0, 0)
        for group in groups.prefix(4) { high = high << 16 | UInt64(group) }
        for group in groups.dropFirst(4) { low = low << 16 | UInt64(group) }
        return (high, low)
    }

    /// The index of the first `::`.
    private static func doubleColon(_ octets: Span<UInt8>, _ range: Range<Int>) -> Int? {
        let colon = UInt8(ascii: ":")
        for index in range.dropLast() where octets[index] == colon && octets[index + 1] == colon {
            return index
        }
        return nil
    }

    /// Groups of hexadecimal digits between colons, the last of which may be an IPv4 address; none of nothing.
    private static func groups(_ octets: Span<UInt8>, _ range: Range<Int>) -> [UInt16]? {
        var groups: [UInt16] = []
        guard !range.isEmpty else { return groups }
        var start = range.lowerBound
        while true {
            let end = octets.firstIndex(of: UInt8(ascii: ":"), from: start, to: range.upperBound)
            let isLast = end == range.upperBound
            if let group = octets.group(in: start..<end) {
                groups.append(group)
            } else if isLast, let word = v4(octets, start..<end) {
                groups.append(UInt16(truncatingIfNeeded: word >> 16))
                groups.append(UInt16(truncatingIfNeeded: word))
            } else {
                return nil
            }
            if isLast { return groups.count <= 8 ? groups : nil }
            start = end + 1
        }
    }
}

extension Span where Element == UInt8 {
    /// A decimal number without leading zeros; `nil` where it is none or has more digits.
    func decimal(in range: Range<Int>, digitsMax: Int) -> Int? {
        guard (1...digitsMax).contains(range.count) else { return nil }
        if range.count > 1, self[range.lowerBound] == UInt8(ascii: "0") { return nil }
        var number = 0
        for index in range {
            let octet = self[index]
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octet) else { return nil }
            number = number * 10 + Int(octet - UInt8(ascii: "0"))
        }
        return number
    }

    /// One to four hexadecimal digits.
    fileprivate func group(in range: Range<Int>) -> UInt16? {
        guard (1...4).contains(range.count) else { return nil }
        var number: UInt16 = 0
        for index in range {
            let digit: UInt8
            switch self[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = self[index] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = self[index] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = self[index] - UInt8(ascii: "A") + 10
            default: return nil
            }
            number = number << 4 | UInt16(digit)
        }
        return number
    }
}
