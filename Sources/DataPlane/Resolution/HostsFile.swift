package import FleetModel

/// What a hosts file says (hosts(5)): an address, and the names that lead to it, on each line.
package struct HostsFile: Sendable {
    private var addresses: [String: [IPAddress]] = [:]

    /// A file that says nothing.
    package init() {}

    /// Reads a file; lines that are none are passed over, as the system's resolver does.
    ///
    /// - Complexity: O(`octets.count`).
    package init(_ octets: [UInt8]) {
        for line in octets.split(separator: UInt8(ascii: "\n")) {
            let content = line.prefix { $0 != UInt8(ascii: "#") }
            let words = content.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
            guard let first = words.first,
                let address = IPAddress(String(decoding: first, as: UTF8.self))
            else { continue }
            for word in words.dropFirst() {
                let name = String(decoding: word, as: UTF8.self).lowercased()
                if addresses[name]?.contains(address) != true {
                    addresses[name, default: []].append(address)
                }
            }
        }
    }

    /// Where a name leads.
    ///
    /// - Parameter name: In lower case, without a final dot.
    /// - Returns: At least one address, or `nil` for a name that the file does not have. `localhost` and the names
    ///   below it lead here whatever the file says of them (RFC 6761 §6.3).
    package func addresses(of name: String) -> [IPAddress]? {
        if let found = addresses[name] { return found }
        guard name == "localhost" || name.hasSuffix(".localhost") else { return nil }
        return [.v4(0x7F00_0001), .v6(high: 0, low: 1)]
    }
}
