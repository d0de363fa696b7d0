internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Upstreams

/// One endpoint as one worker sees it: where it is, and the connections to it that rest.
final class EndpointPool {
    /// What the configuration calls it.
    private(set) var endpoint: Endpoint
    /// As `Proxy-Status`, logs and metrics name it.
    let label: [UInt8]
    /// Where its name leads; empty when it could not be resolved.
    private(set) var addresses: [StreamAddress]
    /// What all workers share of it.
    let state: EndpointState
    private var idle: [OriginConnection] = []
    /// Connections that speak HTTP/2 and take exchanges.
    private var sessions: [OriginSession] = []
    private var nextAddress = 0
    /// Until when addresses are passed over to which no connection could be had; nearly always empty.
    private var avoided: [StreamAddress: LoopInstant] = [:]
    /// The last session with it, and with what it was made.
    private var lastSession: (connector: TLSConnector, resumption: TLSResumption)?
    /// Whether the configuration no longer names it; connections that come back are closed.
    private(set) var isRetired = false
    /// Whether an operator has taken it out of use; connections that come back are closed, too.
    private var isOut = false
    /// Whether connections that carry nothing are closed.
    var isLeft: Bool { isRetired || isOut }
    /// Its place among those that requests go to; `nil` while none do.
    var position: Int?
    /// Whether it takes requests, whoever's turn it is.
    private(set) var isOpen: Bool
    /// Whether connections to it can be made, as far as is known.
    private var isReachable: Bool
    /// Whether it is left alone as long as there are others: it is out of reach, or about to be ejected.
    private(set) var isAvoided: Bool
    /// Whether nothing came of its checks.
    private var isSilent: Bool
    /// Connections in a row that could not be made.
    private var failedConnects = 0
    /// What stands for it in cookies; `nil` where there are none.
    var mark: EndpointMark?

    init(_ member: Member) {
        (endpoint, addresses, state) = (member.endpoint, member.addresses, member.state)
        label = Array(member.endpoint.address.description.utf8)
        (isOpen, isReachable) = (member.takesRequests, member.isReachable)
        (isAvoided, isSilent) = (!member.isReachable, member.isSilent)
        isOut = Self.isOut(member)
    }

    private static func isOut(_ member: Member) -> Bool {
        member.availability == .drained || member.availability == .disabled
    }

    /// Open connections to it over all workers.
    var count: ConnectionCount { state.count }

    /// Takes over what has changed of it.
    ///
    /// - Returns: Whether it has fallen silent.
    func update(to member: Member) -> Bool {
        let wasSilent = isSilent
        isSilent = member.isSilent
        if !avoided.isEmpty, addresses != member.addresses {
            avoided = avoided.filter { member.addresses.contains($0.key) }
        }
        (endpoint, addresses) = (member.endpoint, member.addresses)
        (isOpen, isReachable) = (member.takesRequests, member.isReachable)
        (isAvoided, failedConnects) = (!member.isReachable, 0)
        isOut = Self.isOut(member)
        if isOut { closeResting() }
        return isSilent && !wasSilent
    }

    /// What a TLS session with it goes on from: nothing that was verified otherwise.
    func resumption(with connector: TLSConnector) -> TLSResumption {
        if let lastSession, lastSession.connector === connector { return lastSession.resumption }
        let resumption = TLSResumption()
        lastSession = (connector, resumption)
        return resumption
    }

    /// Takes the connection that has rested for the shortest time.
    ///
    /// - Returns: The connection, or `nil` when none rests.
    func takeIdle() -> OriginConnection? {
        idle.isEmpty ? nil : idle.removeLast()
    }

    /// Keeps a connection that carries nothing any more, or closes it when the endpoint has gone.
    ///
    /// - Parameter connection: One to this endpoint.
    func giveBack(_ connection: OriginConnection) {
        if isLeft {
            connection.close()
        } else {
            idle.append(connection)
        }
    }

    /// Connections of this worker that carry nothing, less the exchanges beyond the first that others carry: taken off
    /// the open ones it leaves the exchanges that are under way.
    var surplus: Int {
        sessions.reduce(idle.count) { $0 + 1 - $1.exchangeCount }
    }

