internal import Bytes
internal import EventLoop
internal import HTTPSemantics
internal import SystemCalls
internal import Transport

/// The client of an exchange: where the octets of a request come from, and where those of its response go.
///
/// An exchange reads and writes messages of HTTP/1.1. A connection of HTTP/1.1 hands them on as they are
/// (`ClientConnection`); a stream of HTTP/2 translates them at the edge (`ClientStream`), so that what it says
/// passes the same strict readers. What is not overridden here is a client that is gone. Confined to its worker's
/// loop.
class Client: EventHandler {
    final let worker: Worker
    /// The listener's port that accepted its connection.
    final let port: ListeningPort
    /// The address of its end, or what a PROXY header has told in its place.
    final let peer: SocketAddress
    /// Whether its protocol says itself where content ends, so that the octets of a message need not.
    final let framesContent: Bool
    /// What its TLS handshake has settled; `nil` without TLS.
    final let security: ClientSecurity?
    /// Octets received and not passed on.
    final var buffer = Buffer()
    /// The exchange that it carries.
    final var exchange: Exchange?
    /// The peer's address as fields and logs show it; made for the first request.
    final var peerText: [UInt8] = []
    /// The fields that tell the endpoint of the client, up to the host in Forwarded; made with `peerText`.
    final var forwardingStart: [UInt8] = []
    final var registration = Registration.none
    /// Whether the request has lines that must not be put into a table on their way on (RFC 7541 §6.2.3).
    final var carriesSecrets = false
    /// Whether the request was refused, and its client told to come again later.
    final var isRefused = false
    /// Whether the request names the scheme https beside its target, as HTTP/2 has it.
    final var asksHTTPS = false

    private final var isAwaitingHead = false
    private final var contentDeadline = LoopInstant.never
    private final var contentAwaitedSince = LoopInstant.never
    /// How long content of this request has been awaited, so far.
    private final var contentAwaitedNanoseconds: UInt64 = 0
    private final var writingDeadline = LoopInstant.never
    /// Since when it has not taken all that there is.
    private final var writingSince = LoopInstant.never

    init(
        worker: Worker,
        port: ListeningPort,
        peer: SocketAddress,
        _ security: ClientSecurity?,
        framesContent: Bool
    ) {
        (self.worker, self.port, self.peer) = (worker, port, peer)
        (self.security, self.framesContent) = (security, framesContent)
    }

    /// Writes `peerText` and `forwardingStart`.
    final func describePeer() {
        peerText = ClientAddress(peer).text
        forwardingStart = Array("x-forwarded-for: ".utf8)
        forwardingStart += peerText
        forwardingStart += Array("\r\nx-forwarded-proto: \(scheme)\r\nforwarded: ".utf8)
        forwardingStart += forwardedElement
    }

    /// The scheme of what it asks for.
    final var scheme: StaticString { security == nil ? "http" : "https" }

    /// An element of Forwarded without a host (RFC 7239 §4).
    final var forwardedElement: [UInt8] {
        let isBare = ClientAddress(peer).isIPv4
        return Array(isBare ? "proto=\(scheme);for=".utf8 : "proto=\(scheme);for=\"[".utf8)
            + peerText + Array(isBare ? "".utf8 : "]\"".utf8)
    }

    /// The address that it has connected to, or what a PROXY header has told in its place.
    var destination: SocketAddress? { nil }

    // MARK: What it can do

    /// Whether `fill` may bring something.
    var canRead: Bool { false }
    /// Whether `send` may move something.
    var canWrite: Bool { false }
    /// Whether octets can go to it without being copied.
    var canSplice: Bool { false }
    /// Whether nothing can be written to it any more.
    var isBroken: Bool { true }
    /// Whether it has gone with an error.
    var hasFailed: Bool { true }
    /// Whether it may send another request after this one.
    var mayPersist: Bool { false }
    /// Whether `fill` has brought all of the request, and no trailer fields follow.
    var isAtEnd: Bool { false }

    /// What a read into the buffer came to.
    enum Filled {
        case octets, wait, end
        /// A head of the largest size is still incomplete.
        case full
    }

    /// Reads once into the buffer, which keeps what it holds.
    func fill() -> Filled { .end }

    /// The trailer section that came with the end of the content, with its empty line.
    func takeTrailers() -> [UInt8] { [] }

    /// Writes once.
    ///
    /// - Parameters:
    ///   - octets: Of a response, from its head on.
    ///   - isLast: Whether the response ends with them.
    /// - Returns: How many moved.
    func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent { .octets(0) }

