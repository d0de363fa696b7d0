internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// What the monitor makes of checks, of what workers have seen, and of time.
extension Monitor {
    // MARK: Checks

    /// A check has ended.
    func checked(_ upstream: String, _ state: EndpointState, _ result: CheckResult) {
        change(upstream, state) { monitor, index in
            monitor.endpoints[index].health.checked(result, now: loop.now)
        }
    }

    // MARK: Outliers

    /// So many tries at an endpoint have failed in a row.
    func failed(_ upstream: String, _ state: EndpointState, count: Int, last: String) {
        let why = "\(count) failures in a row, the last one: \(last)"
        eject(upstream, state, why, wellUntil: state.outcomes.isProven ? loop.now : nil)
    }

    /// Looks which share of requests went well, once a second.
    func lookAtSuccessRates() {
        for (name, monitor) in upstreams {
            guard let outliers = monitor.upstream.outliers, outliers.successRate > 0 else {
                continue
            }
            for index in monitor.endpoints.indices {
                let state = monitor.endpoints[index].state
                let rate = monitor.endpoints[index].window.advance(to: state.outcomes.tally)
                guard let rate, !monitor.endpoints[index].health.isEjected else { continue }
                guard rate < outliers.successRate else {
                    monitor.endpoints[index].window.wellUntil = loop.now
                    continue
                }
                let (found, wanted) = (Self.percent(rate), Self.percent(outliers.successRate))
                let why = "\(found) of its requests went well, less than \(wanted)"
                eject(name, state, why, wellUntil: monitor.endpoints[index].window.wellUntil)
                monitor.endpoints[index].window.clear()
            }
        }
    }

    private static func percent(_ share: Int) -> String {
        let tenths = share / 100
        return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(tenths % 10)%"
    }

    /// Leaves an endpoint out, where as many may be.
    private func eject(
        _ upstream: String,
        _ state: EndpointState,
        _ why: String,
        wellUntil: LoopInstant?
    ) {
        guard let monitor = upstreams[upstream], monitor.upstream.outliers != nil,
            let watched = monitor.endpoints.first(where: { $0.state === state }),
            !watched.health.isEjected
        else { return }
        guard monitor.mayEject else {
            state.outcomes.forgetFailures()
            log.write(
                .warning,
                "upstream.ejection_withheld",
                [
                    "endpoint": "\(watched.endpoint.address)", "upstream": upstream, "reason": why,
                    "ejected": "\(monitor.ejectedCount)",
                ]
            )
            // Workers have left it alone until this was decided.
            publish(monitor)
            return
        }
        metrics.add(.ejections)
        change(upstream, state) { monitor, index in
            monitor.endpoints[index].health.eject(
                for: why,
                wellUntil: wellUntil,
                now: loop.now
            )
        }
    }

    /// Puts endpoints back whose time is over.
    func endEjections() {
        for (name, monitor) in upstreams {
            for index in monitor.endpoints.indices
            where monitor.endpoints[index].health.ejectedUntil <= loop.now {
                let state = monitor.endpoints[index].state
                change(name, state) { monitor, index in
                    monitor.endpoints[index].health.timePassed(now: loop.now)
                }
            }
        }
        timers?.set()
    }

    /// When the next ejection ends.
    var nextReturn: LoopInstant {
        var next = LoopInstant.never
        for monitor in upstreams.values where monitor.upstream.outliers != nil {
            for watched in monitor.endpoints { next = min(next, watched.health.ejectedUntil) }
        }
        return next
    }

    /// Whether the share of successes matters anywhere.
    var watchesSuccessRates: Bool {
        upstreams.values.contains { ($0.upstream.outliers?.successRate ?? 0) > 0 }
    }

    // MARK: Reach

    /// A request got no connection to an endpoint: it is left alone, as long as there are others, until one stands.
    func lost(_ upstream: String, _ state: EndpointState, why: String) {
        guard let monitor = upstreams[upstream],
            let index = monitor.endpoints.firstIndex(where: { $0.state === state }),
            monitor.endpoints[index].health.lost(for: why)
        else { return }
        log.write(
            .warning,
            "upstream.endpoint_unreachable",
            [
                "endpoint": "\(monitor.endpoints[index].endpoint.address)", "upstream": upstream,
                "reason": why,
            ]
        )
        publish(monitor)
    }

    /// An endpoint that was out of reach, or is ejected, has been connected to, or not.
    func searched(_ upstream: String, _ state: EndpointState, _ result: CheckResult) {
        guard let monitor = upstreams[upstream],
            let watched = monitor.endpoints.first(where: { $0.state === state })
        else { return }
        if let failure = result.failure {
            if result.kind != .wrong { lost(upstream, state, why: failure) }
            guard let limit = monitor.upstream.outliers?.consecutiveErrors,
                !watched.health.isEjected
            else { return }
            // No request comes by any more whose failure would count.
            let count = state.outcomes.failed(worker: 0, isCounted: false)
            // Where as many are ejected as may be, that is not told again and again.
            if count % max(limit, 1) == 0, monitor.mayEject {
                failed(upstream, state, count: count, last: failure)
            }
            return
        }
        guard !watched.health.isReachable else { return }
        state.outcomes.forgetFailures()
        log.write(
            .notice,
            "upstream.endpoint_reachable",
            ["endpoint": "\(watched.endpoint.address)", "upstream": upstream]
        )
        change(upstream, state) { monitor, index in
            monitor.endpoints[index].health.found(now: loop.now)
        }
        publish(monitor)
    }

    // MARK: Changes

