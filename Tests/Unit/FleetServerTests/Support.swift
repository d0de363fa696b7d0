import ControlStore
import FleetMessages
import FleetModel
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

let clusterID = [UInt8](0..<16)
let note = ChangeNote(author: "ops")

/// A manifest with `count` routes, of which one may have another content.
func manifest(routes count: Int, changed: Int? = nil) throws -> Manifest {
    try Manifest(
        entries: (0..<count).map { index in
            ManifestEntry(
                kind: .route,
                name: "route-\(index)",
                digest: Digest(hashing: content(index, isChanged: index == changed))
            )
        }
    )
}

/// The content of an entry made by `manifest(routes:changed:)`.
func content(_ index: Int, isChanged: Bool = false) -> [UInt8] {
    Array((isChanged ? "changed \(index)" : "route \(index)").utf8)
}

func signed(_ manifest: Manifest, version: UInt64, epoch: UInt64 = 1) throws -> SignedManifest {
    let head = SignedHead(
        epoch: epoch,
        version: version,
        digest: manifest.digest,
        signature: [UInt8](repeating: 1, count: 64)
    )
    return try #require(SignedManifest(head: head, manifest: manifest))
}

/// A node as it is remembered; `generation` tells it from another of its name.
func record(
    _ name: String,
    generation: UInt8 = 1,
    labels: [String: String] = [:],
    tokenLabels: [String: String] = [:]
) -> NodeRecord {
    NodeRecord(
        name: name,
        id: [UInt8](repeating: generation, count: 16),
        labels: labels,
        tokenLabels: tokenLabels
    )
}

/// A fleet without sockets, whose clocks stand until a test moves them.
struct FleetBench {
    let loop = NIOAsyncTestingEventLoop()
    let store = MemoryStore()
    let issuer = ScriptedIssuer()
    let clock = Moment()
    let fleet: FleetLoop
    /// Generations of which all nodes hold what is next.
    let held = Generations()

    /// What the server told its owner.
    final class Generations: Sendable {
        private let list = Mutex<[UInt64]>([])

        var all: [UInt64] { list.withLock { $0 } }

        func append(_ generation: UInt64) {
            list.withLock { $0.append(generation) }
        }
    }

    init() {
        fleet = FleetLoop(
            loop: loop,
            store: store,
            issuer: issuer,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: { [clock] in clock.milliseconds },
            materialHeld: { [held] in held.append($0) }
        )
    }

    var directory: FleetDirectory { FleetDirectory(fleet: fleet) }

    /// Lets the server know the nodes as if it had started with them.
    func remember(_ names: String...) async throws {
        let records = names.map { record($0) }
        try await fleet.read { $0.remember(records) }
    }

    /// A connection whose peer was identified, and takes so many octets before it stops.
    func connect(_ name: String, takes bytesMax: Int = .max) async throws -> TestPeer {
        try await connect(record(name), takes: bytesMax)
    }

    func connect(_ record: NodeRecord, takes bytesMax: Int = .max) async throws -> TestPeer {
        let channel = try await NIOAsyncTestingChannel(loop: loop) { [fleet] channel in
            try Self.accept(channel, fleet.onLoop)
            let connection = FleetConnection(
                member: record,
                certificateEndSeconds: 1_800_086_400,
                fleet: fleet.onLoop
            )
            try channel.pipeline.syncOperations.addHandler(Intake(bytesMax: bytesMax))
            try channel.pipeline.syncOperations.addHandler(connection)
        }
        try await channel.connect(to: Self.address).get()
        return TestPeer(channel, name: record.name)
    }

    /// A session of a node that said Hello and was welcomed.
    func session(
        _ name: String,
        active: SignedManifest? = nil,
        labels: [String: String] = [:],
        takes bytesMax: Int = .max
    ) async throws -> TestPeer {
        let peer = try await connect(name, takes: bytesMax)
        try await peer.send(.hello(peer.hello(active: active, labels: labels)))
        guard case .welcome = try await peer.next() else {
            Issue.record("\(name) was not welcomed")
            return peer
        }
        return peer
    }

    /// A connection whose peer has no certificate.
    func stranger() async throws -> TestPeer {
        let channel = try await NIOAsyncTestingChannel(loop: loop) { [fleet] channel in
            try Self.accept(channel, fleet.onLoop)
            let connection = FleetConnection(fleet: fleet.onLoop)
            try channel.pipeline.syncOperations.addHandler(connection)
        }
        try await channel.connect(to: Self.address).get()
        return TestPeer(channel, name: "")
    }

    /// Where nobody connects to: a channel of a test is only active once it has connected.
    private static var address: SocketAddress {
        get throws { try SocketAddress(ipAddress: "127.0.0.1", port: 1) }
    }

    private static func accept(_ channel: NIOAsyncTestingChannel, _ fleet: Fleet) throws {
        guard fleet.accept() else { throw ChannelError.inputClosed }
        channel.closeFuture.assumeIsolated().whenComplete { _ in fleet.connectionClosed() }
    }

