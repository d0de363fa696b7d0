import Cryptography
import EventLoop
import FleetMessages
import FleetModel
import FleetProtocol
import SystemCalls
import TLSLibrary

/// All nodes of the process, on one loop.
final class SimulatedFleet {
    let loop: EventLoop
    let control: SocketAddress
    let events: EventWriter
    let shared = SharedContents()
    let signatures = SignatureCheck()
    private let directory: String?
    private let signals: EndSignals
    private var nodes: [SimulatedNode] = []
    private var joining: [[UInt8]: TLSContext] = [:]
    private var endTimer: LoopTimer?

    /// Prepares a fleet without nodes.
    ///
    /// - Parameters:
    ///   - control: Where the control plane is.
    ///   - directory: Where identities are kept; `nil` for nowhere.
    /// - Throws: When descriptors have run out, or the directory cannot be made.
    init(control: SocketAddress, directory: String?) throws(SystemCallError) {
        ignoreBrokenPipes()
        _ = try raiseDescriptorLimit()
        if let directory { try makeDirectory(directory) }
        signals = EndSignals(try SignalQueue([.terminate, .interrupt]))
        loop = try EventLoop()
        events = EventWriter(on: loop)
        (self.control, self.directory) = (control, directory)
    }

    /// Adds a node that has an identity in the directory, or will join with the token.
    ///
    /// - Throws: What is wrong with the token or the identity.
    func add(name: String, token: String) throws {
        guard let token = JoinToken(token) else { throw CryptographyError.pemInvalid }
        let path = directory.map { "\($0)/\(name).pem" }
        nodes.append(try SimulatedNode(name: name, token: token, identityPath: path, fleet: self))
    }

    /// Runs until a signal, or until the time is over.
    ///
    /// - Parameters:
    ///   - startsPerSecond: First connections per second.
    ///   - seconds: The time.
    /// - Throws: When the loop cannot listen to signals.
    func run(startsPerSecond: Int, seconds: Int) throws(SystemCallError) {
        try signals.open(on: loop)
        endTimer = LoopTimer(on: loop) { [unowned self] in loop.stop() }
        endTimer?.set(after: .seconds(seconds))
        for (index, node) in nodes.enumerated() {
            node.connect(after: .seconds(1) * index / startsPerSecond)
        }
        loop.run()
        for node in nodes { node.leave() }
        events.flush()
        loop.removeAllHandlers()
    }

    /// The TLS context of all who join the cluster with this authority.
    func joiningContext(_ fingerprint: [UInt8]) throws(TLSError) -> TLSContext {
        if let known = joining[fingerprint] { return known }
        let made = try Self.context(fingerprint, nil)
        joining[fingerprint] = made
        return made
    }

    /// A TLS context for the cluster with this authority.
    static func context(
        _ fingerprint: [UInt8],
        _ identity: TLSIdentity?
    ) throws(TLSError) -> TLSContext {
        try TLSContext(
            client: TLSClientOptions(
                serverName: "control.weir",
                trust: .pinnedAuthority(fingerprint),
                protocols: ["weir/1"],
                identity: identity
            )
        )
    }

    /// A node has worked out a manifest: the others will not have to.
    func keep(_ manifest: Manifest) {
        guard shared.keep(manifest) else { return }
        for node in nodes { node.learn(shared.manifests) }
    }

    /// A report as long as that of a node with some traffic.
    static func report(sequence: UInt64) -> WireMetricsReport {
        var report = WireMetricsReport()
        report.sequence = sequence
        report.intervalMilliseconds = 10_000
        for index in 0..<Limits.reportedMetricCount {
            var counter = WireCounterDelta()
            counter.name = "weir_simulated_\(index)_total"
            counter.delta = sequence * 7 + UInt64(index)
            report.counters.append(counter)
        }
        return report
    }
}

/// Ends the loop at a signal.
private final class EndSignals: EventHandler {
    private let queue: SignalQueue
    private weak var loop: EventLoop?

    init(_ queue: consuming SignalQueue) {
        self.queue = queue
    }

    func open(on loop: EventLoop) throws(SystemCallError) {
        self.loop = loop
        _ = try loop.registerLevelTriggered(self, descriptor: queue.number)
    }

    func ready(_ readiness: Readiness) {
        while queue.next() != nil { loop?.stop() }
    }
}
