package import FleetMessages
package import FleetModel

/// A node's end of one connection to the control plane: joining, or a member's session.
///
///     opening --connected--> joining --JoinAccepted, JoinRefused--> closed
///     opening --connected--> greeting --Welcome--> steady --goodbye, violation, silence--> closed
///
/// While steady, at most one version is being transferred; a newer offer replaces it:
///
///     settled --Manifest, ManifestDelta--> lookingUp --lacking nothing--> settled (offer)
///        |                                  |   ^
///        |                                  |   | all octets, digest right
///        +--the same, chunked--> receivingContent
///                                           |
///     lookingUp --lacking some, WantBlobs--> receivingBlobs --all blobs--> settled (offer)
///
/// The session verifies digests, the signature and that versions never go backwards. What becomes of an offer is
/// `ApplySequence`'s matter, which outlives sessions.
package struct NodeSession: ~Copyable {
    /// What the node serves and remembers; the caller keeps it up to date.
    package struct Standing: Sendable {
        /// What is being served, with its manifest: the base of deltas.
        package var active: SignedManifest?
        /// What is stored for the next start.
        package var lastGood: SignedHead?
        /// Rejected digests, oldest first; at most `Limits.quarantinedDigestCountMax` are sent.
        package var quarantined: [Digest]
        package var isDraining: Bool

        package init(
            active: SignedManifest? = nil,
            lastGood: SignedHead? = nil,
            quarantined: [Digest] = [],
            isDraining: Bool = false
        ) {
            (self.active, self.lastGood) = (active, lastGood)
            (self.quarantined, self.isDraining) = (quarantined, isDraining)
        }
    }

    /// Who the node is.
    package struct Member: Sendable {
        /// 16 octets.
        package let clusterID: [UInt8]
        package let name: String
        package let labels: [String: String]
        package let build: String
        /// Whether the signature over the octets is the cluster's; Ed25519 with the key from JoinAccepted.
        package let isSigned: @Sendable (_ octets: [UInt8], _ signature: [UInt8]) -> Bool

        package init(
            clusterID: [UInt8],
            name: String,
            labels: [String: String],
            build: String,
            isSigned: @escaping @Sendable (_ octets: [UInt8], _ signature: [UInt8]) -> Bool
        ) {
            (self.clusterID, self.name, self.labels) = (clusterID, name, labels)
            (self.build, self.isSigned) = (build, isSigned)
        }
    }

    /// What the caller is to do, in the order given.
    package enum Action: Sendable, Equatable {
        case send(Frame)
        /// Accept payloads up to this many octets from now on (`FrameDecoder.payloadBytesMax`).
        case setPayloadLimit(Int)
        /// Call `deadlinePassed` after this time unless another deadline is set before.
        case setDeadline(Duration)
        /// Keep the certificate and the keys, close, and connect as a member.
        case joined(WireJoinAccepted)
        case joinRefused(WireJoinRefusal, detail: String)
        /// The session is established; begin heartbeats and reports at these intervals.
        case welcomed(WireWelcome)
        /// Find out which of the version's contents are missing here and call `lacking`.
        case lookUp(SignedManifest)
        /// Give it to `ApplySequence.offered`.
        case offer(Candidate)
        /// A quarantined version was offered all the same: `ApplySequence.offeredQuarantined`.
        case offerQuarantined(SignedHead)
        /// What is served is the head, perhaps under a newer number: `ApplySequence.settled`.
        case settled(SignedHead)
        /// Call `synchronise` after this time.
        case synchroniseAfter(Duration)
        case renewed(WireRenewed)
        case command(WireCommandKind)
        /// Which material the certificates of the head have: say what is lacking with `wantMaterial`.
        case assign(WireMaterialList)
        /// Material that was asked for, or why it is not sent; its digest is not verified yet.
        case keep(WireMaterial)
        case useTicketKeys(WireTicketKeys)
        /// Answer these, and those alone, then call `reportChallenges`.
        case answerChallenges(WireChallenges)
        /// Believe these authorities from now on, store that, then say so with `report`.
        case trust(WireTrust)
        /// Keep to these, and those alone, store them, then call `report`.
        case adjust(WireAdjustments)
        /// Send what is to be sent, then close the connection.
        ///
        /// Nothing more will be accepted.
        case close(SessionEnd)
    }

    /// What the node serves and remembers now.
    ///
    /// Set it whenever it changes.
    package var standing: Standing {
        didSet { remember(standing.active?.manifest) }
    }

    /// Manifests that another session of this process has checked; offers that lead to one take it over.
    ///
    /// A node has one session and leaves this empty. A thousand sessions on one processor would spend it on
    /// working out the same manifest.
    package var known: [Manifest] = []

    private let opening: Opening
    private var state: State
    /// Manifests that a delta may be based on: what was served or offered last.
    private var bases: [Manifest] = []

    private enum Opening {
        case join(WireJoin)
        case member(Member)
    }

    private enum State {
        case opening
        case joining
        case greeting(Member)
        case steady(Steady)
        case closed

        var description: String {
            switch self {
            case .opening: "opening"
            case .joining: "joining"
            case .greeting: "greeting"
            case .steady: "steady"
            case .closed: "closed"
            }
        }
    }

    /// A session that will join the cluster with a token.
    package init(joining request: WireJoin) {
        opening = .join(request)
        standing = Standing()
        state = .opening
    }

    /// A session of a member.
    package init(member: Member, standing: Standing) {
        opening = .member(member)
        self.standing = standing
        state = .opening
        remember(standing.active?.manifest)
    }

    // MARK: Events of the connection

    /// The connection is established and the server's certificate was verified.
    package mutating func connected() -> [Action] {
        guard case .opening = state else {
            preconditionFailure("connected while \(state.description)")
        }
        let deadline = Action.setDeadline(.seconds(Limits.handshakeSeconds))
        switch opening {
        case .join(let request):
            state = .joining
            return [.send(FleetMessage.join(request).frame(correlation: 1)), deadline]
        case .member(let member):
            state = .greeting(member)
            return [.send(hello(member)), deadline]
        }
    }

    /// A frame arrived.
    package mutating func received(_ frame: Frame) -> [Action] {
        // Left closed unless a path below puts a state back: what ends a session cannot be forgotten.
        let current = takeState()
        if case .closed = current { return [] }
        do {
            let message = try FleetMessage(frame)
            if case .goodbye(let goodbye) = message { return [.close(SessionEnd(goodbye))] }
            switch current {
            case .opening: preconditionFailure("a frame before the connection")
            case .closed: return []
            case .joining: return try receivedJoining(message)
            case .greeting(let member): return try receivedGreeting(message, member)
            case .steady(var steady):
                let silence = Action.setDeadline(.seconds(Limits.silenceSeconds))
                let actions = try received(message, frame.correlation, &steady)
                state = .steady(steady)
                return [silence] + actions
            }
        } catch {
            return violated(error)
        }
    }

    /// The octets that arrived are no frames.
    package mutating func failed(_ error: FleetProtocolError) -> [Action] {
        isClosed ? [] : violated(error)
    }

    /// The time set by `setDeadline` has passed.
    package mutating func deadlinePassed() -> [Action] {
        isClosed ? [] : violated(.timeout)
    }

    /// The peer closed the connection.
    ///
    /// `isBetweenFrames` says whether all octets received belong to complete frames.
    package mutating func peerClosed(isBetweenFrames: Bool) -> [Action] {
        guard !isClosed else { return [] }
        state = .closed
        return [.close(isBetweenFrames ? .peerClosed : .violation(.frameTruncated))]
    }

    // MARK: Events of the node

    /// Whether the session is established.
    package var isSteady: Bool {
        if case .steady = state { true } else { false }
    }

    /// Whether the session is over; every event is then ignored.
    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Answers `lookUp`: these contents are missing here.
    package mutating func lacking(_ missing: [Digest]) -> [Action] {
        guard case .steady(var steady) = takeState() else { return [] }
        let actions = steady.lacking(missing)
        state = .steady(steady)
        return offered(actions)
    }

    /// Says Hello again: after `synchroniseAfter`, or when the node forgot what it had quarantined.
    package mutating func synchronise() -> [Action] {
        guard case .steady(var steady) = takeState() else { return [] }
        let actions = greet(&steady)
        state = .steady(steady)
        return actions
    }

    /// Reports on a version.
    package mutating func report(_ report: ApplyReport) -> [Action] {
        guard isSteady else { return [] }
        return [.send(FleetMessage.applyStatus(report.message).frame())]
    }

    /// It is time for a heartbeat; `active` and `draining` are filled in here.
    package mutating func heartbeat(_ heartbeat: WireHeartbeat) -> [Action] {
        guard isSteady else { return [] }
        var message = heartbeat
        if let active = standing.active { message.active = Holding(active.head).message }
        message.draining = standing.isDraining
        return [.send(FleetMessage.heartbeat(message).frame())]
    }

    /// It is time for a metrics report.
    package mutating func metrics(_ report: WireMetricsReport) -> [Action] {
        isSteady ? [.send(FleetMessage.metricsReport(report).frame())] : []
    }

    /// It is time for the next certificate.
    ///
    /// The request is PKCS #10, DER.
    package mutating func renew(certificateRequest: [UInt8]) -> [Action] {
        guard isSteady else { return [] }
        var message = WireRenew()
        message.certificateRequest = wireOctets(certificateRequest)
        return [.send(FleetMessage.renew(message).frame())]
    }

    /// Material is lacking.
    package mutating func wantMaterial(_ digests: [Digest]) -> [Action] {
        guard isSteady, !digests.isEmpty else { return [] }
        var message = WireWantMaterial()
        message.digests = digests.prefix(Limits.materialDigestCountMax)
            .map { wireOctets($0.octets) }
        return [.send(FleetMessage.wantMaterial(message).frame())]
    }

    /// What the node holds and serves of its material has changed.
    package mutating func report(_ status: WireMaterialStatus) -> [Action] {
        guard isSteady else { return [] }
        var message = status
        message.problem = cut(status.problem)
        return [.send(FleetMessage.materialStatus(message).frame())]
    }

    /// The challenges of a generation are answered.
    package mutating func reportChallenges(_ generation: UInt64) -> [Action] {
        guard isSteady else { return [] }
        var message = WireChallengesStatus()
        message.generation = generation
        return [.send(FleetMessage.challengesStatus(message).frame())]
    }

    /// What the node believes, and whose certificate it has, is stored.
    package mutating func report(_ status: WireTrustStatus) -> [Action] {
        isSteady ? [.send(FleetMessage.trustStatus(status).frame())] : []
    }

    /// Every worker keeps to the adjustments of a generation.
    package mutating func report(_ status: WireAdjustmentsStatus) -> [Action] {
        guard isSteady else { return [] }
        var message = status
        message.problem = cut(status.problem)
        return [.send(FleetMessage.adjustmentsStatus(message).frame())]
    }

    /// How the node sees its upstreams has changed, or it is time to say so again.
    package mutating func report(_ report: WireUpstreamReport) -> [Action] {
        isSteady ? [.send(FleetMessage.upstreamReport(report).frame())] : []
    }

    /// The node ends the session.
    package mutating func leave(_ reason: WireGoodbyeReason, detail: String = "") -> [Action] {
        guard !isClosed else { return [] }
        state = .closed
        return [.send(goodbyeFrame(reason, detail: detail)), .close(.local(reason))]
    }

    // MARK: Messages

    private mutating func receivedJoining(
        _ message: FleetMessage?
    ) throws(FleetProtocolError) -> [Action] {
        switch message {
        case .joinAccepted(let accepted):
            [.joined(accepted), .close(.local(.joined))]
        case .joinRefused(let refused):
            [.joinRefused(refused.reason, detail: refused.detail), .close(.local(.joined))]
        case nil: kept(.joining)
        case let other?: throw .outOfOrder(other.type, state: "joining")
        }
    }

    private mutating func receivedGreeting(
        _ message: FleetMessage?,
        _ member: Member
    ) throws(FleetProtocolError) -> [Action] {
        switch message {
        case .welcome(let welcome):
            state = .steady(Steady(member: member))
            return [
                .setPayloadLimit(Limits.framePayloadBytesMax),
                .setDeadline(.seconds(Limits.silenceSeconds)),
                .welcomed(welcome),
            ]
        case nil: return kept(.greeting(member))
        case let other?: throw .outOfOrder(other.type, state: "greeting")
        }
    }

    private mutating func received(
        _ message: FleetMessage?,
        _ correlation: UInt32,
        _ steady: inout Steady
    ) throws(FleetProtocolError) -> [Action] {
        switch message {
        case .notModified(let message):
            return try notModified(message, &steady)
        case .manifest(let message):
            return offered(try steady.received(message, correlation, standing, known))
        case .manifestDelta(let message):
            guard try steady.knowsBase(of: message, bases) else { return greet(&steady) }
            return offered(
                try steady.received(message, correlation, standing, bases, known)
            )
        case .blobChunk(let message):
            return offered(
                try steady.received(message, correlation, standing, bases, known)
            )
        case .deferred(let message):
            steady.abandonTransfer()
            return [.synchroniseAfter(.milliseconds(Int64(message.retryAfterMilliseconds)))]
        case .heartbeatAnswer(let message):
            guard steady.misses(message, standing) else { return [] }
            return greet(&steady)
        case .renewed(let message): return [.renewed(message)]
        case .command(let message): return [.command(message.kind)]
        case .materialList(let message): return [.assign(message)]
        case .material(let message): return [.keep(message)]
        case .ticketKeys(let message): return [.useTicketKeys(message)]
        case .challenges(let message): return [.answerChallenges(message)]
        case .trust(let message): return [.trust(message)]
        case .adjustments(let message): return [.adjust(message)]
        case nil: return []
        case let other?: throw .outOfOrder(other.type, state: "steady")
        }
    }

    private mutating func notModified(
        _ message: WireNotModified,
        _ steady: inout Steady
    ) throws(FleetProtocolError) -> [Action] {
        let head = try steady.verified(message.head, of: .notModified, standing)
        guard let active = standing.active, active.head.digest == head.digest else {
            // What is served changed while the answer was on its way.
            return greet(&steady)
        }
        steady.accept(head)
        return [.settled(head)]
    }

    // MARK: Helpers

    /// Keeps the manifests of offers as bases of later deltas.
    private mutating func offered(_ actions: [Action]) -> [Action] {
        for case .offer(let candidate) in actions { remember(candidate.version.manifest) }
        return actions
    }

    private mutating func remember(_ manifest: Manifest?) {
        guard let manifest, !bases.contains(where: { $0.digest == manifest.digest }) else { return }
        // The one served, the one being applied, and the one before: an offer may cross a report.
        if bases.count == 3 { bases.removeFirst() }
        bases.append(manifest)
    }

    private func greet(_ steady: inout Steady) -> [Action] {
        steady.greets()
        return [.send(hello(steady.member))]
    }

    private func hello(_ member: Member) -> Frame {
        var message = WireHello()
        message.clusterID = wireOctets(member.clusterID)
        message.name = member.name
        message.labels = member.labels
        message.build = member.build
        if let active = standing.active { message.active = Holding(active.head).message }
        if let lastGood = standing.lastGood { message.lastGood = Holding(lastGood).message }
        message.quarantinedDigests = standing.quarantined
            .suffix(Limits.quarantinedDigestCountMax).map { wireOctets($0.octets) }
        message.draining = standing.isDraining
        return FleetMessage.hello(message).frame(correlation: 1)
    }

    private mutating func takeState() -> State {
        let current = state
        state = .closed
        return current
    }

    private mutating func kept(_ same: State) -> [Action] {
        state = same
        return []
    }

    private mutating func violated(_ error: FleetProtocolError) -> [Action] {
        state = .closed
        let goodbye = goodbyeFrame(error.goodbyeReason, detail: error.description)
        return [.send(goodbye), .close(.violation(error))]
    }
}
