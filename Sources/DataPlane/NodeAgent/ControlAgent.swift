internal import Bytes
internal import Cryptography
internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry

/// A node's dealings with its control plane: it joins, keeps a session, and applies the versions that come.
///
///     stranger ──token──▶ joining ──accepted──▶ member ──revoked──▶ revoked
///                            │ refused, with nothing to serve
///                            └──▶ the process ends
///
///     member:  away ──back-off──▶ connecting ──▶ greeting ──▶ steady ──closed──▶ away
///
/// What becomes of versions is `ApplySequence`'s matter and goes on without a session; what the node does for it
/// is in `ControlAgent+Apply`. Confined to the process's loop; what blocks is done on the workbench.
final class ControlAgent: ControlLinkOwner {
    unowned let node: NodeProcess
    let settings: FleetSettings
    let directory: NodeDirectory
    let bench: Workbench

    var membership: Membership?
    /// What the directory has of it.
    var kept: Membership?
    var link: ControlLink?
    var sequence = ApplySequence(active: nil)
    var random = SystemRandomNumberGenerator()
    /// What is compiled and not served yet.
    var prepared: PreparedVersion?
    /// What is served, with its contents: new versions are sent without those.
    var served: PreparedVersion?
    /// What is stored for the next start.
    var lastGood: SignedHead?
    /// Why what is served could not be stored when it was last tried.
    var unstoredReason: String?
    /// Whether the newer of the two stored generations is undamaged.
    var isNewestGood = false

    var retryTimer: LoopTimer?
    var storeTimer: LoopTimer?
    var reconnectTimer: LoopTimer?
    var synchroniseTimer: LoopTimer?
    var heartbeatTimer: LoopTimer?
    var reportTimer: LoopTimer?
    var renewalTimer: LoopTimer?
    var heartbeatInterval = Duration.seconds(10)
    var reportInterval = Duration.seconds(10)

    var context: TLSContext?
    /// The key of a request that has not been answered.
    var requestedKey: P256PrivateKey?
    var isJoining = false
    /// Whether the control plane of this session said whom to believe.
    var trustIsTold = false
    var tokenIsRefused = false
    var addressIndex = 0
    var backoff = Backoff(
        first: .milliseconds(Limits.reconnectMilliseconds),
        cap: .seconds(Limits.reconnectSecondsMax)
    )
    var reporter = MetricsReporter()
    /// Certificates and keys.
    var material = MaterialState()
    var materialTimer: LoopTimer?
    /// What operators want of endpoints.
    var lane = UpstreamLane()
    var adjustmentTimer: LoopTimer?
    var upstreamTimer: LoopTimer?

    /// Reads what the node has on its disk, and asks for the rest.
    ///
    /// - Parameters:
    ///   - settings: How it finds its control plane.
    ///   - node: Whose agent it is.
    ///   - lock: The directory's, if another process handed it over.
    /// - Throws: `NodeError` when the directory cannot be used, or when there is no way into a cluster.
    init(
        _ settings: FleetSettings,
        node: NodeProcess,
        lock: consuming FileDescriptor? = nil
    ) throws(NodeError) {
        self.node = node
        self.settings = settings
        directory = try NodeDirectory(settings.directory, lock: lock)
        do throws(SystemCallError) {
            bench = try Workbench(home: node.loop.mailbox)
        } catch {
            throw NodeError("cannot start a thread: \(error)")
        }
        membership = try directory.readMembership()
        kept = membership
        labels = node.settings.labels.merging(membership?.labels ?? [:]) { _, joined in joined }
        if let membership, let name = settings.name, membership.name != name {
            throw NodeError(
                "\(settings.directory) is of the node '\(membership.name)': "
                    + "start it without --name, or name another directory with --data"
            )
        }
    }

    /// What the node is labelled with, as long as the process runs: those of its token win.
    let labels: [String: String]

    /// The node's name.
    var name: String { membership?.name ?? settings.name ?? hostName() }

