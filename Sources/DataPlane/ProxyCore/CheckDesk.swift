internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// Whom a node checks: one checker for each endpoint that is to be checked, and how many check at a time.
///
/// Confined to the monitor's loop.
final class CheckDesk {
    let loop: EventLoop
    let room = CheckRoom()
    /// Where checks are counted; `nil` is nowhere.
    private let metrics: MetricsShard?
    private var plans: [String: CheckPlan] = [:]
    private var checkers: [String: [ObjectIdentifier: HealthChecker]] = [:]
    /// Checks that run.
    private var runningCount = 0
    /// Those that wait for room, the first ones first.
    private var waiting: [HealthChecker] = []
    private var waitingStart = 0
    private var random = SystemRandomNumberGenerator()
    /// Told of each check that has come to a verdict: by upstream, and its endpoint's state.
    var report: ((String, EndpointState, CheckResult) -> Void)?

    init(loop: EventLoop, metrics: MetricsShard?) {
        (self.loop, self.metrics) = (loop, metrics)
    }

    // MARK: Whom

    /// Checks these endpoints of an upstream from now on, and no others of it.
    ///
    /// - Parameters:
    ///   - check: What is asked; `nil` is nothing.
    ///   - upstream: Its settings.
    ///   - connector: What TLS to its endpoints is made of.
    ///   - members: Its endpoints.
    func check(
        _ check: CheckPlan.Check?,
        _ upstream: Upstream,
        _ connector: ConnectorPlan?,
        _ members: [Member]
    ) {
        let name = upstream.name
        guard let check, !members.isEmpty else { return stop(name) }
        let plan = CheckPlan.plan(check, for: upstream, connector, or: plans[name])
        plans[name] = plan
        var known = checkers[name] ?? [:]
        var next: [ObjectIdentifier: HealthChecker] = [:]
        for member in members {
            let key = ObjectIdentifier(member.state)
            let target = Self.target(upstream, member)
            if let kept = known.removeValue(forKey: key) {
                kept.update(plan, target)
                next[key] = kept
            } else {
                let made = HealthChecker(self, name, member.state, plan, target)
                next[key] = made
                // Who could not be reached a moment ago need not be asked at once.
                let delay =
                    member.isReachable
                    ? firstDelay(plan.check, among: members.count) : interval(of: plan.check)
                made.start(after: delay)
            }
        }
        for gone in known.values { gone.stop() }
        checkers[name] = next
    }

    /// Checks no endpoint of an upstream any more.
    func stop(_ upstream: String) {
        for checker in (checkers.removeValue(forKey: upstream) ?? [:]).values { checker.stop() }
        plans[upstream] = nil
    }

    /// Checks nothing of upstreams that are not among these.
    func keep(_ names: some Sequence<String>) {
        let kept = Set(names)
        for name in checkers.keys where !kept.contains(name) { stop(name) }
    }

    private static func target(_ upstream: Upstream, _ member: Member) -> CheckTarget {
        let address = member.endpoint.address
        return CheckTarget(
            addresses: member.addresses,
            server: upstream.server(at: member.endpoint),
            host: address.path == nil ? address.description : "localhost"
        )
    }

    // MARK: When

    /// First checks are spread, over two milliseconds for each endpoint and at most an interval.
    private func firstDelay(_ check: CheckPlan.Check, among count: Int) -> UInt64 {
        let spread = min(check.interval, UInt64(count) * Limits.firstCheckNanoseconds)
        return UInt64.random(in: 0...spread, using: &random)
    }

    /// From the beginning of a check to that of the next one.
    func interval(of check: CheckPlan.Check) -> UInt64 {
        let interval = check.interval
        let part = UInt64(Double(interval) * Double(check.jitter) / 100_000)
        guard part > 1, part <= interval else { return interval }
        return interval - part / 2 + UInt64.random(in: 0...part, using: &random)
    }

    /// Has a check begin as soon as there is room.
    func ask(_ checker: HealthChecker) {
        waiting.append(checker)
        beginSome()
    }

    private func beginSome() {
        while runningCount < Limits.checksAtOnce, waitingStart < waiting.count {
            let next = waiting[waitingStart]
            waitingStart += 1
            if next.begin() { runningCount += 1 }
        }
        guard waitingStart == waiting.count || waitingStart > Limits.checksAtOnce else { return }
        waiting.removeFirst(waitingStart)
        waitingStart = 0
    }

    /// A check that ran has ended, or was stopped.
    func checkIsOver() {
        runningCount -= 1
        beginSome()
    }

    /// A check has come to its end.
    func checkEnded(
        _ checker: HealthChecker,
        _ state: EndpointState,
        _ verdict: CheckVerdict,
        nanoseconds: UInt64
    ) {
        var failure: String?
        var kind = CheckResult.Failure.wrong
        switch verdict {
        case .undecided: return checkIsOver()
        case .passed: metrics?.add(.checksPassed)
        case .failed(let why, let of):
            metrics?.add(.checksFailed)
            (failure, kind) = (why, of)
        }
        let result = CheckResult(
            unixNanoseconds: realtimeNanoseconds(),
            nanoseconds: nanoseconds,
            failure: failure,
            kind: kind
        )
        report?(checker.upstream, state, result)
        checkIsOver()
    }
}