    /// Forgets a resting connection that has closed.
    ///
    /// - Parameter connection: One to this endpoint.
    func forget(_ connection: OriginConnection) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// A connection that speaks HTTP/2 and takes another exchange.
    ///
    /// - Returns: The connection, perhaps one that is being made, or `nil` when there is none.
    func sessionWithRoom() -> OriginSession? {
        sessions.first { $0.hasRoom }
    }

    /// Whether an exchange would find a connection, or could make one.
    var hasRoom: Bool { !idle.isEmpty || !count.isFull || sessionWithRoom() != nil }

    /// Keeps a connection that speaks HTTP/2.
    func add(_ session: OriginSession) {
        sessions.append(session)
    }

    /// Forgets a connection that takes no more exchanges.
    func forget(_ session: OriginSession) {
        sessions.removeAll { $0 === session }
    }

    /// Closes a connection that speaks HTTP/2 and carries nothing; `false` when there is none.
    func evictSession() -> Bool {
        guard let resting = sessions.first(where: \.isIdle) else { return false }
        forget(resting)
        resting.retire()
        return true
    }

    /// A connection to it stands.
    func connected() {
        failedConnects = 0
    }

    /// A connection to it could not be made.
    ///
    /// - Returns: Whether that is so at each of its addresses, as far as turns tell, and not known yet: the monitor is to
    ///   be told, and says when it is over.
    func connectFailed() -> Bool {
        guard isReachable else { return false }
        failedConnects += 1  // twice as many as it has addresses, at most
        // Of several connections at a time, those to the same address may fail first.
        let limit = addresses.count > 1 ? addresses.count * 2 : 1
        guard failedConnects >= limit else { return false }
        (isReachable, isAvoided) = (false, true)
        return true
    }

    /// It has failed so often that it is to be ejected: until that is decided it is left alone.
    func isToBeEjected() {
        // Who is out already gets requests because there is nobody else.
        if isOpen { isAvoided = true }
    }

    /// Whether it is one of these.
    func isAmong(_ endpoints: [EndpointPool]) -> Bool {
        endpoints.contains { $0 === self }
    }

    /// The next of the endpoint's addresses, in turn; one that is passed over only where all are.
    ///
    /// - Parameter now: The moment.
    /// - Returns: An address, or `nil` when the name could not be resolved.
    func address(at now: LoopInstant) -> StreamAddress? {
        guard !addresses.isEmpty else { return nil }
        for step in 0...addresses.count {
            nextAddress = nextAddress + 1 < addresses.count ? nextAddress + 1 : 0
            if step == addresses.count || !isAvoided(addresses[nextAddress], now) { break }
        }
        return addresses[nextAddress]
    }

    /// Passes an address over for a while to which no connection could be had.
    func avoid(_ address: StreamAddress, at now: LoopInstant) {
        guard addresses.count > 1 else { return }
        avoided[address] = now.advanced(by: Limits.avoidedAddressNanoseconds)
    }

    /// Whether the name has another address than those that are passed over, where any is.
    func hasOtherAddress(at now: LoopInstant) -> Bool {
        !avoided.isEmpty && addresses.contains { !isAvoided($0, now) }
    }

    private func isAvoided(_ address: StreamAddress, _ now: LoopInstant) -> Bool {
        guard !avoided.isEmpty, let end = avoided[address] else { return false }
        return now < end
    }

    /// Closes what rests, and what comes back later.
    func retire() {
        isRetired = true
        position = nil
        closeResting()
    }

    /// Closes what rests; connections that are shared close when they carry nothing any more.
    private func closeResting() {
        let resting = idle
        idle = []
        for connection in resting { connection.close() }
        let shared = sessions
        sessions = []
        for session in shared { session.retire() }
    }
}

