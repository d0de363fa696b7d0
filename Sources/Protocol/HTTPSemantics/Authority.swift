package import Bytes

/// A host with an optional port, as ranges of the octets that it was read from.
///
/// RFC 9110 §4.2.1, RFC 3986 §3.2.2. Stricter than both: a registered name holds only letters, digits,
/// `-`, `.` and `_`, so that every reader splits it alike; userinfo and percent-encoding are refused.
package struct Authority: Equatable, Sendable {
    /// The host; an IPv6 address with its brackets.
    package var host: OctetRange
    /// The port, or 0 when none is named.
    package var port: UInt16

    /// An authority that was not read.
    package init() {
        (host, port) = (OctetRange(), 0)
    }

    init(host: OctetRange, port: UInt16) {
        (self.host, self.port) = (host, port)
    }

    /// Longest host, in octets: what DNS allows, with its final dot.
    package static let hostBytesMax = 254

    /// Reads `uri-host [ ":" port ]` that fills `range`.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the authority.
    ///   - range: The authority's octets.
    /// - Returns: Host and port, or `nil` when it is none. An empty port (`host:`) is no port.
    /// - Complexity: O(length); allocates nothing.
    package static func parse(_ octets: Span<UInt8>, _ range: Range<Int>) -> Authority? {
        guard !range.isEmpty else { return nil }
        let start = range.lowerBound
        let hostEnd: Int
        if octets[start] == 0x5b {
            let close = octets.firstIndex(of: 0x5d, from: start, to: range.upperBound)
            guard close < range.upperBound else { return nil }
            guard isIPv6Address(octets, start + 1..<close) else { return nil }
            hostEnd = close + 1
        } else {
            guard let end = hostNameEnd(octets, range) else { return nil }
            hostEnd = end
        }
        var port = 0
        if hostEnd < range.upperBound {
            guard octets[hostEnd] == 0x3a else { return nil }
            let digits = hostEnd + 1..<range.upperBound
            if !digits.isEmpty {
                guard digits.count <= 5, let number = octets.decimal(in: digits),
                    number > 0, number < 65536
                else { return nil }
                port = number
            }
        }
        return Authority(host: OctetRange(start, hostEnd), port: UInt16(port))
    }

    /// The end of the host name at the front of `range`.
    ///
    /// - Returns: The index after it, or `nil` when it is empty, too long or has an empty label.
    private static func hostNameEnd(_ octets: Span<UInt8>, _ range: Range<Int>) -> Int? {
        let set = OctetSet.hostName
        var index = range.lowerBound
        var before: UInt8 = 0x2e
        while index < range.upperBound {
            let octet = octets[index]
            guard set.contains(octet) else { break }
            if octet == 0x2e, before == 0x2e { return nil }
            before = octet
            index += 1
        }
        let count = index - range.lowerBound
        return count > 0 && count <= hostBytesMax ? index : nil
    }

    /// Whether the octets are an IPv6 address (RFC 3986 §3.2.2), without a zone.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the address.
    ///   - range: The address's octets, without brackets.
    /// - Returns: True when they are.
    package static func isIPv6Address(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var groupCount = 0
        var hasGap = false
        var index = range.lowerBound
        let end = range.upperBound
        if index + 1 < end, octets[index] == 0x3a, octets[index + 1] == 0x3a {
            hasGap = true
            index += 2
        }
        while index < end {
            let start = index
            while index < end, index - start < 5, hexadecimalDigit(octets[index]) != nil {
                index += 1
            }
            if index < end, octets[index] == 0x2e {
                guard isIPv4Address(octets, start..<end) else { return false }
                groupCount += 2
                index = end
                break
            }
            guard index > start, index - start <= 4 else { return false }
            groupCount += 1
            if index == end { break }
            guard octets[index] == 0x3a, index + 1 < end else { return false }
            index += 1
            if octets[index] == 0x3a {
                guard !hasGap else { return false }
                hasGap = true
                index += 1
            }
        }
        return hasGap ? groupCount <= 7 : groupCount == 8
    }

    /// Whether the octets are an IPv4 address in dotted decimal without leading zeros.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the address.
    ///   - range: The address's octets.
    /// - Returns: True when they are.
    package static func isIPv4Address(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var partCount = 0
        var index = range.lowerBound
        while true {
            let dot = octets.firstIndex(of: 0x2e, from: index, to: range.upperBound)
            guard dot - index >= 1, dot - index <= 3 else { return false }
            guard octets[index] != 0x30 || dot - index == 1 else { return false }
            guard let value = octets.decimal(in: index..<dot), value < 256 else { return false }
            partCount += 1
            if dot == range.upperBound { return partCount == 4 }
            index = dot + 1
        }
    }
}
