internal import EventLoop
internal import FleetModel
internal import Resolution
internal import SystemCalls
internal import Upstreams

/// What names lead to, and which endpoints are found.
extension UpstreamMonitor {
    /// How an upstream's endpoints have changed.
    struct EndpointChange {
        /// Addresses of endpoints that have come.
        var added: [String] = []
        /// Addresses of endpoints that have gone.
        var removed: [String] = []
    }

    /// The names that are to be followed for the endpoints that there are now.
    var followedNames: Set<FollowedName> {
        var names: Set<FollowedName> = []
        if let discovered = discoveryName { names.insert(discovered) }
        for watched in endpoints {
            if let name = name(of: watched.endpoint) { names.insert(name) }
        }
        return names
    }

    /// The name that leads to further endpoints.
    var discoveryName: FollowedName? {
        guard let discovery = upstream.discovery else { return nil }
        return FollowedName(
            discovery.name,
            discovery.type == .srv ? .services : .addresses,
            refresh: discovery.refresh.map { .every(nanoseconds: $0.nanoseconds) } ?? .held
        )
    }

    /// The name that leads to an endpoint's addresses; `nil` for one that has none.
    ///
    /// Targets of records are names as they stand (RFC 2782): the search list is for people.
    private func name(of endpoint: Endpoint) -> FollowedName? {
        guard case .name(let name) = endpoint.address.host else { return nil }
        return FollowedName(name, .addresses, isAbsolute: !isConfigured(endpoint))
    }

    /// Goes over to what is known of the names.
    ///
    /// Endpoints that stay keep what is known of them. The name of an endpoint that the version names, or that was
    /// found, keeps the addresses that it last had.
    ///
    /// - Returns: What has changed, or `nil` when nothing has.
    func take(_ names: NameDirectory) -> EndpointChange? {
        let found = discoveryName.map {
            names.state(of: $0).answer?.endpoints(port: upstream.discovery?.port) ?? []
        }
        var known: [NetworkAddress: WatchedEndpoint] = [:]
        for watched in endpoints { known[watched.endpoint.address] = watched }
        let wanted = upstream.endpoints + (found ?? []).filter { !isConfigured($0) }
        let before = endpoints
        var change = EndpointChange()
        endpoints = wanted.map { endpoint in
            let kept = known.removeValue(forKey: endpoint.address)
            if kept == nil { change.added.append(endpoint.address.description) }
            var watched = watch(endpoint, kept, now: .now)
            watched.addresses = addresses(of: endpoint, names) ?? watched.addresses
            watched.nameFailure =
                name(of: endpoint).flatMap { names.state(of: $0).failure }?.description
            return watched
        }
        discoveryFailure = discoveryName.flatMap { names.state(of: $0).failure }?.description
        change.removed = known.keys.map(\.description).sorted()
        noteChanges()
        let isSame = before.elementsEqual(endpoints) {
            $0.endpoint == $1.endpoint && $0.addresses == $1.addresses
        }
        return isSame ? nil : change
    }

    /// Where an endpoint is; `nil` when its name does not say.
    private func addresses(of endpoint: Endpoint, _ names: NameDirectory) -> [StreamAddress]? {
        let address = endpoint.address
        switch address.host {
        case .path(let path): return [.local(path: path)]
        case .ip(let ip): return [.internet(SocketAddress(ip, port: address.port))]
        case .name:
            return name(of: endpoint).flatMap { names.state(of: $0).answer }?.addresses.map {
                .internet(SocketAddress($0, port: address.port))
            }
        }
    }
}

extension SocketAddress {
    /// An address of the configuration, or of a name's answer.
    init(_ address: IPAddress, port: UInt16) {
        switch address {
        case .v4(let word): self.init(high: 0, low: UInt64(word), isIPv6: false, port: port)
        case .v6(let high, let low): self.init(high: high, low: low, isIPv6: true, port: port)
        }
    }
}

extension Roster {
    /// Where the endpoints are: what they are called, and where that leads.
    var places: [NetworkAddress] {
        members.flatMap { member in
            [member.endpoint.address]
                + member.addresses.compactMap { address in
                    guard case .internet(let place) = address,
                        let ip = IPAddress(place.addressText)
                    else { return nil }
                    return NetworkAddress(host: .ip(ip), port: place.port)
                }
        }
    }
}
