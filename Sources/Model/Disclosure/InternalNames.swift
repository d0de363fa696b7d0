internal import Bytes
package import FleetModel
internal import HTTPSemantics

/// The names that clients have no business with: what they are is in a configuration, where they stand is found in
/// octets.
///
/// Internal are the hosts and addresses of endpoints, with any port; the names that upstreams are asked for
/// (`rewrite.host`, `tls.serverName`, `discovery.dns`), and as the host of a URL the upstreams' own names. Where an endpoint is this
/// machine, so is `localhost`. Names below such a one are internal where the Internet has none there
/// (`PrivateDomains`), unless clients ask for hosts below it. What routes serve by name, and what the client asked for, is public; of such a host
/// the endpoints' ports alone are internal, unless a listener has them too.
///
/// The node takes these names out of responses, and `proxyctl leaks` looks for them: both by this one rule.
package struct InternalNames: Sendable {
    /// A host and a port.
    private struct Place: Hashable, Sendable {
        let host: HostIdentity
        let port: Int
    }

    private var hosts: Set<HostIdentity> = []
    private var publicHosts: Set<HostIdentity> = []
    private var endpoints: Set<Place> = []
    /// Ports of endpoints that no client has business with, at whatever host.
    private var endpointPorts: Set<Int> = []
    /// Names that mean something as the host of a URL alone.
    private var urlHosts: Set<HostIdentity> = []
    /// Domains above the names.
    private var domains: Set<[UInt8]> = []
    /// Names below which all are internal.
    private var parents: Set<ArraySlice<UInt8>> = []
    /// Suffixes of wildcard hosts that routes serve.
    private var publicSuffixes: Set<ArraySlice<UInt8>> = []
    /// The internal hosts, and the endpoints with their ports, in their plain spelling.
    private var plainHosts: Set<[UInt8]> = []
    private var plainEndpoints: Set<[UInt8]> = []
    /// What spelled hosts begin with.
    private(set) var firstOctets = OctetSet("")

    /// Whether there is none.
    package var isEmpty: Bool { hosts.isEmpty && urlHosts.isEmpty }

    /// Gathers the names of a configuration.
    package init(_ configuration: Configuration) {
        for upstream in configuration.upstreams { add(upstream) }
        for route in configuration.routes {
            for pattern in route.hosts ?? [] {
                switch pattern {
                case .exact(let host):
                    if let host = HostIdentity(Array(host.utf8)[...]) { publicHosts.insert(host) }
                case .wildcard(let suffix): publicSuffixes.insert(Array(suffix.utf8)[...])
                }
            }
            if let host = route.rewrite?.host { add(host: host) }
        }
        endpointPorts = Set(endpoints.map(\.port)).subtracting([80, 443])
        for listener in configuration.listeners {
            endpointPorts.remove(Int(listener.address.port))
            if let port = listener.redirectPort { endpointPorts.remove(port) }
        }
        settle()
    }

    private mutating func add(_ upstream: Upstream) {
        if let name = HostIdentity(Array(upstream.name.utf8)[...]) { urlHosts.insert(name) }
        if let name = upstream.tls?.serverName { add(host: name) }
        if let name = upstream.discovery?.name { add(host: name) }
        for endpoint in upstream.endpoints { add(endpoint.address) }
    }

    /// These names, and those of endpoints that have been found.
    ///
    /// - Parameter found: Their addresses, and where their names lead.
    /// - Returns: All of them.
    package func adding(_ found: some Sequence<NetworkAddress>) -> InternalNames {
        var names = self
        for address in found { names.add(address) }
        names.settle()
        return names
    }

    private mutating func add(_ address: NetworkAddress) {
        // Behind a unix socket there is this machine.
        guard let host = HostIdentity(address.host) else { return add(host: "localhost") }
        hosts.insert(host)
        endpoints.insert(Place(host: host, port: Int(address.port)))
        guard Self.isThisMachine(host) else { return }
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            guard let other = HostIdentity(Array(name.utf8)[...]) else { continue }
            hosts.insert(other)
            endpoints.insert(Place(host: other, port: Int(address.port)))
        }
    }

    private mutating func add(host: String) {
        if let host = URLAuthority(Array(host.utf8)[...]).host { hosts.insert(host) }
    }

    private static func isThisMachine(_ host: HostIdentity) -> Bool {
        switch host {
        case .address(.v4(let word)): word >> 24 == 127
        case .address(.v6(let high, let low)): high == 0 && low == 1
        case .name(let name): name == Array("localhost".utf8)
        }
    }

    /// Notes what speeds the search up.
    private mutating func settle() {
        var first: Set<UInt8> = Set(0x30...0x39)
        let portHosts = endpointPorts.isEmpty ? [] : publicHosts
        for case .name(let name) in hosts.union(urlHosts).union(portHosts) {
            guard let octet = name.first else { continue }
            first.insert(octet)
            if (0x61...0x7A).contains(octet) { first.insert(octet & ~0x20) }
        }
        for host in hosts.union(urlHosts) where !publicHosts.contains(host) {
            if let text = host.plainText { plainHosts.insert(text) }
        }
        for place in endpoints {
            guard let text = place.host.plainText else { continue }
            plainEndpoints.insert(text + Array(":\(place.port)".utf8))
        }
        firstOctets = OctetSet(String(decoding: first, as: UTF8.self))
        for case .name(let name) in hosts where !publicHosts.contains(.name(name)) {
            for domain in Self.domains(above: name[...]) { domains.insert(Array(domain)) }
        }
        parents = privateParents
    }

    /// Names of the inside that nobody outside can have a name below: no route serves one there.
    private var privateParents: Set<ArraySlice<UInt8>> {
        var parents: Set<ArraySlice<UInt8>> = []
        for case .name(let name) in hosts where !publicHosts.contains(.name(name)) {
            // The services of a domain (RFC 2782) are at hosts of that domain.
            var domain = name[...]
            while domain.first == UInt8(ascii: "_"), let dot = domain.firstIndex(of: 0x2E) {
                domain = domain[(dot + 1)...]
            }
            let octets = Array(domain)
            guard PrivateDomains.hold(octets.span, octets.indices) else { continue }
            let isOfWildcard = publicSuffixes.contains { suffix in
                suffix == domain || Self.domains(above: domain).contains(suffix)
            }
            if !isOfWildcard { parents.insert(domain) }
        }
        guard !parents.isEmpty else { return [] }
        var served = Array(publicSuffixes)
        for case .name(let name) in publicHosts { served.append(name[...]) }
        for name in served {
            parents.remove(name)
            for domain in Self.domains(above: name) { parents.remove(domain) }
        }
        return parents
    }

    private static func domains(above name: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var domains: [ArraySlice<UInt8>] = []
        var rest = name
        while let dot = rest.firstIndex(of: UInt8(ascii: ".")) {
            rest = rest[(dot + 1)...]
            domains.append(rest)
        }
        return domains
    }

    // MARK: What is internal

    /// Whether a host and a port are not for a client.
    ///
    /// - Parameters:
    ///   - host: The host.
    ///   - port: The port, where one is named or follows from the scheme.
    ///   - isURL: Whether they are those of a URL; elsewhere a word is a word.
    ///   - view: What the client may know.
    /// - Returns: True when the client may not know them.
    package func hides(
        _ host: HostIdentity,
        port: Int?,
        isURL: Bool,
        from view: PublicView
    ) -> Bool {
        let isAsked = host == view.host
        if isAsked, port ?? view.port == view.port { return false }
        if let port, endpoints.contains(Place(host: host, port: port)) { return true }
        // An origin that puts its own port behind the host that it was asked for leads nowhere.
        guard !isAsked, !publicHosts.contains(host) else {
            return port.map(endpointPorts.contains) ?? false
        }
        if isURL, urlHosts.contains(host) { return true }
        return hosts.contains(host) && (isURL || port != nil || !host.isWord)
            || view.endpointHosts.contains(host) || isBelowParent(host, view)
    }

    /// Whether a name is below one of the inside, and not beside what the client asked for.
    private func isBelowParent(_ host: HostIdentity, _ view: PublicView) -> Bool {
        guard hasParents, case .name(let name) = host else { return false }
        var rest = name[...]
        while let dot = rest.firstIndex(of: UInt8(ascii: ".")) {
            rest = rest[(dot + 1)...]
            guard parents.contains(rest) else { continue }
            guard case .name(let asked)? = view.host else { return true }
            return asked[...] != rest && !asked.suffix(rest.count + 1).elementsEqual([0x2E] + rest)
        }
        return false
    }

    /// Whether names below others are internal, so that one may begin with any letter.
    var hasParents: Bool { !parents.isEmpty }

    /// Whether a host in its plain spelling is internal as the host of a URL, unless the client has asked for it.
    ///
    /// - Parameter host: Lower-case letters, digits, dots and hyphens.
    /// - Returns: False also for an address that an endpoint's name has led to.
    package func isPlainHost(_ host: Span<UInt8>) -> Bool {
        plainHosts.contains(Array(copying: host))
    }

    /// Whether a host and a port in their plain spelling are those of an endpoint.
    package func isPlainEndpoint(_ authority: Span<UInt8>) -> Bool {
        plainEndpoints.contains(Array(copying: authority))
    }

    /// Whether a cookie's Domain is an internal host, or a domain of such hosts that the client's is not in.
    package func hides(domain octets: ArraySlice<UInt8>, from view: PublicView) -> Bool {
        let octets = octets.first == UInt8(ascii: ".") ? octets.dropFirst() : octets
        guard let host = URLAuthority(octets).host else { return false }
        if hides(host, port: nil, isURL: true, from: view) { return true }
        guard case .name(let name) = host, domains.contains(name) else { return false }
        guard case .name(let asked)? = view.host else { return true }
        return asked != name && !asked.suffix(name.count + 1).elementsEqual([0x2E] + name)
    }

    // MARK: Where names stand

    /// Whether a text may hold a name that `sightings` finds: all have a dot or a colon, are encoded, or stand behind two
    /// slashes.
    ///
    /// - Complexity: O(length), eight octets at a time; allocates nothing.
    package static func mayStand(in octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        // The mark of a slash that was the last octet so far, where the next one's is.
        var slashBefore: UInt64 = 0
        while index + 8 <= range.upperBound {
            let word = octets.word(at: index)
            let slashes = marks(of: 0x2F, in: word)
            let found =
                marks(of: 0x2E, in: word) | marks(of: 0x3A, in: word) | marks(of: 0x25, in: word)
                | slashes & (slashes << 8 | slashBefore)
            if found != 0 { return true }
            slashBefore = slashes >> 56
            index += 8
        }
        while index < range.upperBound {
            switch octets[index] {
            case 0x2E, 0x3A, 0x25: return true
            case 0x2F where slashBefore != 0: return true
            case let octet: slashBefore = octet == 0x2F ? 1 : 0
            }
            index += 1
        }
        return false
    }

    /// Finds all places where a text names what a client may not know.
    ///
    /// Percent-encoding is seen through.
    ///
    /// - Parameters:
    ///   - octets: The text.
    ///   - view: What the client may know.
    /// - Returns: The places in their order; they do not overlap.
    /// - Complexity: O(length); allocates when something is found, or encoded.
    package func sightings(in octets: Span<UInt8>, from view: PublicView) -> [Sighting] {
        guard octets.firstIndex(of: UInt8(ascii: "%"), from: 0, to: octets.count) < octets.count
        else {
            var search = Search(names: self, view: view, starts: [])
            return search.run(octets)
        }
        var text: [UInt8] = []
        var starts: [Int] = []
        var index = 0
        while index < octets.count {
            starts.append(index)
            if octets[index] == UInt8(ascii: "%"), index + 2 < octets.count,
                let high = hexadecimalDigit(octets[index + 1]),
                let low = hexadecimalDigit(octets[index + 2])
            {
                text.append(high << 4 | low)
                index += 3
            } else {
                text.append(octets[index])
                index += 1
            }
        }
        starts.append(octets.count)
        var search = Search(names: self, view: view, starts: starts)
        return search.run(text.span)
    }
}

/// A place where a text names an internal host.
package struct Sighting: Equatable, Sendable {
    /// The host with its port, and with the userinfo before it.
    package let range: Range<Int>
    /// The scheme of the URL that it stands in, where it has one that is known.
    package let scheme: Range<Int>?
    /// Whether it is the authority of a URL.
    package let isURL: Bool
    /// Whether it is percent-encoded.
    package let isEncoded: Bool
}

extension [UInt8] {
    fileprivate init(copying octets: Span<UInt8>) {
        self.init(capacity: octets.count) { output in
            for index in octets.indices { output.append(octets[index]) }
        }
    }
}