    /// Moves octets out of a pipe.
    ///
    /// - Parameters:
    ///   - pipe: A pipe.
    ///   - count: How many it holds.
    /// - Returns: How many moved.
    func splice(from pipe: borrowing Pipe, count: Int) -> StreamSocket.Sent { .octets(0) }

    /// Has the peer see that nothing follows in a tunnel.
    func finishWriting() {}

    /// The response has been sent but for its end, where the protocol has a mark for it.
    ///
    /// - Parameter trailers: Lines of trailer fields.
    func finishResponse(trailers: [UInt8]) {}

    /// A request begins: counts it.
    func requestBegan() {}

    /// The exchange has ended, and its octets are gone from the buffer.
    ///
    /// - Parameters:
    ///   - persists: Whether another request may follow.
    ///   - isLast: Whether the client has said that it sends no other request.
    func exchangeEnded(persists: Bool, isLast: Bool) {}

    /// Whether it may turn out to speak HTTP/2.
    var maySpeakHTTP2: Bool { false }

    /// Goes over to HTTP/2, of which the buffer holds the first octets.
    func speakHTTP2() {}

    /// Closes at once.
    ///
    /// - Parameter isReset: Whether the client must see that the response is cut off.
    func close(isReset: Bool) {}

    // MARK: Events

    func ready(_ readiness: Readiness) {}

    func resume() {
        exchange?.resume(self)
    }

    func deadlinePassed() {
        exchange?.clientDeadlinePassed()
    }

    // MARK: Deadlines

    /// A head has begun: sets when it must be complete, once.
    final func awaitHead() {
        guard !isAwaitingHead else { return }
        isAwaitingHead = true
        setDeadline(worker.loop.now.advanced(by: port.table.headerNanoseconds))
    }

    /// Content is awaited: it must not stall, and all of it must come fast enough.
    ///
    /// Only time in which the client could send counts: that in which the endpoint takes nothing does not.
    final func awaitContent() {
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
    private final func contentTime(_ exchange: Exchange) -> UInt64 {
        let perOctet = port.table.contentOctetNanoseconds
        guard perOctet > 0 else { return .max }
        let (earned, overflows) =
            exchange.requestBody.contentBytes.multipliedReportingOverflow(by: perOctet)
        let allowed = overflows ? .max : earned
        let (sum, overflowsToo) = allowed.addingReportingOverflow(Limits.contentGraceNanoseconds)
        let total = overflowsToo ? .max : sum
        return total > contentAwaitedNanoseconds ? total - contentAwaitedNanoseconds : 0
    }

    /// Octets of content have come.
    final func contentCame(_ totalDeadline: LoopInstant) {
        guard contentDeadline != .never else { return }
        contentDeadline = .never
        // Less than the time since the node was started: no overflow.
        contentAwaitedNanoseconds += worker.loop.now.nanoseconds(since: contentAwaitedSince)
        arm(totalDeadline)
    }

    /// The client does not take octets: it must not stall.
    final func awaitWriting(_ totalDeadline: LoopInstant) {
        writingDeadline = worker.loop.now.advanced(by: Limits.stallNanoseconds)
        if writingSince == .never { writingSince = worker.loop.now }
        arm(totalDeadline)
    }

    /// The client has taken what there was.
    @inline(__always)
    final func octetsTaken(_ totalDeadline: LoopInstant) {
        guard writingDeadline != .never else { return }
        (writingDeadline, writingSince) = (.never, .never)
        arm(totalDeadline)
    }

    /// Since when its exchange could go on, and it neither takes what there is of the response nor sends the content
    /// that it owes; `nil` while others are waited for.
    ///
    /// One that takes a little now and then does not begin anew.
    var stalledSince: LoopInstant? {
        guard let exchange else { return nil }
        if writingSince != .never { return writingSince }
        return exchange.phase == .forwarding && contentDeadline != .never
            ? contentAwaitedSince : nil
    }

    private final func arm(_ totalDeadline: LoopInstant) {
        setDeadline(min(contentDeadline, writingDeadline, totalDeadline))
    }

    /// Forgets what was awaited, as a request begins.
    final func clearDeadline() {
        isAwaitingHead = false
        contentDeadline = .never
        contentAwaitedNanoseconds = 0
        (writingDeadline, writingSince) = (.never, .never)
        setDeadline(.never)
    }

    final func setDeadline(_ instant: LoopInstant) {
        worker.setDeadline(of: registration, at: instant)
    }

    /// Goes on in the next tick, after others.
    final func continueLater() {
        worker.resumeLater(registration)
    }
}
