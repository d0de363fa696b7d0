internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A connection to an endpoint that speaks HTTP/2, and that exchanges share.
///
///     connecting ──stands──▶ open ──GOAWAY, retired──▶ going away ──streams have ended──▶ closed
///         └──failed────────────┴──idle, violation, the endpoint closes────────────────────▶
///
/// Exchanges attach to it while it connects already. Confined to its worker's loop.
final class OriginSession: HTTP2Session {
    // Kept beyond its end, until the exchanges have taken what came; when it closes, it lets go of the session.
    private let connection: OriginConnection
    /// Whether the connection stands.
    private(set) var isConnected = false
    /// Whether a response has ever come.
    private(set) var hasServed = false
    /// Whether streams end because the connection does.
    private(set) var isAbandoning = false
    /// Whether it ends as soon as nobody uses it.
    private var isLeaving = false
    /// When the endpoint has last sent anything.
    private var receivedAt = LoopInstant(nanoseconds: 0)
    /// Streams that have written nothing yet, and so have no identifier.
    private var unopened: [OriginStream] = []
    private var spares: [OriginStream] = []
    private var idleSince: LoopInstant
    /// Reads the heads of requests that are to be written as HTTP/2 has them.
    private(set) var requestReader = RequestHead()

    init(_ connection: OriginConnection) {
        self.connection = connection
        idleSince = connection.worker.loop.now
        super.init(
            worker: connection.worker,
            role: .client,
            limits: HTTP2Limits(
                streamsMax: Limits.originStreams,
                streamWindowBytes: Limits.streamWindowBytes,
                connectionWindowBytes: Limits.originWindowBytes,
                fieldSectionBytesMax: Limits.responseFieldSectionBytes,
                fieldLinesMax: Limits.responseFieldLines
            )
        )
        setDeadline(worker.loop.now.advanced(by: connection.upstream.limits.connect))
    }

    var upstream: UpstreamPool { connection.upstream }
    var endpoint: EndpointPool { connection.endpoint }

    /// Whether there is TLS on the connection.
    var isSecure: Bool { !connection.socket.isPlain }

    // MARK: Connection

    override var canRead: Bool { isConnected && connection.socket.canRead }
    override var canWrite: Bool { isConnected && connection.socket.canWrite }

    override func receive(into buffer: inout Buffer) -> StreamSocket.Received {
        let received = connection.receive(into: &buffer)
        if case .octets = received { receivedAt = worker.loop.now }
        return received
    }

    override func transmit(_ octets: Span<UInt8>) -> StreamSocket.Sent {
        connection.send(octets, isLast: false)
    }

    override func continueLater() {
        worker.resumeLater(connection.registration)
    }

    override func setDeadline(_ instant: LoopInstant) {
        guard isConnected || instant < super.idleDeadline else { return }
        worker.setDeadline(of: connection.registration, at: instant)
    }

    override var idleDeadline: LoopInstant {
        isConnected ? idleSince.advanced(by: upstream.limits.rest) : .never
    }

    override func close() {
        endpoint.forget(self)
        for spare in spares { spare.leave() }
        spares = []
        connection.close()
    }

    /// The socket can do something.
    func connectionReady() {
        if !isConnected {
            if let errno = connection.connectError() {
                worker.metrics.add(.upstreamConnectFailures)
                return connectFailed(ExchangeError.connect(errno))
            }
            guard connection.socket.canWrite else { return }
            isConnected = true
            setDeadline(.never)
            outputAdded()
            for stream in unopened { stream.exchange?.originReady(stream) }
        }
        ready()
    }

    override func deadlineHasPassed() -> Bool {
        guard !isConnected else { return false }
        connection.avoidAddress()
        worker.metrics.add(.upstreamConnectFailures)
        connectFailed(ExchangeError(.connectionTimeout, .upstream, retry: .always))
        return true
    }

    /// The connection could not be made.
    func connectFailed(_ failure: ExchangeError) {
        let waiting = unopened
        unopened = []
        close()
        for stream in waiting { stream.exchange?.originFailed(failure) }
    }

    // MARK: Streams

    /// Whether another exchange can attach.
    var hasRoom: Bool {
        !isEnding && http2.openableCount > unopened.count
    }

    /// Whether nobody uses it.
    var isIdle: Bool { streams.isEmpty && unopened.isEmpty }
    /// How many exchanges share it now.
    var exchangeCount: Int { streams.count + unopened.count }

    /// A stream for an exchange, which opens it with its first octets.
    func attach(_ exchange: Exchange) -> OriginStream {
        let stream = spares.popLast() ?? OriginStream(self)
        stream.begin(exchange)
        unopened.append(stream)
        return stream
    }

    /// Opens the stream of an exchange.
    ///
    /// - Returns: Its identifier, or `nil` where the endpoint allows no more.
    func open(_ origin: OriginStream, _ method: Method) -> UInt32? {
        guard let id = http2.openStream(method) else { return nil }
        unopened.removeAll { $0 === origin }
        origin.stream.reuse(as: id)
        add(origin.stream)
        return id
    }

    /// Takes back a stream whose exchange has ended.
    func spare(_ origin: OriginStream) {
        unopened.removeAll { $0 === origin }
        if isIdle {
            idleSince = worker.loop.now
            for spare in spares { spare.leave() }
            spares = []
            origin.leave()
            if http2.isPeerGoingAway || isLeaving || endpoint.isLeft { end(.noError) }
            arm()
        } else {
            spares.append(origin)
        }
        upstream.rests(worker)
    }

    override func take(_ event: HTTP2Connection.Event) {
        switch event {
        case .headers(let id, let endStream):
            hasServed = true
            find(id)?.owner?.streamHead(endStream: endStream)
        case .interim(let id): find(id)?.owner?.streamHead(endStream: false)
        case .settingsChanged:
            for stream in unopened { stream.exchange?.originReady(stream) }
        case .goAway(let lastStream, _): peerGoesAway(lastStream)
        default: break
        }
    }

    /// The endpoint takes no more streams, and has not looked at those above the last one.
    private func peerGoesAway(_ lastStream: UInt32) {
        endpoint.forget(self)
        for stream in streams where stream.id > lastStream && !stream.isReset {
            stream.wasReset()
            stream.owner?.streamWasReset(.refusedStream)
        }
        if isIdle { end(.noError) }
    }

    override func abandonStreams() {
        endpoint.forget(self)
        isAbandoning = true
        let waiting = unopened
        for stream in waiting { stream.streamWasReset(.refusedStream) }
        super.abandonStreams()
    }

    /// Takes no more exchanges; ends when those that are there have ended.
    func retire() {
        isLeaving = true
        if isIdle { isConnected ? end(.noError) : close() }
    }

    /// A request has not been answered in time: if nothing has come since it was sent, the connection may lead nowhere,
    /// and others get a new one.
    func answerIsLate(since sent: LoopInstant) {
        guard isConnected, receivedAt < sent else { return }
        isLeaving = true
        endpoint.forget(self)
    }

    // MARK: Heads

    /// Reads a request's head into `requestReader`.
    ///
    /// - Parameter octets: From the head on.
    /// - Returns: Its length, or `nil` where it is none.
    func readRequest(_ octets: Span<UInt8>) -> Int? {
        do throws(HTTP1Error) {
            requestReader.reset()
            return try requestReader.decode(octets, limits: Limits.translated)
        } catch {
            return nil
        }
    }
}
