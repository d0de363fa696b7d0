internal import Cryptography
internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Upstreams

/// Makes versions active: binds what is new, resolves names, builds each worker's tables, hands them over.
///
///     endpoints, from the monitor ─▶ TLS, all or nothing ─▶ bind, all or nothing ─▶ open the log ─▶ build tables
///         ─▶ mail to each worker ─▶ all have taken
///
/// Runs on a loop of its own, which may block, so that no worker does. Confined to that loop.
final class Activator: EventHandler {
    let loop: EventLoop
    let workers: [Worker]
    private let registry: MetricsRegistry
    private let monitor: Handover<Monitor>
    private let monitorMailbox: Mailbox
    private var registration = Registration.none
    private var current: ActiveVersion?
    var bound: [String: BoundListener] = [:]
    /// What another process handed over and no version has used yet, by listener.
    var inherited: [String: ListenerSockets] = [:]
    var isDraining = false
    /// Versions that the monitor is making ready.
    private var preparingCount = 0
    /// What is to be done with the last of them, in its order.
    private var afterPreparing: [() -> Void] = []
    private var logWriter: (target: LogWriter.Target, writer: LogWriter)?
    /// Logs that were replaced and may still be written to.
    private var retiredWriters: [LogWriter] = []
    /// What the logs before those lost.
    private var lossesBefore: (dropped: UInt64, failed: UInt64) = (0, 0)
    private let drainTimeout: Duration
    /// What there is for TLS.
    private var material = EdgeMaterial.none
    /// When the system's authorities last changed, as contexts were made.
    private var storeStamp: Int64 = 0
    /// Keys of session tickets where the material has none, and since when the first is used.
    private var ownTicketKeys: (keys: [TicketKey], since: LoopInstant) = ([], .never)

    /// What is being served.
    private struct ActiveVersion {
        let version: UInt64
        let configuration: Configuration
    }

    struct BoundListener {
        let configured: NetworkAddress
        let actual: SocketAddress
        let count: ConnectionCount
        let clients = ClientCounts()
    }

    /// How often it is looked whether keys and the system's authorities are to be replaced.
    private static let houseNanoseconds: UInt64 = 30_000_000_000

    init(
        loop: EventLoop,
        workers: [Worker],
        monitor: Monitor,
        registry: MetricsRegistry,
        drainTimeout: Duration
    ) {
        self.drainTimeout = drainTimeout
        (self.monitor, monitorMailbox) = (Handover(monitor), monitor.loop.mailbox)
        self.loop = loop
        self.workers = workers
        self.registry = registry
    }

    func start() {
        registration = loop.register(self)
    }

    // MARK: Activate

    /// Makes `configuration` what every worker serves.
    ///
    /// - Parameters:
    ///   - version: Its number.
    ///   - configuration: What it says.
    ///   - completion: Called on this loop when all workers serve it, or with what stands in the way; then
    ///     everything is as it was.
    func activate(
        version: UInt64,
        _ configuration: Configuration,
        completion: @escaping (ActivationResult) -> Void
    ) {
        let (monitor, mailbox) = (monitor, loop.mailbox)
        preparingCount += 1
        let ready = Handover { [self] (upstreams: [SharedUpstream]) in
            activate(version: version, configuration, upstreams) { [self] result in
                if case .failed = result {
                    monitorMailbox.post { monitor.value.abandon() }
                }
                completion(result)
            }
            preparingCount -= 1
            guard preparingCount == 0 else { return }
            let next = afterPreparing
            afterPreparing = []
            for step in next { step() }
        }
        monitorMailbox.post {
            monitor.value.prepare(configuration.upstreamsInUse) { upstreams in
                mailbox.post { ready.value(upstreams) }
            }
        }
    }

