internal import Bytes
internal import EventLoop
internal import SystemCalls
internal import Transport

/// The endpoint's side of an exchange: where the octets of its request go to, and those of its response come from.
///
/// An exchange writes and reads messages of HTTP/1.1. A connection of HTTP/1.1 hands them on as they are
/// (`OriginConnection`); a stream of HTTP/2 translates them at the edge (`OriginStream`). What is not overridden here
/// is an endpoint that is gone. Confined to its worker's loop.
class Origin: EventHandler {
    final let worker: Worker
    final let upstream: UpstreamPool
    final let endpoint: EndpointPool
    /// Whether its protocol says itself where content ends, so that the octets of a message need not.
    final let framesContent: Bool
    /// The exchange that it carries; `nil` at rest.
    final var exchange: Exchange?
    final var registration = Registration.none
    /// Whether the response has lines that must not be put into a table on their way on (RFC 7541 §6.2.3).
    final var carriesSecrets = false

    init(worker: Worker, _ upstream: UpstreamPool, _ endpoint: EndpointPool, framesContent: Bool) {
        (self.worker, self.upstream, self.endpoint) = (worker, upstream, endpoint)
        self.framesContent = framesContent
    }

    // MARK: What it can do

    /// Whether `receive` may bring something.
    var canRead: Bool { false }
    /// Whether `send` may move something; while it connects, that it stands.
    var canWrite: Bool { false }
    /// Whether octets can be taken from it without being copied.
    var canSplice: Bool { false }
    /// Whether its connection has carried an exchange before this one.
    var isReused: Bool { false }
    /// The endpoint has not answered in time.
    func timedOut() {}
    /// Whether `receive` has brought all of the response, and no trailer fields follow.
    var isAtEnd: Bool { false }
    /// Whether it has said something before it was asked.
    var isAhead: Bool { false }
    /// Whether it says something, or ends, with nothing to be awaited.
    var isRestless: Bool { true }

    /// Why it could not be connected, once that is known.
    func connectError() -> Errno? { nil }

    /// Writes what stands before all else on a connection that was just made.
    ///
    /// - Returns: Whether that left whole.
    func greet() -> Bool { true }

    /// Reads once.
    ///
    /// - Parameter buffer: Keeps what it holds.
    /// - Returns: What came.
    func receive(into buffer: inout Buffer) -> StreamSocket.Received { .end }

    /// The trailer section that came with the end of the content, with its empty line.
    func takeTrailers() -> [UInt8] { [] }

    /// Moves octets into a pipe.
    func splice(into pipe: borrowing Pipe, count: Int) -> StreamSocket.Received { .end }

    /// Writes once.
    ///
    /// - Parameters:
    ///   - octets: Of a request, from its head on.
    ///   - isLast: Whether the request ends with them.
    /// - Returns: How many moved.
    func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent { .octets(0) }

    /// The request has been sent but for its end, where the protocol has a mark for it.
    ///
    /// - Parameter trailers: Lines of trailer fields.
    func finishRequest(trailers: [UInt8]) {}

    /// A write has failed: what a read brings is to be seen.
    func expectEnd() {}

    /// Has the endpoint see that nothing follows in a tunnel.
    func finishWriting() {}

    /// The exchange is over and nothing of it is left.
    func rest() {}

    /// Closes at once.
    func close() {}

    // MARK: Events

    func ready(_ readiness: Readiness) {}

    func resume() {}

    func deadlinePassed() {
        exchange?.originDeadlinePassed(self)
    }

    /// Sets when the endpoint must have done something.
    ///
    /// - Parameter nanoseconds: From now; `.max` for no deadline.
    final func setDeadline(after nanoseconds: UInt64) {
        worker.setDeadline(of: registration, at: worker.loop.now.advanced(by: nanoseconds))
    }
}
