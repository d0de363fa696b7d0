internal import Bytes
internal import HTTP1
internal import HTTP2
internal import Transport

/// What a stream of HTTP/2 is to its session: octets that came and that nobody has taken, and its turn to write.
///
/// Its owner is a side of an exchange. A stream that ends is used again for another one. Confined to its
/// worker's loop.
final class HTTP2Stream {
    /// Whom a session tells of what happens to a stream.
    protocol Owner: AnyObject {
        /// Something has come, or it is the stream's turn to write.
        func streamReady()

        /// A response's head has come, and is in the session's fields.
        func streamHead(endStream: Bool)

        /// The stream is gone.
        func streamWasReset(_ code: ErrorCode)
    }

    unowned let session: HTTP2Session
    unowned var owner: (any Owner)?
    /// Its identifier; 0 while it has none.
    var id: UInt32 = 0
    /// Octets that came and were not taken: content, and before it heads that the session wrote as HTTP/1.1 has them.
    var inbox = Buffer()
    /// The trailer section that came, with its empty line; empty without.
    var trailers: [UInt8] = []
    /// Whether it has lines that must not be put into a table on their way on (RFC 7541 §6.2.3).
    var hasSecretTrailers = false
    /// Whether the peer has ended its side, or the stream was reset.
    private(set) var isRemoteEnded = false
    /// Whether we have ended our side, or the stream was reset.
    private(set) var isLocalEnded = false
    /// Whether either side has reset it.
    private(set) var isReset = false
    /// Whether it waits for its turn to write.
    var isWaiting = false
    /// Whether it is in the session's list of streams to tell.
    var isTouched = false
    /// Octets of content that it has written since it last got its turn.
    var writtenInTurn = 0
    /// Octets of the peer's window that lie in the inbox.
    private var inboxFlowBytes = 0
    /// Octets of the peer's window that were taken, and of which it is not known that they have gone on.
    private var takenFlowBytes = 0

    init(_ session: HTTP2Session) {
        self.session = session
    }

    /// Makes it another stream.
    func reuse(as id: UInt32) {
        self.id = id
        trailers = []
        hasSecretTrailers = false
        (isRemoteEnded, isLocalEnded, isReset, isWaiting) = (false, false, false, false)
        (inboxFlowBytes, takenFlowBytes, writtenInTurn) = (0, 0, 0)
    }

    // MARK: Receiving

    /// Content has come.
    func received(_ octets: Span<UInt8>, flowBytes: Int) {
        if octets.isEmpty, inbox.isEmpty {
            session.http2.consumed(id, flowBytes: flowBytes)
            return
        }
        session.worker.append(octets, to: &inbox)
        inboxFlowBytes += flowBytes  // the connection's window bounds the sum
    }

    /// The peer has ended its side.
    func remoteEnded() {
        isRemoteEnded = true
    }

    /// The stream was reset, by either side.
    func wasReset() {
        (isReset, isRemoteEnded, isLocalEnded) = (true, true, true)
        (inboxFlowBytes, takenFlowBytes) = (0, 0)
        session.worker.reclaim(&inbox)
    }

    /// The peer has ended its side and wants no more of ours, or cannot get it; what came stays.
    func stopWriting() {
        isLocalEnded = true
    }

    /// Whether `take` may bring something, or has to give back.
    var canTake: Bool { !inbox.isEmpty || isRemoteEnded || takenFlowBytes > 0 }

    /// Whether everything that came was taken, and no trailer fields follow.
    var isAtEnd: Bool { isRemoteEnded && !isReset && inbox.isEmpty && trailers.isEmpty }

    /// Moves what came into a buffer; what was taken before has gone on.
    ///
    /// - Parameter buffer: Keeps what it holds.
    /// - Returns: How many octets moved.
    func take(into buffer: inout Buffer) -> Int {
        giveBack()
        guard !inbox.isEmpty else { return 0 }
        let count = inbox.count
        if buffer.isEmpty {
            session.worker.reclaim(&buffer)
            swap(&buffer, &inbox)
        } else {
            inbox.withReadable { session.worker.append($0, to: &buffer) }
            session.worker.reclaim(&inbox)
        }
        takenFlowBytes = inboxFlowBytes
        inboxFlowBytes = 0
        return count
    }

