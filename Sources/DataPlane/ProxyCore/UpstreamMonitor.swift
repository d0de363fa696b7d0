internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Upstreams

/// One upstream as the node's monitor sees it: its endpoints, where they are, and what is known of them.
///
/// Confined to the monitor's loop.
final class UpstreamMonitor {
    let upstream: Upstream
    let state: UpstreamState
    private var endpoints: [WatchedEndpoint]
    /// Which of the endpoints are new.
    private var slowStarts: SlowStarts
    /// What the workers have, or are to have.
    private(set) var roster: Roster?

    /// An endpoint and what is known of it.
    private struct WatchedEndpoint {
        let endpoint: Endpoint
        let state: EndpointState
        var addresses: [StreamAddress]
    }

    /// Begins with a version's settings.
    ///
    /// - Parameters:
    ///   - upstream: The settings.
    ///   - previous: The same upstream in the version before, whose endpoints are known.
    init(_ upstream: Upstream, following previous: UpstreamMonitor?) {
        self.upstream = upstream
        (slowStarts, roster) = (previous?.slowStarts ?? SlowStarts(), previous?.roster)
        state = previous?.state ?? UpstreamState(connectionsMax: upstream.connections.maximum)
        var known: [NetworkAddress: WatchedEndpoint] = [:]
        for watched in previous?.endpoints ?? [] { known[watched.endpoint.address] = watched }
        endpoints = upstream.endpoints.map { endpoint in
            let before = known[endpoint.address]
            return WatchedEndpoint(
                endpoint: endpoint,
                state: before?.state
                    ?? EndpointState(connectionsMax: upstream.connections.perEndpoint ?? .max),
                addresses: before?.addresses ?? []
            )
        }
    }

    /// Goes over to what was prepared for a version.
    convenience init(_ prepared: SharedUpstream, following previous: UpstreamMonitor?) {
        self.init(prepared.upstream, following: previous)
        prepared.state.count.setLimit(upstream.connections.maximum)
        endpoints = prepared.roster.members.map { member in
            member.state.count.setLimit(upstream.connections.perEndpoint ?? .max)
            return WatchedEndpoint(
                endpoint: member.endpoint,
                state: member.state,
                addresses: member.addresses
            )
        }
        roster = prepared.roster
    }

    /// Settles which endpoints take requests now.
    ///
    /// - Parameters:
    ///   - zone: The node's; `nil` for none.
    ///   - now: The moment.
    /// - Returns: What workers are to have.
    func makeRoster(zone: String?, now: LoopInstant) -> Roster {
        let made = Roster(
            members: slowStarts.apply(
                to: members,
                over: upstream.slowStart?.nanoseconds,
                now: now
            ),
            zone: zone,
            panicShare: upstream.outliers?.maximumEjected,
            balance: upstream.balance,
            following: roster
        )
        roster = made
        return made
    }

    /// Nanoseconds until the share of an endpoint that is new grows again; `nil` where none does.
    var growthNanoseconds: UInt64? {
        guard let whole = upstream.slowStart?.nanoseconds, slowStarts.isGrowing else { return nil }
        return SlowStarts.step(of: whole)
    }

    /// The endpoints as they are now.
    var members: [Member] {
        endpoints.map { watched in
            Member(
                endpoint: watched.endpoint,
                addresses: watched.addresses,
                state: watched.state,
                availability: .available,
                weight: watched.endpoint.weight
            )
        }
    }

    /// Whether any endpoint has a name that has to be looked up.
    var hasNames: Bool {
        endpoints.contains { watched in
            if case .name = watched.endpoint.address.host { true } else { false }
        }
    }

    /// Looks up what endpoints are called; a name that does not resolve keeps the addresses that it had.
    ///
    /// - Returns: Whether any address has changed.
    @discardableResult
    func resolveNames() -> Bool {
        var hasChanged = false
        for index in endpoints.indices {
            let found = Self.addresses(of: endpoints[index].endpoint.address)
            guard !found.isEmpty, found != endpoints[index].addresses else { continue }
            endpoints[index].addresses = found
            hasChanged = true
        }
        return hasChanged
    }

    private static func addresses(of address: NetworkAddress) -> [StreamAddress] {
        if let path = address.path { return [.local(path: path)] }
        let host = address.hostText
        if let literal = SocketAddress(address: host, port: address.port) {
            return [.internet(literal)]
        }
        let found = try? resolve(host: host, port: address.port)
        return (found ?? []).map { .internet($0) }
    }
}