    /// Serves what was served last, and begins to look for the control plane.
    func start() throws(NodeError) {
        let loop = node.loop
        retryTimer = LoopTimer(on: loop) { [unowned self] in retryIsDue() }
        storeTimer = LoopTimer(on: loop) { [unowned self] in storeAgain() }
        reconnectTimer = LoopTimer(on: loop) { [unowned self] in connect() }
        synchroniseTimer = LoopTimer(on: loop) { [unowned self] in synchronise() }
        heartbeatTimer = LoopTimer(on: loop) { [unowned self] in sendHeartbeat() }
        reportTimer = LoopTimer(on: loop) { [unowned self] in sendReport() }
        renewalTimer = LoopTimer(on: loop) { [unowned self] in renew() }
        if directory.isDraining { node.drain() }
        materialTimer = LoopTimer(on: loop) { [unowned self] in materialIsDue() }
        adjustmentTimer = LoopTimer(on: loop) { [unowned self] in carryOutAdjustments() }
        upstreamTimer = LoopTimer(on: loop) { [unowned self] in lookAtUpstreams(.changes) }
        if let membership {
            // The process may have ended between the two.
            if directory.isJoinKeyStored(in: membership) { forgetJoinKey() }
            restoreAdjustments()
            restoreMaterial(membership)
            restoreLastGood(membership)
            if membership.identity == nil { beRevoked() }
        } else {
            _ = try readToken()
        }
        connect()
    }

    // MARK: The session

    /// What the node says of itself.
    var standing: NodeSession.Standing {
        NodeSession.Standing(
            active: sequence.active,
            lastGood: lastGood,
            quarantined: sequence.quarantined,
            isDraining: node.isDraining
        )
    }

    func perform(_ action: NodeSession.Action, from link: ControlLink) {
        switch action {
        case .joined(let accepted): joined(accepted)
        case .joinRefused(let reason, let detail): joinRefused(reason, detail)
        case .welcomed(let welcome): welcomed(welcome)
        case .lookUp(let version):
            let missing = version.contentDigests.filter { served?.file.contents[$0] == nil }
            link.perform(link.session.lacking(missing))
        case .offer(let candidate): carryOut(sequence.offered(candidate))
        case .offerQuarantined(let head): carryOut(sequence.offeredQuarantined(head))
        case .settled(let head):
            carryOut(sequence.settled(head))
            node.announce()
        case .synchroniseAfter(let time): synchroniseTimer?.set(after: time)
        case .renewed(let answer): renewed(answer)
        case .command(let kind): carryOut(kind)
        case .assign(let list): assign(list)
        case .keep(let message): keep(message)
        case .useTicketKeys(let keys): useTicketKeys(keys)
        case .answerChallenges(let challenges): answer(challenges)
        case .trust(let message): trust(message)
        case .adjust(let message): adjust(message)
        case .send, .setPayloadLimit, .setDeadline, .close:
            preconditionFailure("the link's own matter")
        }
    }

    private func joined(_ accepted: WireJoinAccepted) {
        guard let key = requestedKey, let token = try? readToken() else { return }
        requestedKey = nil
        do throws(CryptographyError) {
            let membership = try Membership(
                accepted,
                key: key,
                authorityFingerprint: token.authorityFingerprint
            )
            if !material.shelf.held.isEmpty { storeMaterial(before: membership) }
            self.membership = membership
            context = nil
            tokenIsRefused = true  // It is used up.
            node.isRevoked = false
            keep(membership) { [weak self] in self?.forgetJoinKey() }
            node.log.write(.notice, "node.joined", ["node": membership.name])
        } catch {
            node.log.write(.error, "node.join_failed", ["reason": "\(error)"])
        }
    }

    /// Removes the key of a join, which `node.pem` has by now.
    private func forgetJoinKey() {
        bench.run({ [directory] () -> SystemCallError? in
            do throws(SystemCallError) {
                try directory.eraseJoinKey()
                return nil
            } catch {
                return error
            }
        }) { [weak self] error in
            guard let self, let error else { return }
            self.node.log.write(.warning, "node.join_key_unerased", ["reason": "\(error)"])
        }
    }

    private func joinRefused(_ reason: WireJoinRefusal, _ detail: String) {
        guard reason != .unavailable else {
            return node.log.write(
                .warning,
                "node.join_deferred",
                ["node": name, "reason": detail]
            )
        }
        tokenIsRefused = true
        let message = "the control plane refused the join: \(remedy(reason, detail))"
        if served == nil, sequence.pending == nil {
            node.fail(NodeError(message))
        } else {
            node.log.write(.error, "node.join_refused", ["node": name, "reason": message])
        }
    }

