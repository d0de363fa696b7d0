package import FleetMessages
package import FleetModel

/// The control plane's end of one connection: deciding who joins, or a member's session.
///
///     stranger --Join--> deciding --joinAccepted, joinRefused--> closed
///     member --Hello--> admitting --admitted--> steady --goodbye, violation, silence--> closed
///                           \------refused--> closed
///
/// While steady, `offer` decides what a node is sent for a head:
///
///     served there already        -> notModified
///     rejected there, unchanged   -> nothing
///     sent already                -> nothing
///     serves something            -> delta on that
///     serves nothing              -> the whole manifest
///
/// The peer's certificate was verified before; its name comes from there and never from a message.
package struct ControlSession: ~Copyable {
    /// Whom the certificate of the connection names.
    package enum Peer: Sendable, Equatable {
        /// There is none: the peer may join.
        case stranger
        case member(name: String)
    }

    /// What a node is to be sent for the head.
    package enum Offer: Sendable, Hashable {
        case notModified
        case delta(base: Digest)
        case manifest
    }

    /// What the caller is to do, in the order given.
    package enum Action: Sendable, Equatable {
        case send(Frame)
        /// Accept payloads up to this many octets from now on (`FrameDecoder.payloadBytesMax`).
        case setPayloadLimit(Int)
        /// Call `deadlinePassed` after this time unless another deadline is set before.
        case setDeadline(Duration)
        /// Check the token and the request, then call `joinAccepted` or `joinRefused`.
        case decideJoin(WireJoin)
        /// A member said Hello: call `admitted` or `refused`.
        case admit(WireHello)
        /// The member said Hello again.
        case greeted(WireHello)
        /// The node's state changed: call `offer` with the head.
        case synchronise
        /// Send these contents, each named once, in chunks with this correlation, in place of any asked for before.
        case sendBlobs([Digest], correlation: UInt32)
        case applied(ApplyReport)
        case heartbeat(WireHeartbeat)
        case metrics(WireMetricsReport)
        /// Send these, each named once, with `Material`, after those asked for before.
        case sendMaterial([Digest])
        case material(WireMaterialStatus)
        /// The node answers the challenges of a generation.
        case challenges(UInt64)
        case trust(WireTrustStatus)
        /// The node keeps to the adjustments of a generation.
        case adjusted(WireAdjustmentsStatus)
        case upstreams(WireUpstreamReport)
        /// Check the request, then call `renewed`.
        case renew(certificateRequest: [UInt8], correlation: UInt32)
        /// Send what is to be sent, then close the connection.
        ///
        /// Nothing more will be accepted.
        case close(SessionEnd)
    }

    private var state: State
    private let clusterID: [UInt8]

    private enum State {
        case stranger
        case deciding
        case member(name: String)
        case admitting(name: String, WireHello)
        case steady(Steady)
        case closed

        var description: String {
            switch self {
            case .stranger: "waiting for Join"
            case .deciding: "deciding on Join"
            case .member: "waiting for Hello"
            case .admitting: "admitting"
            case .steady: "steady"
            case .closed: "closed"
            }
        }
    }

    private struct Steady {
        let name: String
        var active: Holding?
        /// Digests whose content the node rejected.
        var rejected: [Digest]
        /// What the node was last sent or told that it has.
        var sent: Holding?

        init(name: String, hello: WireHello) {
            self.name = name
            active = Holding(hello.active)
            rejected = hello.quarantinedDigests.compactMap { Digest(octets: octets($0)) }
        }

        mutating func reject(_ digest: Digest) {
            guard !rejected.contains(digest) else { return }
            if rejected.count == Limits.quarantinedDigestCountMax { rejected.removeFirst() }
            rejected.append(digest)
        }
    }

    /// - Parameters:
    ///   - peer: As the TLS handshake found.
    ///   - clusterID: 16 octets.
    package init(peer: Peer, clusterID: [UInt8]) {
        self.clusterID = clusterID
        switch peer {
        case .stranger: state = .stranger
        case .member(let name): state = .member(name: name)
        }
    }

    // MARK: Events of the connection

    /// The connection is established.
    package mutating func connected() -> [Action] {
        [.setDeadline(.seconds(Limits.handshakeSeconds))]
    }

    /// A frame arrived.
    package mutating func received(_ frame: Frame) -> [Action] {
        // Left closed unless a path below puts a state back: what ends a session cannot be forgotten.
        let current = takeState()
        if case .closed = current { return [] }
        do {
            guard let message = try FleetMessage(frame) else {
                state = current
                // A frame of a later version is a sign of life all the same.
                return isSteady ? [.setDeadline(.seconds(Limits.silenceSeconds))] : []
            }
            switch (current, message) {
            case (_, .goodbye(let goodbye)):
                return [.close(SessionEnd(goodbye))]
            case (.stranger, .join(let join)):
                state = .deciding
                return [.decideJoin(join)]
            case (.member(let name), .hello(let hello)):
                try check(hello, name: name)
                state = .admitting(name: name, hello)
                return [.admit(hello)]
            case (.steady(var steady), _):
                let silence = Action.setDeadline(.seconds(Limits.silenceSeconds))
                let actions = try received(message, frame.correlation, &steady)
                state = .steady(steady)
                return [silence] + actions
            default:
                throw FleetProtocolError.outOfOrder(message.type, state: current.description)
            }
        } catch let error as FleetProtocolError {
            return violated(error)
        } catch {
            preconditionFailure("an error of another kind: \(error)")
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

    // MARK: Decisions

    /// Whether the session is over; every event is then ignored.
    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Whether a member is being served.
    package var isSteady: Bool {
        if case .steady = state { true } else { false }
    }

    /// What the node was last sent, or told that it has.
    package var sent: Holding? {
        if case .steady(let steady) = state { steady.sent } else { nil }
    }

    /// The token and the request are good.
    package mutating func joinAccepted(_ message: WireJoinAccepted) -> [Action] {
        guard case .deciding = state else { return [] }
        state = .closed
        return [
            .send(FleetMessage.joinAccepted(message).frame(correlation: 1)),
            .close(.local(.joined)),
        ]
    }

    /// The token or the request is not good.
    package mutating func joinRefused(_ reason: WireJoinRefusal, detail: String) -> [Action] {
        guard case .deciding = state else { return [] }
        state = .closed
        var message = WireJoinRefused()
        message.reason = reason
        message.detail = cut(detail)
        return [
            .send(FleetMessage.joinRefused(message).frame(correlation: 1)),
            .close(.local(.joined)),
        ]
    }

    /// The member may have a session.
    ///
    /// - Parameters:
    ///   - welcome: What it is told.
    ///   - material: What it must know before any version is offered.
    /// - Returns: What to do.
    package mutating func admitted(
        _ welcome: WireWelcome,
        material: [FleetMessage] = []
    ) -> [Action] {
        guard case .admitting(let name, let hello) = state else { return [] }
        state = .steady(Steady(name: name, hello: hello))
        return [
            .setPayloadLimit(Limits.framePayloadBytesMax),
            .setDeadline(.seconds(Limits.silenceSeconds)),
            .send(FleetMessage.welcome(welcome).frame(correlation: 1)),
        ] + tell(material) + [.synchronise]
    }

    /// The session ends: the node is not admitted, revoked, replaced, or we stop.
    package mutating func leave(
        _ reason: WireGoodbyeReason,
        detail: String = "",
        retryAfter: Duration? = nil
    ) -> [Action] {
        guard !isClosed else { return [] }
        state = .closed
        let goodbye = goodbyeFrame(reason, detail: detail, retryAfter: retryAfter)
        return [.send(goodbye), .close(.local(reason))]
    }

    /// Decides what the node is to be sent for `head`, and takes it as sent.
    ///
    /// - Returns: `nil` if nothing is to be sent.
    package mutating func offer(_ head: Holding) -> Offer? {
        guard case .steady(var steady) = state else { return nil }
        guard steady.sent != head, !steady.rejected.contains(head.digest) else { return nil }
        steady.sent = head
        state = .steady(steady)
        guard let active = steady.active else { return .manifest }
        return active.digest == head.digest ? .notModified : .delta(base: active.digest)
    }

    /// What `offer` decided is not sent now: too many are being sent everything.
    package mutating func postpone(retryAfter: Duration) -> [Action] {
        guard case .steady(var steady) = state else { return [] }
        steady.sent = nil
        state = .steady(steady)
        var message = WireDeferred()
        let (seconds, attoseconds) = retryAfter.components
        message.retryAfterMilliseconds = UInt32(
            clamping: seconds * 1_000 + attoseconds / 1_000_000_000_000_000
        )
        return [.send(FleetMessage.deferred(message).frame())]
    }

    /// Answers `renew`.
    package mutating func renewed(_ message: WireRenewed, correlation: UInt32) -> [Action] {
        guard isSteady else { return [] }
        return [.send(FleetMessage.renewed(message).frame(correlation: correlation))]
    }

    /// Sends an operator's command; `retry` also forgets what the node rejected, `revoke` ends the session.
    package mutating func command(_ kind: WireCommandKind) -> [Action] {
        guard case .steady(var steady) = state else { return [] }
        var message = WireCommand()
        message.kind = kind
        let command = Action.send(FleetMessage.command(message).frame())
        if kind == .revoke { return [command] + leave(.revoked) }
        if kind == .retry {
            steady.rejected = []
            steady.sent = nil
            state = .steady(steady)
        }
        return [command]
    }

    /// Tells the node which material there is, gives it some, or gives it keys of tickets.
    package func tell(_ messages: [FleetMessage]) -> [Action] {
        guard isSteady else { return [] }
        return messages.map { .send($0.frame()) }
    }

    /// Answers a heartbeat.
    package mutating func answerHeartbeat(head: Holding?) -> [Action] {
        guard isSteady else { return [] }
        var message = WireHeartbeatAnswer()
        if let head {
            message.epoch = head.epoch
            message.headVersion = head.version
            message.headDigest = wireOctets(head.digest.octets)
        }
        return [.send(FleetMessage.heartbeatAnswer(message).frame())]
    }

    // MARK: Messages

    private func check(_ hello: WireHello, name: String) throws(FleetProtocolError) {
        guard octets(hello.clusterID) == clusterID else { throw .wrongCluster }
        guard hello.name == name else { throw .fieldInvalid(.hello, field: "name") }
    }

    private func received(
        _ message: FleetMessage,
        _ correlation: UInt32,
        _ steady: inout Steady
    ) throws(FleetProtocolError) -> [Action] {
        switch message {
        case .hello(let hello):
            try check(hello, name: steady.name)
            steady = Steady(name: steady.name, hello: hello)
            return [.greeted(hello), .synchronise]
        case .wantBlobs(let message):
            let digests = Self.distinct(message.digests.map(octets))
            return [.sendBlobs(digests, correlation: correlation)]
        case .applyStatus(let message):
            let report = try ApplyReport(message)
            steady.active = report.active
            switch report.outcome {
            case .rejected(.content, _), .reverted(.content, _):
                steady.reject(report.subject.digest)
            case .received, .prepared, .active, .confirmed, .rejected, .reverted: break
            }
            return [.applied(report)]
        case .heartbeat(let heartbeat):
            return [.heartbeat(heartbeat)]
        case .metricsReport(let report): return [.metrics(report)]
        case .wantMaterial(let message):
            return [.sendMaterial(Self.distinct(message.digests.map(octets)))]
        case .materialStatus(let status): return [.material(status)]
        case .challengesStatus(let status): return [.challenges(status.generation)]
        case .trustStatus(let status): return [.trust(status)]
        case .adjustmentsStatus(let status): return [.adjusted(status)]
        case .upstreamReport(let report): return [.upstreams(report)]
        case .renew(let message):
            let request = octets(message.certificateRequest)
            return [.renew(certificateRequest: request, correlation: correlation)]
        case let other: throw .outOfOrder(other.type, state: "steady")
        }
    }

    /// The digests in order: one named again means the same octets again, which are sent once.
    private static func distinct(_ list: [[UInt8]]) -> [Digest] {
        var seen: Set<Digest> = []
        return list.compactMap(Digest.init(octets:)).filter { seen.insert($0).inserted }
    }

    private mutating func takeState() -> State {
        let current = state
        state = .closed
        return current
    }

    private mutating func violated(_ error: FleetProtocolError) -> [Action] {
        state = .closed
        let goodbye = goodbyeFrame(error.goodbyeReason, detail: error.description)
        return [.send(goodbye), .close(.violation(error))]
    }
}
