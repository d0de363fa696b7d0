internal import Bytes
internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A client's HTTP/1.1 connection: what there is of it between exchanges, and their socket meanwhile.
///
///     resting ──octets──▶ exchange ──persists──▶ resting
///                            │ does not persist
///                            └──▶ lingering ──client closes, or enough──▶ closed
///
/// At rest it holds neither a buffer nor an exchange. Confined to its worker's loop.
final class ClientConnection: EventHandler {
    let worker: Worker
    /// The listener's port that accepted it.
    let port: ListeningPort
    let peer: SocketAddress
    var socket: StreamSocket
    /// Octets received and not passed on.
    var buffer = Buffer()
    /// The exchange that it carries.
    var exchange: Exchange?
    var requestCount = 0
    private let share: ListeningPort.ClientShare
    /// The peer's address as fields and logs show it; made for the first request.
    private(set) var peerText: [UInt8] = []
    /// The fields that tell the endpoint of the client, up to the host in Forwarded; made with `peerText`.
    private(set) var forwardingStart: [UInt8] = []
    private var registration = Registration.none
    private var lingerOctetsLeft = 0
    private var isLingering = false

    init(
        worker: Worker,
        port: ListeningPort,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ peer: SocketAddress
    ) {
        self.worker = worker
        self.port = port
        self.share = share
        self.peer = peer
        socket = StreamSocket(owning: descriptor, isConnected: true)
    }