    private func remedy(_ reason: WireJoinRefusal, _ detail: String) -> String {
        let another = "make another one with 'proxyctl token create'"
        switch reason {
        case .tokenUnknown: return "it does not know the token, or it was revoked; \(another)"
        case .tokenUsed: return "the token was used already; \(another)"
        case .tokenExpired: return "the token has expired; \(another)"
        case .nameTaken:
            return
                "the name '\(name)' is taken; choose another one with --name, or remove that node "
                + "with 'proxyctl node remove \(name)'"
        case .nameInvalid: return "the name '\(name)' is not allowed: \(detail)"
        case .labelsMissing:
            return "the token is for nodes with other labels: \(detail); add them with --label"
        case .requestInvalid, .unavailable, .unspecified, .UNRECOGNIZED: return detail
        }
    }

    private func welcomed(_ welcome: WireWelcome) {
        node.isConnected = true
        backoff.reset()
        node.log.write(.notice, "control.connected", ["node": name])
        heartbeatInterval = .seconds(Int64(welcome.heartbeatSeconds))
        reportInterval = .seconds(Int64(welcome.metricsSeconds))
        heartbeatTimer?.set(after: heartbeatInterval)
        reportTimer?.set(after: reportInterval)
        trustIsTold = false
        reporter.begin(node.server.metrics, now: node.loop.now)
        scheduleRenewal()
        if welcome.drain != node.isDraining { setDraining(welcome.drain) }
        remember(welcome.labels)
        materialSessionBegan()
        upstreamSessionBegan()
        if let report = sequence.standingReport { carryOut([.report(report)]) }
        if welcome.headDigest.isEmpty { node.announce() }
    }

