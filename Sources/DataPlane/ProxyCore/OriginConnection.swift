internal import Bytes
internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A connection to an endpoint: being made, carrying an exchange of HTTP/1.1, or resting in the endpoint's pool.
///
///     connecting (and TLS) ──▶ busy ──rest()──▶ resting ──takeIdle()──▶ busy
///         └──────────────────────┴─────────────────┴──close()──▶ closed
///
/// One that speaks HTTP/2 has a session instead, which carries many. Confined to its worker's loop.
final class OriginConnection: Origin {
    var socket: StreamSocket
    private let address: StreamAddress
    /// Whether it has carried an exchange before this one.
    private var hasRested = false
    /// The PROXY header that tells whose connection it is; nobody else's requests go there then.
    var proxyHeader: [UInt8] = []
    /// What carries the exchanges of a connection that speaks HTTP/2.
    private(set) var session: OriginSession?
    /// What the endpoint may choose to speak, where that is a matter of TLS.
    let offer: ProtocolOffer
    /// Whether TLS does not stand yet.
    var isSecuring: Bool

    /// Begins to connect.
    ///
    /// Both counts have been raised for it, and fall with `close`, or here on failure.
    init(
        worker: Worker,
        _ upstream: UpstreamPool,
        _ endpoint: EndpointPool,
        _ address: StreamAddress,
        offering offer: ProtocolOffer
    ) throws(SystemCallError) {
        (self.address, self.offer) = (address, offer)
        isSecuring = upstream.connectors != nil
        do throws(SystemCallError) {
            socket = StreamSocket(owning: try connectStream(to: address), isConnected: false)
        } catch {
            upstream.closed(endpoint, worker)
            throw error
        }
        super.init(worker: worker, upstream, endpoint, framesContent: false)
        do throws(SystemCallError) {
            registration = try worker.loop.register(self, descriptor: socket.number)
        } catch {
            upstream.closed(endpoint, worker)
            throw error
        }
        worker.metrics.add(.upstreamConnectionsOpen)
    }

    /// Has it speak HTTP/2 once it stands.
    ///
    /// - Returns: What carries exchanges, before that already.
    func speakHTTP2() -> OriginSession {
        let made = OriginSession(self)
        session = made
        return made
    }

    // MARK: Origin

    override var canRead: Bool { socket.canRead }
    override var canWrite: Bool { socket.canWrite }
    override var canSplice: Bool { socket.isPlain }
    override var isReused: Bool { hasRested }
    override var isAhead: Bool { socket.canRead && socket.hasOctets() }
    override var isRestless: Bool { socket.canRead && socket.isReadable() }

    override func connectError() -> Errno? {
        guard let errno = socket.connectError() else { return nil }
        avoidAddress()
        return errno
    }

    /// It could not be made: the endpoint's other addresses are taken for a while.
    func avoidAddress() {
        endpoint.avoid(address, at: worker.loop.now)
    }

    override func greet() -> Bool {
        let header = proxyHeader
        // Where there is TLS, it has left before.
        guard !header.isEmpty, socket.isPlain else { return true }
        // A new connection has room for it.
        guard case .octets(header.count) = socket.send(header.span) else { return false }
        worker.metrics.add(.upstreamSentBytes, UInt64(header.count))
        return true
    }

    override func receive(into buffer: inout Buffer) -> StreamSocket.Received {
        let received = socket.receive(into: &buffer, reserve: Limits.tailReserve)
        if case .octets(let count) = received {
            worker.metrics.add(.upstreamReceivedBytes, UInt64(count))
        }
        return received
    }

    override func splice(into pipe: borrowing Pipe, count: Int) -> StreamSocket.Received {
        socket.splice(into: pipe, count: count)
    }

    override func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent {
        let sent = socket.send(octets)
        if case .octets(let count) = sent {
            worker.metrics.add(.upstreamSentBytes, UInt64(count))
        }
        return sent
    }

    override func expectEnd() {
        socket.expectEnd()
    }

    override func finishWriting() {
        socket.finishWriting()
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if isSecuring { return secure() }
        if let exchange { return exchange.originReady(self) }
        if let session { return session.connectionReady() }
        guard readiness.promisesReading else { return }
        // TLS may have something to say for itself, such as a new ticket.
        if !socket.isPlain, !socket.isReadable() { return }
        // Nothing is awaited: the endpoint closes, or says what nobody asked for.
        endpoint.forget(self)
        close()
    }

    override func resume() {
        session?.resume()
    }

    override func deadlinePassed() {
        if let exchange {
            if exchange.phase == .connecting { avoidAddress() }
            return exchange.originDeadlinePassed(self)
        }
        if let session { return session.deadlinePassed() }
        endpoint.forget(self)
        close()
    }

    /// Nothing is left of the exchange: waits for another one.
    override func rest() {
        guard proxyHeader.isEmpty else { return close() }
        hasRested = true
        setDeadline(after: upstream.limits.rest)
        endpoint.giveBack(self)
        upstream.rests(worker)
    }

    /// Closes at once; nobody has the connection any more.
    override func close() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        session = nil
        // RFC 8446 §6.1: who closes says so.
        if !socket.isPlain, !isSecuring { socket.finishWriting() }
        socket.close()
        worker.metrics.subtract(.upstreamConnectionsOpen)
        upstream.closed(endpoint, worker)
    }
}
