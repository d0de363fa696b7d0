internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A request of a client's HTTP/2 connection, as an exchange sees it.
///
///     HEADERS ─▶ a head of HTTP/1.1 in `buffer` ─▶ exchange ─▶ a head of HTTP/1.1 ─▶ HEADERS
///     DATA    ─▶ the stream's inbox ─▶ `buffer` ─▶ exchange ─▶ content ─▶ DATA
///
/// Heads are written in full and read by the strict readers of HTTP/1.1 on either side, so that nothing can be
/// slipped through the translation (RFC 9113 §10.3). Extended CONNECT (RFC 8441) is an Upgrade to the exchange.
/// It is used again for other streams of its connection and confined to its worker's loop.
final class ClientStream: Client, HTTP2Stream.Owner {
    let stream: HTTP2Stream
    private unowned let session: ClientSession
    private unowned let connection: ClientConnection
    /// Whether no exchange has begun yet.
    private var isNew = false
    /// Why the request is refused, where its head cannot be read.
    private var violation: HTTP1Error?
    private var isHeadSent = false
    /// Whether the head says how long the content is, or that there is none.
    private var isFramed = false
    /// What was asked for by extended CONNECT.
    private var handshake = WebSocketHandshake.none
    /// Whether the response is complete, and the rest of the request is waited for and dropped.
    private var isLingering = false
    /// Octets of the peer's windows that were dropped so.
    private var lingerFlowBytes = 0

    init(_ session: ClientSession, _ connection: ClientConnection) {
        (self.session, self.connection) = (session, connection)
        stream = HTTP2Stream(session)
        super.init(
            worker: connection.worker,
            port: connection.port,
            peer: connection.peer,
            connection.security,
            framesContent: true
        )
        stream.owner = self
        if connection.peerText.isEmpty { connection.describePeer() }
        (peerText, forwardingStart) = (connection.peerText, connection.forwardingStart)
        registration = worker.loop.register(self)
    }

    override var destination: SocketAddress? { connection.destination }

    /// Leaves the loop: it is not used again.
    func leave() {
        worker.loop.unregister(registration)
        registration = .none
    }

    // MARK: Request

    /// Takes a request's head, which is in the session's fields.
    ///
    /// - Parameters:
    ///   - id: The stream.
    ///   - endStream: Whether there is no content.
    ///   - violation: Why the request is to be refused without its head.
    func begin(_ id: UInt32, endStream: Bool, violation: HTTP1Error?) {
        stream.reuse(as: id)
        if endStream { stream.remoteEnded() }
        self.violation = violation
        (isNew, isHeadSent) = (true, false)
        handshake = .none
        carriesSecrets = false
        if violation == nil { settleScheme() }
        if self.violation == nil { writeHead() }
    }

    /// RFC 9113 §8.3.1: a request names its scheme, which is judged as that of an absolute-form is.
    private func settleScheme() {
        asksHTTPS = false
        let fields = session.http2.fields
        // CONNECT has none.
        guard let scheme = fields.scheme else { return }
        let octets = fields.pseudoOctets.span
        asksHTTPS = octets.matches("https", in: scheme.indices)
        if !asksHTTPS, !octets.matches("http", in: scheme.indices) {
            violation = .schemeUnsupported
        }
    }

    /// Writes the head as HTTP/1.1 has it, up to the lines that depend on what else comes.
    private func writeHead() {
        let fields = session.http2.fields
        worker.makeRoom(
            for: fields.octets.count + fields.pseudoOctets.count + Limits.headroom,
            in: &buffer
        )
        let pseudo = fields.pseudoOctets.span
        let isConnect = fields.path == nil
        if let asked = fields.protocol {
            handshake = WebSocketHandshake(protocol: pseudo.extracting(asked.indices))
            buffer.append("GET" as StaticString)
        } else if let method = fields.method {
            buffer.append(pseudo.extracting(method.indices))
        }
        buffer.append(UInt8(ascii: " "))
        if let target = isConnect ? fields.authority : fields.path {
            buffer.append(pseudo.extracting(target.indices))
        }
        buffer.append(" HTTP/1.1\r\n" as StaticString)
        if let authority = fields.authority {
            buffer.append("host: " as StaticString)
            buffer.append(pseudo.extracting(authority.indices))
            buffer.append("\r\n" as StaticString)
        }
        isFramed = isConnect || handshake != .none
        writeLines(fields)
        if case .asked(let name, _) = handshake {
            buffer.append("connection: upgrade\r\nupgrade: " as StaticString)
            buffer.append(name)
            buffer.append("\r\n" as StaticString)
            handshake.appendKey(to: &buffer)
        }
    }

    private func writeLines(_ fields: FieldBlock) {
        let octets = fields.octets.span
        var runStart = -1
        var asksForTrailers = false
        for line in fields.lines {
            if HPACKEncoder.mustBeTold(line) { carriesSecrets = true }
            let isKept: Bool
            switch line.name {
            case .host: isKept = fields.authority == nil
            case .contentLength:
                isKept = !isFramed
                isFramed = true
            case .te:
                isKept = handshake == .none
                asksForTrailers = isKept
            case .secWebsocketKey: isKept = handshake == .none
            default: isKept = true
            }
            if isKept, runStart < 0 { runStart = line.nameRange.lowerBound }
            if !isKept, runStart >= 0 {
                buffer.append(octets.extracting(runStart..<line.nameRange.lowerBound))
                runStart = -1
            }
        }
        if runStart >= 0 { buffer.append(octets.extracting(runStart...)) }
        if asksForTrailers { buffer.append("connection: te\r\n" as StaticString) }
    }