    /// Keeps the labels of the node's token for its next start, and tells of those that it lacks now.
    private func remember(_ tokenLabels: [String: String]) {
        guard let membership else { return }
        let labelled = membership.labelled(tokenLabels)
        guard labelled.labels != membership.labels else { return }
        self.membership = labelled
        keep(labelled)
        let lacking = tokenLabels.filter { labels[$0.key] != $0.value }
        guard !lacking.isEmpty else { return }
        node.log.write(
            .warning,
            "node.labels_differ",
            [
                "node": name,
                "labels": lacking.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: ","),
                "remedy": "restart the node: it has the labels of its token from then on",
            ]
        )
    }

    private func synchronise() {
        guard let link else { return }
        link.session.standing = standing
        link.perform(link.session.synchronise())
    }

    /// Tells the session what has changed on the node.
    func updateStanding() {
        link?.session.standing = standing
    }

    // MARK: The end of a session

    func ended(_ link: ControlLink, _ end: ControlLink.End) {
        guard link === self.link else { return }
        self.link = nil
        for timer in [heartbeatTimer, reportTimer, renewalTimer, synchroniseTimer, upstreamTimer] {
            timer?.cancel()
        }
        lost(end)
    }

    func lost(_ end: ControlLink.End) {
        let wasConnected = node.isConnected
        node.isConnected = false
        guard node.wantsSession else { return }
        switch end {
        case .session(.local(.joined)):
            // A join that was put off is asked for again in a while, not at once.
            return tokenIsRefused ? connect() : reconnectLater()
        case .session(.goodbye(.revoked, _, _)): beRevoked()
        case .session(.goodbye(let reason, let detail, let retryAfter)):
            said(goodbye: reason, detail, retryAfter)
        case .tlsFailed(.certificateRefused(let fault)) where isJoining && served == nil:
            return node.fail(
                NodeError(
                    "the server at \(settings.controls.map(\.description).joined(separator: ", ")) is not "
                        + "the control plane that the token names (its certificate: \(fault)): "
                        + "wrong address, a token of another cluster, or one from before its CA was changed "
                        + "(make another one with 'proxyctl token create'); its CA fingerprint does not match"
                )
            )
        case .joinUnstored(let reason):
            node.log.write(
                .error,
                "node.identity_unwritten",
                [
                    "node": name, "reason": reason,
                    "remedy":
                        "make room in \(settings.directory): it joins when its key can be stored",
                ]
            )
            reconnectLater()
        default:
            node.log.write(
                .warning,
                wasConnected ? "control.disconnected" : "control.unreachable",
                ["node": name, "reason": "\(end)"]
            )
            reconnectLater()
        }
        if sequence.pending == nil { node.announce() }
    }

    private func said(goodbye reason: WireGoodbyeReason, _ detail: String, _ retryAfter: Duration?)
    {
        let refused: Duration = .seconds(Limits.refusedSeconds)
        switch reason {
        case .unknownNode, .removed, .wrongCluster:
            node.log.write(
                .error,
                "node.unknown",
                [
                    "node": name, "reason": detail.isEmpty ? "\(reason)" : detail,
                    "remedy": "remove \(settings.directory)/node.pem and start with a new token",
                ]
            )
            reconnectTimer?.set(after: refused)
        case .replaced:
            node.log.write(
                .error,
                "node.replaced",
                [
                    "node": name, "reason": "another process has a session under this identity",
                    "remedy": "give each node a directory of its own",
                ]
            )
            reconnectTimer?.set(after: refused)
        case .busy, .shutdown:
            node.log.write(.warning, "control.disconnected", ["node": name, "reason": "\(reason)"])
            if let retryAfter { reconnectTimer?.set(after: retryAfter) } else { reconnectLater() }
        default:
            node.log.write(
                .error,
                "control.refused",
                ["node": name, "reason": "\(reason)", "detail": detail]
            )
            reconnectLater()
        }
    }

    func reconnectLater() {
        reconnectTimer?.set(after: backoff.next(using: &random))
    }

    /// The cluster wants no more of this node: it erases its keys, serves what it has, and is not ready.
    private func beRevoked() {
        guard !node.isRevoked else { return }
        node.isRevoked = true
        node.log.write(
            .error,
            "node.revoked",
            [
                "node": name,
                "remedy":
                    "it serves on and is not ready; remove the node and start it with a new token",
            ]
        )
        if let membership, membership.identity != nil {
            self.membership = membership.revoked
            context = nil
            keep(membership.revoked)
            eraseMaterial()
            forgetJoinKey()
        }
    }

    /// Stores the membership; `stored` is called when it is on the disk.
    func keep(_ membership: Membership, stored: @escaping () -> Void = {}) {
        bench.run({ [directory] () -> SystemCallError? in
            do throws(SystemCallError) {
                try directory.write(membership)
                return nil
            } catch {
                return error
            }
        }) { [weak self] error in
            guard let self else { return }
            guard let error else {
                self.kept = membership
                return stored()
            }
            self.node.log.write(
                .error,
                "node.identity_unwritten",
                [
                    "node": self.name, "reason": "\(error)",
                    "remedy":
                        "make room in \(self.settings.directory): a restart would lose the identity",
                ]
            )
        }
    }

    // MARK: Commands

    private func carryOut(_ command: WireCommandKind) {
        switch command {
        case .drain: setDraining(true)
        case .undrain: setDraining(false)
        case .retry:
            sequence.forgetQuarantine()
            retryIsDue()
            synchronise()
        case .revoke: beRevoked()
        case .unspecified, .UNRECOGNIZED: break
        }
    }

    private func setDraining(_ isWanted: Bool) {
        bench.run({ [directory] () -> SystemCallError? in
            do throws(SystemCallError) {
                try directory.setDraining(isWanted)
                return nil
            } catch {
                return error
            }
        }) { [weak self] error in
            guard let self, let error else { return }
            self.node.log.write(.warning, "node.drain_unwritten", ["reason": "\(error)"])
        }
        if isWanted { node.drain() } else { node.undrain() }
    }

    /// The node drains, or serves again.
    func drainChanged() {
        updateStanding()
        sendHeartbeat()
    }

    // MARK: The end

    /// Says goodbye and ends the workbench, after what it was given.
    func stop() {
        if let link {
            self.link = nil
            link.perform(link.session.leave(.shutdown))
            link.abandon()
        }
        bench.stop()
    }
}
