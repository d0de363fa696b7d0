internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTPSemantics
internal import ProxyCore
internal import SystemCalls
internal import Transport
internal import Upstreams

/// One connection to the admin address, with keep-alive; requests are answered one after another.
///
///     reading ──head──▶ writing ──sent──▶ reading
///        └── error, end, silence ──┴──▶ closed
final class AdminConnection: EventHandler {
    private unowned let listener: AdminListener
    private var socket: StreamSocket
    private var registration = Registration.none
    private var buffer = Buffer(capacity: BlockSize.small.rawValue)
    private var request = RequestHead()
    private var answer: [UInt8] = []
    private var answerStart = 0
    private var closesAfterAnswer = false
    /// Whether an answer is being made elsewhere; the next request waits for it.
    private var awaitsAnswer = false

    private static let limits = HTTP1Limits(
        fieldSectionBytesMax: BlockSize.small.rawValue,
        fieldLinesMax: 64
    )

    init(_ descriptor: consuming FileDescriptor, listener: AdminListener) {
        self.listener = listener
        socket = StreamSocket(owning: descriptor, isConnected: true)
    }

    private var loop: EventLoop { listener.node.loop }

    /// Joins the loop; `false` when there is no room.
    func open() -> Bool {
        do throws(SystemCallError) {
            registration = try loop.register(self, descriptor: socket.number)
            watch()
            return true
        } catch {
            return false
        }
    }

    // MARK: Events

    func ready(_ readiness: Readiness) {
        socket.note(readiness)
        goOn()
    }

    func resume() {
        goOn()
    }

    func deadlinePassed() {
        close()
    }

    private func goOn() {
        guard write() else { return }
        var reads = 0
        while registration != .none {
            if let head = readHead() {
                respond(headBytes: head)
                guard write() else { return }
                continue
            }
            guard registration != .none, socket.canRead else { return }
            reads += 1
            if reads > Limits.readsPerTick { return loop.resumeLater(registration) }
            guard buffer.writableCount > 0 || makeRoom() else { return refuse(431) }
            switch socket.receive(into: &buffer, reserve: 0) {
            case .octets: watch()
            case .wouldBlock: return
            case .end, .failed: return close()
            }
        }
    }

    /// Moves what is there to the front of the block; `false` when it is full of one head.
    private func makeRoom() -> Bool {
        guard buffer.headroom > 0 else { return false }
        var moved = Buffer(capacity: BlockSize.small.rawValue)
        let fits = buffer.withReadable { moved.append($0) }
        swap(&buffer, &moved)
        return fits
    }

    private func readHead() -> Int? {
        guard !closesAfterAnswer, !awaitsAnswer, !buffer.isEmpty else { return nil }
        do throws(HTTP1Error) {
            return try buffer.withReadable { octets throws(HTTP1Error) in
                try request.decode(octets, limits: Self.limits)
            }
        } catch {
            refuse(error.requestStatus)
            return nil
        }
    }

    // MARK: Answering

    private func respond(headBytes: Int) {
        let path = buffer.withReadable { octets in
            let range = request.path.indices
            return String(decoding: range.map { octets[$0] }, as: UTF8.self)
        }
        buffer.consume(headBytes)
        // Content would have to be read before the next request: nobody who asks rightly sends any.
        closesAfterAnswer =
            !request.isPersistent || !request.framing.isEmpty || listener.isRetired
        guard request.method == .get || request.method == .head else {
            return prepare(AdminAnswer(405, "only GET and HEAD are answered here\n"))
        }
        let withoutContent = request.method == .head
        if path == "/upstreams" {
            return awaitUpstreams(withoutContent: withoutContent) { _, seen in AdminAnswer(seen) }
        }
        if path == "/metrics", listener.node.tellsOfEndpoints {
            return awaitUpstreams(withoutContent: withoutContent) { node, seen in
                AdminAnswer(metrics: node.metricsText + AdminAnswer.endpointMetrics(seen))
            }
        }
        prepare(listener.node.answer(path), withoutContent: withoutContent)
    }

    /// The monitor says how it sees the upstreams, on its own loop.
    private func awaitUpstreams(
        withoutContent: Bool,
        answering: @escaping (NodeProcess, [UpstreamStatus]) -> AdminAnswer
    ) {
        awaitsAnswer = true
        let mailbox = loop.mailbox
        let seen = Handover { [weak self] (statuses: [UpstreamStatus]) in
            guard let self, self.registration != .none else { return }
            self.awaitsAnswer = false
            let answer = answering(self.listener.node, statuses)
            self.prepare(answer, withoutContent: withoutContent)
            self.goOn()
        }
        listener.node.server.upstreamStatuses { statuses in mailbox.post { seen.value(statuses) } }
    }

    private func refuse(_ status: UInt16) {
        guard registration != .none else { return }
        closesAfterAnswer = true
        request.reset()
        prepare(AdminAnswer(status, "\(status)\n"))
        _ = write()
    }

    private func prepare(_ content: AdminAnswer, withoutContent: Bool = false) {
        var head = "HTTP/1.1 \(content.status) \(content.phrase)\r\n"
        head += "content-type: \(content.type)\r\ncontent-length: \(content.octets.count)\r\n"
        head += "cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
        if content.status == 405 { head += "allow: GET, HEAD\r\n" }
        if closesAfterAnswer { head += "connection: close\r\n" }
        answer = Array("\(head)\r\n".utf8)
        if !withoutContent { answer += content.octets }
        answerStart = 0
    }

    /// Writes what is left of the answer; `false` when it is not all gone, or the connection is closed.
    private func write() -> Bool {
        // What was asked with the last request of a connection is not an empty answer.
        guard !awaitsAnswer else { return false }
        while answerStart < answer.count {
            guard socket.canWrite else { return false }
            switch socket.send(answer.span.extracting(answerStart...)) {
            case .octets(let count):
                answerStart += count
                if count > 0 { watch() }
            case .failed:
                close()
                return false
            }
        }
        answer = []
        answerStart = 0
        if closesAfterAnswer {
            socket.finishWriting()
            close()
            return false
        }
        return registration != .none
    }

    private func watch() {
        let end = loop.now.advanced(by: UInt64(Limits.adminIdleSeconds) * 1_000_000_000)
        loop.setDeadline(of: registration, at: end)
    }

    /// Closes at once.
    func close() {
        guard registration != .none else { return }
        loop.unregister(registration)
        registration = .none
        socket.close()
        listener.closed(self)
    }
}
