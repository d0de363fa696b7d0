internal import EventLoop
package import FleetModel
internal import Synchronization

/// Keeps requests from an upstream that fails, on all workers of a node.
///
///     closed ──share of failures in the window──▶ open ──openFor has passed──▶ half-open
///       ▲                                          ▲                              │ one trial at a time
///       └────────────the trial succeeds────────────┼──────────────────────────────┤
///                                                  └──────────it fails────────────┘
///
/// What began before it opened and ends later says nothing. Once it has closed, only what comes then counts. Where it is
/// closed it costs a request one load and one count in the worker's own cells.
package final class CircuitBreaker: Sendable {
    /// Failures, and tries.
    private let tally: SlidingTally
    /// Until when it is open, in nanoseconds; 0 while it is closed.
    private let openUntil = Atomic<UInt64>(0)
    private let hasTrial = Atomic<Bool>(false)
    /// When it has closed.
    private let closedAt = Atomic<UInt64>(0)

    /// What becomes of a request.
    package enum Admission: Equatable, Sendable {
        case passes
        /// It goes, and says how the endpoints are: `record` or `abandonTrial` is owed.
        case isTrial
        /// It does not go; another one may in so many nanoseconds.
        case isRefused(for: UInt64)
    }

    /// What an outcome has changed.
    package enum Change: Equatable, Sendable {
        case opened
        case closed
    }

    /// How it stands.
    package enum State: String, Sendable {
        case closed
        case open
        case halfOpen = "half-open"
    }

    /// Makes a closed one.
    ///
    /// - Parameter workerCount: Workers of the node.
    package init(workerCount: Int) {
        tally = SlidingTally(workerCount: workerCount)
    }

    /// How it stands at a moment, in nanoseconds.
    package func state(at now: UInt64) -> State {
        let until = openUntil.load(ordering: .relaxed)
        if until == 0 { return .closed }
        return now < until ? .open : .halfOpen
    }

    /// Whether requests go.
    package var isClosed: Bool { openUntil.load(ordering: .relaxed) == 0 }

    /// Settles whether a request goes.
    ///
    /// - Parameter now: The moment, in nanoseconds.
    /// - Returns: What becomes of it.
    package func admit(at now: UInt64) -> Admission {
        let until = openUntil.load(ordering: .relaxed)
        if until == 0 { return .passes }
        if now < until { return .isRefused(for: until - now) }
        let isFirst = hasTrial.compareExchange(
            expected: false,
            desired: true,
            ordering: .acquiringAndReleasing
        ).exchanged
        guard isFirst else { return .isRefused(for: 0) }
        // Another trial may have come to its end meanwhile.
        guard openUntil.load(ordering: .relaxed) == until else {
            abandonTrial()
            return isClosed ? .passes : .isRefused(for: 0)
        }
        return .isTrial
    }

    /// Counts how a try has ended; what came before it closed says nothing.
    ///
    /// - Parameters:
    ///   - hasFailed: Whether there was no connection, no response or a 5xx.
    ///   - isAmending: Whether it has been counted as a success, which it is not after all.
    ///   - start: When the request came, in nanoseconds.
    ///   - isTrial: Whether it was the trial, which is over with this.
    ///   - worker: The index of the worker that calls.
    ///   - now: The moment, in nanoseconds.
    ///   - limits: The settings.
    /// - Returns: What has changed by it; `nil` is nothing.
    package func record(
        hasFailed: Bool,
        isAmending: Bool = false,
        since start: UInt64 = .max,
        isTrial: Bool,
        worker: Int,
        now: UInt64,
        _ limits: CircuitLimits
    ) -> Change? {
        if isTrial { return endTrial(hasFailed: hasFailed, now: now, limits) }
        let closing = closedAt.load(ordering: .relaxed)
        guard isClosed, start >= closing else { return nil }
        let bucket = SlidingTally.bucket(of: now, window: limits.window)
        let failures: Int64 = hasFailed ? 1 : 0
        tally.add(worker: worker, bucket: bucket, first: failures, second: isAmending ? 0 : 1)
        guard hasFailed else { return nil }
        let first = SlidingTally.bucket(of: closing, window: limits.window)
        let sums = tally.sums(through: bucket, from: first)
        guard sums.second >= limits.minimumRequests,
            sums.first * 100_000 >= sums.second * limits.errors
        else { return nil }
        return open(from: 0, now, limits) ? .opened : nil
    }

    private func endTrial(hasFailed: Bool, now: UInt64, _ limits: CircuitLimits) -> Change? {
        let until = openUntil.load(ordering: .relaxed)
        guard until > 0 else {
            abandonTrial()
            return nil
        }
        if hasFailed {
            _ = open(from: until, now, limits)
        } else {
            closedAt.store(now, ordering: .relaxed)
            openUntil.store(0, ordering: .relaxed)
        }
        abandonTrial()
        return hasFailed ? .opened : .closed
    }

    /// The trial has come to no end that says anything, such as when its client went away: the next request is one.
    package func abandonTrial() {
        hasTrial.store(false, ordering: .releasing)
    }

    private func open(from old: UInt64, _ now: UInt64, _ limits: CircuitLimits) -> Bool {
        let (until, overflows) = now.addingReportingOverflow(limits.openFor)
        return openUntil.compareExchange(
            expected: old,
            desired: overflows ? .max : max(until, 1),
            ordering: .relaxed
        ).exchanged
    }
}

/// When a circuit breaker opens and for how long; times in nanoseconds.
package struct CircuitLimits: Equatable, Sendable {
    /// The share of failures, in thousandths of a percent.
    package let errors: UInt64
    package let minimumRequests: UInt64
    package let window: UInt64
    package let openFor: UInt64
    /// What is answered while it is open.
    package let status: UInt16

    /// Reads the settings.
    package init(_ circuit: Circuit) {
        errors = UInt64(max(circuit.errors, 0))
        minimumRequests = UInt64(max(circuit.minimumRequests, 1))
        window = circuit.window.nanoseconds
        openFor = circuit.openFor.nanoseconds
        status = UInt16(clamping: circuit.status)
    }
}
