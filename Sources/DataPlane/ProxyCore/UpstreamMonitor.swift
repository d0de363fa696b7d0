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
    var endpoints: [WatchedEndpoint]
    /// Addresses that the version names; other endpoints have been found.
    private let configured: Set<NetworkAddress>
    /// Which of the endpoints are new.
    private var slowStarts: SlowStarts
    /// What the workers have, or are to have.
    private(set) var roster: Roster?

    /// An endpoint and what is known of it.
    struct WatchedEndpoint {
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
        configured = Set(upstream.endpoints.map(\.address))
        state = previous?.state ?? UpstreamState(connectionsMax: upstream.connections.maximum)
        var known: [NetworkAddress: WatchedEndpoint] = [:]
        for watched in previous?.endpoints ?? [] { known[watched.endpoint.address] = watched }
        endpoints = []
        endpoints = upstream.endpoints.map { watch($0, known[$0.address]) }
        // What was found stays until `take` says what is to be found now.
        guard upstream.discovery != nil, let previous else { return }
        endpoints += previous.endpoints.filter { !configured.contains($0.endpoint.address) }
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
                availability: watched.addresses.isEmpty ? .unresolved : .available,
                weight: watched.endpoint.weight
            )
        }
    }

    /// Begins to watch an endpoint, with what is known of it.
    func watch(_ endpoint: Endpoint, _ before: WatchedEndpoint?) -> WatchedEndpoint {
        WatchedEndpoint(
            endpoint: endpoint,
            state: before?.state
                ?? EndpointState(connectionsMax: upstream.connections.perEndpoint ?? .max),
            addresses: before?.addresses ?? []
        )
    }

    /// Whether an endpoint is one of those that the version names.
    func isConfigured(_ endpoint: Endpoint) -> Bool { configured.contains(endpoint.address) }
}
