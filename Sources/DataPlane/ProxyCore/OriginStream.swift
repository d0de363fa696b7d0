internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A request to an endpoint that speaks HTTP/2, as an exchange sees it.
///
///     exchange ─▶ a head of HTTP/1.1 ─▶ HEADERS        HEADERS ─▶ a head of HTTP/1.1 ─▶ exchange
///     exchange ─▶ content ─▶ DATA                      DATA ─▶ the stream's inbox ─▶ exchange
///
/// An Upgrade becomes extended CONNECT (RFC 8441), where the endpoint allows it. It is used again for other streams
/// of its connection and confined to its worker's loop.
final class OriginStream: Origin, HTTP2Stream.Owner {
    let stream: HTTP2Stream
    // Keeps the session until the exchange has taken what came.
    private let session: OriginSession
    private var isHeadSent = false
    /// Whether the request cannot be sent: the response would not come.
    private var isRefused = false
    /// Whether the head of a response has come.
    private var hasHead = false
    /// Whether the connection had carried a response before this request.
    private var isLater = false
    /// When the request went out; before that, when it was given to the stream.
    private var sentAt = LoopInstant.never
    private var method = Method.other
    /// What the client has asked for, where that is another protocol.
    private var handshake = WebSocketHandshake.none

    init(_ session: OriginSession) {
        self.session = session
        stream = HTTP2Stream(session)
        super.init(worker: session.worker, session.upstream, session.endpoint, framesContent: true)
        stream.owner = self
        registration = worker.loop.register(self)
    }

    /// Leaves the loop: it is not used again.
    func leave() {
        worker.loop.unregister(registration)
        registration = .none
    }

    /// Makes it the stream of an exchange.
    func begin(_ exchange: Exchange) {
        self.exchange = exchange
        stream.reuse(as: 0)
        (isHeadSent, isRefused, carriesSecrets, hasHead) = (false, false, false, false)
        (isLater, sentAt) = (session.hasServed, worker.loop.now)
        handshake = .none
    }

    // MARK: Events

    func streamReady() {
        exchange?.originReady(self)
    }

    func streamWasReset(_ code: ErrorCode) {
        exchange?.originFailed(failure(code))
    }

    private func failure(_ code: ErrorCode) -> ExchangeError {
        if hasHead { return ExchangeError(.httpResponseIncomplete, .upstream) }
        if code == .refusedStream {
            return ExchangeError(.connectionTerminated, .upstream, retry: .unprocessed)
        }
        // A connection may end for reasons of its own while the request is on its way; a stream does not.
        let retry: ExchangeError.Retry = session.isAbandoning ? .ifConnectionReused : .never
        return ExchangeError(.connectionTerminated, .upstream, retry: retry)
    }

    // MARK: Response

    /// Writes a response's head, which is in the session's fields, into the inbox as HTTP/1.1 has it.
    func streamHead(endStream: Bool) {
        hasHead = true
        let fields = session.http2.fields
        let wanted = fields.octets.count + Limits.headroom
        guard stream.inbox.count + wanted < BlockSize.huge.rawValue * 3 else {
            // One interim response after the other, and the client takes none.
            stream.wasReset()
            return streamWasReset(.enhanceYourCalm)
        }
        worker.makeRoom(for: wanted, in: &stream.inbox)
        let status = fields.pseudoOctets.span.extracting((fields.status ?? OctetRange()).indices)
        let isTunnel = handshake != .none && status.count == 3 && status[0] == UInt8(ascii: "2")
        stream.inbox.append("HTTP/1.1 " as StaticString)
        if isTunnel {
            stream.inbox.append("101 \r\nconnection: upgrade\r\n" as StaticString)
            handshake.appendAnswer(to: &stream.inbox)
        } else {
            appendStatus(status)
        }
        var hasLength = false
        for line in fields.lines {
            if line.name == .contentLength { hasLength = true }
            if HPACKEncoder.mustBeTold(line) { carriesSecrets = true }
        }
        stream.inbox.append(fields.octets.span)
        if endStream, !hasLength, !isTunnel, method != .head, mayHaveContent(status) {
            stream.inbox.append("content-length: 0\r\n" as StaticString)
        }
        stream.inbox.append("\r\n" as StaticString)
        if endStream { stream.remoteEnded() }
        session.touch(stream)
    }

    /// Writes the status and, for a client that may miss it, the phrase that HTTP/2 does not have.
    private func appendStatus(_ status: Span<UInt8>) {
        stream.inbox.append(status)
        stream.inbox.append(UInt8(ascii: " "))
        if let client = exchange?.client, !client.framesContent,
            let code = status.decimal(in: 0..<status.count)
        {
            stream.inbox.append(StatusPhrase.of(UInt16(truncatingIfNeeded: code)))
        }
        stream.inbox.append("\r\n" as StaticString)
    }

    private func mayHaveContent(_ status: Span<UInt8>) -> Bool {
        !(status.matches("204") || status.matches("304") || status.count == 3 && status[0] == 0x31)
    }

