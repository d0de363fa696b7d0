import FleetMessages
import FleetModel
import FleetProtocol
import Logging
import NIOCore
import NIOSSL

/// One connection: turns octets into frames for its `ControlSession` and carries out what that says.
///
/// Frames are written at once. Chunks wait here and are written only while the channel takes them, so that a frame
/// never waits behind more than the channel holds. Contents that a node asked for are read a little at a time, when
/// those before are written, so a peer that stops reading costs the newest offer, whose octets all nodes share,
/// and `Limits.contentBytesAhead`, whatever it asks for:
///
///     frames ----------------------------------------------------+--> channel (512 KiB) --> TLS --> socket
///     an offer's chunks -------------+--> waiting --while writable-+
///     wanted --read when none waits--+
///
/// A newer offer drops what waits and what is wanted; a newer request drops the contents of the one before.
final class FleetConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The member's name; empty for a stranger.
    let name: String
    let record: NodeRecord
    /// Whether the node is being sent a whole manifest and its contents; kept by `Fleet`.
    var isFullySyncing = false

    private let fleet: Fleet
    /// When the newest certificate that this connection knows of ends, in seconds since 1970-01-01 UTC.
    private var certificateEndSeconds: Int64
    private var session: ControlSession
    private var decoder = FrameDecoder()
    private var context: ChannelHandlerContext?
    private var waiting: [WaitingChunk] = []
    private var waitingNext = 0
    private var wanted: WantedContents?
    /// Material that the node asked for and was not sent.
    private var materialQueue: [Digest] = []
    private var isReadingMaterial = false
    private var requestCount = 0
    /// The number of the request whose contents are being read.
    private var reading: Int?
    /// Whether the head was not offered because the channel took nothing.
    private var offerIsDue = false
    private var outstandingBytes = 0
    private var deadline: NIODeadline
    private var deadlineTask: Scheduled<Void>?
    private var stalledSince: NIODeadline?
    private var isEnded = false
    /// Whether it counts as a connection that is not admitted yet.
    private var isHandshaking = true

    private struct WaitingChunk {
        let correlation: UInt32
        let chunk: ChunkPayload
        /// Whether it holds contents that the node asked for, and not the offer itself.
        let isContent: Bool
    }

    /// What is left of the node's newest request.
    private struct WantedContents {
        var digests: [Digest]
        let correlation: UInt32
        /// Tells it from requests before, whose contents may still be on their way here.
        let number: Int
    }

    /// A connection of the member that a certificate named, which ends at the given time.
    convenience init(member record: NodeRecord, certificateEndSeconds: Int64, fleet: Fleet) {
        self.init(.member(name: record.name), record, certificateEndSeconds, fleet)
    }

    /// A connection without a certificate.
    convenience init(fleet: Fleet) {
        self.init(.stranger, NodeRecord(name: "", id: [], labels: [:]), .max, fleet)
    }

    private init(
        _ peer: ControlSession.Peer,
        _ record: NodeRecord,
        _ certificateEndSeconds: Int64,
        _ fleet: Fleet
    ) {
        session = ControlSession(peer: peer, clusterID: fleet.owner.store.clusterID)
        self.record = record
        self.certificateEndSeconds = certificateEndSeconds
        self.fleet = fleet
        name = record.name
        deadline = fleet.now + .seconds(Limits.handshakeSeconds)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        perform(session.connected())
        watch()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadlineTask?.cancel()
        handshakeEnded()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        let octets = buffer.readableBytesUInt8Span
        var offset = 0
        do {
            while !isEnded, let frame = try decoder.next(octets, offset: &offset) {
                perform(session.received(frame))
            }
        } catch {
            perform(session.failed(error))
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            stalledSince = nil
            pump()
            pumpMaterial()
            if offerIsDue {
                offerIsDue = false
                fleet.synchronise(self)
            }
        } else if stalledSince == nil {
            stalledSince = fleet.now
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        perform(session.peerClosed(isBetweenFrames: decoder.isBetweenFrames))
        ended(.peerClosed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // TLS or the socket failed: there is nobody to say goodbye to.
        context.close(promise: nil)
    }

    // MARK: Sending

    /// What to send for `head`; `nil` if nothing, or not now.
    func offer(_ head: Holding) -> ControlSession.Offer? {
        guard !isEnded, let context else { return nil }
        guard context.channel.isWritable else {
            offerIsDue = true
            return nil
        }
        return session.offer(head)
    }

    /// Whether `head` is still what this node is to be sent.
    func wants(_ head: Holding) -> Bool {
        !isEnded && session.sent == head
    }

    /// Sends an offer, in place of all that is still to be sent of any before.
    func sendOffer(_ frame: ByteBuffer, chunks: [ChunkPayload], correlation: UInt32) {
        guard !isEnded else { return }
        drop()
        write(frame)
        add(chunks, correlation: correlation, isContent: false)
        pump()
        context?.flush()
    }

    /// Sends contents that the node lacks, in place of those that it asked for before.
    private func sendBlobs(_ digests: [Digest], correlation: UInt32) {
        waiting = waiting[waitingNext...].filter { !$0.isContent }
        waitingNext = 0
        requestCount += 1
        wanted =
            digests.isEmpty
            ? nil
            : WantedContents(digests: digests, correlation: correlation, number: requestCount)
        pump()
    }

    private func add(_ chunks: [ChunkPayload], correlation: UInt32, isContent: Bool) {
        waiting.append(
            contentsOf: chunks.lazy.map {
                WaitingChunk(correlation: correlation, chunk: $0, isContent: isContent)
            }
        )
    }

    private func drop() {
        waiting = []
        waitingNext = 0
        wanted = nil
    }

    /// Writes what waits while the channel takes it, and reads more when nothing waits.
    private func pump() {
        guard let context else { return }
        while context.channel.isWritable, waitingNext < waiting.count {
            let next = waiting[waitingNext]
            waitingNext += 1
            write(next.chunk.header(correlation: next.correlation))
            // A slice at a time: TLS keeps a buffer as large as the largest write, for each connection.
            var rest = next.chunk.payload
            while let slice = rest.readSlice(
                length: min(rest.readableBytes, Limits.writeSliceBytes)
            ), slice.readableBytes > 0 {
                write(slice)
                context.flush()
            }
        }
        guard waitingNext == waiting.count else { return }
        waiting = []
        waitingNext = 0
        if context.channel.isWritable { readWanted() }
    }

    /// Reads the next of the wanted contents; one reading at a time.
    private func readWanted() {
        guard !isEnded, reading == nil, let wanted else { return }
        // After a change, all nodes ask for the same at once.
        if let last = fleet.lastContents, last.digests == wanted.digests {
            return send(last.chunks, of: wanted)
        }
        reading = wanted.number
        fleet.readContents(wanted.digests, for: self)
    }

    /// The contents that were asked of the fleet have been read, or could not be.
    func contentsRead(_ result: Result<ContentChunks?, any Error>) {
        let number = reading
        reading = nil
        guard !isEnded else { return }
        guard let wanted, wanted.number == number else { return pump() }
        switch result {
        case .success(let made?): send(made, of: wanted)
        case .success(nil): violated(.fieldInvalid(.wantBlobs, field: "digests"))
        case .failure(let error):
            fleet.owner.logger.error("fleet.blobs_failed", metadata: ["error": "\(error)"])
            leave(.internal)
        }
    }

    private func send(_ chunks: ContentChunks, of wanted: WantedContents) {
        let rest = Array(wanted.digests.dropFirst(chunks.contentCount))
        self.wanted?.digests = rest
        if rest.isEmpty { self.wanted = nil }
        add(chunks.payloads, correlation: wanted.correlation, isContent: true)
        pump()
    }

    // MARK: Material

    /// Sends material that the node lacks, after what it asked for before.
    private func sendMaterial(_ digests: [Digest]) {
        materialQueue += digests
        guard materialQueue.count <= Limits.materialQueueMax else {
            return violated(.limitExceeded(.wantMaterial, what: "digests"))
        }
        pumpMaterial()
    }

    /// Reads and sends what waits, one piece at a time, while the channel takes it.
    private func pumpMaterial() {
        while !isReadingMaterial, !isEnded, context?.channel.isWritable == true,
            !materialQueue.isEmpty
        {
            let digest = materialQueue.removeFirst()
            if fleet.allowsMaterial(digest, for: self) {
                readMaterial(digest)
            } else {
                tell([.material(refusal(digest, "it is not for what this node serves now"))])
            }
        }
    }

    private func readMaterial(_ digest: Digest) {
        isReadingMaterial = true
        let owner = fleet.owner
        owner.run({ [store = owner.store] in try await store.material(digest) }) { result in
            self.isReadingMaterial = false
            guard !self.isEnded else { return }
            var answer = self.refusal(digest, "the control plane does not keep it")
            switch result {
            case .success(let found): answer = found ?? answer
            case .failure(let error):
                // Damage is of one piece; the others may be whole.
                owner.logger.error(
                    "fleet.material_failed",
                    metadata: ["digest": "\(digest)", "error": "\(error)"]
                )
                answer.refusal = "the control plane cannot read it"
            }
            self.tell([.material(answer)])
            self.pumpMaterial()
        }
    }

    private func refusal(_ digest: Digest, _ reason: String) -> WireMaterial {
        var message = WireMaterial()
        message.digest = wireOctets(digest.octets)
        message.refusal = reason
        return message
    }

    private func write(_ buffer: ByteBuffer) {
        guard let context else { return }
        let count = buffer.readableBytes
        outstandingBytes += count
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.outstandingBytes -= count
        }
        context.write(wrapOutboundOut(buffer), promise: written)
    }

    // MARK: Decisions

    func joinAccepted(_ message: WireJoinAccepted) {
        perform(session.joinAccepted(message))
    }

    func joinRefused(_ error: JoinError) {
        perform(session.joinRefused(error.reason, detail: error.detail))
    }

    func admitted(_ welcome: WireWelcome, material: [FleetMessage]) {
        handshakeEnded()
        perform(session.admitted(welcome, material: material))
    }

    /// Tells the node which material there is, or gives it some.
    func tell(_ messages: [FleetMessage]) {
        perform(session.tell(messages))
    }

    func postpone(retryAfter: Duration) {
        perform(session.postpone(retryAfter: retryAfter))
    }

    func command(_ kind: WireCommandKind) {
        perform(session.command(kind))
    }

    func leave(_ reason: WireGoodbyeReason, detail: String = "", retryAfter: Duration? = nil) {
        perform(session.leave(reason, detail: detail, retryAfter: retryAfter))
    }

    private func violated(_ error: FleetProtocolError) {
        perform(session.failed(error))
    }

    // MARK: Actions

    private func perform(_ actions: [ControlSession.Action]) {
        for action in actions { perform(action) }
        context?.flush()
        if outstandingBytes > Limits.outstandingBytesMax, !isEnded {
            ended(.violation(.limitExceeded(.goodbye, what: "octets that the peer did not take")))
            abort()
        }
    }

    private func perform(_ action: ControlSession.Action) {
        switch action {
        case .send(let frame): write(ByteBuffer(bytes: frame.encoded()))
        case .setPayloadLimit(let bytes): decoder.payloadBytesMax = bytes
        case .setDeadline(let duration):
            deadline = fleet.now + .nanoseconds(Int64(duration / .nanoseconds(1)))
        case .decideJoin(let join): fleet.decide(join, for: self)
        case .admit(let hello): fleet.admit(hello, self)
        case .greeted(let hello): fleet.greeted(hello, self)
        case .synchronise: fleet.synchronise(self)
        case .sendBlobs(let digests, let correlation):
            sendBlobs(digests, correlation: correlation)
        case .applied(let report): fleet.applied(report, self)
        case .heartbeat(let heartbeat):
            fleet.heartbeat(heartbeat, self)
            perform(session.answerHeartbeat(head: fleet.head.map { Holding($0.head) }))
        case .metrics(let report): fleet.report(report, self)
        case .sendMaterial(let digests): sendMaterial(digests)
        case .material(let status): fleet.materialReported(status, self)
        case .challenges(let generation): fleet.challengesReported(generation, self)
        case .trust(let status): fleet.trustReported(status, self)
        case .adjusted(let status): fleet.adjusted(status, self)
        case .upstreams(let report): fleet.upstreamsReported(report, self)
        case .renew(let request, let correlation): renew(request, correlation)
        case .close(let end):
            ended(end)
            close()
        }
    }

    private func renew(_ request: [UInt8], _ correlation: UInt32) {
        guard fleet.admitRenewal(self) else {
            var message = WireRenewed()
            message.refusal = "a certificate is issued once in \(fleet.renewalSeconds) seconds"
            return perform(session.renewed(message, correlation: correlation))
        }
        let owner = fleet.owner
        owner.run({ [issuer = owner.issuer, name] in
            try await issuer.renew(node: name, certificateRequest: request)
        }) { result in
            var message = WireRenewed()
            switch result {
            case .success(let renewed):
                message = renewed
                if renewed.refusal.isEmpty {
                    self.certificateEndSeconds = renewed.notAfterUnixSeconds
                }
            case .failure(let error):
                owner.logger.error("node.renewal_failed", metadata: ["error": "\(error)"])
                message.refusal = "the control plane cannot issue certificates now"
            }
            self.perform(self.session.renewed(message, correlation: correlation))
        }
    }

    // MARK: Ending

    private func ended(_ end: SessionEnd) {
        guard !isEnded else { return }
        isEnded = true
        handshakeEnded()
        drop()
        materialQueue = []
        deadlineTask?.cancel()
        fleet.sessionEnded(self, end)
    }

    private func handshakeEnded() {
        guard isHandshaking else { return }
        isHandshaking = false
        fleet.handshakeEnded()
    }

    /// Closes once the peer has taken goodbye, or after a short while.
    private func close() {
        guard let context else { return }
        context.flush()
        context.close(promise: nil)
        let channel = context.channel
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: .milliseconds(Limits.goodbyeMilliseconds)) {
            if channel.isActive { loopBound.value.abort() }
        }
    }

    /// Closes the socket without waiting for anything.
    private func abort() {
        guard let context else { return }
        // From TLS's own context on, so that it does not wait for the peer's close_notify.
        do {
            let operations = context.pipeline.syncOperations
            try operations.context(handlerType: NIOSSLServerHandler.self).close(promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }

    /// Looks, once a second, whether the peer was silent or took nothing for too long, and whether its certificate
    /// has ended.
    private func watch() {
        guard let context else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        deadlineTask = context.eventLoop.scheduleTask(in: .seconds(1)) {
            loopBound.value.lookAtClock()
        }
    }

    private func lookAtClock() {
        guard !isEnded else { return }
        let now = fleet.now
        if let stalledSince, now - stalledSince > .seconds(Limits.stallSeconds) {
            ended(.violation(.timeout))
            abort()
        } else if now >= deadline {
            perform(session.deadlinePassed())
        } else if fleet.owner.clock() / 1_000 > certificateEndSeconds {
            leave(.unknownNode, detail: "the certificate of node \(name) has expired")
        } else {
            watch()
        }
    }
}
