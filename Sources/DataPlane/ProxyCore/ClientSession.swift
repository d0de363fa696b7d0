internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTP2
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A client's connection that speaks HTTP/2.
///
///     open ──drain, or too many requests──▶ going away ──streams have ended──▶ closed
///       └──idle, violation, the client closes──────────────────────────────────▶
///
/// Each request becomes a `ClientStream`, in whose buffer its head is written as HTTP/1.1 has it. Confined to its
/// worker's loop.
final class ClientSession: HTTP2Session {
    private unowned let connection: ClientConnection
    private var spares: [ClientStream] = []
    private var idleSince: LoopInstant
    private var requestCount = 0
    /// Since when the client knows that the connection will end.
    private var drainingSince: LoopInstant?
    /// Whether the client has ever said how urgent something is: then what it does not say has the RFC's defaults.
    private var setsPriorities = false
    /// Reads the heads of responses that are to be written as HTTP/2 has them.
    private(set) var responseReader = ResponseHead()

    init(_ connection: ClientConnection) {
        self.connection = connection
        idleSince = connection.worker.loop.now
        let table = connection.port.table
        super.init(
            worker: connection.worker,
            role: .server,
            limits: HTTP2Limits(
                streamsMax: table.streamsMax,
                streamWindowBytes: Limits.streamWindowBytes,
                connectionWindowBytes: Limits.sessionWindowBytes,
                fieldSectionBytesMax: table.limits.fieldSectionBytesMax,
                fieldLinesMax: table.limits.fieldLinesMax,
                allowsExtendedConnect: true
            )
        )
    }

    // MARK: Connection

    override var canRead: Bool { connection.socket.canRead }
    override var canWrite: Bool { connection.socket.canWrite }

    override func receive(into buffer: inout Buffer) -> StreamSocket.Received {
        let received = connection.socket.receive(into: &buffer, reserve: 0)
        if case .octets(let count) = received {
            worker.metrics.add(.receivedBytes, UInt64(count))
        }
        return received
    }

    override func transmit(_ octets: Span<UInt8>) -> StreamSocket.Sent {
        connection.socket.send(octets)
    }

    override func continueLater() {
        connection.continueLater()
    }

    override func setDeadline(_ instant: LoopInstant) {
        connection.setDeadline(instant)
    }

    override func close() {
        connection.sessionEnded()
    }

    override var idleDeadline: LoopInstant {
        guard let drainingSince else {
            return idleSince.advanced(by: connection.port.table.idleNanoseconds)
        }
        // Whoever does not answer to the PING is not waited for longer.
        return max(idleSince, drainingSince).advanced(by: Limits.goAwayNanoseconds)
    }

    override var fieldsNanoseconds: UInt64 { connection.port.table.headerNanoseconds }

    /// Since when it has no stream.
    var emptySince: LoopInstant? { streams.isEmpty ? idleSince : nil }

    // MARK: Priorities

    override func priority(_ id: UInt32) -> Priority {
        setsPriorities ? http2.priority(id) : super.priority(id)
    }

    // MARK: Requests

    override func take(_ event: HTTP2Connection.Event) {
        switch event {
        case .headers(let id, let endStream): open(id, endStream: endStream)
        case .headersOversized(let id, let endStream):
            open(id, endStream: endStream, violation: .fieldSectionTooLarge)
        case .priorityUpdate: setsPriorities = true
        // RFC 9113 §6.8: who says so wants the connection closed once its streams have ended.
        case .goAway: end(.noError)
        case .pingAcknowledged where drainingSince != nil: end(.noError)
        default: break
        }
    }

    private func open(_ id: UInt32, endStream: Bool, violation: HTTP1Error? = nil) {
        requestCount += 1
        let client = spares.popLast() ?? ClientStream(self, connection)
        client.begin(id, endStream: endStream, violation: violation)
        add(client.stream)
        touch(client.stream)
        notePriority(id)
        if requestCount >= connection.port.table.requestsMax { end(.noError) }
    }

    private func notePriority(_ id: UInt32) {
        for line in http2.fields.lines where line.name == .priority {
            setsPriorities = true
            let octets = http2.fields.octets
            http2.setPriority(id, Priority(octets.span, line.valueRange.indices))
        }
    }

    override func remove(_ stream: HTTP2Stream) {
        super.remove(stream)
        if streams.isEmpty {
            idleSince = worker.loop.now
            if !connection.mayPersist { drain() }
        }
    }

    /// Takes back a stream that has ended.
    func spare(_ client: ClientStream) {
        if streams.isEmpty {
            for spare in spares { spare.leave() }
            spares.removeAll()
            client.leave()
        } else {
            spares.append(client)
        }
    }

    /// Reads a response's head into `responseReader`.
    ///
    /// - Parameter octets: From the head on.
    /// - Returns: Its length, or `nil` where it is none.
    func readResponse(_ octets: Span<UInt8>) -> Int? {
        do throws(HTTP1Error) {
            responseReader.reset()
            return try responseReader.decode(octets, limits: Limits.translated)
        } catch {
            return nil
        }
    }

    // MARK: Draining

    /// Says that the connection will end; requests that are on their way are still taken (RFC 9113 §6.8).
    func drain() {
        guard drainingSince == nil, !isEnding else { return }
        drainingSince = worker.loop.now
        // The answer comes a round trip later: what the client had sent before it knew has come by then. It stands in
        // front, as there are clients to which nothing may follow GOAWAY.
        let isAsked = http2.ping(payload: 1)
        http2.announceGoAway()
        if !isAsked { end(.noError) }
        outputAdded()
    }
}