    /// Joins the loop.
    func open() throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: socket.number)
        setDeadline(worker.loop.now.advanced(by: port.table.idleNanoseconds))
    }

    /// Whether the connection may carry another request after this one.
    var mayPersist: Bool {
        !worker.isDraining && !port.isClosing && requestCount < port.table.requestsMax
    }

    /// Whether what the peer says of others is believed.
    var isTrusted: Bool { port.table.trusts(peer) }

    // MARK: Events

    func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if let exchange { return exchange.clientReady(self) }
        if isLingering { return linger() }
        if socket.canRead { beginExchange() }
    }

    func resume() {
        if let exchange { return exchange.resume(self) }
        if !isLingering, !buffer.isEmpty || socket.canRead { beginExchange() }
    }

    func deadlinePassed() {
        if let exchange { return exchange.clientDeadlinePassed() }
        close(isReset: false)
    }

    private func beginExchange() {
        if buffer.isEmpty {
            switch fill() {
            case .octets: break
            case .wait, .full: return worker.pool.reclaim(&buffer)
            case .end: return close(isReset: false)
            }
        }
        if peerText.isEmpty { describePeer() }
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.begin(self)
    }

    private func describePeer() {
        peerText = Array(peer.addressText.utf8)
        forwardingStart = Array("x-forwarded-for: ".utf8)
        forwardingStart += peerText
        forwardingStart += Array("\r\nx-forwarded-proto: http\r\nforwarded: ".utf8)
        forwardingStart += forwardedElement
    }

    /// An element of Forwarded without a host (RFC 7239 §4).
    var forwardedElement: [UInt8] {
        let quoted = peer.isIPv6
        return Array(quoted ? "proto=http;for=\"[".utf8 : "proto=http;for=".utf8)
            + peerText + Array(quoted ? "]\"".utf8 : "".utf8)
    }

    /// The exchange has ended, and its octets are gone from the buffer.
    ///
    /// - Parameters:
    ///   - persists: Whether the connection may carry another one.
    ///   - isLast: Whether the client has said that it sends no other request.
    func exchangeEnded(persists: Bool, isLast: Bool = false) {
        guard persists else {
            // Nothing more comes that could make the kernel reset the connection, and the response with it.
            let isQuiet = isLast && buffer.isEmpty && !(socket.canRead && socket.isReadable())
            return isQuiet ? close(isReset: false) : beginLingering()
        }
        setDeadline(worker.loop.now.advanced(by: port.table.idleNanoseconds))
        if !buffer.isEmpty || socket.canRead { return continueLater() }
        worker.pool.reclaim(&buffer)
    }

    // MARK: Reading

    /// What a read into the buffer came to.
    enum Filled {
        case octets, wait, end
        /// A head of the largest size is still incomplete.
        case full
    }

    /// Reads once into the buffer, which keeps what it holds.
    func fill() -> Filled {
        guard socket.canRead else { return .wait }
        guard makeRoom() else { return .full }
        switch socket.receive(into: &buffer, reserve: Limits.tailReserve) {
        case .octets(let count):
            worker.metrics.add(.receivedBytes, UInt64(count))
            return .octets
        case .wouldBlock: return .wait
        case .end, .failed: return .end
        }
    }

    private func makeRoom() -> Bool {
        if !buffer.hasBlock {
            buffer = worker.pool.lend(.small, headroom: Limits.headroom)
        } else if buffer.isEmpty {
            // Content follows a head that filled most of a small block: there is likely more of it.
            if exchange?.phase == .forwarding || exchange?.phase == .delivering,
                buffer.blockSize < BlockSize.large.rawValue
            {
                worker.pool.reclaim(&buffer)
                buffer = worker.pool.lend(.large, headroom: Limits.headroom)
            } else {
                buffer.clear(headroom: Limits.headroom)
            }
        } else {
            return worker.makeTail(&buffer)
        }
        return true
    }

    // MARK: Deadlines

    /// A head has begun: sets when it must be complete, once.
    func awaitHead() {
        guard !isAwaitingHead else { return }
        isAwaitingHead = true
        setDeadline(worker.loop.now.advanced(by: port.table.headerNanoseconds))
    }

    private var isAwaitingHead = false

    /// Content is awaited: it must not stall, and all of it must come fast enough.
    ///
    /// Only time in which the client could send counts: that in which the endpoint takes nothing does not.
    func awaitContent() {
        guard let exchange, exchange.phase != .tunnelling, !exchange.requestBody.isComplete else {
            return
        }
        guard contentDeadline == .never else { return }
        let now = worker.loop.now
        contentDeadline = now.advanced(by: min(Limits.stallNanoseconds, contentTime(exchange)))
        contentAwaitedSince = now
        arm(exchange.totalDeadline)
    }

    /// The time that the client still has for content that it has not sent.
    private func contentTime(_ exchange: Exchange) -> UInt64 {
        let perOctet = port.table.contentOctetNanoseconds
        guard perOctet > 0 else { return .max }
        let (earned, overflows) =
            exchange.requestBody.contentBytes.multipliedReportingOverflow(by: perOctet)
        let allowed = overflows ? .max : earned
        let (sum, overflowsToo) = allowed.addingReportingOverflow(Limits.contentGraceNanoseconds)
        let total = overflowsToo ? .max : sum
        return total > contentAwaitedNanoseconds ? total - contentAwaitedNanoseconds : 0
    }

    private var contentDeadline = LoopInstant.never
    private var contentAwaitedSince = LoopInstant.never
    /// How long content of this request has been awaited, so far.
    private var contentAwaitedNanoseconds: UInt64 = 0
    private var writingDeadline = LoopInstant.never

    /// Octets of content have come.
    func contentCame(_ totalDeadline: LoopInstant) {
        guard contentDeadline != .never else { return }
        contentDeadline = .never
        // Less than the time since the node was started: no overflow.
        contentAwaitedNanoseconds += worker.loop.now.nanoseconds(since: contentAwaitedSince)
        arm(totalDeadline)
    }

    /// The client does not take octets: it must not stall.
    func awaitWriting(_ totalDeadline: LoopInstant) {
        writingDeadline = worker.loop.now.advanced(by: Limits.stallNanoseconds)
        arm(totalDeadline)
    }

    /// The client has taken what there was.
    @inline(__always)
    func octetsTaken(_ totalDeadline: LoopInstant) {
        guard writingDeadline != .never else { return }
        writingDeadline = .never
        arm(totalDeadline)
    }

    private func arm(_ totalDeadline: LoopInstant) {
        setDeadline(min(contentDeadline, writingDeadline, totalDeadline))
    }

    /// Forgets what was awaited, as a request begins.
    func clearDeadline() {
        isAwaitingHead = false
        contentDeadline = .never
        contentAwaitedNanoseconds = 0
        writingDeadline = .never
        setDeadline(.never)
    }

    func setDeadline(_ instant: LoopInstant) {
        worker.loop.setDeadline(of: registration, at: instant)
    }

    /// Goes on in the next tick, after others.
    func continueLater() {
        worker.loop.resumeLater(registration)
    }

    // MARK: Closing

    /// Sends FIN and reads on for a while, so that the response is not overtaken by a reset.
    private func beginLingering() {
        isLingering = true
        lingerOctetsLeft = Limits.lingerOctets
        socket.finishWriting()
        worker.pool.reclaim(&buffer)
        setDeadline(worker.loop.now.advanced(by: Limits.lingerNanoseconds))
        linger()
    }

    private func linger() {
        while socket.canRead {
            if !buffer.hasBlock { buffer = worker.pool.lend(.medium, headroom: 0) }
            buffer.clear()
            guard case .octets(let count) = socket.receive(into: &buffer, reserve: 0) else { break }
            lingerOctetsLeft -= count
            if lingerOctetsLeft < 0 { return close(isReset: false) }
        }
        worker.pool.reclaim(&buffer)
        if socket.hasEnded { close(isReset: false) }
    }

    /// Its time is over: closes, with what is under way on it.
    func cutOff() {
        if let exchange { exchange.abandon() } else { close(isReset: false) }
    }

    /// Closes at once.
    ///
    /// - Parameter isReset: Whether the client must see that the response is cut off.
    func close(isReset: Bool) {
        guard registration != .none else { return }
        if isReset { socket.resetOnClose() }
        worker.loop.unregister(registration)
        registration = .none
        worker.pool.reclaim(&buffer)
        socket.close()
        port.connectionClosed(share)
        worker.clientClosed()
    }
}
