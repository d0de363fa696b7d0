/// A version of the PROXY protocol.
package enum ProxyProtocolVersion: Sendable {
    /// One line of text.
    case v1
    /// Binary.
    case v2
}

extension ProxyHeader {
    /// Writes the header.
    ///
    /// Addresses of two families cannot be told, and become `unspecified`.
    ///
    /// - Parameter version: How.
    /// - Returns: The octets, with which the connection begins; at most `ProxyProtocolLimits.lineBytesMax`.
    package func encoded(as version: ProxyProtocolVersion) -> [UInt8] {
        guard case .addresses(let source, let destination) = self,
            source.isIPv6 == destination.isIPv6
        else { return Self.unspecified(version) }
        switch version {
        case .v1:
            let family = source.isIPv6 ? "TCP6" : "TCP4"
            let addresses = "\(source.text) \(destination.text)"
            return Array("PROXY \(family) \(addresses) \(source.port) \(destination.port)\r\n".utf8)
        case .v2:
            let addresses = source.octets + destination.octets
            let ports =
                Self.octets(UInt64(source.port), 2) + Self.octets(UInt64(destination.port), 2)
            return Self.binary(
                command: 1,
                family: source.isIPv6 ? 0x21 : 0x11,
                content: addresses + ports
            )
        }
    }

    private static func unspecified(_ version: ProxyProtocolVersion) -> [UInt8] {
        switch version {
        case .v1: Array("PROXY UNKNOWN\r\n".utf8)
        case .v2: binary(command: 0, family: 0, content: [])
        }
    }

    private static func binary(command: UInt8, family: UInt8, content: [UInt8]) -> [UInt8] {
        ProxySignature.binary + [0x20 | command, family] + octets(UInt64(content.count), 2)
            + content
    }

    fileprivate static func octets(_ word: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * (count - 1 - $0))) }
    }
}

extension ProxyAddress {
    fileprivate var octets: [UInt8] {
        isIPv6
            ? ProxyHeader.octets(high, 8) + ProxyHeader.octets(low, 8)
            : ProxyHeader.octets(low, 4)
    }

    /// Dotted decimal, or all eight groups: every receiver reads that.
    fileprivate var text: String {
        guard isIPv6 else { return octets.map(String.init).joined(separator: ".") }
        return (0..<8).map { index in
            let word = index < 4 ? high : low
            let group = UInt16(truncatingIfNeeded: word >> UInt64(48 - 16 * (index % 4)))
            return String(group, radix: 16)
        }.joined(separator: ":")
    }
}
