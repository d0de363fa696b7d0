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
    /// What the workers count of tries; `nil` where no setting asks for that.
    let tries: UpstreamTries?
    var endpoints: [WatchedEndpoint]
    /// Addresses that the version names; other endpoints have been found.
    private let configured: Set<NetworkAddress>
    /// What operators want, by the endpoint's address.
    var wishes: [String: OperatorWish] = [:] {
        didSet { noteChanges() }
    }
    /// Why the name that leads to further endpoints could not be looked up the last time; `nil` where it could.
    var discoveryFailure: String?
    /// Which of the endpoints are new.
    private var slowStarts: SlowStarts
    /// What the workers have, or are to have.
    private(set) var roster: Roster?

    /// An endpoint and what is known of it.
    struct WatchedEndpoint {
        let endpoint: Endpoint
        let state: EndpointState
        var addresses: [StreamAddress]
        /// Why its name could not be looked up the last time; `nil` where it could, or it has none.
        var nameFailure: String?
        /// What it was seen as, and since when in nanoseconds since 1970-01-01 UTC.
        var seen: (availability: Availability, since: UInt64)?
    }

    /// Begins with a version's settings.
    ///
    /// - Parameters:
    ///   - upstream: The settings.
    ///   - previous: The same upstream in the version before, whose endpoints are known.
    ///   - workerCount: Workers of the node.
    init(_ upstream: Upstream, following previous: UpstreamMonitor?, workerCount: Int) {
        self.upstream = upstream
        (slowStarts, roster) = (previous?.slowStarts ?? SlowStarts(), previous?.roster)
        configured = Set(upstream.endpoints.map(\.address))
        state =
            previous?.state
            ?? UpstreamState(
                connectionsMax: upstream.connections.maximum,
                waitingMax: upstream.queue.requests ?? 0
            )
        let countsTries = upstream.retry != nil || upstream.circuit != nil
        tries = countsTries ? previous?.tries ?? UpstreamTries(workerCount: workerCount) : nil
        var known: [NetworkAddress: WatchedEndpoint] = [:]
        for watched in previous?.endpoints ?? [] { known[watched.endpoint.address] = watched }
        endpoints = []
        endpoints = upstream.endpoints.map { watch($0, known[$0.address]) }
        // What was found stays until `take` says what is to be found now.
        guard upstream.discovery != nil, let previous else { return }
        endpoints += previous.endpoints.filter { !configured.contains($0.endpoint.address) }
    }

    /// Goes over to what was prepared for a version.
    ///
    /// - Parameters:
    ///   - prepared: What the workers have of it.
    ///   - previous: The same upstream in the version before.
    init(_ prepared: SharedUpstream, following previous: UpstreamMonitor?) {
        upstream = prepared.upstream
        configured = Set(upstream.endpoints.map(\.address))
        slowStarts = previous?.slowStarts ?? SlowStarts()
        (state, tries) = (prepared.state, prepared.tries)
        let perEndpoint = upstream.connections.perEndpoint ?? .max
        state.count.setLimit(upstream.connections.maximum)
        state.waiting.setLimit(upstream.queue.requests ?? 0)
        var seen: [NetworkAddress: (Availability, UInt64)] = [:]
        for watched in previous?.endpoints ?? [] {
            seen[watched.endpoint.address] = watched.seen
        }
        endpoints = prepared.roster.members.map { member in
            member.state.count.setLimit(perEndpoint)
            return WatchedEndpoint(
                endpoint: member.endpoint,
                state: member.state,
                addresses: member.addresses,
                seen: seen[member.endpoint.address]
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

    // MARK: What it is like

    /// What an endpoint is for requests.
    private func availability(of watched: WatchedEndpoint) -> Availability {
        wish(for: watched).word.availability
            ?? (watched.addresses.isEmpty ? .unresolved : .available)
    }

    private func wish(for watched: WatchedEndpoint) -> OperatorWish {
        // On plain upstreams nothing is wanted, and no text is made.
        wishes.isEmpty ? .none : wishes[watched.endpoint.address.description] ?? .none
    }

    /// Notes since when endpoints are what they are.
    func noteChanges() {
        for index in endpoints.indices {
            let availability = availability(of: endpoints[index])
            guard endpoints[index].seen?.availability != availability else { continue }
            endpoints[index].seen = (availability, realtimeNanoseconds())
        }
    }

    /// Forgets what was seen of endpoints.
    func reset(_ addresses: [String]) {
    }

    /// How it is seen now.
    ///
    /// - Parameter surpluses: Of endpoints, over all workers, by what is shared of each.
    /// - Returns: What is told of it.
    func status(_ surpluses: [ObjectIdentifier: Int]) -> UpstreamStatus {
        var weights: [ObjectIdentifier: Int] = [:]
        for member in roster?.members ?? [] {
            weights[ObjectIdentifier(member.state)] = member.weight
        }
        return UpstreamStatus(
            name: upstream.name,
            isPanicking: roster?.isPanicking ?? false,
            endpoints: endpoints.map { watched in
                let state = ObjectIdentifier(watched.state)
                let availability = availability(of: watched)
                let connections = watched.state.count.current
                return EndpointStatus(
                    address: watched.endpoint.address,
                    availability: availability,
                    reason: Self.reason(for: availability, watched),
                    sinceUnixNanoseconds: watched.seen?.since ?? 0,
                    lastCheck: nil,
                    weight: weights[state] ?? watched.endpoint.weight,
                    connections: connections,
                    requests: max(connections - (surpluses[state] ?? 0), 0),
                    isDiscovered: !isConfigured(watched.endpoint)
                )
            },
            note: note
        )
    }

    private static func reason(
        for availability: Availability,
        _ watched: WatchedEndpoint
    ) -> String {
        switch availability {
        case .drained: "drained by an operator"
        case .disabled: "disabled by an operator"
        case .unresolved:
            "its name does not resolve" + (watched.nameFailure.map { ": \($0)" } ?? "")
        case .available, .unhealthy, .ejected: ""
        }
    }

    /// The endpoints as they are now.
    var members: [Member] {
        endpoints.map { watched in
            Member(
                endpoint: watched.endpoint,
                addresses: watched.addresses,
                state: watched.state,
                availability: availability(of: watched),
                weight: wish(for: watched).weight ?? watched.endpoint.weight
            )
        }
    }

    /// Begins to watch an endpoint, with what is known of it.
    func watch(_ endpoint: Endpoint, _ before: WatchedEndpoint?) -> WatchedEndpoint {
        WatchedEndpoint(
            endpoint: endpoint,
            state: before?.state
                ?? EndpointState(connectionsMax: upstream.connections.perEndpoint ?? .max),
            addresses: before?.addresses ?? [],
            nameFailure: before?.nameFailure,
            seen: before?.seen
        )
    }

    /// Whether an endpoint is one of those that the version names.
    func isConfigured(_ endpoint: Endpoint) -> Bool { configured.contains(endpoint.address) }
}

extension OperatorWord {
    /// What an endpoint is because of it; `nil` where it is what it would be.
    fileprivate var availability: Availability? {
        switch self {
        case .none: nil
        case .drained: .drained
        case .disabled: .disabled
        }
    }
}
