internal import EventLoop
internal import FleetModel
internal import Resolution
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// Watches the endpoints of a node's upstreams, and tells the workers which of them take requests.
///
///     activator ── prepare ──▶ (first answers of names) ──▶ rosters of a version that is to be
///               ── commit ──▶ watched from now on
///     names, checks, operators ──▶ another roster ──▶ every worker, by mailbox
///
/// Runs on a loop of its own. Confined to that loop.
final class Monitor: EventHandler {
    let loop: EventLoop
    private let workers: [Worker]
    /// The zone of the node; `nil` is none.
    private let zone: String?
    /// Where changes are told.
    let log: EventLog
    let metrics: MetricsShard
    private var registration = Registration.none
    /// By name.
    var upstreams: [String: UpstreamMonitor] = [:]
    /// Checks endpoints.
    let desk: CheckDesk
    /// Finds endpoints again that are out of reach.
    let searchDesk: CheckDesk
    /// What TLS to endpoints is made of, by upstream.
    private var connectors: [String: ConnectorPlan] = [:]
    /// When ejections end, and when shares of successes are looked at; made with the loop.
    var timers: HealthTimers?
    /// Upstreams whose workers are to be told of changes.
    private var changed: Set<String> = []
    /// Whether they will be.
    private var isPublishingDue = false
    private var publishedAt = LoopInstant(nanoseconds: 0)
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
    /// What those versions have of upstreams.
    private var prepared: [UpstreamMonitor] = []
    /// Versions that wait for their names' first answers, in the order in which they came.
    private var preparations: [Preparation] = []
    private var changedNames: Set<FollowedName> = []
    /// Shows once a second what names are at.
    private var houseTimer: LoopTimer?
    private let nameServers: String?
    /// The file that keeps what names led to; `nil` keeps nothing.
    private let memoryPath: String?
    private var hasRead = false
    private var isUnwritten = false
    private(set) lazy var resolver = Resolver(on: loop, servers: nameServers)
    private(set) lazy var names = NameDirectory(on: loop, resolver: resolver) { [unowned self] in
        report($0, $1)
        changedNames.insert($0)
        loop.resumeLater(registration)
    }

    /// A version that waits for what its names lead to.
    private struct Preparation {
        let monitors: [UpstreamMonitor]
        let deadline: LoopInstant
        let completion: ([SharedUpstream]) -> Void
    }

    /// Makes a monitor of nothing yet.
    ///
    /// - Parameters:
    ///   - loop: Its own.
    ///   - workers: Whom it tells.
    ///   - zone: The node's; `nil` is none.
    ///   - nameServers: Whom it asks for names; `nil` is the system's.
    ///   - memoryPath: The file that keeps what names led to for the next process; `nil` keeps nothing.
    ///   - log: Where it tells what has become of endpoints and names.
    ///   - metrics: Where it counts.
    init(
        loop: EventLoop,
        workers: [Worker],
        zone: String?,
        nameServers: String?,
        memoryPath: String?,
        log: EventLog,
        metrics: MetricsShard
    ) {
        (self.loop, self.workers, self.zone) = (loop, workers, zone)
        (self.nameServers, self.memoryPath) = (nameServers, memoryPath)
        (self.log, self.metrics) = (log, metrics)
        desk = CheckDesk(loop: loop, metrics: metrics)
        searchDesk = CheckDesk(loop: loop, metrics: nil)
        desk.report = { [unowned self] name, state, result in checked(name, state, result) }
        searchDesk.report = { [unowned self] name, state, result in
            searched(name, state, result)
        }
    }

    /// Runs until `stop`.
    func run() {
        registration = loop.register(self)
        timers = HealthTimers(self)
        loop.run()
        houseTimer?.stop()
        names.stop()
        resolver.stop()
        loop.removeAllHandlers()
        timers = nil
    }

    /// Ends `run`.
    func stop() {
        loop.stop()
    }

    // MARK: Versions

