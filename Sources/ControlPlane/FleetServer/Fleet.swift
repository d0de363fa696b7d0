import ControlStore
import FleetMessages
import FleetModel
import FleetProtocol
import Logging
import NIOCore

/// All nodes and their sessions; confined to the fleet's event loop.
final class Fleet {
    let owner: FleetLoop
    private(set) var head: SignedManifest?
    private(set) var nodes: [String: NodeEntry] = [:]
    /// Connections of any kind, and those that are not admitted yet.
    private(set) var connectionCount = 0
    private(set) var handshakeCount = 0
    private var fullSyncCount = 0
    private var admissions: TokenBucket
    private var joins: TokenBucket
    private(set) var isStopping = false

    /// Whom nodes are to believe; kept by `Fleet+Trust`.
    var trust = FleetTrust.none
    /// Seconds between certificates of a node.
    var renewalSeconds = Limits.renewalSeconds

    /// Which material there is; kept by `Fleet+Material`, as what follows.
    var material = FleetMaterial.none
    /// What nodes answer to authorities that want proof of hosts; empty before there was any.
    var challengeMessages: [FleetMessage] = []
    /// What operators want of endpoints; kept by `Fleet+Adjustments`, as what follows; nil before it was read.
    var adjustments: StoredAdjustments?
    /// Endpoints of which something is to be forgotten, the oldest first.
    var resets: [WireEndpointReset] = []
    var adjustmentMessages: [FleetMessage] = []
    var adjustmentEnd: Scheduled<Void>?
    /// Endpoints that all nodes together have reported.
    var reportedEndpointCount = 0

    /// Since when it is that.
    var materialSince: NIODeadline
    /// The newest generation that was told to be held.
    var materialHeldGeneration: UInt64 = 0
    /// What nodes are told and may ask for: the newest lists, the last first, because some are a version behind.
    var materialLists: [MaterialList] = []

    /// The contents that a node was sent last: the next one most likely wants the same.
    var lastContents: (digests: [Digest], chunks: ContentChunks)?

    private var contentReaders: [[Digest]: [FleetConnection]] = [:]

    init(owner: FleetLoop) {
        self.owner = owner
        materialSince = owner.loop.now
        let now = owner.loop.now.uptimeNanoseconds
        admissions = TokenBucket(
            perSecond: Limits.admissionsPerSecond,
            burst: Limits.admissionsBurst,
            nowNanoseconds: now
        )
        joins = TokenBucket(
            perSecond: Limits.joinsPerSecond,
            burst: Limits.joinsBurst,
            nowNanoseconds: now
        )
    }

    private var logger: Logger { owner.logger }
    /// Monotonic time.
    var now: NIODeadline { owner.loop.now }

    // MARK: Store

    /// Takes over the nodes that the store remembers.
    func remember(_ records: [NodeRecord]) {
        for record in records where nodes[record.name] == nil {
            nodes[record.name] = NodeEntry(record, now: now)
        }
    }

    /// Saves when nodes were last heard of; what fails is saved with the next.
    func saveSeen() {
        var moments: [String: Int64] = [:]
        for (name, entry) in nodes where entry.isSeenUnsaved {
            moments[name] = entry.seenAtMilliseconds
            nodes[name]?.isSeenUnsaved = false
        }
        guard !moments.isEmpty else { return }
        owner.run({ [store = owner.store, moments] in try await store.noteSeen(moments) }) {
            result in
            guard case .failure(let error) = result else { return }
            self.logger.warning("fleet.seen_unsaved", metadata: ["error": "\(error)"])
            for name in moments.keys { self.nodes[name]?.isSeenUnsaved = true }
        }
    }

    /// Makes `version` the head, unless a newer one is, and sends it to every node that can take it.
    func setHead(_ version: SignedManifest) {
        if let head, !head.head.isOlder(than: version.head) { return }
        head = version
        let connections = nodes.values.compactMap(\.connection)
        var offers: [ControlSession.Offer: [FleetConnection]] = [:]
        for connection in connections {
            guard let offer = connection.offer(Holding(version.head)) else { continue }
            offers[offer, default: []].append(connection)
            nodes[connection.name]?.sent = Holding(version.head)
        }
        for (offer, group) in offers { deliver(offer, of: version, to: group) }
    }

    /// Reads contents once for all connections that ask for the same meanwhile; each gets `contentsRead`.
    func readContents(_ digests: [Digest], for connection: FleetConnection) {
        let isBeingRead = contentReaders[digests] != nil
        contentReaders[digests, default: []].append(connection)
        guard !isBeingRead else { return }
        owner.run({ [library = owner.library] in try await library.chunks(of: digests) }) {
            result in
            if case .success(let chunks?) = result { self.lastContents = (digests, chunks) }
            let readers = self.contentReaders.removeValue(forKey: digests) ?? []
            for reader in readers { reader.contentsRead(result) }
        }
    }

    // MARK: Synchronisation

    /// Decides what a node is sent now that its state changed or its connection takes octets again.
    func synchronise(_ connection: FleetConnection) {
        guard let head, let offer = connection.offer(Holding(head.head)) else { return }
        nodes[connection.name]?.sent = Holding(head.head)
        deliver(offer, of: head, to: [connection])
    }

