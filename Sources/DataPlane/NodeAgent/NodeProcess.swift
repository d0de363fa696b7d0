internal import EventLoop
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import Telemetry

/// A node as a process: the data plane, what feeds it, the admin address, signals, the end.
///
///     starting ──serving, or the control plane has answered──▶ ready ──SIGTERM──▶ draining ──▶ ended
///         └── no way to begin ──▶ ended with 1        drained, the deadline, or a second SIGTERM ──┘
///
/// How another process takes its place is in `NodeProcess+Upgrade`.
///
/// The calling thread runs the process's loop: the agent, the admin address and signals. The data plane has threads
/// of its own. Confined to that loop.
package final class NodeProcess {
    let settings: NodeSettings
    let loop: EventLoop
    let server: ProxyServer
    let log: EventLog
    private let signals: SignalListener
    var admin: AdminListener?
    var agent: ControlAgent?
    /// Where an upgrade is asked for; only a node with a directory has one.
    var upgrades: UpgradeDesk?
    /// How it takes over from another process, if it does.
    var succession: Succession?
    /// What was put off because the node is being handed over.
    var frozen: [() -> Void] = []
    /// Whether another process has taken over.
    var hasRetired = false
    /// Whether another process has the session, or is to have it.
    var leavesSession = false
    private var wasToldToEnd = false
    private var houseTimer: LoopTimer?
    private var memoryReturn = MemoryReturn()
    var drainTimer: LoopTimer?
    var undrainTimer: LoopTimer?
    private var undrainBackoff = Backoff(
        first: .seconds(Limits.undrainRetrySeconds),
        cap: .seconds(Limits.undrainRetrySecondsMax)
    )

    /// What every worker serves.
    private(set) var served: Snapshot?
    /// Whether the operator, or a signal, wants exchanges to end and no new ones.
    var isDraining = false
    /// Whether the process is on its way to its end.
    var isStopping = false
    /// Whether it is for this process to talk to the control plane as this node.
    var wantsSession: Bool { !isStopping && !leavesSession }
    var isRevoked = false
    var isConnected = false
    private var isAnnounced = false
    private var failure: NodeError?
    private let startSeconds = realtimeNanoseconds() / 1_000_000_000

    /// Prepares a process; nothing runs yet.
    ///
    /// Call it before any other thread is started, so that signals come here.
    ///
    /// - Throws: `NodeError` when descriptors have run out.
    package init(_ settings: NodeSettings) throws(NodeError) {
        self.settings = settings
        let nameServers = try Self.nameServers()
        do throws(SystemCallError) {
            ignoreBrokenPipes()
            let reloading: [Signal] = settings.certificates == nil ? [] : [.hangUp]
            signals = SignalListener(
                try SignalQueue([.terminate, .interrupt, .user1] + reloading)
            )
            // It has a thread, which inherits what the queue has blocked.
            log = EventLog(showsDebug: settings.showsDebug)
            loop = try EventLoop()
            server = try ProxyServer(
                workerCount: settings.workerCount,
                drainTimeout: settings.drainTimeout,
                zone: settings.labels["zone"],
                nameServers: nameServers,
                memoryPath: settings.memoryPath,
                log: log
            )
        } catch {
            throw NodeError("cannot start: \(error)")
        }
    }

    /// Whom the node asks for names, where that is not the system's servers: for tests, and for machines whose own
    /// servers do not know the names of endpoints.
    private static func nameServers() throws(NodeError) -> String? {
        let variable = "WEIR_RESOLVER"
        guard let text = environmentVariable(variable), !text.isEmpty else { return nil }
        for server in text.split(separator: ",", omittingEmptySubsequences: false)
        where SocketAddress(server) == nil {
            throw NodeError(
                "\(variable): '\(server)' is no address of a name server, such as 127.0.0.1:53"
            )
        }
        return text
    }

    /// Runs until a signal, or until there is no way to go on.
    ///
    /// - Throws: Why the node could not begin.
    package func run() throws(NodeError) {
        do throws(NodeError) {
            try start()
        } catch {
            succession?.fail(error.description)
            finish()
            throw error
        }
        loop.run()
        finish()
        if let failure { throw failure }
    }

    // MARK: Start

    private func start() throws(NodeError) {
        let descriptors: Int
        do throws(SystemCallError) {
            descriptors = try raiseDescriptorLimit()
            try signals.open(on: loop, self)
            try server.start()
        } catch {
            throw NodeError("cannot start: \(error)")
        }
        log.write(
            .notice,
            "node.started",
            [
                "build": buildVersion, "workers": "\(server.workerCount)",
                "descriptors": "\(descriptors)",
            ]
        )
        houseTimer = LoopTimer(on: loop) { [unowned self] in keepHouse() }
        drainTimer = LoopTimer(on: loop) { [unowned self] in drainDeadlinePassed() }
        undrainTimer = LoopTimer(on: loop) { [unowned self] in tryUndrain() }
        switch settings.source {
        case .snapshot(let path):
            try openAdmin()
            try serve(file: path)
        case .fleet(let fleet) where settings.takesOver:
            try takeOver(fleet)
        case .fleet(let fleet):
            try openAdmin()
            let agent = try ControlAgent(fleet, node: self)
            self.agent = agent
            watchUpstreams()
            let upgrades = try UpgradeDesk(node: self, agent: agent)
            self.upgrades = upgrades
            try upgrades.open()
            try agent.start()
            let answer = LoopTimer(on: loop) { [unowned self] in announce() }
            answer.set(after: .seconds(Limits.firstAnswerSeconds))
        }
    }

    /// Has changes of endpoints reported.
    func watchUpstreams() {
        let mailbox = loop.mailbox
        let changed = Handover { [weak self] in
            guard let self else { return }
            self.agent?.upstreamsChanged()
        }
        server.watchUpstreams { mailbox.post { changed.value() } }
    }

    private func openAdmin() throws(NodeError) {
        let admin = try AdminListener(settings.admin, node: self)
        self.admin = admin
        try admin.open()
        keepHouse()
    }

    /// Serves a file for as long as the process lives.
    private func serve(file path: String) throws(NodeError) {
        let octets: [UInt8]
        do throws(SystemCallError) {
            octets = try readFile(path, octetsMax: SnapshotFile.bytesMax)
        } catch {
            throw NodeError("cannot read \(path): \(error.errno.message)")
        }
        let file: SnapshotFile
        do throws(SnapshotFile.Fault) {
            file = try SnapshotFile(octets: octets)
        } catch {
            throw NodeError("\(path): \(error); make it anew with 'proxyctl compile'")
        }
        let snapshot: Snapshot
        do throws(ConfigurationProblems) {
            snapshot = try Snapshot(file: file, labels: settings.labels)
        } catch {
            throw NodeError("\(path) is not for this build:\n\(error)")
        }
        if let certificates = settings.certificates {
            let material = try CertificateFolder(path: certificates).read(
                for: snapshot.share
            )
            server.replace(material: material) { _ in }
        }
        activate(snapshot) { [unowned self] result in
            switch result {
            case .active: announce()
            case .failed(let problems):
                fail(NodeError(problems.map(\.description).joined(separator: "\n")))
            }
        }
    }

    /// Reads the certificates again, and goes over to them if all are sound.
    private func reloadCertificates() {
        guard let certificates = settings.certificates, let served else { return }
        do throws(NodeError) {
            let folder = CertificateFolder(path: certificates)
            let material = try folder.read(for: served.share)
            let mailbox = loop.mailbox
            let done = Handover { [weak self] (result: ActivationResult) in
                guard let self else { return }
                switch result {
                case .active: log.write(.notice, "certificates.reloaded", ["folder": certificates])
                case .failed(let problems):
                    for problem in problems.prefix(8) {
                        log.write(.error, "certificates.refused", ["problem": "\(problem)"])
                    }
                }
            }
            server.replace(material: material) { result in mailbox.post { done.value(result) } }
        } catch {
            log.write(.error, "certificates.refused", ["problem": "\(error)"])
        }
    }

    /// Says once that the node is up: its admin address is bound, and it serves or knows why not.
    func announce() {
        guard !isAnnounced, let address = admin?.address else { return }
        if let succession, !succession.hasTakenOver { return succession.settled() }
        isAnnounced = true
        let line = "ready admin=\(address)\n"
        // stderr is the last resort: there is nowhere to report its failure.
        try? writeAll(2, Array(line.utf8).span)
        notifyServiceManager("READY=1")
    }

    /// Ends the process with an error.
    func fail(_ error: NodeError) {
        failure = error
        loop.stop()
    }

    // MARK: Versions

    /// Makes a version what every worker serves.
    ///
    /// - Parameters:
    ///   - snapshot: A compiled version.
    ///   - completion: Gets the outcome, on the process's loop.
    func activate(_ snapshot: Snapshot, completion: @escaping (ActivationResult) -> Void) {
        guard !isFrozen else {
            return frozen.append { [unowned self] in activate(snapshot, completion: completion) }
        }
        let mailbox = loop.mailbox
        let done = Handover { [weak self] (result: ActivationResult) in
            if case .active = result, let self {
                self.served = snapshot
                self.server.metrics.process.add(.activations)
                self.refreshGauges()
            }
            completion(result)
        }
        server.activate(version: snapshot.version, snapshot.share) { result in
            mailbox.post { done.value(result) }
        }
    }

    /// Gives the edge other certificates and keys; established connections keep theirs.
    ///
    /// - Parameters:
    ///   - material: All that there is from now on.
    ///   - completion: Called on the process's loop when every worker uses it.
    func use(_ material: EdgeMaterial, completion: @escaping () -> Void = {}) {
        let mailbox = loop.mailbox
        let done = Handover { [weak self] (result: ActivationResult) in
            guard let self, case .failed(let problems) = result else { return completion() }
            // What was served before still is.
            for problem in problems.prefix(8) {
                self.log.write(.error, "certificates.refused", ["problem": "\(problem)"])
            }
        }
        server.replace(material: material) { result in mailbox.post { done.value(result) } }
    }

    // MARK: State

    /// Whether clients should be sent here.
    var isReady: Bool { served != nil && !isDraining && !isRevoked }

    /// Why not; for people.
    var unreadiness: String? {
        if isReady { return nil }
        if isDraining { return "draining" }
        return isRevoked ? "revoked" : "no version is served"
    }

    /// Brings the numbers up to date that nobody counts.
    func refreshGauges() {
        let process = server.metrics.process
        process.set(.ready, isReady ? 1 : 0)
        process.set(.activeVersion, served?.version ?? 0)
        process.set(.controlConnected, isConnected ? 1 : 0)
        process.set(.residentMemory, UInt64(clamping: residentOctets()))
        process.set(.startTime, startSeconds * 1_000_000_000)
        server.publishLogLosses()
    }

    func keepHouse() {
        let resident = residentOctets()
        if memoryReturn.isDue(resident: resident) {
            returnFreeMemory()
            memoryReturn.returned(before: resident, after: residentOctets())
        }
        refreshGauges()
        houseTimer?.set(after: .seconds(10))
    }

    // MARK: Drain

    /// Stops accepting, and lets exchanges end by the deadline.
    func drain() {
        guard !isFrozen else { return frozen.append { [unowned self] in drain() } }
        guard !isDraining else { return }
        isDraining = true
        refreshGauges()
        undrainTimer?.cancel()
        log.write(.notice, "node.draining", ["deadline": drainText])
        drainTimer?.set(after: settings.drainTimeout)
        let mailbox = loop.mailbox
        let done = Handover { [weak self] in
            guard let self else { return }
            self.drained()
        }
        server.drain { mailbox.post { done.value() } }
        agent?.drainChanged()
    }

    /// Serves again.
    func undrain() {
        guard !isFrozen else { return frozen.append { [unowned self] in undrain() } }
        guard isDraining, !isStopping else { return }
        drainTimer?.cancel()
        undrainBackoff.reset()
        tryUndrain()
    }

    private func tryUndrain() {
        guard !isFrozen else { return frozen.append { [unowned self] in tryUndrain() } }
        let mailbox = loop.mailbox
        let done = Handover { [weak self] (result: ActivationResult) in
            guard let self else { return }
            self.undrained(result)
        }
        server.undrain { result in mailbox.post { done.value(result) } }
    }

    private func undrained(_ result: ActivationResult) {
        guard !isStopping else { return }
        switch result {
        case .active:
            isDraining = false
            refreshGauges()
            log.write(.notice, "node.undrained")
            agent?.drainChanged()
        case .failed(let problems):
            // It stays draining, and says so, until its listeners are open again.
            for problem in problems.prefix(8) {
                log.write(.error, "node.undrain_failed", ["problem": "\(problem)"])
            }
            var random = SystemRandomNumberGenerator()
            undrainTimer?.set(after: undrainBackoff.next(using: &random))
        }
    }

    var drainText: String {
        let (seconds, attoseconds) = settings.drainTimeout.components
        return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000)ms"
    }

    func drained() {
        guard isDraining else { return }
        drainTimer?.cancel()
        log.write(.notice, "node.drained")
        if isStopping { loop.stop() }
    }

    private func drainDeadlinePassed() {
        log.write(.warning, "node.drain_deadline", ["deadline": drainText])
        // With their process they would end as if they had said everything.
        server.closeConnections()
        if isStopping { loop.stop() }
    }

    // MARK: Signals

    func received(_ signal: Signal) {
        switch signal {
        case .user1:
            server.reopenLogs()
        case .hangUp:
            reloadCertificates()
        default:
            if let succession, !succession.hasTakenOver {
                return succession.fail("the new process was told to end")
            }
            // A service manager tells all processes of the service to end: this one was about to anyway.
            if hasRetired, !wasToldToEnd { return wasToldToEnd = true }
            // The second one means: at once.
            if isStopping { return loop.stop() }
            upgrades?.abandon()
            isStopping = true
            notifyServiceManager("STOPPING=1")
            if isDraining { isDraining = false }
            drain()
        }
    }

    // MARK: End

    private func finish() {
        upgrades?.close(removesSocket: succession?.hasTakenOver ?? true)
        succession?.close()
        agent?.stop()
        admin?.close()
        server.stop()
        loop.removeAllHandlers()
        log.write(.notice, "node.stopped")
        log.stop()
    }
}

/// Reads the process's signals on its loop.
private final class SignalListener: EventHandler {
    private let queue: SignalQueue
    private weak var node: NodeProcess?

    init(_ queue: consuming SignalQueue) {
        self.queue = queue
    }

    func open(on loop: EventLoop, _ node: NodeProcess) throws(SystemCallError) {
        self.node = node
        _ = try loop.registerLevelTriggered(self, descriptor: queue.number)
    }

    func ready(_ readiness: Readiness) {
        while let signal = queue.next() { node?.received(signal) }
    }
}