    /// Makes ready what workers need of a version's upstreams; `commit` or `abandon` is owed.
    ///
    /// Waits for what names lead to that nobody has asked for yet, for up to 3 s: then the version goes on without, and
    /// what they lead to is told to the workers when it is known.
    ///
    /// - Parameters:
    ///   - upstreams: The version's.
    ///   - completion: Called on this loop with what is shared of them, in their order.
    func prepare(_ upstreams: [Upstream], completion: @escaping ([SharedUpstream]) -> Void) {
        preparing += 1
        readMemory()
        let monitors = upstreams.map { upstream in
            UpstreamMonitor(
                upstream,
                following: self.upstreams[upstream.name],
                workerCount: workers.count,
                now: loop.now
            )
        }
        prepared += monitors
        // What is remembered of a name is known as soon as it is followed, and may name further ones.
        followNames()
        for monitor in monitors {
            _ = monitor.take(names)
            monitor.apply(wishes[monitor.upstream.name] ?? [:], now: loop.now)
        }
        followNames()
        preparations.append(
            Preparation(
                monitors: monitors,
                deadline: loop.now.advanced(by: Limits.firstAnswersNanoseconds),
                completion: completion
            )
        )
        endWaiting()
    }

    /// Goes over to a version's upstreams: the workers have its tables in their mailboxes.
    ///
    /// - Parameters:
    ///   - prepared: What `prepare` has made of them.
    ///   - connectors: What TLS to their endpoints is made of.
    func commit(_ prepared: [SharedUpstream], _ connectors: [String: ConnectorPlan]) {
        var next: [String: UpstreamMonitor] = [:]
        for shared in prepared {
            let name = shared.upstream.name
            let monitor = UpstreamMonitor(
                shared,
                following: upstreams[name],
                workerCount: workers.count,
                now: loop.now
            )
            _ = monitor.take(names)
            monitor.apply(wishes[name] ?? [:], now: loop.now)
            next[name] = monitor
        }
        upstreams = next
        self.connectors = connectors
        desk.keep(next.keys)
        searchDesk.keep(next.keys)
        for monitor in next.values { check(monitor) }
        timers?.set()
        endPreparing()
        growth.schedule(upstreams.values.compactMap(\.growthNanoseconds).min())
    }

    /// Goes over to other certificates.
    func take(_ connectors: [String: ConnectorPlan]) {
        self.connectors = connectors
        for monitor in upstreams.values { check(monitor) }
    }

    /// Has the endpoints of an upstream checked that it has now, and those searched for that are out of reach, or
    /// ejected: they may have been about to go.
    ///
    /// What an operator has disabled is left alone.
    private func check(_ monitor: UpstreamMonitor) {
        let upstream = monitor.upstream
        let connector = connectors[upstream.name]
        let members = monitor.members.filter { $0.availability != .disabled }
        desk.check(CheckPlan.Check(of: upstream), upstream, connector, members)
        searchDesk.check(
            CheckPlan.Check(reaching: upstream),
            upstream,
            connector,
            members.filter { !$0.isReachable || $0.availability == .ejected }
        )
    }

    /// The version that was made ready is not served.
    func abandon() {
        endPreparing()
    }

    /// What has changed meanwhile is told now.
    private func endPreparing() {
        preparing -= 1
        guard preparing == 0 else { return }
        prepared = []
        followNames()
        changed.formUnion(upstreams.keys)
        publishChanges()
        let waiting = waiting
        self.waiting = []
        for completion in waiting { whenWorkersHaveTaken(completion) }
    }

    // MARK: Changes

    /// Other endpoints, or other addresses of them.
    func endpointsChanged(_ monitor: UpstreamMonitor) {
        monitor.apply(monitor.wishes, now: loop.now)
        publish(monitor)
    }

    /// Has the workers told of an upstream's endpoints, and those checked that it has now: at once, or a moment after
    /// that was done last, so that many changes that come one after the other cost as much as a few.
    func publish(_ monitor: UpstreamMonitor) {
        changed.insert(monitor.upstream.name)
        guard !isPublishingDue, preparing == 0 else { return }
        isPublishingDue = true
        let since = loop.now.nanoseconds(since: publishedAt)
        if since >= Limits.publishNanoseconds {
            loop.resumeLater(registration)
        } else {
            timers?.publish(after: Limits.publishNanoseconds - since)
        }
    }

    func resume() {
        takeNames()
        publishChanges()
    }