/// An upstream as one worker sees it: its endpoints, whose turn it is, and its settings.
///
/// It lives on across versions: `update` keeps the endpoints that are still named, with their
/// connections.
final class UpstreamPool {
    /// Its settings in the version that is being served.
    private(set) var upstream: Upstream
    /// The octets of its name.
    let label: [UInt8]
    /// What all workers share of it.
    let state: UpstreamState
    /// What becomes of tries that fail; `nil` where no setting says so.
    private(set) var tryPlan: TryPlan? {
        didSet { hasTryPlan = tryPlan != nil }
    }
    /// Whether there is such a plan: what every request asks, without a reference to be counted.
    private(set) var hasTryPlan = false
    /// Exchanges that wait for a connection.
    var line = WaitingLine<Effort>()
    /// How many of them can go on.
    var freed = 0
    /// When other workers were asked for a connection.
    private var askedAt = LoopInstant.never
    /// Where to look first for an endpoint with room.
    private var roomIndex = 0
    /// The worker's numbers of all upstreams, and which of them are this one's.
    var rows: MetricsRows?
    var row = 0
    /// The worker's side of TLS to its endpoints; `nil` is none.
    private(set) var connectors: UpstreamConnectors?
    /// What an endpoint has chosen last, where it has the choice.
    var spoken: ProtocolOffer?
    /// All endpoints, as the roster has them.
    private(set) var endpoints: [EndpointPool] = []
    /// Those that requests go to.
    private(set) var candidates: [EndpointPool] = []
    private var weights: [Int] = []
    private var roster: Roster?
    private let worker: Worker
    private var sequence = EndpointSequence(weights: [])
    /// The same for other tries of a request.
    private var furtherSequence = EndpointSequence(weights: [])
    /// What chooses where that takes more than turns.
    private(set) var balancer: Balancer?
    /// What requests are looked at for before an endpoint is chosen; `nil` where it is its turn alone that counts.
    private(set) var affinity: Affinity?
    /// Limits of time, in nanoseconds.
    private(set) var limits: UpstreamLimits
    /// What is of interest in what tries come to; `nil` is nothing.
    private(set) var outcomes: OutcomeInterest?
    /// Whether anything is: looked at for every response.
    private(set) var watchesOutcomes = false

    /// Makes the pool of one worker.
    ///
    /// - Parameters:
    ///   - shared: What the workers share of the upstream.
    ///   - connectors: The worker's side of TLS.
    ///   - countsTries: As for `update`.
    ///   - worker: The worker, whose index sets where its turn begins.
    init(
        shared: SharedUpstream,
        _ connectors: UpstreamConnectors?,
        countsTries: Bool,
        worker: Worker
    ) {
        upstream = shared.upstream
        label = Array(shared.upstream.name.utf8)
        state = shared.state
        self.worker = worker
        limits = UpstreamLimits(shared.upstream)
        tryPlan = TryPlan(shared)
        update(to: shared, connectors, countsTries: countsTries)
    }

    /// Open connections over all workers.
    var count: ConnectionCount { state.count }

    /// Counts an exchange that it has served.
    func record(nanoseconds: UInt64, failed: Bool) {
        rows?.record(row, nanoseconds: nanoseconds, failed: failed)
    }

    /// Whether exchanges share connections to its endpoints.
    var speaksHTTP2: Bool { upstream.transport == .h2c || upstream.transport == .h2 }

    /// What a request may be sent with.
    ///
    /// Content whose length is not known is framed before there is a connection: it goes out as endpoints have spoken
    /// last, and as HTTP/1.1 where none has.
    ///
    /// - Parameter isFramed: Whether the octets depend on what is spoken.
    /// - Returns: What an endpoint may choose from.
    func offer(isFramed: Bool) -> ProtocolOffer {
        switch upstream.transport {
        case .http1: .http1
        case .h2c, .h2: .http2
        case .auto: isFramed ? spoken ?? .http1 : .either
        }
    }

    /// Whether endpoints are chosen in turn, and nothing is counted.
    var takesTurns: Bool { balancer == nil && affinity == nil }

    /// The endpoint whose turn it is.
    ///
    /// - Returns: The endpoint, or `nil` when none takes any.
    func nextInTurn() -> EndpointPool? {
        guard let index = sequence.choose(), index < candidates.count else { return nil }
        let next = candidates[index]
        return next.isAvoided ? other(than: next) : next
    }

