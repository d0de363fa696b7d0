internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A connection that speaks HTTP/2: what its streams share.
///
///     socket ─▶ HTTP2Connection.next ─▶ events ─▶ streams ─▶ exchanges
///     exchanges ─▶ streams ─▶ HTTP2Connection.output ─▶ one write at the end of the tick ─▶ socket
///
/// It reads only while little waits to be written, so that a peer that does not read cannot make it hold more than
/// `Limits.sessionOutputBytes`, the heads of its streams, and what the windows admit. Streams that cannot write wait
/// for their turn, the most urgent first (RFC 9218 §10). Confined to its worker's loop.
class HTTP2Session {
    final let worker: Worker
    final var http2: HTTP2Connection
    /// Streams that have an identifier, in no order; `identifiers` has theirs.
    final private(set) var streams: [HTTP2Stream] = []
    private final var identifiers: [UInt32] = []
    /// Streams that could not write everything, in the order in which they tried.
    private final var waiting: [HTTP2Stream] = []
    /// Streams to tell of what came, once all octets of a read were looked at.
    private final var touched: [HTTP2Stream] = []
    private final var isServing = false
    /// Streams that get their turn in this round.
    private final var turnsLeft = 0
    /// Octets that are being written, and how many of them have left.
    private final var sending: [UInt8] = []
    private final var sentCount = 0
    private final var isFlushDue = false
    /// Whether the peer has been told that the connection ends, and why.
    final private(set) var isEnding = false
    /// Whether the socket takes nothing more.
    private final var isCut = false
    private final var fieldsDeadline = LoopInstant.never
    private final var writingDeadline = LoopInstant.never
    private final var settingsDeadline: LoopInstant

    /// Reads trailer sections that are to be written as HTTP/2 has them.
    final private(set) var trailerReader = TrailerSection()

    init(worker: Worker, role: HTTP2Connection.Role, limits: HTTP2Limits) {
        self.worker = worker
        http2 = HTTP2Connection(role: role, limits: limits)
        settingsDeadline = worker.loop.now.advanced(by: Limits.settingsNanoseconds)
    }

    // MARK: The connection below, overridden

    var canRead: Bool { false }
    var canWrite: Bool { false }

    /// Reads once.
    func receive(into buffer: inout Buffer) -> StreamSocket.Received { .end }

    /// Writes once.
    func transmit(_ octets: Span<UInt8>) -> StreamSocket.Sent { .octets(0) }

    func continueLater() {}

    func setDeadline(_ instant: LoopInstant) {}

    /// Everything has been written and no stream is left, or nothing can be written: closes the connection.
    func close() {}

    // MARK: What the peer did, overridden

    /// A head has come, or the connection's own business.
    func take(_ event: HTTP2Connection.Event) {}

    /// When the connection may be closed for lack of streams.
    var idleDeadline: LoopInstant { .never }

    /// How long a field section may take.
    var fieldsNanoseconds: UInt64 { Limits.settingsNanoseconds }

    // MARK: Streams

    final func find(_ id: UInt32) -> HTTP2Stream? {
        identifiers.firstIndex(of: id).map { streams[$0] }
    }

    final func add(_ stream: HTTP2Stream) {
        streams.append(stream)
        identifiers.append(stream.id)
    }

    /// A stream is over; nothing of it is left in the session.
    func remove(_ stream: HTTP2Stream) {
        if let index = identifiers.firstIndex(of: stream.id), streams[index] === stream {
            streams.swapAt(index, streams.count - 1)
            identifiers.swapAt(index, identifiers.count - 1)
            streams.removeLast()
            identifiers.removeLast()
        }
        if stream.isWaiting {
            waiting.removeAll { $0 === stream }
            stream.isWaiting = false
        }
        // It may have come and gone within one read: its owner may not be there any more when all are told.
        stream.isTouched = false
        outputAdded()
    }

    /// Has the stream told of what came, once.
    final func touch(_ stream: HTTP2Stream) {
        guard !stream.isTouched else { return }
        stream.isTouched = true
        touched.append(stream)
    }

    /// Reads a trailer section into `trailerReader`; `false` where it is none.
    final func readTrailers(_ section: Span<UInt8>) -> Bool {
        do throws(HTTP1Error) {
            return try trailerReader.decode(section, limits: Limits.translated) == section.count
        } catch {
            trailerReader = TrailerSection()
            return false
        }
    }