    /// Drops what came: nobody takes it any more.
    ///
    /// - Returns: The octets of the peer's window that it took.
    func discard() -> Int {
        let flowBytes = takenFlowBytes + inboxFlowBytes
        (inboxFlowBytes, takenFlowBytes) = (0, 0)
        session.http2.consumed(id, flowBytes: flowBytes)
        session.worker.reclaim(&inbox)
        session.outputAdded()
        return flowBytes
    }

    private func giveBack() {
        guard takenFlowBytes > 0 else { return }
        session.http2.consumed(id, flowBytes: takenFlowBytes)
        takenFlowBytes = 0
        session.outputAdded()
    }

    // MARK: Sending

    /// Whether it is worth trying to write; a write that does not take everything has the stream wait for its turn.
    var canWrite: Bool { !isWaiting && !isLocalEnded }

    /// Writes as much of the content as the windows and the session's queue allow.
    ///
    /// - Parameters:
    ///   - content: Octets of content.
    ///   - endStream: Whether nothing follows them.
    /// - Returns: How many were written; when not all, the stream waits for its turn.
    func write(_ content: Span<UInt8>, endStream: Bool) -> Int {
        var written = 0
        while written < content.count {
            let room = min(session.room, session.http2.dataAllowance(id))
            let count = min(content.count - written, room)
            guard count > 0, !session.isOthersTurn(after: writtenInTurn, id) else {
                session.wait(self)
                break
            }
            writtenInTurn += count  // at most what the peer's windows admit in all
            let end = written + count
            let isLast = endStream && end == content.count
            session.http2.writeData(id, content.extracting(written..<end), endStream: isLast)
            if isLast { isLocalEnded = true }
            written = end
        }
        if content.isEmpty, endStream { finish() }
        session.outputAdded()
        return written
    }

    /// Ends our side.
    func finish() {
        guard !isLocalEnded else { return }
        session.http2.writeDataHeader(id, count: 0, endStream: true)
        isLocalEnded = true
        session.outputAdded()
    }

    /// Writes a field section.
    ///
    /// - Parameters:
    ///   - endStream: Whether nothing follows.
    ///   - append: Appends the fields.
    func writeFields(endStream: Bool, _ append: (inout HPACKEncoder, inout [UInt8]) -> Void) {
        session.http2.encodeHeaders(id, endStream: endStream, append)
        if endStream { isLocalEnded = true }
        session.outputAdded()
    }

    /// Writes a trailer section, which ends our side.
    ///
    /// - Parameters:
    ///   - lines: Lines as HTTP/1.1 has them, that were judged already.
    ///   - areSecret: Whether no table may hold them.
    func writeTrailers(_ lines: [UInt8], areSecret: Bool) {
        let section = lines + [0x0D, 0x0A]
        guard session.readTrailers(section.span) else { return finish() }
        writeFields(endStream: true) { encoder, output in
            let fields = session.trailerReader.fields.lines
            for index in 0..<fields.count where !fields[index].isHopByHop {
                encoder.append(
                    name: section.span.extracting(fields[index].nameRange),
                    value: section.span.extracting(fields[index].valueRange),
                    known: fields[index].name,
                    isSensitive: areSecret,
                    to: &output
                )
            }
        }
    }

    /// The exchange is over: resets what has not ended, and leaves the session.
    ///
    /// - Parameter code: Why, where our side has not ended.
    func close(_ code: ErrorCode) {
        if !isReset {
            if !isLocalEnded || !isRemoteEnded {
                // RFC 9113 §8.1: a response is complete, and the rest of the request is not wanted.
                let isDone = isLocalEnded && session.http2.role == .server
                session.http2.reset(id, isDone ? .noError : code)
            } else {
                session.http2.consumed(id, flowBytes: takenFlowBytes + inboxFlowBytes)
            }
        }
        session.worker.reclaim(&inbox)
        session.remove(self)
    }
}
