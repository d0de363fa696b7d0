import Bytes
import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("A client and a server machine talk to each other")
struct ConversationTests {
    @Test("All content arrives, windows stay above 0 and are all given back", arguments: 1...16)
    func randomTraffic(seed: UInt64) {
        let conversation = Conversation(seed: seed)
        conversation.run()
        conversation.check()
    }

    @Test("A connection at rest holds little memory")
    func memoryAtRest() {
        let inline = MemoryLayout<HTTP2Connection>.size
        #expect(inline <= 800, "\(inline) octets")
        let conversation = Conversation(seed: 3)
        conversation.run()
        for side in [conversation.client, conversation.server] {
            _ = side.end.connection.takeOutput()
            side.end.connection.releaseStorage()
            let capacities = [
                side.end.connection.streams.slots.capacity,
                side.end.connection.collected.capacity, side.end.connection.block.capacity,
                side.end.connection.output.capacity, side.end.connection.fields.octets.capacity,
            ]
            #expect(capacities == [0, 0, 0, 0, 0])
        }
    }
}

/// One exchange as both sides know it from the start.
private struct Plan {
    var method: Method
    var requestBytes: Int
    var responseBytes: Int
    var hasRequestTrailers: Bool
    var hasResponseTrailers: Bool
    var namesLength: Bool
    var interimCount: Int
    var longFieldBytes: Int
}

/// What one side has done with one stream.
private struct Progress {
    var sentBytes = 0
    var receivedBytes = 0
    var hasSentHead = false
    var hasSentEnd = false
    var hasReceivedHead = false
    var hasReceivedEnd = false
    var interimCount = 0
    var isReset = false
}

/// One of the two sides.
private final class Side {
    let role: HTTP2Connection.Role
    let end: Endpoint
    var progress: [UInt32: Progress] = [:]
    /// Octets on their way to this side.
    var incoming: [UInt8] = []
    /// Content that was received and not given back.
    var held: [(stream: UInt32, flowBytes: Int)] = []

    init(_ role: HTTP2Connection.Role, _ limits: HTTP2Limits) {
        self.role = role
        end = Endpoint(role, limits)
    }
}

