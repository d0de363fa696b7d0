internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address with a port.
package struct SocketAddress: Hashable, Sendable {
    let high: UInt64
    let low: UInt64
    let scope: UInt32
    package let port: UInt16
    package let isIPv6: Bool

    init(_ address: weir_address) {
        (high, low, scope, port) = (address.high, address.low, address.scope, address.port)
        isIPv6 = address.family == 6
    }

    /// Makes an address of its numbers.
    ///
    /// - Parameters:
    ///   - high: The upper 64 bits of an IPv6 address; 0 for IPv4.
    ///   - low: The lower 64 bits; an IPv4 address is the low 32.
    ///   - isIPv6: Its family.
    ///   - port: The port.
    package init(high: UInt64, low: UInt64, isIPv6: Bool, port: UInt16) {
        (self.high, self.low) = isIPv6 ? (high, low) : (0, low & 0xFFFF_FFFF)
        (scope, self.port, self.isIPv6) = (0, port, isIPv6)
    }

    var system: weir_address {
        weir_address(high: high, low: low, scope: scope, port: port, family: isIPv6 ? 6 : 4)
    }

    /// Reads an IPv4 address or an IPv6 address without brackets, or returns `nil`.
    package init?(address: String, port: UInt16) {
        guard !address.utf8.contains(0) else { return nil }
        var parsed = weir_address()
        // SAFETY: the string and the structure live for the call.
        let isAddress = unsafe address.withCString { text in
            unsafe weir_parse_address(text, &parsed) == 1
        }
        guard isAddress else { return nil }
        parsed.port = port
        self.init(parsed)
    }

    /// Reads `host:port` or `[v6]:port` where the host is an address, or returns `nil`.
    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        self.init(address: String(host), port: port)
    }

    /// This address with another port.
    package func with(port: UInt16) -> SocketAddress {
        var system = self.system
        system.port = port
        return SocketAddress(system)
    }

    /// 127.0.0.0/8, ::1 and the IPv4-mapped form of the former.
    package var isLoopback: Bool {
        if isIPv6 {
            return high == 0 && (low == 1 || (low >> 32 == 0xFFFF && (low >> 24) & 0xFF == 127))
        }
        return low >> 24 == 127
    }

    /// The address as sixteen octets in two numbers; IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2).
    package var mapped: (high: UInt64, low: UInt64) {
        isIPv6 ? (high, low) : (0, 0xFFFF_0000_0000 | low)
    }

    /// The address without the port and without brackets.
    package var addressText: String {
        var address = system
        // SAFETY: weir_format_address writes at most 46 octets, the last of them NUL.
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { text in
            guard let base = text.baseAddress else { return "" }
            let length = unsafe weir_format_address(&address, base)
            guard length > 0 else { return "" }
            return unsafe String(cString: base)
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    package var description: String {
        isIPv6 ? "[\(addressText)]:\(port)" : "\(addressText):\(port)"
    }
}

/// A name that could not be resolved.
package struct ResolutionError: Error, Sendable, CustomStringConvertible {
    package let host: String
    package let description: String
}

/// getaddrinfo(3): the addresses of `host` with `port`, in the resolver's order.
///
/// Blocks: never call it on a loop.
///
/// - Returns: At least one address and at most 64.
package func resolve(host: String, port: UInt16) throws(ResolutionError) -> [SocketAddress] {
    let capacity = 64
    guard !host.utf8.contains(0) else {
        throw ResolutionError(host: host, description: "\(host): not a host name")
    }
    var found: [SocketAddress] = []
    var code: Int32 = 0
    // SAFETY: at most `capacity` addresses are written, and `code` says how many.
    unsafe withUnsafeTemporaryAllocation(of: weir_address.self, capacity: capacity) { list in
        guard let base = list.baseAddress else { return }
        code = unsafe host.withCString { unsafe weir_resolve($0, base, Int32(capacity)) }
        guard code > 0 else { return }
        for index in 0..<Int(code) {
            found.append(unsafe SocketAddress(list[index]).with(port: port))
        }
    }
    if code < 0 {
        // SAFETY: the message is a static string.
        let message = unsafe weir_resolve_message(code).map { unsafe String(cString: $0) }
        throw ResolutionError(host: host, description: "\(host): \(message ?? "unknown error")")
    }
    guard !found.isEmpty else {
        throw ResolutionError(host: host, description: "\(host): no address")
    }
    return found
}