    /// Who takes the turn of an endpoint that is left alone: itself, if all are.
    private func other(than avoided: EndpointPool) -> EndpointPool {
        guard mayReachOther(than: [], avoided) else { return avoided }
        for _ in candidates {
            if let next = nextInTurnAgain(), !next.isAvoided { return next }
        }
        return candidates.first { !$0.isAvoided } ?? avoided
    }

    /// Why a request is refused while nobody is to be chosen.
    var refusal: ExchangeError {
        let isNamed = roster?.members.contains { $0.availability != .unresolved } ?? false
        return ExchangeError(isNamed ? .destinationUnavailable : .dnsError, .upstream)
    }

    /// Whether requests go to an endpoint that nothing is known against, and that is none of these.
    func mayReachOther(than tried: [EndpointPool], _ last: EndpointPool?) -> Bool {
        candidates.contains { !$0.isAvoided && $0 !== last && !$0.isAmong(tried) }
    }

    /// Whether another endpoint may be ejected, as far as is known here.
    var mayEject: Bool {
        guard let outliers = upstream.outliers, let members = roster?.members else { return false }
        let ejected = members.count { $0.availability == .ejected }
        return ejected < outliers.ejectable(of: members.count)
    }

    /// Whether requests wait for a connection: who comes now stands behind them.
    var isQueueing: Bool { !line.isEmpty }

    /// An endpoint to which a connection rests or can be made.
    ///
    /// - Parameters:
    ///   - full: The one that was chosen.
    ///   - tried: Those that have failed, and are asked again only where all have, as are those to be left alone.
    /// - Returns: Another one, if there is any.
    func endpointWithRoom(besides full: EndpointPool, _ tried: [EndpointPool]) -> EndpointPool? {
        let isChoosy = mayReachOther(than: tried, nil)
        for step in 0..<candidates.count {
            let index = (roomIndex + step) % candidates.count
            let other = candidates[index]
            guard other !== full, other.hasRoom else { continue }
            if isChoosy, other.isAvoided || other.isAmong(tried) { continue }
            roomIndex = index + 1
            return candidates[index]
        }
        return nil
    }

    /// Whether other workers may be asked for a connection; they are not asked all the time.
    func mayAsk(at now: LoopInstant) -> Bool {
        if askedAt != .never, now.nanoseconds(since: askedAt) < Limits.askNanoseconds {
            return false
        }
        askedAt = now
        return true
    }

    /// The next worker on which requests wait.
    func waitingWorker(after worker: Int, of workerCount: Int) -> Int? {
        state.waitingWorker(after: worker, of: workerCount)
    }

    /// The endpoint whose turn it is for a request that has failed elsewhere.
    func nextInTurnAgain() -> EndpointPool? {
        guard let index = furtherSequence.choose(), index < candidates.count else { return nil }
        return candidates[index]
    }

    /// Goes over to another version's settings.
    ///
    /// - Parameters:
    ///   - shared: What the workers share of the upstream.
    ///   - connectors: The worker's side of TLS.
    ///   - countsTries: Whether it is of interest what all tries at its endpoints come to.
    func update(
        to shared: SharedUpstream,
        _ connectors: UpstreamConnectors?,
        countsTries: Bool
    ) {
        // Connections that speak another protocol, or have begun otherwise, are of no use.
        let speaksTheSame =
            upstream.transport == shared.upstream.transport
            && upstream.proxyProtocol == shared.upstream.proxyProtocol
            && upstream.tls == shared.upstream.tls
            && self.connectors?.plan == connectors?.plan
        self.connectors = connectors
        if !speaksTheSame { spoken = nil }
        upstream = shared.upstream
        limits = UpstreamLimits(shared.upstream)
        outcomes = OutcomeInterest(shared.upstream.outliers, countsAll: countsTries)
        watchesOutcomes = outcomes != nil
        tryPlan = TryPlan(shared)
        affinity = Affinity(shared.upstream)
        if !speaksTheSame { retireEndpoints() }
        take(shared.roster)
    }

