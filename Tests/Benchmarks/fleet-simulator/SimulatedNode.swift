import Cryptography
import EventLoop
import FleetMessages
import FleetModel
import FleetProtocol
import NodeAgent
import SystemCalls
import TLSLibrary

/// A node of the simulator: a real session without a data plane behind it.
///
///     stranger ──JoinAccepted──▶ member:  away ──back-off──▶ connecting ──▶ steady ──closed──▶ away
///
/// It waits between attempts as a node does. What it is sent becomes active at once. Confined to the fleet's loop.
final class SimulatedNode: ControlLinkOwner {
    let name: String
    private let token: JoinToken
    private let identityPath: String?
    private unowned let fleet: SimulatedFleet
    private var membership: Membership?
    private var context: TLSContext?
    private var requestedKey: P256PrivateKey?
    private var isRefused = false
    private var link: ControlLink?
    private var sequence = ApplySequence(active: nil)
    private var lastGood: SignedHead?
    private var isDraining = false
    private var random = SystemRandomNumberGenerator()
    private var backoff = Backoff(
        first: .milliseconds(NodeAgent.Limits.reconnectMilliseconds),
        cap: .seconds(NodeAgent.Limits.reconnectSecondsMax)
    )

    private var wantedCount = 0
    private var toldBytes: UInt64 = 0
    private var reportCount: UInt64 = 0
    private var heartbeatInterval = Duration.seconds(10)
    private var reportInterval = Duration.seconds(10)
    private var connectTimer: LoopTimer?
    private var synchroniseTimer: LoopTimer?
    private var heartbeatTimer: LoopTimer?
    private var reportTimer: LoopTimer?

    /// Makes a node that is not connected.
    ///
    /// - Parameters:
    ///   - name: Its name in the fleet.
    ///   - token: Used if it has no identity yet.
    ///   - identityPath: Where its identity is kept; `nil` for nowhere.
    ///   - fleet: Outlives it.
    /// - Throws: What is wrong with an identity that is there.
    init(name: String, token: JoinToken, identityPath: String?, fleet: SimulatedFleet) throws {
        (self.name, self.token, self.identityPath) = (name, token, identityPath)
        self.fleet = fleet
        if let identityPath, fileExists(identityPath) {
            let pem = try readFile(identityPath, octetsMax: Limits.identityBytesMax)
            membership = try Membership(pem: String(decoding: pem, as: UTF8.self))
        }
        let loop = fleet.loop
        connectTimer = LoopTimer(on: loop) { [unowned self] in connect() }
        synchroniseTimer = LoopTimer(on: loop) { [unowned self] in synchronise() }
        heartbeatTimer = LoopTimer(on: loop) { [unowned self] in sendHeartbeat() }
        reportTimer = LoopTimer(on: loop) { [unowned self] in sendReport() }
    }

    /// Connects after this time.
    func connect(after time: Duration) {
        connectTimer?.set(after: time)
    }

    /// Another node has worked out a manifest that this one may be sent too.
    func learn(_ manifests: [Manifest]) {
        link?.session.known = manifests
    }

    /// Says goodbye, at the end.
    func leave() {
        guard let link else { return }
        self.link = nil
        link.perform(link.session.leave(.shutdown))
        link.abandon()
    }

    // MARK: The connection

    private func connect() {
        guard link == nil, !isRefused else { return }
        toldBytes = 0
        wantedCount = 0
        do {
            let link = try makeLink()
            link.session.known = fleet.shared.manifests
            self.link = link
        } catch let failure as ControlLink.LinkFailure {
            lost(failure.end)
        } catch {
            fleet.events.note("\(name): \(error)")
            reconnectLater()
        }
    }

    private func makeLink() throws -> ControlLink {
        guard let membership else {
            return try ControlLink(
                loop: fleet.loop,
                address: fleet.control,
                context: try fleet.joiningContext(token.authorityFingerprint),
                session: NodeSession(joining: try makeJoin()),
                owner: self
            )
        }
        let context: TLSContext
        if let known = self.context {
            context = known
        } else {
            let fingerprint = membership.authorityFingerprints[0]
            context = try SimulatedFleet.context(fingerprint, membership.identity)
            self.context = context
        }
        let member = NodeSession.Member(
            clusterID: membership.clusterID,
            name: name,
            labels: [:],
            build: buildVersion,
            isSigned: { [signatures = fleet.signatures] octets, signature in
                signatures.isSigned(octets, signature, for: membership)
            }
        )
        return try ControlLink(
            loop: fleet.loop,
            address: fleet.control,
            context: context,
            session: NodeSession(member: member, standing: standing),
            owner: self
        )
    }

    private func makeJoin() throws(CryptographyError) -> WireJoin {
        let key = try P256PrivateKey()
        requestedKey = key
        var message = WireJoin()
        message.token = token.text
        message.name = name
        message.certificateRequest = wireOctets(
            try key.certificateSigningRequest(commonName: name)
        )
        message.build = buildVersion
        return message
    }

    func ended(_ link: ControlLink, _ end: ControlLink.End) {
        guard link === self.link else { return }
        self.link = nil
        for timer in [synchroniseTimer, heartbeatTimer, reportTimer] { timer?.cancel() }
        lost(end)
    }