    /// The same, with what there is of upstreams.
    private func activate(
        version: UInt64,
        _ configuration: Configuration,
        _ upstreams: [SharedUpstream],
        completion: @escaping (ActivationResult) -> Void
    ) {
        var problems: [Problem] = []
        let contexts = makeContexts(configuration, material, &problems)
        guard problems.isEmpty else { return completion(.failed(problems)) }
        let opened = isDraining ? [] : bindNew(configuration.listeners, &problems)
        let log = openLog(configuration.logging, &problems)
        guard problems.isEmpty else {
            for listener in opened { listener.closeAll() }
            if let log, log.writer !== logWriter?.writer { log.writer.stop() }
            return completion(.failed(problems))
        }
        let replaced = replaceLog(with: log)
        current = ActiveVersion(version: version, configuration: configuration)
        for listener in opened { bound[listener.name] = listener.bound }
        let names = Set(configuration.listeners.map(\.name))
        bound = bound.filter { names.contains($0.key) }
        for listener in configuration.listeners {
            bound[listener.name]?.count.setLimit(listener.limits.connections)
        }
        handOver(version, configuration, upstreams, contexts, opened: opened, log: log) { [self] in
            if let replaced { retire(replaced) }
            completion(.active(bound.mapValues(\.actual)))
        }
        let (monitor, connectors) = (monitor, Self.connectors(contexts))
        monitorMailbox.post { monitor.value.commit(upstreams, connectors) }
        scheduleHousekeeping()
    }

    private func handOver(
        _ version: UInt64,
        _ configuration: Configuration,
        _ upstreams: [SharedUpstream],
        _ contexts: [EdgeContexts],
        opened: [OpenedListener],
        log: AccessLogSettings?,
        completion: @escaping () -> Void
    ) {
        let kept = Set(bound.keys).subtracting(opened.map(\.name))
        var waiting = workers.count
        let done = Handover {
            waiting -= 1
            if waiting == 0 { completion() }
        }
        let mailbox = loop.mailbox
        let routeNames = configuration.routes.map(\.name)
        let upstreamNames = upstreams.map(\.upstream.name)
        for (index, worker) in workers.enumerated() {
            let tables = WorkerTables(
                version: version,
                configuration,
                upstreams: upstreams,
                routeRows: registry.rows(worker: index, .route, names: routeNames),
                upstreamRows: registry.rows(worker: index, .upstream, names: upstreamNames),
                contexts: contexts[index],
                accessLog: log?.makeLog()
            )
            let ports = opened.flatMap { listener in
                listener.descriptors(of: index, among: workers.count).map { descriptor in
                    Worker.NewPort(
                        name: listener.name,
                        count: listener.bound.count,
                        clients: listener.bound.clients,
                        descriptor: descriptor
                    )
                }
            }
            let message = Handover((worker, tables, ports))
            worker.loop.mailbox.post {
                let (worker, tables, ports) = message.value
                worker.take(tables, newPorts: ports, keptPorts: kept)
                mailbox.post { done.value() }
            }
        }
    }

    // MARK: Listeners

    private struct OpenedListener {
        let name: String
        let bound: BoundListener
        /// One for each worker; more only if so many were handed over.
        let descriptors: [Int32]

        /// Those of one worker: every one of them has a worker.
        func descriptors(of worker: Int, among workerCount: Int) -> [Int32] {
            stride(from: worker, to: descriptors.count, by: workerCount).map { descriptors[$0] }
        }

        func closeAll() {
            for descriptor in descriptors { closeDescriptor(descriptor) }
        }
    }

    /// Binds what is not bound yet, with a socket for each worker.
    private func bindNew(_ listeners: [Listener], _ problems: inout [Problem]) -> [OpenedListener] {
        var opened: [OpenedListener] = []
        for listener in listeners {
            if bound[listener.name]?.configured == listener.address { continue }
            do throws(SystemCallError) {
                opened.append(try bind(listener))
            } catch {
                problems.append(
                    Problem(
                        kind: .listener,
                        name: listener.name,
                        field: "address",
                        message: "\(listener.address): \(error.errno.message) (\(error.call))"
                    )
                )
            }
        }
        return opened
    }

    private func bind(_ listener: Listener) throws(SystemCallError) -> OpenedListener {
        let host = listener.address.hostText
        guard var address = SocketAddress(address: host, port: listener.address.port) else {
            throw SystemCallError(call: "bind", errno: .invalidArgument)
        }
        var descriptors: [Int32] = []
        if let handed = takeInherited(listener) {
            address = handed.actual
            descriptors = handed.sockets.take()
        }
        do throws(SystemCallError) {
            while descriptors.count < workers.count {
                let socket = try bindStreamSocket(address, reusePort: true)
                // With port 0 the first socket settles the port for all.
                address = try localAddress(socket.number)
                descriptors.append(socket.release())
            }
        } catch {
            for descriptor in descriptors { closeDescriptor(descriptor) }
            throw error
        }
        let count = ConnectionCount(limit: listener.limits.connections)
        return OpenedListener(
            name: listener.name,
            bound: BoundListener(configured: listener.address, actual: address, count: count),
            descriptors: descriptors
        )
    }