    /// Goes over to other endpoints; those that stay keep their connections.
    ///
    /// - Parameter roster: All endpoints, and which of them requests go to.
    /// - Returns: Endpoints that have fallen silent.
    @discardableResult
    func take(_ roster: Roster) -> [EndpointPool] {
        var silent: [EndpointPool] = []
        var old: [ObjectIdentifier: EndpointPool] = [:]
        for endpoint in endpoints { old[ObjectIdentifier(endpoint.state)] = endpoint }
        endpoints = roster.members.map { member in
            guard let kept = old.removeValue(forKey: ObjectIdentifier(member.state)) else {
                return EndpointPool(member)
            }
            if kept.update(to: member) { silent.append(kept) }
            return kept
        }
        for endpoint in old.values { endpoint.retire() }
        markEndpoints()
        let chosen = roster.candidates.map { endpoints[$0.member] }
        let weights = roster.candidates.map(\.weight)
        let isSame =
            weights == self.weights && chosen.elementsEqual(candidates) { $0 === $1 }
        guard !isSame || !roster.table.isSameKind(as: self.roster?.table) else {
            self.roster = roster
            return silent
        }
        for endpoint in endpoints { endpoint.position = nil }
        for (position, endpoint) in chosen.enumerated() { endpoint.position = position }
        (candidates, self.weights, self.roster) = (chosen, weights, roster)
        balancer = roster.makeBalancer(state, seed: worker.requestIDs.next().0)
        if case .turns(let made) = roster.table {
            sequence = EndpointSequence(made, weights: weights, after: sequence, seed: worker.index)
            furtherSequence = sequence
        }
        return silent
    }

    /// Makes out what stands for endpoints in cookies.
    func markEndpoints() {
        guard affinity?.stickyCookie != nil else { return }
        var marks: [EndpointMark: EndpointPool] = [:]
        for endpoint in endpoints {
            let mark =
                endpoint.mark
                ?? EndpointMark(of: endpoint.label, in: label, key: worker.affinityKey)
            endpoint.mark = mark
            marks[mark] = endpoint
        }
        affinity?.marks = marks
    }

    /// Goes over to another key of the fleet's, under which the marks are others.
    func affinityKeyChanged() {
        for endpoint in endpoints { endpoint.mark = nil }
        markEndpoints()
    }

    /// Goes over to other certificates: connections that were verified otherwise end, those in use when they come back.
    ///
    /// - Parameter connectors: The worker's side of TLS.
    func update(to connectors: UpstreamConnectors) {
        let isSame = self.connectors?.plan == connectors.plan
        self.connectors = connectors
        guard !isSame else { return }
        retireEndpoints()
        if let roster { take(roster) }
    }

    /// No connection that was made is of use: those at rest end, others when they come back.
    private func retireEndpoints() {
        for endpoint in endpoints { endpoint.retire() }
        (endpoints, candidates, weights) = ([], [], [])
    }

    /// Closes everything that rests; connections in use are closed when they come back.
    ///
    /// Connections of a listener that went together with the upstream are still served.
    func retire() {
        for endpoint in endpoints { endpoint.retire() }
    }

    /// Closes a connection that rests, so that another one can be made.
    ///
    /// - Returns: Whether there was one.
    func evict() -> Bool {
        for endpoint in endpoints {
            if let resting = endpoint.takeIdle() {
                resting.close()
                return true
            }
            if endpoint.evictSession() { return true }
        }
        return false
    }

    /// Counts a connection that is to be made to an endpoint.
    ///
    /// What rests at other endpoints counts too, and makes room; so do exchanges whose clients do not go on.
    ///
    /// - Parameters:
    ///   - endpoint: One of the upstream's.
    ///   - worker: The pool's.
    ///   - makesRoom: Whether such exchanges end for it.
    /// - Returns: Whether there is room; then both counts are raised.
    func admit(to endpoint: EndpointPool, _ worker: Worker, makesRoom: Bool = true) -> Bool {
        guard
            count.add() || evict() && count.add()
                || makesRoom && worker.makeRoom(at: self) && count.add()
        else { return false }
        if endpoint.count.add()
            || makesRoom && worker.makeRoom(at: self, endpoint) && endpoint.count.add()
        {
            return true
        }
        count.remove()
        return false
    }

    /// Closes what rests, where another worker was refused a connection meanwhile.
    ///
    /// - Returns: Whether that was so.
    func makeRoom() -> Bool {
        guard count.wantsRoom else { return false }
        while evict() {}
        return true
    }
}
