internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A copy of a request that goes to another upstream, as a client of the exchange that takes it there.
///
///     gathering ──the request is whole──▶ waiting ──end of the tick──▶ under way ──answered, failed, cut off──▶ gone
///         └── there is too much of it, or the client's exchange ends before ──▶ gone
///
/// While it gathers it belongs to the client's exchange, which adds what its endpoint gets: the head as it was written
/// for that one, and the content as it is framed there. From then on the two have nothing in common but the worker:
/// neither waits for the other. It has no socket. What comes for it is thrown away. Confined to its worker's loop.
final class MirrorClient: Client {
    /// Where it goes.
    let upstream: UpstreamPool
    /// Whether what the request says of others was believed.
    let isPeerTrusted: Bool
    /// The trailer section with its empty line, where the content does not hold it; empty without one.
    var trailers: [UInt8] = []
    /// The head, as the endpoint gets it.
    let head: [UInt8]
    /// Whether there is so much of the response that it was cut off.
    private(set) var hasEnough = false

    private var content: [UInt8] = []
    /// How much of the content the exchange has been given.
    private var givenBytes = 0
    /// How many octets of the response were thrown away.
    private var receivedBytes = 0
    private let address: SocketAddress?
    /// Since when it is under way.
    private var startedAt = LoopInstant.never

    /// Makes a copy that has the head.
    ///
    /// - Parameters:
    ///   - client: Whose request it is.
    ///   - exchange: What takes the request to the client's endpoint.
    ///   - upstream: Where the copy goes.
    ///   - head: The head as the endpoint gets it.
    ///   - isChunked: Whether content is added in the chunked coding, with its end.
    init(
        of client: Client,
        _ exchange: Exchange,
        to upstream: UpstreamPool,
        head: [UInt8],
        isChunked: Bool
    ) {
        self.upstream = upstream
        isPeerTrusted = exchange.isPeerTrusted
        // Nobody else asks where the client has connected to, which may take a system call to know.
        address = upstream.upstream.proxyProtocol == .off ? nil : client.destination
        self.head = head
        super.init(
            worker: client.worker,
            port: client.port,
            peer: client.peer,
            nil,
            framesContent: !isChunked
        )
        carriesSecrets = client.carriesSecrets
    }

    /// How many octets it holds.
    var bytes: Int { head.count + content.count }

    /// Adds content.
    func append(_ octets: Span<UInt8>) {
        content.append(copying: octets)
    }

    /// The request is whole: goes on its way at the end of this tick, when the request itself is on its.
    func start() {
        registration = worker.loop.register(self)
        startedAt = worker.loop.now
        continueLater()
    }

    // MARK: Client

    override var destination: SocketAddress? { address }
    override var canRead: Bool { true }
    override var canWrite: Bool { true }
    override var isBroken: Bool { false }
    override var hasFailed: Bool { false }
    override var isAtEnd: Bool { givenBytes == content.count && trailers.isEmpty }

    /// It gives way to any client that finds no connection: it owes nobody anything.
    override var stalledSince: LoopInstant? { startedAt }

    override func fill() -> Filled {
        let octets = content
        guard givenBytes < octets.count else { return .end }
        if buffer.isEmpty {
            worker.reclaim(&buffer)
            let wanted = min(octets.count - givenBytes, Limits.firstReadOctetsMax)
            worker.makeRoom(for: wanted, in: &buffer)
        } else if !worker.makeTail(&buffer) {
            return .full
        }
        let room = buffer.writableCount - Limits.tailReserve
        let end = givenBytes + min(room, octets.count - givenBytes)
        buffer.append(octets.span.extracting(givenBytes..<end))
        givenBytes = end
        return .octets
    }

    override func takeTrailers() -> [UInt8] {
        defer { trailers = [] }
        return trailers
    }

    override func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent {
        receivedBytes += octets.count  // bounded by the limit and a block
        guard receivedBytes <= Limits.mirrorResponseBytes else {
            hasEnough = true
            return .failed(.connectionReset)
        }
        return .octets(octets.count)
    }

    override func exchangeEnded(persists: Bool, isLast: Bool) {
        leave()
    }

    override func close(isReset: Bool) {
        leave()
    }

    private func leave() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        worker.reclaim(&buffer)
        worker.mirrorEnded(self)
    }

    // MARK: Events

    override func resume() {
        if let exchange { return exchange.resume(self) }
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.begin(self)
    }

    /// Ends it, whatever it waits for.
    func cutOff() {
        if let exchange { return exchange.abandon() }
        worker.metrics.add(.mirrorsFailed)
        leave()
    }
}