    private func lost(_ end: ControlLink.End) {
        switch end {
        case .session(.local(.joined)):
            if membership != nil { connect() } else { reconnectLater() }
            return
        case .session(.goodbye(.busy, _, let retryAfter?)),
            .session(.goodbye(.shutdown, _, let retryAfter?)):
            connectTimer?.set(after: retryAfter)
        case .session(.goodbye(let reason, let detail, _)) where reason != .busy:
            fleet.events.note("\(name): goodbye \(reason) \(detail)")
            reconnectLater()
        case .session(.violation(let error)):
            fleet.events.note("\(name): \(error)")
            reconnectLater()
        default:
            reconnectLater()
        }
        tell(.disconnected)
    }

    private func reconnectLater() {
        connectTimer?.set(after: backoff.next(using: &random))
    }

    // MARK: The session

    private var standing: NodeSession.Standing {
        NodeSession.Standing(
            active: sequence.active,
            lastGood: lastGood,
            quarantined: sequence.quarantined,
            isDraining: isDraining
        )
    }

    func perform(_ action: NodeSession.Action, from link: ControlLink) {
        switch action {
        case .joined(let accepted): joined(accepted)
        case .joinRefused(let reason, let detail):
            isRefused = reason != .unavailable
            if isRefused { fleet.events.note("\(name): refused, \(reason) \(detail)") }
        case .welcomed(let welcome): welcomed(welcome)
        case .lookUp(let version):
            fleet.keep(version.manifest)
            let missing = fleet.shared.missing(of: version, over: sequence.active?.manifest)
            wantedCount += missing.count
            link.perform(link.session.lacking(missing))
        case .offer(let candidate): carryOut(sequence.offered(candidate))
        case .offerQuarantined(let head): carryOut(sequence.offeredQuarantined(head))
        case .settled(let head):
            carryOut(sequence.settled(head))
            tell(.settled)
        case .synchroniseAfter(let time): synchroniseTimer?.set(after: time)
        case .command(let kind):
            if kind == .drain { isDraining = true }
            if kind == .undrain { isDraining = false }
            link.session.standing = standing
            sendHeartbeat()
        case .renewed: break  // A run is over long before a certificate is.
        // It terminates no TLS, and joins anew with each start.
        case .assign, .keep, .useTicketKeys, .answerChallenges, .trust, .adjust: break
        case .send, .setPayloadLimit, .setDeadline, .close:
            preconditionFailure("the link's own matter")
        }
    }

    private func joined(_ accepted: WireJoinAccepted) {
        guard let key = requestedKey else { return }
        requestedKey = nil
        do {
            let membership = try Membership(
                accepted,
                key: key,
                authorityFingerprint: token.authorityFingerprint
            )
            self.membership = membership
            backoff.reset()
            if let identityPath {
                try replaceFile(identityPath, with: Array(membership.pem.utf8).span)
            }
        } catch {
            fleet.events.note("\(name): \(error)")
        }
        tell(.joined)
    }

    private func welcomed(_ welcome: WireWelcome) {
        backoff.reset()
        heartbeatInterval = .seconds(Int64(welcome.heartbeatSeconds))
        reportInterval = .seconds(Int64(welcome.metricsSeconds))
        heartbeatTimer?.set(after: heartbeatInterval)
        reportTimer?.set(after: reportInterval)
        isDraining = welcome.drain
        tell(.welcomed)
    }

    private func synchronise() {
        guard let link else { return }
        link.session.standing = standing
        link.perform(link.session.synchronise())
    }

    private func sendHeartbeat() {
        guard let link, link.session.isSteady else { return }
        heartbeatTimer?.set(after: heartbeatInterval)
        var message = WireHeartbeat()
        message.connections = 100
        message.memoryBytes = 64 << 20
        link.perform(link.session.heartbeat(message))
    }

    private func sendReport() {
        guard let link, link.session.isSteady else { return }
        reportTimer?.set(after: reportInterval)
        reportCount += 1
        link.perform(link.session.metrics(SimulatedFleet.report(sequence: reportCount)))
    }

    // MARK: Versions

    private func carryOut(_ actions: [ApplySequence.Action]) {
        for action in actions {
            switch action {
            case .prepare: carryOut(sequence.prepared())
            case .activate: carryOut(sequence.activated())
            case .confirm(let candidate):
                lastGood = candidate.version.head
                fleet.shared.served(candidate.version.manifest)
                carryOut(sequence.confirmed(lastGoodProblem: nil))
            case .renumber(let head): lastGood = head
            case .report(let report):
                link?.session.standing = standing
                if report.outcome == .active { tell(.active) }
                if let link { link.perform(link.session.report(report)) }
            case .discard, .retryAfter, .cancelRetry: break  // Nothing is prepared ahead, or fails.
            }
        }
        link?.session.standing = standing
    }

    private func tell(_ event: EventWriter.Event) {
        let received = link?.receivedBytes ?? toldBytes
        fleet.events.write(
            event,
            node: name,
            version: sequence.active?.head.version ?? 0,
            wanted: wantedCount,
            octets: received - toldBytes
        )
        toldBytes = received
        if event == .active { wantedCount = 0 }
    }
}
