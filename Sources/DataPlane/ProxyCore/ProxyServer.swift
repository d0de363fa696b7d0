internal import Cryptography
internal import EventLoop
package import FleetModel
package import SystemCalls
package import Telemetry
package import Upstreams

/// What came of making a version active.
package enum ActivationResult: Sendable {
    /// Every worker serves it; the addresses of the listeners, by name.
    case active([String: SocketAddress])
    /// Nothing has changed, for these reasons.
    case failed([Problem])
}

/// The data plane: workers, one thread each, the thread that makes versions active, and the
/// one that watches endpoints.
///
///     activate ──▶ activator's loop ──▶ worker 0 … n, by mailbox
///                  monitor's loop ──▶ (which endpoints take requests)
///
/// All methods may be called from any thread; completions come on the activator's.
package final class ProxyServer: Sendable {
    /// What the workers count.
    package let metrics: MetricsRegistry
    let activator: Handover<Activator>
    let control: Mailbox
    private let workers: [Handover<Worker>]
    private let controlLoop: Handover<EventLoop>
    private let monitor: Handover<Monitor>
    private let threads: Handover<ThreadList>

    private final class ThreadList {
        var threads: [Thread] = []
    }

    /// Makes the data plane; nothing runs yet.
    ///
    /// - Parameters:
    ///   - workerCount: Threads that serve; at least 1.
    ///   - drainTimeout: How long connections of a listener that was removed may go on.
    ///   - zone: The zone of endpoints that are preferred; `nil` is none.
    ///   - nameServers: Who is asked for names, such as `127.0.0.1:5353`; `nil` is the system's servers.
    ///   - memoryPath: The file that keeps what names led to for the next process; `nil` keeps nothing.
    ///   - log: Where it is told what becomes of endpoints and names.
    /// - Throws: `SystemCallError` when descriptors have run out.
    package init(
        workerCount: Int,
        drainTimeout: Duration,
        zone: String?,
        nameServers: String?,
        memoryPath: String? = nil,
        log: EventLog
    ) throws(SystemCallError) {
        let metrics = MetricsRegistry(workerCount: max(workerCount, 1))
        let loop = try EventLoop()
        let mailbox = loop.mailbox
        var workers: [Worker] = []
        // That of the fleet comes with a session; a node alone stays with its own.
        let affinityKey = randomBytes(EdgeMaterial.affinityKeyBytes)
        for (index, shard) in metrics.workers.enumerated() {
            workers.append(
                try Worker(
                    index: index,
                    metrics: shard,
                    affinityKey: affinityKey,
                    drainTimeout: drainTimeout
                ) { tables in
                    let garbage = Handover(tables)
                    // The last reference goes with the message, on the activator's loop.
                    mailbox.post { _ = garbage }
                }
            )
        }
        for worker in workers { worker.colleagues = workers.map(Handover.init) }
        self.metrics = metrics
        control = mailbox
        controlLoop = Handover(loop)
        let monitor = Monitor(
            loop: try EventLoop(),
            workers: workers,
            zone: zone,
            nameServers: nameServers,
            memoryPath: memoryPath,
            log: log,
            metrics: metrics.process
        )
        self.monitor = Handover(monitor)
        let link = MonitorLink(monitor)
        for worker in workers { worker.link = link }
        activator = Handover(
            Activator(
                loop: loop,
                workers: workers,
                monitor: monitor,
                registry: metrics,
                drainTimeout: drainTimeout
            )
        )
        self.workers = workers.map(Handover.init)
        threads = Handover(ThreadList())
    }

    /// How many workers serve.
    package var workerCount: Int { workers.count }

    /// Starts the threads.
    ///
    /// - Throws: `SystemCallError` when a thread cannot be made.
    package func start() throws(SystemCallError) {
        for (index, worker) in workers.enumerated() {
            let thread = try Thread.start(name: "worker-\(index)") { worker.value.run() }
            threads.value.threads.append(thread)
        }
        let (activator, loop, monitor) = (activator, controlLoop, monitor)
        let watching = try Thread.start(name: "monitor", isBackground: true) {
            monitor.value.run()
        }
        let thread = try Thread.start(
            name: "activator",
            isBackground: true
        ) {
            activator.value.start()
            loop.value.run()
        }
        threads.value.threads += [watching, thread]
    }

    /// Makes a version active on every worker, or on none.
    ///
    /// - Parameters:
    ///   - version: Its number, for logs and metrics.
    ///   - configuration: A valid one.
    ///   - completion: Gets the outcome.
    package func activate(
        version: UInt64,
        _ configuration: Configuration,
        completion: @escaping @Sendable (ActivationResult) -> Void
    ) {
        let activator = activator
        control.post {
            activator.value.activate(version: version, configuration, completion: completion)
        }
    }

    /// Keeps to what operators want of endpoints, in this version and those that follow.
    ///
    /// - Parameters:
    ///   - wishes: All that is wanted from now on.
    ///   - resets: Endpoints of which what was seen is forgotten: ejections and results of checks.
    ///   - completion: Called, on the monitor's loop, when every worker keeps to it.
    package func adjust(
        _ wishes: OperatorWishes,
        resetting resets: [EndpointName] = [],
        completion: @escaping @Sendable () -> Void
    ) {
        let monitor = monitor
        monitor.value.loop.mailbox.post {
            monitor.value.adjust(wishes, resetting: resets, completion: completion)
        }
    }

    /// How the monitor sees the upstreams of the version that is served.
    ///
    /// - Parameter completion: Called on the monitor's loop.
    package func upstreamStatuses(completion: @escaping @Sendable ([UpstreamStatus]) -> Void) {
        let monitor = monitor
        monitor.value.loop.mailbox.post { monitor.value.readStatuses(completion: completion) }
    }

    /// Has `changed` called, on the monitor's loop, whenever `upstreamStatuses` would be otherwise but for numbers.
    package func watchUpstreams(changed: @escaping @Sendable () -> Void) {
        let monitor = monitor
        monitor.value.loop.mailbox.post { monitor.value.onChange = changed }
    }

    /// Goes over to other certificates and keys, with the version that is active: new connections use them, and those
    /// that are established stay.
    ///
    /// - Parameters:
    ///   - material: All that there is from now on.
    ///   - completion: Gets the outcome; where the active version lacks something in it, nothing has changed.
    package func replace(
        material: EdgeMaterial,
        completion: @escaping @Sendable (ActivationResult) -> Void
    ) {
        let activator = activator
        control.post { activator.value.replace(material: material, completion: completion) }
    }

    // MARK: Draining

    /// Closes the listeners and lets exchanges end.
    ///
    /// - Parameter completion: Called when no connection is left, however long that takes.
    package func drain(completion: @escaping @Sendable () -> Void) {
        let activator = activator
        control.post { activator.value.drain(completion: completion) }
    }

    /// Listens again.
    ///
    /// - Parameter completion: Gets the outcome; a port may have been taken meanwhile.
    package func undrain(completion: @escaping @Sendable (ActivationResult) -> Void) {
        let activator = activator
        control.post { activator.value.undrain(completion: completion) }
    }

    /// Closes all connections of clients, with what is under way on them: the deadline of a drain has passed.
    package func closeConnections() {
        for worker in workers {
            worker.value.loop.mailbox.post { worker.value.closeClients { _ in true } }
        }
    }

    /// Brings the counts of lost log records up to date, soon.
    package func publishLogLosses() {
        let (activator, process) = (activator, metrics.process)
        control.post {
            let losses = activator.value.logLosses
            process.set(.accessLogDropped, losses.dropped)
            process.set(.accessLogFailed, losses.failed)
        }
    }

    /// Opens log files again, after they were renamed.
    package func reopenLogs() {
        let activator = activator
        control.post { activator.value.reopenLogs() }
    }

    /// Ends all threads; connections that are still open close.
    package func stop() {
        for worker in workers {
            worker.value.loop.mailbox.post { worker.value.stop() }
        }
        let (loop, monitor) = (controlLoop, monitor)
        let ending = threads.value.threads
        monitor.value.loop.mailbox.post { monitor.value.stop() }
        for thread in ending.dropLast() { thread.join() }
        let activator = activator
        control.post {
            activator.value.stop()
            loop.value.stop()
        }
        ending.last?.join()
        threads.value.threads = []
    }
}
