package import Cryptography
package import FleetModel

/// The names that a certificate is for, and whether a host is among them (RFC 9525 §6.3, RFC 6125 §6.4).
///
/// Only subject alternative names count; the common name is ignored (RFC 9525 §1.4.1 and Appendix A).
package struct ServerNames: Hashable, Sendable {
    /// Names of hosts in lower case without a final dot; `*.` stands for exactly one label.
    package let dnsNames: [String]
    /// Addresses.
    package let addresses: [IPAddress]

    /// The names of a certificate; those that no client could match are left out.
    package init(_ certificate: Certificate) {
        self.init(
            dnsNames: certificate.dnsNames,
            addresses: certificate.addresses.compactMap(IPAddress.init(networkOctets:))
        )
    }

    /// Takes names in any case; those that no client could match are left out.
    package init(dnsNames: [String], addresses: [IPAddress]) {
        var seen: Set<String> = []
        self.dnsNames = dnsNames.compactMap(Self.normalised).filter { seen.insert($0).inserted }
        self.addresses = addresses
    }

    /// Whether there is none.
    package var isEmpty: Bool { dnsNames.isEmpty && addresses.isEmpty }

    /// All of them as text, names first.
    package var texts: [String] { dnsNames + addresses.map(\.description) }

    /// Whether a client that wants this host accepts the certificate's names.
    ///
    /// - Parameter host: A name, an IPv4 address, an IPv6 address with or without brackets, or a pattern
    ///   such as `*.example.com`. A pattern of the configuration stands for one or more labels, a
    ///   certificate's for exactly one: it is covered by the certificate's of the same suffix, as far as
    ///   certificates go.
    /// - Returns: Whether it does.
    package func covers(_ host: String) -> Bool {
        if let address = Self.address(host) { return addresses.contains(address) }
        guard let name = Self.normalised(host) else { return false }
        if dnsNames.contains(name) { return true }
        guard let dot = name.firstIndex(of: "."), !name.hasPrefix("*.") else { return false }
        return dnsNames.contains("*" + name[dot...])
    }

    /// The hosts that none of the certificates covers, each once, in order.
    package static func uncovered(_ hosts: [String], by names: [ServerNames]) -> [String] {
        var seen: Set<String> = []
        return hosts.filter { host in
            !names.contains { $0.covers(host) } && seen.insert(host).inserted
        }
    }

    private static func address(_ text: String) -> IPAddress? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return IPAddress(text) }
        return IPAddress(text.dropFirst().dropLast())
    }

    /// The name in lower case without a final dot.
    ///
    /// Nil for what is neither a host name nor `*.` before one of two labels or more. A name that looks
    /// like an address is none (RFC 9525 §3).
    private static func normalised(_ text: String) -> String? {
        var name = Substring(text.lowercased())
        if name.hasSuffix(".") { name.removeLast() }
        let isPattern = name.hasPrefix("*.")
        let labels = name.dropFirst(isPattern ? 2 : 0).utf8
            .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isMade = labels.allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy {
                    $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") || isDigit($0)
                        || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
        }
        guard isMade, name.utf8.count <= 253, labels.count >= (isPattern ? 2 : 1),
            let last = labels.last, !last.allSatisfy(isDigit)
        else { return nil }
        return String(name)
    }

    private static func isDigit(_ octet: UInt8) -> Bool {
        octet >= UInt8(ascii: "0") && octet <= UInt8(ascii: "9")
    }
}

extension IPAddress {
    /// An address from 4 or 16 octets in network order; nil for any other number.
    fileprivate init?(networkOctets octets: [UInt8]) {
        func join(_ octets: some Sequence<UInt8>) -> UInt64 {
            octets.reduce(0) { $0 << 8 | UInt64($1) }
        }
        switch octets.count {
        case 4: self = .v4(UInt32(truncatingIfNeeded: join(octets)))
        case 16: self = .v6(high: join(octets.prefix(8)), low: join(octets.suffix(8)))
        default: return nil
        }
    }
}
