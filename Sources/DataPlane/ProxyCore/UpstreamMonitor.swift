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
    /// Whether so few endpoints are available that all are used, as workers were told last.
    var isPanicking = false
    /// Addresses that the version names; other endpoints have been found.
    private let configured: Set<NetworkAddress>
    private let workerCount: Int
    /// What operators want, by the endpoint's address.
    var wishes: [String: OperatorWish] = [:]
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
        var health: EndpointHealth
        /// What has come of requests in the last seconds, where that matters.
        var window = SuccessRateWindow()
        /// What it was seen as, and since when in nanoseconds since 1970-01-01 UTC.
        var seen: (availability: Availability, since: UInt64)?
    }

    /// Begins with a version's settings.
    ///
    /// - Parameters:
    ///   - upstream: The settings.
    ///   - previous: The same upstream in the version before, whose endpoints are known.
    ///   - workerCount: Workers of the node.
    ///   - now: The moment.
    init(
        _ upstream: Upstream,
        following previous: UpstreamMonitor?,
        workerCount: Int,
        now: LoopInstant
    ) {
        (self.upstream, self.workerCount) = (upstream, workerCount)
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
        isPanicking = previous?.isPanicking ?? false
        var known: [NetworkAddress: WatchedEndpoint] = [:]
        for watched in previous?.endpoints ?? [] { known[watched.endpoint.address] = watched }
        endpoints = []
        endpoints = upstream.endpoints.map { watch($0, known[$0.address], now: now) }
        // What was found stays until `take` says what is to be found now.
        if upstream.discovery != nil, let previous {
            endpoints += previous.endpoints.filter { !configured.contains($0.endpoint.address) }
        }
        for index in endpoints.indices {
            endpoints[index].health = Self.health(endpoints[index].health, upstream, now)
        }
    }

    /// Goes over to what was prepared for a version.
    ///
    /// - Parameters:
    ///   - prepared: What the workers have of it.
    ///   - previous: The same upstream in the version before.
    ///   - workerCount: Workers of the node.
    ///   - now: The moment.
    init(
        _ prepared: SharedUpstream,
        following previous: UpstreamMonitor?,
        workerCount: Int,
        now: LoopInstant
    ) {
        let upstream = prepared.upstream
        (self.upstream, self.workerCount) = (upstream, workerCount)
        configured = Set(upstream.endpoints.map(\.address))
        slowStarts = previous?.slowStarts ?? SlowStarts()
        (state, tries) = (prepared.state, prepared.tries)
        isPanicking = previous?.isPanicking ?? false
        let perEndpoint = upstream.connections.perEndpoint ?? .max
        state.count.setLimit(upstream.connections.maximum)
        state.waiting.setLimit(upstream.queue.requests ?? 0)
        var known: [ObjectIdentifier: WatchedEndpoint] = [:]
        for watched in previous?.endpoints ?? [] {
            known[ObjectIdentifier(watched.state)] = watched
        }
        endpoints = prepared.roster.members.map { member in
            member.state.count.setLimit(perEndpoint)
            let before = known[ObjectIdentifier(member.state)]
            return WatchedEndpoint(
                endpoint: member.endpoint,
                state: member.state,
                addresses: member.addresses,
                health: Self.health(before?.health, upstream, now),
                window: before?.window ?? SuccessRateWindow(),
                seen: before?.seen
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
            panicShare: upstream.outliers?.panicShare,
            balance: upstream.balance,
            following: roster
        )
        roster = made
        return made
    }

    /// How many endpoints are ejected.
    var ejectedCount: Int { endpoints.count { $0.health.isEjected } }

    /// Whether another one may be.
    var mayEject: Bool {
        guard let outliers = upstream.outliers else { return false }
        return ejectedCount < outliers.ejectable(of: endpoints.count)
    }

    /// Nanoseconds until the share of an endpoint that is new grows again; `nil` where none does.
    var growthNanoseconds: UInt64? {
        guard let whole = upstream.slowStart?.nanoseconds, slowStarts.isGrowing else { return nil }
        return SlowStarts.step(of: whole)
    }

    /// What is known of an endpoint, under an upstream's settings.
    private static func health(
        _ known: EndpointHealth?,
        _ upstream: Upstream,
        _ now: LoopInstant
    ) -> EndpointHealth {
        let (check, outliers) = (upstream.health, upstream.outliers)
        guard var known else { return EndpointHealth(check: check, outliers: outliers, now: now) }
        _ = known.adapt(check: check, outliers: outliers, now: now)
        return known
    }

    // MARK: What operators want

    private func wish(for watched: WatchedEndpoint) -> OperatorWish {
        // On plain upstreams nothing is wanted, and no text is made.
        wishes.isEmpty ? .none : wishes[watched.endpoint.address.description] ?? .none
    }

    /// Keeps to what operators want of all endpoints.
    func apply(_ wishes: [String: OperatorWish], now: LoopInstant) {
        self.wishes = wishes
        for index in endpoints.indices { _ = takeWish(at: index, forgetting: false, now: now) }
    }

    /// Keeps to what operators want of one endpoint.
    ///
    /// - Parameters:
    ///   - index: Its index.
    ///   - mayForget: Whether what was seen of it is forgotten.
    ///   - now: The moment.
    /// - Returns: Whether its availability has changed.
    func takeWish(at index: Int, forgetting mayForget: Bool, now: LoopInstant) -> Bool {
        var hasChanged = endpoints[index].health.take(wish(for: endpoints[index]).word, now: now)
        if mayForget {
            if endpoints[index].health.forget(now: now) { hasChanged = true }
            endpoints[index].state.outcomes.forgetFailures()
            endpoints[index].state.load.forgetTimes()
            endpoints[index].window.clear()
        }
        noteChange(at: index)
        return hasChanged
    }

    // MARK: What is told

    /// Notes where names lead now, and since when endpoints are what they are.
    func noteChanges() {
        for index in endpoints.indices {
            let isResolved = !endpoints[index].addresses.isEmpty
            _ = endpoints[index].health.resolved(isResolved, now: .now)
            noteChange(at: index)
        }
    }

    /// Notes since when an endpoint is what it is.
    func noteChange(at index: Int) {
        let availability = endpoints[index].health.availability
        guard endpoints[index].seen?.availability != availability else { return }
        endpoints[index].seen = (availability, realtimeNanoseconds())
    }

    /// How it is seen now.
    ///
    /// - Parameter surpluses: Of endpoints, over all workers, by what is shared of each.
    /// - Returns: What is told of it.
    func status(_ surpluses: [ObjectIdentifier: Int]) -> UpstreamStatus {
        let taking = Set(roster?.takingStates ?? [])
        return UpstreamStatus(
            name: upstream.name,
            isPanicking: roster?.isPanicking ?? false,
            endpoints: endpoints.map { watched in
                let state = ObjectIdentifier(watched.state)
                let connections = watched.state.count.current
                return EndpointStatus(
                    address: watched.endpoint.address,
                    availability: watched.health.availability,
                    reason: reason(watched, isTaking: taking.contains(state)),
                    sinceUnixNanoseconds: watched.seen?.since ?? 0,
                    lastCheck: watched.health.lastCheck.map { check in
                        EndpointStatus.LastCheck(
                            unixNanoseconds: check.unixNanoseconds,
                            nanoseconds: check.nanoseconds,
                            failure: check.failure
                        )
                    },
                    weight: weight(of: watched),
                    connections: connections,
                    requests: max(connections - (surpluses[state] ?? 0), 0),
                    isDiscovered: !isConfigured(watched.endpoint)
                )
            },
            note: note,
            tallies: endpoints.map(\.state.outcomes.tally)
        )
    }

    private func weight(of watched: WatchedEndpoint) -> Int {
        wish(for: watched).weight ?? watched.endpoint.weight
    }

    /// Why an endpoint takes no requests, or none as long as there are others, or fewer than its weight says.
    private func reason(_ watched: WatchedEndpoint, isTaking: Bool) -> String {
        if watched.health.availability == .available, let why = watched.health.lostFor {
            return "no connection: \(why)"
        }
        let reason = watched.health.reason
        switch watched.health.availability {
        case .unresolved: return watched.nameFailure.map { "\(reason): \($0)" } ?? reason
        case .available:
            if let tier = roster?.tier, watched.endpoint.tier > tier {
                return "a backup: tier \(tier) takes the requests"
            }
            if weight(of: watched) == 0 { return "its weight is 0" }
            if !isTaking, roster?.prefersZone == true {
                return "the node's zone takes the requests"
            }
            guard let whole = upstream.slowStart?.nanoseconds,
                let share = slowStarts.share(of: watched.state, over: whole, now: .now)
            else { return reason }
            return "slow start: takes \(share) % of its weight"
        default: return reason
        }
    }

    /// The endpoints as they are now.
    var members: [Member] {
        endpoints.map { watched in
            Member(
                endpoint: watched.endpoint,
                addresses: watched.addresses,
                state: watched.state,
                availability: watched.health.availability,
                weight: weight(of: watched),
                isReachable: watched.health.isReachable,
                isSilent: watched.health.isSilent
            )
        }
    }

    /// Begins to watch an endpoint, with what is known of it.
    func watch(
        _ endpoint: Endpoint,
        _ before: WatchedEndpoint?,
        now: LoopInstant
    ) -> WatchedEndpoint {
        WatchedEndpoint(
            endpoint: endpoint,
            state: before?.state
                ?? EndpointState(
                    connectionsMax: upstream.connections.perEndpoint ?? .max,
                    workerCount: workerCount
                ),
            addresses: before?.addresses ?? [],
            nameFailure: before?.nameFailure,
            health: before?.health
                ?? EndpointHealth(check: upstream.health, outliers: upstream.outliers, now: now),
            window: before?.window ?? SuccessRateWindow(),
            seen: before?.seen
        )
    }

    /// Whether an endpoint is one of those that the version names.
    func isConfigured(_ endpoint: Endpoint) -> Bool { configured.contains(endpoint.address) }
}
