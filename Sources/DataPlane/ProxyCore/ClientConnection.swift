internal import Bytes
internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A client's connection: what there is of it between exchanges of HTTP/1.1, and their socket meanwhile.
///
///     resting ──octets──▶ exchange ──persists──▶ resting
///                          │ │ │ refused again
///                          │ │ └──▶ put off ──a moment──▶ resting
///                          │ │ does not persist
///                          │ └────▶ lingering ──client closes, or enough──▶ closed
///                          └──the preface of HTTP/2──▶ session ──ended──▶ lingering
///
/// At rest it holds neither a buffer nor an exchange. A client that asks again at once after each refusal (RFC 9110
/// §10.2.3) is not read for a moment, so that refusing it takes no time from others. Confined to its worker's loop.
final class ClientConnection: Client {
    var socket: StreamSocket
    private(set) var requestCount = 0
    private let share: ListeningPort.ClientShare
    private let addresses: ClientAddresses
    /// Since when the client owes us a request.
    private var owesSince: LoopInstant
    private var lingerOctetsLeft = 0
    private var isLingering = false
    /// Whether it lingers with octets of the response that have not left.
    private var isFlushing = false
    /// Whether its last request was refused.
    private var wasRefused = false
    /// Whether nothing is read for a moment.
    private var isPutOff = false
    /// What the first read of a request has brought, or of late; 0 before there was one.
    private var likelyOctets = 0
    /// What serves the connection once it has turned out to speak HTTP/2.
    private var session: ClientSession?

    init(
        port: ListeningPort,
        _ share: ListeningPort.ClientShare,
        _ socket: consuming StreamSocket,
        _ addresses: ClientAddresses,
        _ security: ClientSecurity?
    ) {
        (self.share, self.addresses) = (share, addresses)
        owesSince = port.worker.loop.now
        self.socket = socket
        super.init(
            worker: port.worker,
            port: port,
            peer: addresses.source,
            security,
            framesContent: false
        )
    }

    /// Joins the loop, in the place that its socket has there already, if it has one.
    func open(_ place: Registration) throws(SystemCallError) {
        if place == .none {
            registration = try worker.loop.register(self, descriptor: socket.number)
        } else {
            registration = place
            worker.loop.replaceHandler(of: place, by: self)
        }
        setDeadline(worker.loop.now.advanced(by: port.table.idleNanoseconds))
        guard let security else { return }
        // RFC 9113 §3.2: the handshake has settled what is spoken. Octets may have come along with its end.
        if security.speaksHTTP2 { return speakHTTP2() }
        if socket.canRead { beginExchange() }
    }

    override var destination: SocketAddress? { addresses.destination(socket.number) }
    override var canRead: Bool { socket.canRead }
    override var canWrite: Bool { socket.canWrite }
    override var canSplice: Bool { socket.isPlain }
    override var isBroken: Bool { socket.isBroken }
    override var hasFailed: Bool { socket.hasFailed }

    override var mayPersist: Bool {
        !worker.isDraining && !port.isClosing && requestCount < port.table.requestsMax
            && security?.suffices(port.table) != false
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if let exchange { return exchange.clientReady(self) }
        if let session { return session.ready() }
        if isLingering { return linger() }
        if socket.canRead, !isPutOff { beginExchange() }
    }

    override func resume() {
        if let exchange { return exchange.resume(self) }
        if let session { return session.resume() }
        if !isLingering, !isPutOff, !buffer.isEmpty || socket.canRead { beginExchange() }
    }

    override func deadlinePassed() {
        if let exchange { return exchange.clientDeadlinePassed() }
        if let session { return session.deadlinePassed() }
        if isPutOff, !isLingering { return goOn() }
        close(isReset: false)
    }

    private func beginExchange() {
        if buffer.isEmpty {
            switch fill() {
            case .octets: break
            case .wait, .full: return worker.reclaim(&buffer)
            case .end: return close(isReset: false)
            }
        }
        if peerText.isEmpty { describePeer() }
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.begin(self)
    }

    override func requestBegan() {
        requestCount += 1
    }

    override func exchangeEnded(persists: Bool, isLast: Bool) {
        guard persists else {
            // Nothing more comes that could make the kernel reset the connection, and the response with it.
            let isQuiet =
                isLast && buffer.isEmpty && !socket.isHolding
                && !(socket.canRead && socket.isReadable())
            return isQuiet ? close(isReset: false) : beginLingering()
        }
        owesSince = worker.loop.now
        isPutOff = isRefused && wasRefused
        (wasRefused, isRefused) = (isRefused, false)
        let time = isPutOff ? Limits.putOffNanoseconds : port.table.idleNanoseconds
        setDeadline(owesSince.advanced(by: time))
        if !isPutOff, !buffer.isEmpty || socket.canRead { return continueLater() }
        if buffer.isEmpty { worker.reclaim(&buffer) }
    }

    /// The moment after a refusal is over.
    private func goOn() {
        isPutOff = false
        setDeadline(owesSince.advanced(by: port.table.idleNanoseconds))
        if !buffer.isEmpty || socket.canRead { beginExchange() }
    }

    // MARK: HTTP/2

    /// Whether the connection may turn out to speak HTTP/2: its first octets are the preface (RFC 9113 §3.3).
    ///
    /// With TLS that was settled before.
    override var maySpeakHTTP2: Bool { requestCount == 0 && security == nil }

