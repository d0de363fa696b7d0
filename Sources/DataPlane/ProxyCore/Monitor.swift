internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Upstreams

/// Watches the endpoints of a node's upstreams, and tells the workers which of them take requests.
///
///     activator ── prepare ──▶ rosters of a version that is to be ── commit ──▶ watched from now on
///     names, checks, operators ──▶ another roster ──▶ every worker, by mailbox
///
/// Runs on a loop of its own. Confined to that loop.
final class Monitor: EventHandler {
    let loop: EventLoop
    private let workers: [Worker]
    /// The zone of the node; `nil` is none.
    private let zone: String?
    private var registration = Registration.none
    /// By name.
    private var upstreams: [String: UpstreamMonitor] = [:]
    /// Versions that are being made ready: workers are told of changes only when that has come to an end.
    private var preparing = 0
    /// What operators want, of versions that are to come too.
    private var wishes: OperatorWishes = [:]
    /// Who waits for all workers to keep to what was told, when a version has been made ready.
    private var waiting: [@Sendable () -> Void] = []
    /// Called when how an endpoint is seen has changed.
    var onChange: (@Sendable () -> Void)?
    /// When the shares of new endpoints grow.
    private lazy var growth = GrowthTimer(loop: loop) { [unowned self] in grow() }

    /// How often names of endpoints are looked up again.
    private static let resolveNanoseconds: UInt64 = 30_000_000_000

    init(loop: EventLoop, workers: [Worker], zone: String?) {
        (self.loop, self.workers, self.zone) = (loop, workers, zone)
    }

    /// Runs until `stop`.
    func run() {
        registration = loop.register(self)
        loop.run()
        loop.removeAllHandlers()
    }

    /// Ends `run`.
    func stop() {
        loop.stop()
    }

    // MARK: Versions

    /// Makes ready what workers need of a version's upstreams; `commit` or `abandon` is owed.
    ///
    /// - Parameters:
    ///   - upstreams: The version's.
    ///   - completion: Called on this loop with what is shared of them, in their order.
    func prepare(_ upstreams: [Upstream], completion: ([SharedUpstream]) -> Void) {
        preparing += 1
        completion(
            upstreams.map { upstream in
                let prepared = UpstreamMonitor(
                    upstream,
                    following: self.upstreams[upstream.name],
                    workerCount: workers.count
                )
                prepared.wishes = wishes[upstream.name] ?? [:]
                prepared.resolveNames()
                return SharedUpstream(
                    upstream: upstream,
                    state: prepared.state,
                    tries: prepared.tries,
                    roster: prepared.makeRoster(zone: zone, now: loop.now)
                )
            }
        )
    }

    /// Goes over to a version's upstreams: the workers have its tables in their mailboxes.
    ///
    /// - Parameter prepared: What `prepare` has made of them.
    func commit(_ prepared: [SharedUpstream]) {
        var next: [String: UpstreamMonitor] = [:]
        for shared in prepared {
            let name = shared.upstream.name
            let monitor = UpstreamMonitor(shared, following: upstreams[name])
            monitor.wishes = wishes[name] ?? [:]
            next[name] = monitor
        }
        upstreams = next
        endPreparing()
        scheduleResolution()
        growth.schedule(upstreams.values.compactMap(\.growthNanoseconds).min())
    }

    /// The version that was made ready is not served.
    func abandon() {
        endPreparing()
    }

    /// What has changed meanwhile is told now.
    private func endPreparing() {
        preparing -= 1
        guard preparing == 0 else { return }
        for monitor in upstreams.values { publish(monitor) }
        onChange?()
        let waiting = waiting
        self.waiting = []
        for completion in waiting { whenWorkersHaveTaken(completion) }
    }

    // MARK: Changes

    /// Tells the workers of an upstream's endpoints.
    private func publish(_ monitor: UpstreamMonitor) {
        guard preparing == 0 else { return }
        let name = monitor.upstream.name
        let roster = monitor.makeRoster(zone: zone, now: loop.now)
        for worker in workers {
            let message = Handover(worker)
            worker.loop.mailbox.post { message.value.take(roster, of: name) }
        }
        growth.schedule(monitor.growthNanoseconds)
    }

    /// Keeps to what operators want, of every version from now on.
    ///
    /// - Parameters:
    ///   - wishes: All that is wanted.
    ///   - resets: Endpoints of which what was seen is forgotten.
    ///   - completion: Called on this loop when every worker keeps to it.
    func adjust(
        _ wishes: OperatorWishes,
        resetting resets: [EndpointName],
        completion: @escaping @Sendable () -> Void
    ) {
        self.wishes = wishes
        for (name, monitor) in upstreams {
            let wanted = wishes[name] ?? [:]
            let addresses = resets.filter { $0.upstream == name }.map(\.address)
            guard monitor.wishes != wanted || !addresses.isEmpty else { continue }
            monitor.wishes = wanted
            monitor.reset(addresses)
            publish(monitor)
        }
        onChange?()
        guard preparing == 0 else { return waiting.append(completion) }
        whenWorkersHaveTaken(completion)
    }

    /// Calls back when all workers have read what is in their mailboxes now.
    private func whenWorkersHaveTaken(_ completion: @escaping @Sendable () -> Void) {
        ask { _ in
            [:]
        } completion: { _ in
            completion()
        }
    }

    /// Tells how the upstreams are seen now, by name.
    ///
    /// - Parameter completion: Called on this loop when all workers have said what they have.
    func readStatuses(completion: @escaping @Sendable ([UpstreamStatus]) -> Void) {
        ask(\.surpluses) { [self] surpluses in
            completion(
                upstreams.values.map { $0.status(surpluses) }.sorted { $0.name < $1.name }
            )
        }
    }

    /// Has each worker count something of endpoints, and calls back, on this loop, with the sums.
    private func ask(
        _ question: @escaping @Sendable (Worker) -> [ObjectIdentifier: Int],
        completion: @escaping ([ObjectIdentifier: Int]) -> Void
    ) {
        let answers = Handover(Answers(left: workers.count, completion: completion))
        let mailbox = loop.mailbox
        for worker in workers {
            let asked = Handover(worker)
            worker.loop.mailbox.post {
                let counts = question(asked.value)
                mailbox.post { answers.value.add(counts) }
            }
        }
    }

    /// What workers have answered so far; confined to the monitor's loop.
    private final class Answers {
        private var left: Int
        private var sums: [ObjectIdentifier: Int] = [:]
        private let completion: ([ObjectIdentifier: Int]) -> Void

        init(left: Int, completion: @escaping ([ObjectIdentifier: Int]) -> Void) {
            (self.left, self.completion) = (left, completion)
        }

        func add(_ counts: [ObjectIdentifier: Int]) {
            sums.merge(counts, uniquingKeysWith: +)
            left -= 1
            if left == 0 { completion(sums) }
        }
    }

    /// The shares of endpoints that are new have grown.
    private func grow() {
        for monitor in upstreams.values where monitor.growthNanoseconds != nil { publish(monitor) }
    }

    // MARK: Names

    private func scheduleResolution() {
        let hasNames = upstreams.values.contains(where: \.hasNames)
        let again = loop.now.advanced(by: Self.resolveNanoseconds)
        loop.setDeadline(of: registration, at: hasNames ? again : .never)
    }

    /// Names may lead elsewhere by now.
    func deadlinePassed() {
        for monitor in upstreams.values where monitor.resolveNames() {
            publish(monitor)
            onChange?()
        }
        scheduleResolution()
    }
}