    // MARK: Turns

    /// Octets that may be written now.
    final var room: Int { max(0, Limits.sessionOutputBytes - queuedBytes) }

    private final var queuedBytes: Int { sending.count - sentCount + http2.output.count }

    /// Has a stream wait for its turn.
    final func wait(_ stream: HTTP2Stream) {
        guard !stream.isWaiting else { return }
        stream.isWaiting = true
        waiting.append(stream)
    }

    /// Whether a stream that has written so much in its turn leaves the rest of the room to others.
    final func isOthersTurn(after written: Int, _ id: UInt32) -> Bool {
        written >= Limits.turnBytes && (!waiting.isEmpty || turnsLeft > 0)
            && priority(id).isIncremental
    }

    /// The priority of a stream; overridden where the peer can set it.
    func priority(_ id: UInt32) -> Priority { Priority(urgency: 3, isIncremental: true) }

    /// Gives the streams that wait their turns, while there is room.
    private final func serveWaiting() {
        guard !isServing else { return }
        isServing = true
        defer { isServing = false }
        var hasMoved = true
        while hasMoved, !waiting.isEmpty, room > 0 {
            hasMoved = false
            let candidates = inOrder(waiting)
            waiting.removeAll(keepingCapacity: true)
            turnsLeft = candidates.count
            for stream in candidates {
                turnsLeft -= 1
                guard stream.isWaiting else { continue }
                guard room > 0, http2.dataAllowance(stream.id) > 0 else {
                    waiting.append(stream)
                    continue
                }
                stream.isWaiting = false
                stream.writtenInTurn = 0
                hasMoved = true
                stream.owner?.streamReady()
            }
        }
    }

    private final func inOrder(_ streams: [HTTP2Stream]) -> [HTTP2Stream] {
        guard streams.count > 1 else { return streams }
        // What is of use only as a whole goes one after the other, what is of use in parts takes turns.
        let keys = streams.enumerated().map { place, stream in
            let priority = priority(stream.id)
            let order = priority.isIncremental ? UInt64(place) : UInt64(stream.id)
            let group = UInt64(priority.urgency) << 1 | (priority.isIncremental ? 1 : 0)
            return (key: group << 32 | order, place: place)
        }
        return keys.sorted { $0.key < $1.key }.map { streams[$0.place] }
    }

    // MARK: Reading

    /// The socket can do something.
    final func ready() {
        if canRead { readSome() }
        if canWrite { flush() }
    }

    /// The work that was put off to the end of the tick.
    final func resume() {
        flush()
        if canRead, !isCut { readSome() }
    }

    /// Takes octets that have been read already.
    final func begin(with buffer: inout Buffer) {
        read(&buffer)
        outputAdded()
        if canRead { continueLater() }
    }

    private final func readSome() {
        var buffer = Buffer()
        var reads = 0
        while canRead, !isCut, room > 0 {
            reads += 1
            guard worker.mayRead(reads) else {
                continueLater()
                break
            }
            if !buffer.hasBlock { buffer = worker.lend(.medium, headroom: 0) }
            switch receive(into: &buffer) {
            case .octets: read(&buffer)
            case .wouldBlock: break
            case .end, .failed: peerClosed()
            }
        }
        worker.reclaim(&buffer)
        arm()
    }

    /// Takes what the peer sent, and tells the streams.
    private final func read(_ buffer: inout Buffer) {
        let failure = buffer.withReadable { octets -> HTTP2Error? in
            do throws(HTTP2Error) {
                try takeEvents(octets)
                return nil
            } catch {
                return error
            }
        }
        buffer.clear()
        tellTouched()
        if failure != nil {
            // GOAWAY is in the output.
            isEnding = true
            abandonStreams()
            outputAdded()
            return
        }
        serveWaiting()
        if !http2.output.isEmpty { outputAdded() }
    }