    // MARK: Origin

    override var canRead: Bool { stream.canTake || isRefused }
    override var canWrite: Bool {
        guard session.isConnected, !isRefused else { return false }
        return isHeadSent ? !stream.isWaiting : handshake == .none || session.http2.hasPeerSettings
    }
    override var isReused: Bool { isLater }
    override var isAtEnd: Bool { stream.isAtEnd }
    override var isRestless: Bool { false }

    override func receive(into buffer: inout Buffer) -> StreamSocket.Received {
        if isRefused || stream.isReset { return .failed(.connectionReset) }
        let count = stream.take(into: &buffer)
        if count > 0 { return .octets(count) }
        return stream.isRemoteEnded ? .end : .wouldBlock
    }

    override func takeTrailers() -> [UInt8] {
        defer { stream.trailers = [] }
        if stream.hasSecretTrailers { carriesSecrets = true }
        return stream.trailers
    }

    override func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent {
        var index = 0
        if !isHeadSent {
            guard let count = sendHead(octets, isLast: isLast) else {
                isRefused = true
                return .failed(.connectionReset)
            }
            // An Upgrade that waits for the endpoint's SETTINGS has sent nothing.
            guard isHeadSent else { return .octets(0) }
            index = count
        }
        let endStream = isLast && handshake == .none
        // The endpoint may have said that it wants no more: the rest is passed over.
        if stream.isLocalEnded { return .octets(octets.count) }
        if index < octets.count || endStream {
            index += stream.write(octets.extracting(index...), endStream: endStream)
        }
        return .octets(index)
    }

    /// Opens the stream and writes the head as HTTP/2 has it.
    ///
    /// - Returns: The head's length, or `nil` where it cannot go out.
    private func sendHead(_ octets: Span<UInt8>, isLast: Bool) -> Int? {
        guard let length = session.readRequest(octets) else { return nil }
        if handshake == .none, session.requestReader.fields.facts.connection.contains(.upgrade) {
            handshake = WebSocketHandshake(asked: session.requestReader, octets)
        }
        if handshake != .none {
            guard session.http2.hasPeerSettings else { return length }
            guard session.http2.peerSettings.allowsExtendedConnect else { return nil }
        }
        method = session.requestReader.method
        guard session.open(self, handshake == .none ? method : .connect) != nil else { return nil }
        isHeadSent = true
        sentAt = worker.loop.now
        let endStream = isLast && length == octets.count && handshake == .none
        let secrets = exchange?.client?.carriesSecrets ?? false
        stream.writeFields(endStream: endStream) { encoder, output in
            writeFields(octets, secrets: secrets, &encoder, &output)
        }
        return length
    }

    private func writeFields(
        _ octets: Span<UInt8>,
        secrets: Bool,
        _ encoder: inout HPACKEncoder,
        _ output: inout [UInt8]
    ) {
        if case .asked(let name, _) = handshake {
            encoder.append(pseudo: .method, value: connectMethod.span, to: &output)
            encoder.append(pseudo: .protocol, value: name.span, to: &output)
        } else {
            let method = octets.extracting(session.requestReader.methodRange.indices)
            encoder.append(pseudo: .method, value: method, to: &output)
        }
        let scheme = session.isSecure ? httpsScheme : httpScheme
        encoder.append(pseudo: .scheme, value: scheme.span, to: &output)
        let authority = octets.extracting(session.requestReader.authorityRange.indices)
        encoder.append(pseudo: .authority, value: authority, to: &output)
        let target = octets.extracting(session.requestReader.target.indices)
        encoder.append(pseudo: .path, value: target, to: &output)
        let lines = session.requestReader.fields.lines
        for index in 0..<lines.count {
            let line = lines[index]
            // The exchange has written TE only where it is `trailers`, which HTTP/2 has too (RFC 9113 §8.2.2).
            if line.name == .host || line.isHopByHop && line.name != .te { continue }
            if line.name == .transferEncoding { continue }
            if line.name == .secWebsocketKey, handshake != .none { continue }
            encoder.append(
                name: octets.extracting(line.nameRange),
                value: octets.extracting(line.valueRange),
                known: line.name,
                isSensitive: secrets,
                to: &output
            )
        }
    }

    override func finishRequest(trailers: [UInt8]) {
        guard isHeadSent, !stream.isLocalEnded, handshake == .none else { return }
        if trailers.isEmpty { return stream.finish() }
        stream.writeTrailers(trailers, areSecret: exchange?.client?.carriesSecrets ?? true)
    }

    override func finishWriting() {
        stream.finish()
    }

    override func rest() {
        close()
    }

    override func timedOut() {
        session.answerIsLate(since: sentAt)
    }

    override func close() {
        setDeadline(after: .max)
        stream.close(.cancel)
        exchange = nil
        session.spare(self)
    }
}

private let connectMethod = Array("CONNECT".utf8)
private let httpScheme = Array("http".utf8)
private let httpsScheme: [UInt8] = Array("https".utf8)