    /// Tells the workers of all that has changed, and checks what there is now.
    func publishChanges() {
        isPublishingDue = false
        guard preparing == 0, !changed.isEmpty else { return }
        publishedAt = loop.now
        let names = changed
        changed = []
        for name in names {
            guard let monitor = upstreams[name] else { continue }
            let roster = monitor.makeRoster(zone: zone, now: loop.now)
            notePanic(of: monitor, roster)
            check(monitor)
            for worker in workers {
                let message = Handover(worker)
                worker.loop.mailbox.post { message.value.take(roster, of: name) }
            }
            growth.schedule(monitor.growthNanoseconds)
        }
        countEndpoints()
        onChange?()
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
            for watched in monitor.endpoints {
                let mayForget = addresses.contains("\(watched.endpoint.address)")
                change(name, watched.state) { monitor, index in
                    monitor.takeWish(at: index, forgetting: mayForget, now: loop.now)
                }
            }
            changed.insert(name)
        }
        publishChanges()
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

    private func followNames() {
        var wanted: Set<FollowedName> = []
        for monitor in prepared + upstreams.values { wanted.formUnion(monitor.followedNames) }
        names.follow(wanted)
        if houseTimer == nil {
            houseTimer = LoopTimer(on: loop) { [unowned self] in
                countNames()
                writeMemory()
                houseTimer?.set(after: .seconds(1))
            }
        }
        // Whoever follows none has the numbers shown once more, and rests.
        countNames()
        if wanted.isEmpty { houseTimer?.cancel() } else { houseTimer?.set(after: .seconds(1)) }
    }

    /// Names lead elsewhere than before; those whose answers came in one tick are taken together.
    private func takeNames() {
        guard !changedNames.isEmpty else { return }
        let changed = changedNames
        changedNames = []
        isUnwritten = true
        for monitor in upstreams.values where !monitor.followedNames.isDisjoint(with: changed) {
            guard let change = monitor.take(names) else { continue }
            report(change, of: monitor)
            endpointsChanged(monitor)
        }
        for monitor in prepared where !monitor.followedNames.isDisjoint(with: changed) {
            _ = monitor.take(names)
            monitor.apply(wishes[monitor.upstream.name] ?? [:], now: loop.now)
        }
        followNames()
        endWaiting()
    }

    /// A version has waited for long enough.
    func deadlinePassed() {
        endWaiting()
    }

    /// Takes what names led to for an earlier process: with it this one can serve while no server answers.
    private func readMemory() {
        guard let memoryPath, !hasRead else { return }
        hasRead = true
        do throws(SystemCallError) {
            let octets = try readFile(memoryPath, octetsMax: Resolution.Limits.memoryOctetsMax)
            names.remembered = NameMemory.decode(octets)
        } catch {
            // There is none before the first name, and it is written again with the next.
            return
        }
    }

    /// Keeps what names lead to, a second after it has changed.
    ///
    /// It is not waited for the disk: a file that a crash of the machine has damaged says nothing.
    private func writeMemory() {
        guard let memoryPath, isUnwritten, preparing == 0 else { return }
        isUnwritten = false
        let octets = NameMemory.encode(names.answers)
        let temporary = memoryPath + ".new"
        do throws(SystemCallError) {
            let file = try openFile(temporary, .replace)
            try writeAll(file.number, octets.span)
            try renameFile(temporary, to: memoryPath)
        } catch {
            log.write(.warning, "name.unstored", ["file": memoryPath, "reason": "\(error)"])
        }
    }

    /// Ends the preparations that need not, or may not, wait any longer.
    private func endWaiting() {
        while let first = preparations.first {
            let isSettled = first.monitors.allSatisfy { monitor in
                monitor.followedNames.allSatisfy { names.state(of: $0).isSettled }
            }
            guard isSettled || first.deadline <= loop.now else { break }
            preparations.removeFirst()
            first.completion(
                first.monitors.map { monitor in
                    SharedUpstream(
                        upstream: monitor.upstream,
                        state: monitor.state,
                        tries: monitor.tries,
                        roster: monitor.makeRoster(zone: zone, now: loop.now)
                    )
                }
            )
        }
        loop.setDeadline(of: registration, at: preparations.first?.deadline ?? .never)
    }
}