    private final func takeEvents(_ octets: Span<UInt8>) throws(HTTP2Error) {
        var index = 0
        let now = worker.loop.now.nanoseconds
        while let event = try http2.next(octets, at: &index, now: now) {
            switch event {
            case .data(let id, let range, let endStream, let flowBytes):
                guard let stream = find(id) else {
                    http2.consumed(id, flowBytes: flowBytes)
                    continue
                }
                stream.received(octets.extracting(range), flowBytes: flowBytes)
                if endStream { stream.remoteEnded() }
                touch(stream)
            case .trailers(let id):
                guard let stream = find(id) else { continue }
                stream.trailers = http2.fields.octets + [0x0D, 0x0A]
                stream.hasSecretTrailers = http2.fields.lines.contains {
                    HPACKEncoder.mustBeTold($0)
                }
                stream.remoteEnded()
                touch(stream)
            case .reset(let id, let code, _):
                guard let stream = find(id) else { continue }
                // RFC 9113 §8.1: a server that has answered may ask us to stop sending.
                if http2.role == .client, stream.isRemoteEnded, code == .noError {
                    stream.stopWriting()
                    touch(stream)
                    continue
                }
                stream.wasReset()
                stream.owner?.streamWasReset(code)
            case .windowOpened: break
            default: take(event)
            }
        }
    }

    private final func tellTouched() {
        var index = 0
        while index < touched.count {
            let stream = touched[index]
            index += 1
            guard stream.isTouched else { continue }
            stream.isTouched = false
            stream.owner?.streamReady()
        }
        touched.removeAll(keepingCapacity: true)
    }

    /// The peer has closed its side, or the connection is broken: nobody waits for anything any more.
    private final func peerClosed() {
        isCut = true
        abandonStreams()
        close()
    }

    /// Ends all streams at once, with what is under way on them.
    func abandonStreams() {
        for stream in streams where !stream.isReset {
            if http2.role == .client, stream.isRemoteEnded {
                // What came is whole, and the exchange may still have to take it.
                stream.stopWriting()
                continue
            }
            stream.wasReset()
            stream.owner?.streamWasReset(.cancel)
        }
    }

    // MARK: Writing

    /// There is something to be written, at the end of the tick.
    final func outputAdded() {
        guard !isFlushDue else { return }
        isFlushDue = true
        continueLater()
    }

    /// Writes what there is, and lets waiting streams write what fits then.
    private final func flush() {
        isFlushDue = false
        guard !isCut else { return }
        while canWrite {
            if sentCount == sending.count {
                sentCount = 0
                http2.takeOutput(into: &sending)
                if sending.isEmpty { break }
            }
            let octets = sending
            switch transmit(octets.span.extracting(sentCount...)) {
            case .octets(let count):
                sentCount += count
                if count > 0 { writingDeadline = .never }
                if sentCount == sending.count { serveWaiting() }
            case .failed: return peerClosed()
            }
        }
        if sentCount < sending.count, writingDeadline == .never {
            writingDeadline = worker.loop.now.advanced(by: Limits.stallNanoseconds)
        }
        if queuedBytes == 0, streams.isEmpty {
            if isEnding {
                isCut = true
                return close()
            }
            rest()
        }
        arm()
    }

    /// Gives back memory that nothing needs.
    private final func rest() {
        sending = []
        sentCount = 0
        http2.releaseStorage()
    }

    // MARK: Ends

    /// Takes no more streams, and closes once those that are there have ended.
    final func end(_ code: ErrorCode) {
        if !isEnding { http2.goAway(code) }
        isEnding = true
        outputAdded()
    }

    // MARK: Deadlines

    /// Sets the deadline that comes first.
    final func arm() {
        guard !isCut else { return }
        if !http2.isWithinFields {
            fieldsDeadline = .never
        } else if fieldsDeadline == .never {
            fieldsDeadline = worker.loop.now.advanced(by: fieldsNanoseconds)
        }
        if http2.isSettingsAcknowledged { settingsDeadline = .never }
        let own = min(fieldsDeadline, writingDeadline, settingsDeadline)
        setDeadline(streams.isEmpty ? min(own, idleDeadline) : own)
    }

    /// What else has a deadline; `true` when that was it.
    func deadlineHasPassed() -> Bool { false }

    final func deadlinePassed() {
        if deadlineHasPassed() { return }
        let now = worker.loop.now
        if writingDeadline <= now {
            peerClosed()
        } else if settingsDeadline <= now || fieldsDeadline <= now {
            let code: ErrorCode =
                fieldsDeadline > now && http2.hasPeerSettings ? .settingsTimeout : .enhanceYourCalm
            (settingsDeadline, fieldsDeadline) = (.never, .never)
            http2.goAway(code)
            isEnding = true
            abandonStreams()
            outputAdded()
        } else if streams.isEmpty, idleDeadline <= now {
            end(.noError)
        } else {
            arm()
        }
    }
}
