/// What a client may know of where its request went: what it asked for itself.
package struct PublicView: Sendable {
    /// The authority that the client asked for; empty when it did not say.
    package let authority: [UInt8]
    /// Whether it asked over TLS.
    package let isSecure: Bool
    /// The host that it asked for.
    package let host: HostIdentity?
    /// The port that it asked for.
    package let port: Int
    /// Whether the authority has a port.
    package let hasPort: Bool
    /// Addresses of the endpoint that has answered, where its name has led to them.
    package let endpointHosts: [HostIdentity]

    /// The first octet of the host's name, in lower case; 0 where it has none.
    let firstOctet: UInt8

    /// Takes what a client asked for.
    package init(
        authority: [UInt8],
        isSecure: Bool,
        endpointHosts: [HostIdentity] = []
    ) {
        (self.authority, self.isSecure) = (authority, isSecure)
        self.endpointHosts = endpointHosts
        let place = URLAuthority(authority[...])
        host = place.host
        port = place.port ?? (isSecure ? 443 : 80)
        hasPort = place.port != nil
        if case .name(let name)? = place.host {
            firstOctet = name.first ?? 0
        } else {
            firstOctet = 0
        }
    }
}

/// The host and the port of an authority, as browsers read it (WHATWG URL §4.4).
package struct URLAuthority: Sendable {
    /// The host; `nil` where there is none.
    package let host: HostIdentity?
    /// The port; `nil` where there is none.
    package let port: Int?

    /// Reads an authority; userinfo is no part of either.
    package init(_ octets: ArraySlice<UInt8>) {
        let start = octets.lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 } ?? octets.startIndex
        let place = octets[start...]
        let bracket = place.lastIndex(of: UInt8(ascii: "]")) ?? place.startIndex
        guard let colon = place[bracket...].firstIndex(of: UInt8(ascii: ":")) else {
            (host, port) = (HostIdentity(place), nil)
            return
        }
        host = HostIdentity(place[..<colon])
        port = Self.port(place[(colon + 1)...])
    }

    /// Reads a port; zeros in front, and white space, make no difference.
    static func port(_ octets: ArraySlice<UInt8>) -> Int? {
        var value = 0
        var hasDigit = false
        for octet in octets where octet != 0x09 && octet != 0x20 {
            guard (0x30...0x39).contains(octet) else { return hasDigit ? value : nil }
            hasDigit = true
            value = min(value * 10 + Int(octet - 0x30), 65536)
        }
        return hasDigit ? value : nil
    }
}