    /// Ends the head with what is known of the content by now.
    private func endHead() {
        if !isFramed {
            if !stream.isRemoteEnded {
                buffer.append("transfer-encoding: chunked\r\n" as StaticString)
            } else if !stream.trailers.isEmpty {
                buffer.append("transfer-encoding: chunked\r\n" as StaticString)
            } else if !stream.inbox.isEmpty || impliesContent {
                buffer.append("content-length: " as StaticString)
                buffer.append(decimal: UInt64(stream.inbox.count))
                buffer.append("\r\n" as StaticString)
            }
        }
        buffer.append("\r\n" as StaticString)
    }

    /// Whether the method has a meaning for content, so that its length is told even where it is 0 (RFC 9110 §8.6).
    private var impliesContent: Bool {
        buffer.withReadable { octets in
            octets.count > 4 && octets[0] == UInt8(ascii: "P")
        }
    }

    func streamReady() {
        if isLingering { return linger() }
        guard isNew else {
            exchange?.clientReady(self)
            return
        }
        isNew = false
        if violation == nil { endHead() }
        let exchange = worker.takeExchange()
        self.exchange = exchange
        exchange.begin(self, refusing: violation)
    }

    func streamHead(endStream: Bool) {}

    func streamWasReset(_ code: ErrorCode) {
        guard let exchange else { return close(isReset: false) }
        exchange.clientReady(self)
    }

    // MARK: Client

    override var canRead: Bool { stream.canTake }
    override var canWrite: Bool { stream.canWrite }
    override var isBroken: Bool { stream.isReset }
    override var hasFailed: Bool { stream.isReset }
    override var isAtEnd: Bool { stream.isAtEnd }
    override var mayPersist: Bool { true }

    override func fill() -> Filled {
        if stream.take(into: &buffer) > 0 { return .octets }
        return stream.isRemoteEnded ? .end : .wait
    }

    override func takeTrailers() -> [UInt8] {
        defer { stream.trailers = [] }
        if stream.hasSecretTrailers { carriesSecrets = true }
        return stream.trailers
    }

    override func requestBegan() {
        connection.requestBegan()
    }

    override func send(_ octets: Span<UInt8>, isLast: Bool) -> StreamSocket.Sent {
        var index = 0
        while !isHeadSent, index < octets.count {
            guard let count = sendHead(octets.extracting(index...), isLast: isLast) else {
                return .failed(.connectionReset)
            }
            index += count
        }
        if index < octets.count || isLast {
            index += stream.write(octets.extracting(index...), endStream: isLast)
        }
        return .octets(index)
    }

    /// Writes one head as HTTP/2 has it.
    ///
    /// - Parameters:
    ///   - octets: From the head on.
    ///   - isLast: Whether the response ends with them.
    /// - Returns: The head's length, or `nil` where it cannot go on.
    private func sendHead(_ octets: Span<UInt8>, isLast: Bool) -> Int? {
        guard let length = session.readResponse(octets) else { return nil }
        let status = session.responseReader.status
        if status == 101 {
            guard handshake.isAnswered(by: session.responseReader, octets) else { return nil }
        }
        isHeadSent = status >= 200 || status == 101
        let endStream = isLast && isHeadSent && length == octets.count
        let secrets = exchange?.origin?.carriesSecrets ?? false
        stream.writeFields(endStream: endStream) { encoder, output in
            if status == 101 {
                encoder.append(pseudo: .status, value: okStatus.span, to: &output)
            } else {
                encoder.append(pseudo: .status, value: octets.extracting(9..<12), to: &output)
            }
            let lines = session.responseReader.fields.lines
            for index in 0..<lines.count {
                let line = lines[index]
                if line.isHopByHop || line.name == .transferEncoding { continue }
                if line.name == .secWebsocketAccept, status == 101 { continue }
                encoder.append(
                    name: octets.extracting(line.nameRange),
                    value: octets.extracting(line.valueRange),
                    known: line.name,
                    isSensitive: secrets,
                    to: &output
                )
            }
        }
        return length
    }

    override func finishResponse(trailers: [UInt8]) {
        guard !stream.isLocalEnded else { return }
        if trailers.isEmpty { return stream.finish() }
        // An endpoint that was let go cannot be asked any more.
        stream.writeTrailers(trailers, areSecret: exchange?.origin?.carriesSecrets ?? true)
    }

    override func finishWriting() {
        stream.finish()
    }

    override func exchangeEnded(persists: Bool, isLast: Bool) {
        close(isReset: false)
    }

    override func close(isReset: Bool) {
        guard stream.id != 0 else { return }
        worker.reclaim(&buffer)
        isNew = false
        clearDeadline()
        guard stream.isLocalEnded, !stream.isRemoteEnded else { return leaveSession() }
        // RFC 9113 §8.1: a response that is complete may be followed by a reset. What is under way for the stream
        // would be passed over then, right or wrong; while it is open, errors in it are told (§5.4.2).
        isLingering = true
        lingerFlowBytes = 0
        setDeadline(worker.loop.now.advanced(by: Limits.streamLingerNanoseconds))
        linger()
    }

    /// Drops what came of the rest of the request.
    private func linger() {
        lingerFlowBytes += stream.discard()  // bounded by the limit and a window
        if stream.isRemoteEnded || lingerFlowBytes > Limits.streamLingerBytes { leaveSession() }
    }

    override func deadlinePassed() {
        if isLingering { leaveSession() } else { super.deadlinePassed() }
    }

    private func leaveSession() {
        isLingering = false
        setDeadline(.never)
        stream.close(.internalError)
        session.spare(self)
    }
}

/// The status of a tunnel to HTTP/2.
private let okStatus: [UInt8] = [0x32, 0x30, 0x30]