/// Random traffic between two machines, the same for the same seed.
private final class Conversation {
    let client: Side
    let server: Side
    private let requestCount = 40
    private var generator: SeededGenerator
    private var plans: [UInt32: Plan] = [:]
    /// The keys of `plans` that may go on.
    private var streams: [UInt32] = []

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        client = Side(.client, Self.limits(&generator))
        server = Side(.server, Self.limits(&generator))
        self.generator = generator
        // SETTINGS first, so that windows are what they stay.
        for _ in 0..<3 {
            flush(client)
            flush(server)
            deliver(to: client, all: true)
            deliver(to: server, all: true)
        }
    }

    private static func limits(_ generator: inout SeededGenerator) -> HTTP2Limits {
        let isSmall = Int.random(in: 1...4, using: &generator) == 1
        return HTTP2Limits(
            streamsMax: Int.random(in: 1...20, using: &generator),
            streamWindowBytes: Int.random(
                in: isSmall ? 50...3000 : 3000...100_000,
                using: &generator
            ),
            connectionWindowBytes: Int.random(in: 65535...200_000, using: &generator),
            frameBytesMax: Int.random(in: 16384...40000, using: &generator)
        )
    }

    func run() {
        var steps = 0
        while steps < 200_000, !isDone {
            steps += 1
            step()
            if steps % 50 == 0 {
                streams.removeAll { isFinished(client, $0) && isFinished(server, $0) }
            }
        }
        #expect(isDone, "stands still after \(steps) steps")
        for _ in 0..<4 {
            for side in [client, server] {
                flush(side)
                deliver(to: client, all: true)
                deliver(to: server, all: true)
                while !side.held.isEmpty { giveBack(side) }
            }
        }
    }

    private var isDone: Bool {
        plans.count == requestCount && streams.isEmpty
    }

    /// Whether a side has nothing more to do on a stream.
    private func isFinished(_ side: Side, _ stream: UInt32) -> Bool {
        guard let progress = side.progress[stream] else { return false }
        return progress.isReset || progress.hasSentEnd && progress.hasReceivedEnd
    }

    private func step() {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: open()
        case 1, 2: send(client)
        case 3, 4: send(server)
        case 5: deliver(to: client)
        case 6: deliver(to: server)
        case 7:
            giveBack(client)
            giveBack(server)
        case 8:
            flush(client)
            flush(server)
        default:
            if Int.random(in: 0..<3000, using: &generator) == 0 { reset(client) }
            if Int.random(in: 0..<3000, using: &generator) == 0 { reset(server) }
        }
        for side in [client, server] {
            let target = side.end.connection.limits.streamWindowBytes
            for stream in side.end.connection.streams.slots where stream.canReceive {
                let octets = stream.receiveWindow + stream.held + stream.unreturned
                if octets != target { Issue.record("a window of \(octets), not \(target)") }
            }
            let window = side.end.connection.sendWindow
            let lowest = side.end.connection.streams.slots.map(\.sendWindow).min() ?? 0
            if window < 0 || lowest < 0 {
                Issue.record("a window of \(min(window, lowest)) at the sender")
            }
        }
    }

    /// Checks that everything arrived and nothing is left.
    func check() {
        var wholeCount = 0
        for (stream, plan) in plans {
            let (one, other) = (client.progress[stream], server.progress[stream])
            guard let one, let other, !one.isReset, !other.isReset else { continue }
            #expect(other.receivedBytes == plan.requestBytes)
            #expect(one.receivedBytes == plan.responseBytes)
            #expect(one.interimCount == plan.interimCount)
            wholeCount += 1
        }
        #expect(wholeCount >= requestCount / 2, "\(wholeCount) of \(requestCount) arrived whole")
        for (side, peer) in [(client, server), (server, client)] {
            let active = side.end.connection.activeCount
            let left = side.end.connection.streams.count
            #expect([active, left] == [0, 0])
            let own = side.end.connection.receiveWindow + side.end.connection.unreturned
            let limit = side.end.connection.limits.connectionWindowBytes
            #expect(own == limit)
            let window = side.end.connection.receiveWindow
            let peerWindow = peer.end.connection.sendWindow
            #expect(window == peerWindow)
            let isFailed = side.end.connection.isFailed
            #expect(!isFailed)
        }
    }

    // MARK: Steps

    private func open() {
        guard plans.count < requestCount else { return }
        let methods: [Method] = [.get, .head, .post, .put]
        let method = methods.randomElement(using: &generator) ?? .get
        guard let stream = client.end.connection.openStream(method) else { return }
        let carries = method == .post || method == .put
        plans[stream] = Plan(
            method: method,
            requestBytes: carries ? Int.random(in: 0...30000, using: &generator) : 0,
            responseBytes: method == .head ? 0 : Int.random(in: 0...50000, using: &generator),
            hasRequestTrailers: carries && Bool.random(using: &generator),
            hasResponseTrailers: method != .head && Bool.random(using: &generator),
            namesLength: Bool.random(using: &generator),
            interimCount: Int.random(in: 0...2, using: &generator),
            longFieldBytes: Int.random(in: 0...9, using: &generator) == 0 ? 50000 : 10
        )
        streams.append(stream)
        send(client, stream)
    }

    private func send(_ side: Side) {
        guard let stream = streams.randomElement(using: &generator) else { return }
        send(side, stream)
    }

    private func send(_ side: Side, _ stream: UInt32) {
        guard let plan = plans[stream] else { return }
        var progress = side.progress[stream] ?? Progress()
        defer { side.progress[stream] = progress }
        if progress.isReset || progress.hasSentEnd { return }
        if side.role == .server, !progress.hasReceivedHead { return }
        let total = side.role == .client ? plan.requestBytes : plan.responseBytes
        let hasTrailers = side.role == .client ? plan.hasRequestTrailers : plan.hasResponseTrailers
        if !progress.hasSentHead {
            sendHead(side, stream, plan, total: total, ends: total == 0 && !hasTrailers)
            progress.hasSentHead = true
            progress.hasSentEnd = total == 0 && !hasTrailers
            return
        }
        if progress.sentBytes == total, hasTrailers {
            #expect(side.end.send(stream, [("x-sum", "\(total)")], end: true))
            progress.hasSentEnd = true
            return
        }
        let allowance = side.end.allowance(stream)
        let count = min(
            allowance,
            total - progress.sentBytes,
            Int.random(in: 1...9000, using: &generator)
        )
        guard count > 0 else { return }
        let content = (progress.sentBytes..<progress.sentBytes + count).map {
            Self.octet(stream, $0, side.role)
        }
        let ends = progress.sentBytes + count == total && !hasTrailers
        let isWritten = side.end.connection.writeData(stream, content.span, endStream: ends)
        #expect(isWritten)
        progress.sentBytes += count
        progress.hasSentEnd = ends
    }

    private func sendHead(_ side: Side, _ stream: UInt32, _ plan: Plan, total: Int, ends: Bool) {
        var fields: [(String, String)]
        if side.role == .client {
            fields = [
                (":method", plan.method.text.description), (":scheme", "https"),
                (":authority", "a.example"), (":path", "/\(stream)"),
            ]
        } else {
            for _ in 0..<plan.interimCount {
                side.end.send(stream, [(":status", "103"), ("link", "x")], end: false)
            }
            fields = [(":status", "200")]
        }
        if plan.namesLength { fields.append(("content-length", "\(total)")) }
        fields.append(("x-stream", "\(stream % 7)"))
        fields.append(("x-long", String(repeating: "~", count: plan.longFieldBytes)))
        #expect(side.end.send(stream, fields, end: ends))
    }

    private func reset(_ side: Side) {
        let live = streams.filter {
            guard let progress = side.progress[$0] else { return false }
            return !progress.isReset && !(progress.hasSentEnd && progress.hasReceivedEnd)
        }
        guard let stream = live.randomElement(using: &generator) else { return }
        side.end.connection.reset(stream, .cancel)
        side.progress[stream]?.isReset = true
    }

    private func giveBack(_ side: Side) {
        guard let index = side.held.indices.randomElement(using: &generator) else { return }
        let piece = side.held.remove(at: index)
        if side.progress[piece.stream]?.isReset == true { return }
        side.end.connection.consumed(piece.stream, flowBytes: piece.flowBytes)
    }

    private func flush(_ side: Side) {
        let peer = side === client ? server : client
        peer.incoming += side.end.connection.takeOutput()
    }

    /// Brings octets to a side: a random piece of what is on its way, or all.
    private func deliver(to side: Side, all: Bool = false) {
        let most = all ? side.incoming.count : Int.random(in: 1...30000, using: &generator)
        let octets = Array(side.incoming.prefix(most))
        side.incoming.removeFirst(octets.count)
        var index = 0
        do {
            while let event = try side.end.connection.next(octets.span, at: &index, now: 0) {
                take(event, octets, side)
            }
        } catch {
            Issue.record("\(side.role): \(error)")
        }
    }

    private func take(_ event: HTTP2Connection.Event, _ octets: [UInt8], _ side: Side) {
        switch event {
        case .headers(let stream, let endStream):
            side.progress[stream, default: Progress()].hasReceivedHead = true
            side.progress[stream]?.hasReceivedEnd = endStream
            let count = side.end.connection.fields.lines.count
            #expect(count == 2 + (plans[stream]?.namesLength == true ? 1 : 0))
        case .interim(let stream): side.progress[stream]?.interimCount += 1
        case .trailers(let stream): side.progress[stream]?.hasReceivedEnd = true
        case .data(let stream, let range, let endStream, let flowBytes):
            let sender: HTTP2Connection.Role = side.role == .client ? .server : .client
            let start = side.progress[stream]?.receivedBytes ?? 0
            let expected = (start..<start + range.count).map { Self.octet(stream, $0, sender) }
            if expected[...] != octets[range] {
                Issue.record("stream \(stream): content after \(start) is other content")
                return
            }
            side.progress[stream]?.receivedBytes += range.count
            side.progress[stream]?.hasReceivedEnd = endStream
            side.held.append((stream, flowBytes))
        case .reset(let stream, let code, let cause):
            #expect(cause == .peer || code == .refusedStream)
            side.progress[stream, default: Progress()].isReset = true
        case .windowOpened, .settingsChanged: break
        default: Issue.record("\(event)")
        }
    }

    /// The content of a stream, which both sides know.
    private static func octet(_ stream: UInt32, _ index: Int, _ sender: HTTP2Connection.Role)
        -> UInt8
    {
        UInt8(
            truncatingIfNeeded: index * 31 + index / 253 + Int(stream) + (sender == .client ? 1 : 0)
        )
    }
}