    private func deliver(
        _ offer: ControlSession.Offer,
        of version: SignedManifest,
        to group: [FleetConnection]
    ) {
        switch offer {
        case .notModified:
            var message = WireNotModified()
            message.head = version.head.message
            let frame = ByteBuffer(bytes: FleetMessage.notModified(message).frame().encoded())
            for connection in group { connection.sendOffer(frame, chunks: [], correlation: 0) }
        case .delta(let base):
            encode(version, base: base, for: group)
        case .manifest:
            let admitted = group.filter { beginFullSync($0) }
            if !admitted.isEmpty { encode(version, base: nil, for: admitted) }
        }
    }

    private func encode(_ version: SignedManifest, base: Digest?, for group: [FleetConnection]) {
        owner.run({ [library = owner.library] in try await library.offer(version, base: base) }) {
            result in
            switch result {
            case .success(let offer?):
                for connection in group where connection.wants(Holding(version.head)) {
                    connection.sendOffer(
                        offer.frame,
                        chunks: offer.chunks,
                        correlation: offer.correlation
                    )
                }
            case .success(nil):
                // No version has that base: the node gets everything.
                let group = group.filter { $0.wants(Holding(version.head)) }
                self.deliver(.manifest, of: version, to: group)
            case .failure(let error):
                self.logger.error("fleet.offer_failed", metadata: ["error": "\(error)"])
                for connection in group { connection.leave(.internal) }
            }
        }
    }

    /// Counts the node among those that are sent everything, or tells it to ask again.
    private func beginFullSync(_ connection: FleetConnection) -> Bool {
        if connection.isFullySyncing { return true }
        guard fullSyncCount < Limits.fullSyncCountMax else {
            let wait = Duration.milliseconds(Int64.random(in: 500...2_000))
            nodes[connection.name]?.sent = nil
            connection.postpone(retryAfter: wait)
            return false
        }
        fullSyncCount += 1
        connection.isFullySyncing = true
        return true
    }

    private func endFullSync(_ connection: FleetConnection) {
        guard connection.isFullySyncing else { return }
        connection.isFullySyncing = false
        fullSyncCount -= 1
    }

    // MARK: Connections

    /// Counts a connection; `false` if there are too many.
    func accept() -> Bool {
        guard !isStopping, connectionCount < Limits.connectionCountMax,
            handshakeCount < Limits.handshakeCountMax
        else { return false }
        connectionCount += 1
        handshakeCount += 1
        return true
    }

    /// A counted connection is admitted, or it ended before.
    func handshakeEnded() {
        handshakeCount -= 1
    }

    /// A counted connection is closed.
    func connectionClosed() {
        connectionCount -= 1
    }

    /// Decides on a join.
    func decide(_ join: WireJoin, for connection: FleetConnection) {
        let now = self.now.uptimeNanoseconds
        if joins.take(nowNanoseconds: now, jitter: 0) != nil {
            connection.joinRefused(JoinError(.unavailable, "too many nodes are joining"))
            return
        }
        owner.run({ [issuer = owner.issuer] in try await issuer.join(join) }) { result in
            switch result {
            case .success((let record, let accepted)):
                // A node whose answer was lost joins again; it may have a session by then.
                if self.nodes[record.name]?.id != record.id {
                    self.nodes[record.name] = NodeEntry(record, now: self.now)
                }
                self.logger.notice("node.joined", metadata: ["node": "\(record.name)"])
                connection.joinAccepted(accepted)
            case .failure(let error as JoinError):
                self.logger.warning(
                    "node.join_refused",
                    metadata: ["name": "\(join.name)", "reason": "\(error.reason)"]
                )
                connection.joinRefused(error)
            case .failure(let error):
                self.logger.error("node.join_failed", metadata: ["error": "\(error)"])
                connection.joinRefused(JoinError(.unavailable, "the control plane cannot decide"))
            }
        }
    }

    /// A member said Hello for the first time on this connection.
    func admit(_ hello: WireHello, _ connection: FleetConnection) {
        let now = self.now
        let wait = admissions.take(
            nowNanoseconds: now.uptimeNanoseconds,
            jitter: Double.random(in: 0...1)
        )
        if let wait {
            connection.leave(.busy, retryAfter: .milliseconds(Int64(wait * 1_000)))
            return
        }
        let name = connection.name
        // The certificate was looked at when the connection began; the node may be gone since then, and another
        // one may have its name.
        guard var entry = nodes[name], entry.id == connection.record.id else {
            connection.leave(.removed, detail: "the node was removed")
            return
        }
        if entry.isRevoked {
            connection.leave(.revoked)
            return
        }
        if let older = entry.connection, older !== connection {
            endFullSync(older)
            older.leave(.replaced)
        }
        entry.connection = connection
        entry.greeted(hello)
        entry.sent = nil
        entry.material = NodeMaterial()
        entry.challenges = 0
        entry.adjusted = nil
        entry.heard(now, clock: owner.clock())
        nodes[name] = entry
        logger.info("node.connected", metadata: ["node": "\(name)", "build": "\(hello.build)"])
        var welcome = WireWelcome()
        if let head {
            welcome.epoch = head.head.epoch
            welcome.headVersion = head.head.version
            welcome.headDigest = wireOctets(head.head.digest.octets)
        }
        welcome.drain = entry.drainIsWanted
        welcome.heartbeatSeconds = Limits.heartbeatSeconds
        welcome.metricsSeconds = Limits.metricsSeconds
        welcome.labels = entry.tokenLabels
        connection.admitted(
            welcome,
            material: trust.messages + adjustmentMessages + materialMessages(for: connection)
                + challengeMessages
        )
    }