    private func scheduleHousekeeping() {
        let hasTLS =
            current?.configuration.listeners.contains { $0.tls != nil } == true
            || usesSystemStore
        let next = loop.now.advanced(by: Self.houseNanoseconds)
        loop.setDeadline(of: registration, at: hasTLS ? next : .never)
    }

    // MARK: TLS

    /// Goes over to other certificates and keys, with the version that is served.
    ///
    /// - Parameters:
    ///   - material: What there is from now on.
    ///   - completion: Called on this loop when all workers use it, or with what the version lacks in it; then
    ///     everything is as it was.
    func replace(material: EdgeMaterial, completion: @escaping (ActivationResult) -> Void) {
        guard let current else {
            self.material = material
            return completion(.active([:]))
        }
        var problems: [Problem] = []
        let contexts = makeContexts(current.configuration, material, &problems)
        guard problems.isEmpty else { return completion(.failed(problems)) }
        self.material = material
        let (monitor, connectors) = (monitor, Self.connectors(contexts))
        monitorMailbox.post { monitor.value.take(connectors) }
        var waiting = workers.count
        let done = Handover { [self] in
            waiting -= 1
            if waiting == 0 { completion(.active(bound.mapValues(\.actual))) }
        }
        let mailbox = loop.mailbox
        for (worker, contexts) in zip(workers, contexts) {
            let message = Handover((worker, contexts))
            worker.loop.mailbox.post {
                let (worker, contexts) = message.value
                worker.take(contexts)
                mailbox.post { done.value() }
            }
        }
    }

    /// Each worker's contexts; none where something is missing.
    private func makeContexts(
        _ configuration: Configuration,
        _ material: EdgeMaterial,
        _ problems: inout [Problem]
    ) -> [EdgeContexts] {
        let stamp = systemStoreStamp()
        storeStamp = stamp
        let keys = material.ticketKeys.isEmpty ? makeOwnKeys() : material.ticketKeys
        let plan = EdgePlan(
            configuration,
            material,
            ticketKeys: keys,
            storeStamp: stamp,
            &problems
        )
        guard problems.isEmpty else { return [] }
        var contexts: [EdgeContexts] = []
        for _ in workers where problems.isEmpty { contexts.append(plan.make(&problems)) }
        return contexts
    }

    /// What the contexts of upstreams were made of, which is the same for all workers.
    private static func connectors(_ contexts: [EdgeContexts]) -> [String: ConnectorPlan] {
        contexts.first?.connectors.mapValues(\.plan) ?? [:]
    }

    /// Whether an upstream is verified with the system's authorities.
    private var usesSystemStore: Bool {
        current?.configuration.upstreamsInUse.contains { upstream in
            upstream.tls.map { $0.isVerified && $0.authority == nil } ?? false
        } ?? false
    }

    /// The system's authorities may have changed: connections go on only with those that are there.
    private func rereadSystemStore() {
        guard usesSystemStore, systemStoreStamp() != storeStamp else { return }
        replace(material: material) { _ in }
    }

    private func makeOwnKeys() -> TicketKeys {
        let (keys, since) = ownTicketKeys
        let now = LoopInstant.now
        if keys.isEmpty || now.nanoseconds(since: since) >= Limits.ticketKeyNanoseconds {
            let made = TicketKey(name: randomBytes(16), octets: randomBytes(64))
            ownTicketKeys = (Array(([made].compactMap(\.self) + keys).prefix(2)), now)
        }
        return TicketKeys(ownTicketKeys.keys)
    }

    /// Has new tickets made with a new key, when the last one has been used for long enough.
    private func rotateOwnKeys() {
        guard material.ticketKeys.isEmpty, !ownTicketKeys.keys.isEmpty,
            LoopInstant.now.nanoseconds(since: ownTicketKeys.since) >= Limits.ticketKeyNanoseconds
        else { return }
        let keys = makeOwnKeys()
        for worker in workers {
            let message = Handover((worker, keys))
            worker.loop.mailbox.post { message.value.0.take(message.value.1) }
        }
    }

    func deadlinePassed() {
        rotateOwnKeys()
        rereadSystemStore()
        scheduleHousekeeping()
    }

    // MARK: Access log