    override func speakHTTP2() {
        let session = ClientSession(self)
        self.session = session
        session.begin(with: &buffer)
        // It was not known yet what the connection speaks when the others were told.
        if worker.isDraining || port.isClosing { session.drain() }
    }

    /// The session is over, and what it had to say has been written or cannot be.
    func sessionEnded() {
        session = nil
        beginLingering()
    }

    /// The worker drains, the listener goes or asks something else of clients: what is under way may end.
    func drain() {
        session?.drain()
    }

    // MARK: Reading and writing

    override func fill() -> Filled {
        guard socket.canRead else { return .wait }
        guard buffer.hasBlock else { return fillFirst() }
        guard makeRoom() else { return .full }
        return took(socket.receive(into: &buffer, reserve: Limits.tailReserve))
    }

    /// Reads what came to a connection at rest into a block that is as large as that needs.
    ///
    /// How much it is nobody knows the first time, so that it is read elsewhere and copied; later, what came before tells.
    private func fillFirst() -> Filled {
        if likelyOctets == 0 {
            worker.inbound.clear()
            let filled = took(socket.receive(into: &worker.inbound, reserve: 0))
            keepInbound()
            return filled
        }
        worker.makeRoom(for: likelyOctets, in: &buffer)
        let filled = took(socket.receive(into: &buffer, reserve: Limits.tailReserve))
        if buffer.writableCount <= Limits.tailReserve {
            likelyOctets = Limits.firstReadOctetsMax
        } else if buffer.count < likelyOctets / 2, buffer.blockSize > BlockSize.small.rawValue {
            // Whoever has asked for much once does not hold a large block for a little.
            worker.inbound.clear()
            buffer.withReadable { _ = worker.inbound.append($0) }
            worker.reclaim(&buffer)
            keepInbound()
        }
        return filled
    }

    private func keepInbound() {
        likelyOctets = worker.inbound.count
        if likelyOctets > 0 { worker.inbound.withReadable { worker.append($0, to: &buffer) } }
    }

    private func took(_ received: StreamSocket.Received) -> Filled {
        switch received {
        case .octets(let count):
            worker.metrics.add(.receivedBytes, UInt64(count))
            return .octets
        case .wouldBlock: return .wait
        case .end, .failed: return .end
        }
    }

    override func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent {
        // The end of a connection that ends with its response goes along with the last of it.
        socket.send(octets, isFollowed: isLast && exchange?.isClientPersistent == false)
    }

    override func splice(from pipe: borrowing Pipe, count: Int) -> StreamSocket.Sent {
        socket.splice(from: pipe, count: count)
    }

    override func finishWriting() {
        socket.finishWriting()
    }

    private func makeRoom() -> Bool {
        if buffer.isEmpty {
            // Content follows a head that filled most of a small block: there is likely more of it.
            if exchange?.phase == .forwarding || exchange?.phase == .delivering,
                buffer.blockSize < BlockSize.large.rawValue
            {
                worker.reclaim(&buffer)
                buffer = worker.lend(.large, headroom: Limits.headroom)
            } else {
                buffer.clear(headroom: Limits.headroom)
            }
        } else {
            return worker.makeTail(&buffer)
        }
        return true
    }

    // MARK: Closing

    /// Sends FIN and reads on for a while, so that the response is not overtaken by a reset.
    private func beginLingering() {
        isLingering = true
        lingerOctetsLeft = Limits.lingerOctets
        socket.finishWriting()
        worker.reclaim(&buffer)
        awaitEnd()
        linger()
    }

    /// What is held of the response, encrypted, has the time that a response has.
    private func awaitEnd() {
        isFlushing = socket.isHolding
        let time = isFlushing ? Limits.stallNanoseconds : Limits.lingerNanoseconds
        setDeadline(worker.loop.now.advanced(by: time))
    }

    private func linger() {
        if isFlushing, !socket.isHolding { awaitEnd() }
        while socket.canRead {
            if !buffer.hasBlock { buffer = worker.lend(.medium, headroom: 0) }
            buffer.clear()
            guard case .octets(let count) = socket.receive(into: &buffer, reserve: 0) else { break }
            lingerOctetsLeft -= count
            if lingerOctetsLeft < 0 { return close(isReset: false) }
        }
        worker.reclaim(&buffer)
        if socket.hasEnded, !socket.isHolding { close(isReset: false) }
    }

    /// Since when it carries nothing, or no more than the beginning of a request; `nil` while it carries something.
    var emptySince: LoopInstant? {
        if let session { return session.emptySince }
        return exchange == nil || exchange?.phase == .receiving ? owesSince : nil
    }

    /// Its time is over: closes, with what is under way on it.
    func cutOff() {
        if let exchange { return exchange.abandon() }
        session?.abandonStreams()
        close(isReset: false)
    }

    override func close(isReset: Bool) {
        guard registration != .none else { return }
        if isReset {
            socket.resetOnClose()
        } else if !socket.isPlain, !isLingering {
            // RFC 8446 §6.1: who closes says so.
            socket.finishWriting()
        }
        worker.loop.unregister(registration)
        registration = .none
        session = nil
        worker.reclaim(&buffer)
        socket.close()
        port.connectionClosed(share)
        worker.clientClosed()
    }
}