    /// Has something happen to an endpoint, and tells of it where its availability changes.
    ///
    /// - Parameters:
    ///   - upstream: Its upstream.
    ///   - state: The endpoint's.
    ///   - event: What happens; tells whether the availability has changed.
    func change(
        _ upstream: String,
        _ state: EndpointState,
        _ event: (UpstreamMonitor, Int) -> Bool
    ) {
        guard let monitor = upstreams[upstream],
            let index = monitor.endpoints.firstIndex(where: { $0.state === state })
        else { return }
        let wasEjected = monitor.endpoints[index].health.isEjected
        let hasChanged = event(monitor, index)
        let isEjected = monitor.endpoints[index].health.isEjected
        if wasEjected, !isEjected {
            state.outcomes.beginAnew()
            monitor.endpoints[index].window.clear()
        }
        if wasEjected != isEjected { timers?.set() }
        guard hasChanged else { return }
        monitor.noteChange(at: index)
        let health = monitor.endpoints[index].health
        let address = "\(monitor.endpoints[index].endpoint.address)"
        if health.availability == .available {
            state.load.forgetTimes()
            log.write(
                .notice,
                "upstream.endpoint_up",
                ["endpoint": address, "upstream": upstream]
            )
        } else {
            let isWanted = [.drained, .disabled].contains(health.availability)
            log.write(
                isWanted ? .notice : .warning,
                "upstream.endpoint_down",
                [
                    "endpoint": address, "upstream": upstream,
                    "state": "\(health.availability)", "reason": health.reason,
                ]
            )
        }
        publish(monitor)
    }

    /// Tells when all endpoints begin to be used because too few are left, and when that ends.
    func notePanic(of monitor: UpstreamMonitor, _ roster: Roster) {
        guard monitor.isPanicking != roster.isPanicking else { return }
        monitor.isPanicking = roster.isPanicking
        let available = roster.members.count { $0.availability == .available }
        let fields: KeyValuePairs<StaticString, String> = [
            "upstream": monitor.upstream.name, "available": "\(available)",
            "endpoints": "\(roster.members.count)",
        ]
        if roster.isPanicking {
            log.write(.error, "upstream.panic_began", fields)
        } else {
            log.write(.notice, "upstream.panic_ended", fields)
        }
    }

    /// Brings the numbers of endpoints up to date.
    func countEndpoints() {
        var counts = [UInt64](repeating: 0, count: Availability.allCases.count)
        var panics: UInt64 = 0
        for monitor in upstreams.values {
            if monitor.isPanicking { panics += 1 }
            for watched in monitor.endpoints { counts[watched.health.availability.place] += 1 }
        }
        for availability in Availability.allCases {
            metrics.set(availability.metric, counts[availability.place])
        }
        metrics.set(.upstreamsPanicking, panics)
    }
}

/// What the monitor waits for besides checks and names.
///
/// Confined to the monitor's loop.
final class HealthTimers {
    private unowned let monitor: Monitor
    private let returning: LoopTimer
    private let rates: LoopTimer
    private let publishing: LoopTimer
    private var watchesRates = false

    init(_ monitor: Monitor) {
        self.monitor = monitor
        let loop = monitor.loop
        returning = LoopTimer(on: loop) { [unowned monitor] in monitor.endEjections() }
        publishing = LoopTimer(on: loop) { [unowned monitor] in monitor.publishChanges() }
        rates = LoopTimer(on: loop) { [unowned monitor] in
            monitor.lookAtSuccessRates()
            monitor.timers?.setRates()
        }
    }

    /// Sets them for what there is now.
    func set() {
        let next = monitor.nextReturn
        if next == .never {
            returning.cancel()
        } else {
            let left = next.nanoseconds(since: monitor.loop.now)
            returning.set(after: .nanoseconds(Int64(clamping: left)))
        }
        if monitor.watchesSuccessRates != watchesRates { setRates() }
    }

    func setRates() {
        watchesRates = monitor.watchesSuccessRates
        if watchesRates {
            rates.set(after: .nanoseconds(Int64(clamping: Limits.successRateNanoseconds)))
        } else {
            rates.cancel()
        }
    }

    /// Has workers told after this time.
    func publish(after nanoseconds: UInt64) {
        publishing.set(after: .nanoseconds(Int64(clamping: nanoseconds)))
    }
}

/// How workers tell the monitor what they have seen.
struct MonitorLink: Sendable {
    private let monitor: Handover<Monitor>
    private let mailbox: Mailbox

    init(_ monitor: Monitor) {
        (self.monitor, mailbox) = (Handover(monitor), monitor.loop.mailbox)
    }

    /// So many tries at an endpoint have failed in a row.
    func failed(_ upstream: String, _ state: EndpointState, count: Int, last: String) {
        let monitor = monitor
        mailbox.post { monitor.value.failed(upstream, state, count: count, last: last) }
    }

    /// A request got no connection to an endpoint.
    func lost(_ upstream: String, _ state: EndpointState, why: String) {
        let monitor = monitor
        mailbox.post { monitor.value.lost(upstream, state, why: why) }
    }

    /// An upstream's circuit has opened, or closed.
    func circuitChanged(_ upstream: String, _ change: CircuitBreaker.Change) {
        let monitor = monitor
        mailbox.post { monitor.value.circuitChanged(upstream, change) }
    }
}

extension Availability {
    /// Its place among all.
    fileprivate var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    fileprivate var metric: Metric {
        switch self {
        case .available: .endpointsAvailable
        case .unresolved: .endpointsUnresolved
        case .unhealthy: .endpointsUnhealthy
        case .ejected: .endpointsEjected
        case .drained: .endpointsDrained
        case .disabled: .endpointsDisabled
        }
    }
}