    /// What each worker needs to make its log.
    private struct AccessLogSettings {
        let writer: LogWriter
        let target: LogWriter.Target
        let format: AccessRecordFormat

        func makeLog() -> AccessRecorder {
            AccessRecorder(writer: writer, format: format)
        }
    }

    private func openLog(_ logging: Logging, _ problems: inout [Problem]) -> AccessLogSettings? {
        guard let access = logging.access else { return nil }
        let target: LogWriter.Target
        switch access.target {
        case .stdout: target = .standardOutput
        case .file(let path): target = .file(path)
        }
        let format: AccessRecordFormat = access.format == .json ? .json : .combined
        if let logWriter, logWriter.target == target {
            return AccessLogSettings(writer: logWriter.writer, target: target, format: format)
        }
        do throws(SystemCallError) {
            let writer = try LogWriter(target)
            return AccessLogSettings(writer: writer, target: target, format: format)
        } catch {
            problems.append(
                Problem(
                    kind: .logging,
                    name: "logging",
                    field: "access.to",
                    message: "\(error.errno.message) (\(error.call))"
                )
            )
            return nil
        }
    }

    /// Opens log files again, after they were renamed.
    func reopenLogs() {
        logWriter?.writer.reopen()
    }

    /// Records that are not in the log, since the process started.
    var logLosses: (dropped: UInt64, failed: UInt64) {
        var losses = lossesBefore
        for writer in retiredWriters + [logWriter?.writer].compactMap(\.self) {
            losses.dropped += writer.droppedCount
            losses.failed += writer.failedCount
        }
        return losses
    }

    /// Makes the version's log the one that is open, and returns the one that nobody will begin to use.
    private func replaceLog(with log: AccessLogSettings?) -> LogWriter? {
        let before = logWriter?.writer
        logWriter = log.map { ($0.target, $0.writer) }
        return before === log?.writer ? nil : before
    }

    /// Keeps a log that was replaced for exchanges that began with it, until the drain timeout.
    private func retire(_ writer: LogWriter) {
        retiredWriters.append(writer)
        var timer: LoopTimer?
        timer = LoopTimer(on: loop) { [self] in
            timer?.stop()
            timer = nil
            lossesBefore.dropped += writer.droppedCount
            lossesBefore.failed += writer.failedCount
            retiredWriters.removeAll { $0 === writer }
            writer.stop()
        }
        timer?.set(after: drainTimeout)
    }

    // MARK: Drain

    /// Has every worker close its ports and end its connections.
    ///
    /// - Parameter completion: Called on this loop when no connection is left.
    func drain(completion: @escaping () -> Void) {
        guard afterPreparing.isEmpty else {
            return afterPreparing.append { [self] in drain(completion: completion) }
        }
        endConnections({ $0.drain($1) }, completion: completion)
    }

    /// Has every worker end its connections, and listen no longer with what is active.
    ///
    /// - Parameters:
    ///   - end: Runs on a worker's loop; has what it gets called there when no connection is left.
    ///   - completion: Called on this loop when no worker has one.
    func endConnections(
        _ end: @escaping (Worker, @escaping () -> Void) -> Void,
        completion: @escaping () -> Void
    ) {
        isDraining = true
        bound = [:]
        var waiting = workers.count
        let done = Handover {
            waiting -= 1
            if waiting == 0 { completion() }
        }
        let (mailbox, asked) = (loop.mailbox, Handover(end))
        for worker in workers {
            let message = Handover(worker)
            worker.loop.mailbox.post {
                asked.value(message.value) { mailbox.post { done.value() } }
            }
        }
    }

    /// Listens again with the version that is active.
    ///
    /// - Parameter completion: Called on this loop, as `activate` does.
    func undrain(completion: @escaping (ActivationResult) -> Void) {
        // The version that is made ready is the one to listen with.
        guard preparingCount == 0 else {
            return afterPreparing.append { [self] in undrain(completion: completion) }
        }
        isDraining = false
        for worker in workers {
            let message = Handover(worker)
            worker.loop.mailbox.post { message.value.undrain() }
        }
        guard let current else { return completion(.active([:])) }
        activate(version: current.version, current.configuration, completion: completion)
    }

    /// Ends the log's thread, after the workers have ended.
    func stop() {
        for writer in retiredWriters { writer.stop() }
        logWriter?.writer.stop()
        logWriter = nil
    }
}
