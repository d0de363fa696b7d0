internal import EventLoop
internal import Telemetry
internal import Upstreams

/// What an exchange has besides its one try: it waits, has tried in vain, or tries on behalf of a circuit breaker.
///
///     (none) ──no connection is free──▶ in line ──one is, or the time is over──▶ (none)
///     (none) ──failed, nobody else──▶ pausing ──▶ (none)
///
/// Most exchanges never have one. It belongs to one exchange, ends with it, and is confined to its worker's loop.
final class Effort: EventHandler, WaitsInLine {
    private unowned let exchange: Exchange
    private let worker: Worker
    private var registration = Registration.none
    /// What it waits for.
    private(set) var wait = Wait.nothing
    /// In which line it has a place, which counts for the node's limit.
    private var line: UpstreamPool?
    /// Whose trial the try is.
    private var breaker: CircuitBreaker?
    /// Until when it waits.
    private(set) var deadline = LoopInstant.never
    /// Tries beyond the first.
    var retries = 0
    /// Until when connections to unix sockets are tried whose queue is full.
    var connectDeadline = LoopInstant.never
    /// Addresses of the endpoint beyond the first to which a connection was tried.
    var addresses = 0
    /// Endpoints that have failed, in the order in which they did.
    var tried: [EndpointPool] = []
    /// The octets of the request that have been sent and are not in the client's buffer any more.
    var sentBefore: [UInt8] = []
    /// When the client may come again, where that is known; 0 where it is not.
    var retryAfterSeconds: UInt64 = 0

    /// What it waits for.
    enum Wait {
        case nothing, connection, pause
    }

    init(_ exchange: Exchange) {
        self.exchange = exchange
        worker = exchange.worker
    }

    // MARK: Circuit breaker

    /// Makes the try a trial.
    func tries(for breaker: CircuitBreaker) {
        self.breaker = breaker
    }

    /// Whether the try is a trial.
    var isTrial: Bool { breaker != nil }

    /// Whether the try is a trial, which its caller settles now.
    func takeTrial() -> Bool {
        guard breaker != nil else { return false }
        breaker = nil
        return true
    }

    // MARK: Waiting

    /// Has the exchange tried again after a while.
    func pause(nanoseconds: UInt64) {
        leavePlace()
        wait = .pause
        wake(at: worker.loop.now.advanced(by: nanoseconds))
    }

    /// Takes a place in line, or comes back to the one that it had.
    ///
    /// The time that it may wait counts from the first time.
    func standInLine(of upstream: UpstreamPool) {
        wait = .connection
        guard line == nil else { return }
        line = upstream
        wake(at: worker.loop.now.advanced(by: upstream.limits.queue))
        worker.metrics.add(.upstreamWaiting)
    }

    /// It is its turn, and it has left the line; a place in it is kept.
    func takeTurn() {
        wait = .nothing
        exchange.connectionMayBeFree()
        // It came back, or went on, or has ended.
        if wait == .nothing { leavePlace() }
    }

    /// Whether it has a place in that line, though it may be its turn.
    func isInLine(of upstream: UpstreamPool) -> Bool { line === upstream }

    var isInLine: Bool { wait == .connection }

    /// Calls `resume` at the end of this tick.
    func resumeLater() {
        worker.resumeLater(registration)
    }

    private func wake(at instant: LoopInstant) {
        deadline = instant
        if registration == .none { registration = worker.loop.register(self) }
        worker.setDeadline(of: registration, at: instant)
    }

    /// Does not wait any more, wherever it stands.
    private func leaveLine() {
        let wasInLine = wait == .connection
        wait = .nothing
        if wasInLine { line?.leftLine(worker) }
    }

    private func leavePlace() {
        guard let line else { return }
        self.line = nil
        line.gaveUpPlace()
        worker.setDeadline(of: registration, at: .never)
        worker.metrics.subtract(.upstreamWaiting)
    }

    /// The exchange is over.
    func end() {
        leaveLine()
        leavePlace()
        if let breaker {
            breaker.abandonTrial()
            self.breaker = nil
        }
        worker.loop.unregister(registration)
        registration = .none
        tried = []
    }

    // MARK: Events

    func resume() {
        line?.serveLine(worker)
    }

    func deadlinePassed() {
        switch wait {
        case .nothing: break
        case .pause:
            wait = .nothing
            exchange.pauseEnded()
        case .connection: giveUp(.upstreamQueueTimeouts)
        }
    }

    /// It gets no connection.
    func giveUp(_ reason: Metric) {
        leaveLine()
        leavePlace()
        worker.metrics.add(reason)
        exchange.waitedInVain()
    }
}