    /// Whether the node may have another certificate now; if so, it may not for a while.
    func admitRenewal(_ connection: FleetConnection) -> Bool {
        guard let entry = nodes[connection.name] else { return false }
        // One of another authority than the present issuer is replaced at once.
        let isDue = entry.trust.issuer.map { $0 != trust.issuer } ?? false
        if let asked = entry.renewalAskedAt, now - asked < .seconds(renewalSeconds), !isDue {
            return false
        }
        nodes[connection.name]?.renewalAskedAt = now
        return true
    }

    /// A member's session is over.
    func sessionEnded(_ connection: FleetConnection, _ end: SessionEnd) {
        endFullSync(connection)
        guard nodes[connection.name]?.connection === connection else { return }
        nodes[connection.name]?.connection = nil
        nodes[connection.name]?.absentSince = now
        defer { checkMaterial() }
        let metadata: Logger.Metadata = ["node": "\(connection.name)", "end": "\(end)"]
        switch end {
        case .violation: logger.warning("node.session_ended", metadata: metadata)
        case .goodbye, .peerClosed, .local: logger.info("node.session_ended", metadata: metadata)
        }
    }

    // MARK: Reports

    /// A node said Hello again.
    func greeted(_ hello: WireHello, _ connection: FleetConnection) {
        update(connection) { entry in
            entry.greeted(hello)
            entry.sent = nil
        }
    }

    /// A node reported on a version.
    func applied(_ report: ApplyReport, _ connection: FleetConnection) {
        endFullSync(connection)
        update(connection) { $0.applied(report) }
        switch report.outcome {
        case .rejected(let cause, let problems), .reverted(let cause, let problems):
            logger.warning(
                "node.rejected",
                metadata: [
                    "node": "\(connection.name)", "version": "\(report.subject.version)",
                    "cause": "\(cause)", "error": "\(problems.first?.description ?? "")",
                ]
            )
        case .received, .prepared, .active, .confirmed: break
        }
    }

    /// A node's heartbeat.
    func heartbeat(_ heartbeat: WireHeartbeat, _ connection: FleetConnection) {
        update(connection) { entry in
            entry.heartbeat = heartbeat
            entry.active = Holding(heartbeat.active)
            entry.isDraining = heartbeat.draining
        }
    }

    /// A node's metrics.
    func report(_ report: WireMetricsReport, _ connection: FleetConnection) {
        let now = self.now.uptimeNanoseconds
        update(connection) { $0.traffic = TrafficSummary(report, receivedNanoseconds: now) }
    }

    /// Changes what is known of a node, if it is.
    func updateEntry(_ name: String, _ change: (inout NodeEntry) -> Void) {
        guard var entry = nodes.removeValue(forKey: name) else { return }
        change(&entry)
        nodes[name] = entry
    }

    private func update(_ connection: FleetConnection, _ change: (inout NodeEntry) -> Void) {
        guard var entry = nodes.removeValue(forKey: connection.name) else { return }
        if entry.connection === connection {
            change(&entry)
            entry.heard(now, clock: owner.clock())
        }
        nodes[connection.name] = entry
    }

    // MARK: Commands

    /// Sends a command to a node that has a session; others learn of it from Welcome, or never need it.
    func command(_ kind: WireCommandKind, to name: String) {
        if kind == .retry {
            nodes[name]?.failed = nil
            nodes[name]?.problems = []
            nodes[name]?.cause = nil
        }
        nodes[name]?.connection?.command(kind)
    }

    /// The store remembers whether the node is to be drained.
    func setDraining(_ isDraining: Bool, _ name: String) {
        nodes[name]?.drainIsWanted = isDraining
        command(isDraining ? .drain : .undrain, to: name)
    }

    /// The store has put the node on the deny list.
    func revoked(_ name: String) {
        nodes[name]?.isRevoked = true
        forgetUpstreams(of: name)
        command(.revoke, to: name)
    }

    /// The store has forgotten the node.
    func removed(_ name: String) {
        command(.revoke, to: name)
        forgetUpstreams(of: name)
        nodes[name] = nil
    }

    /// Says goodbye to everyone.
    func stop() {
        isStopping = true
        for connection in nodes.values.compactMap(\.connection) { connection.leave(.shutdown) }
    }
}

extension NodeEntry {
    /// Something was received on the node's session.
    fileprivate mutating func heard(_ now: NIODeadline, clock: Int64) {
        heardAt = now
        seenAtMilliseconds = clock
        wasHeard = true
        isSeenUnsaved = true
    }
}