    /// Asks to join under this name and returns the answer.
    func join(_ name: String) async throws -> FleetMessage {
        let peer = try await stranger()
        var join = WireJoin()
        join.token = "token"
        join.name = name
        join.certificateRequest = wireOctets([1])
        try await peer.send(.join(join))
        return try await peer.next()
    }

    /// Lets time pass while the peers, which are steady, send heartbeats.
    func pass(seconds: Int, _ peers: TestPeer...) async throws {
        for _ in 0..<seconds {
            for peer in peers { try await peer.send(.heartbeat(WireHeartbeat())) }
            clock.milliseconds += 1_000
            await loop.advanceTime(by: .seconds(1))
        }
    }

    /// Makes a version the head.
    func commit(_ version: SignedManifest) async throws {
        store.commit(version)
        try await fleet.read { $0.setHead(version) }
    }
}

/// The far end of a connection without a socket.
final class TestPeer: Sendable {
    let channel: NIOAsyncTestingChannel
    let name: String
    private let received = Mutex(Received())

    /// Octets that were read and are no frame yet.
    private struct Received: ~Copyable {
        var octets: [UInt8] = []
        var decoder = FrameDecoder(
            payloadBytesMax: FleetProtocol.Limits.framePayloadBytesMax
        )
    }

    init(_ channel: NIOAsyncTestingChannel, name: String) {
        (self.channel, self.name) = (channel, name)
    }

    func hello(active: SignedManifest? = nil, labels: [String: String] = [:]) -> WireHello {
        var hello = WireHello()
        hello.clusterID = wireOctets(clusterID)
        hello.name = name
        hello.labels = labels
        if let active { hello.active = Holding(active.head).message }
        return hello
    }

    func send(_ message: FleetMessage, correlation: UInt32 = 1) async throws {
        try await send(message.frame(correlation: correlation))
    }

    func send(_ frame: Frame) async throws {
        try await channel.writeInbound(ByteBuffer(bytes: frame.encoded()))
    }

    func want(_ digests: [Digest], correlation: UInt32) async throws {
        var message = WireWantBlobs()
        message.digests = digests.map { wireOctets($0.octets) }
        try await send(.wantBlobs(message), correlation: correlation)
    }

    func report(_ outcome: ApplyReport.Outcome, of version: SignedManifest) async throws {
        let subject = Holding(version.head)
        let isActive = [.active, .confirmed(lastGoodProblem: nil)].contains(outcome)
        let report = ApplyReport(
            subject: subject,
            outcome: outcome,
            active: isActive ? subject : nil
        )
        try await send(.applyStatus(report.message))
    }

    /// The next frame that the server writes.
    func nextFrame() async throws -> Frame {
        while true {
            if let frame = try takeFrame() { return frame }
            var buffer = try await channel.waitForOutboundWrite(as: ByteBuffer.self)
            let octets = buffer.readBytes(length: buffer.readableBytes) ?? []
            received.withLock { $0.octets.append(contentsOf: octets) }
        }
    }

    func next() async throws -> FleetMessage {
        try #require(try FleetMessage(try await nextFrame()))
    }

    /// The reason of the goodbye that comes next.
    func goodbye() async throws -> (reason: WireGoodbyeReason, detail: String) {
        guard case .goodbye(let goodbye) = try await next() else { throw NoGoodbye() }
        return (goodbye.reason, goodbye.detail)
    }

    /// Everything that is written and not read yet.
    func pending() async throws -> [Frame] {
        while var buffer = try await channel.readOutbound(as: ByteBuffer.self) {
            let octets = buffer.readBytes(length: buffer.readableBytes) ?? []
            received.withLock { $0.octets.append(contentsOf: octets) }
        }
        var frames: [Frame] = []
        while let frame = try takeFrame() { frames.append(frame) }
        return frames
    }

    /// Takes no more octets, or takes them again.
    func setWritable(_ isWritable: Bool) async throws {
        try await channel.testingEventLoop.executeInContext { [channel] in
            channel.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    private func takeFrame() throws -> Frame? {
        try received.withLock { state in
            let octets = state.octets
            var offset = 0
            let frame = try state.decoder.next(octets.span, offset: &offset)
            state.octets.removeFirst(offset)
            return frame
        }
    }

    struct NoGoodbye: Error {}
}

/// Makes a channel stop being writable after so many octets.
final class Intake: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private let bytesMax: Int
    private var byteCount = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        byteCount += unwrapOutboundIn(data).readableBytes
        if byteCount > bytesMax, let channel = context.channel as? NIOAsyncTestingChannel {
            channel.isWritable = false
        }
        context.write(data, promise: promise)
    }
}

/// Milliseconds since 1970 that a test sets.
final class Moment: Sendable {
    private let stored = Mutex<Int64>(1_800_000_000_000)

    var milliseconds: Int64 {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}
