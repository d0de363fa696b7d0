package import EventLoop

/// When a name is looked up again, and whether what it last led to still counts; without a clock.
///
///                    ┌─ answer ─▶ known ── it holds no longer ─▶ ask
///     asked for ─▶ ask ─ no server answers ─▶ known or not, as before ── 1 s, 2 s, 4 s … 10 s ─▶ ask
///                    └─ nothing there ─▶ likewise, but given up after 3 more in 30 s or longer
package struct NameSchedule: Sendable {
    /// How often an answer is asked for again.
    package enum Refresh: Hashable, Sendable {
        /// When it holds no longer: after 1 s to 5 min.
        case held
        /// After so many nanoseconds.
        case every(nanoseconds: UInt64)
    }

    /// When it is to be asked next.
    package private(set) var next: LoopInstant
    /// Lookups that have failed since the last answer.
    package private(set) var failureCount = 0
    /// When the first of those failed.
    package private(set) var failingSince: LoopInstant?
    private var negativeCount = 0
    private var negativeSince: LoopInstant?
    private let refresh: Refresh

    /// Has a name asked for at once.
    package init(_ refresh: Refresh, now: LoopInstant) {
        self.refresh = refresh
        next = now
    }

    /// Takes note of an answer.
    ///
    /// - Parameters:
    ///   - seconds: How long it holds.
    ///   - now: When it came.
    ///   - spread: 0 to 99: by how many thousandths the time is made shorter, so that not all names are asked for, nor
    ///     all nodes ask, at the same moment.
    package mutating func answered(seconds: UInt32, now: LoopInstant, spread: UInt64) {
        (failureCount, failingSince) = (0, nil)
        (negativeCount, negativeSince) = (0, nil)
        let nanoseconds: UInt64
        switch refresh {
        case .held:
            let held = min(max(seconds, Limits.refreshSecondsMin), Limits.refreshSecondsMax)
            nanoseconds = UInt64(held) * 1_000_000_000
        case .every(let fixed): nanoseconds = fixed
        }
        next = now.advanced(by: nanoseconds - nanoseconds / 1000 * min(spread, 99))
    }

    /// Takes note of a lookup that has failed.
    ///
    /// - Parameters:
    ///   - failure: How.
    ///   - now: When.
    ///   - spread: As for an answer.
    /// - Returns: Whether the last answer is to be given up.
    package mutating func failed(
        _ failure: LookupFailure,
        now: LoopInstant,
        spread: UInt64
    ) -> Bool {
        failureCount += 1
        failingSince = failingSince ?? now
        // At most 2^5 times the least, and no more than the longest.
        let doubled = Limits.retryNanosecondsMin << UInt64(min(failureCount - 1, 5))
        let delay = min(doubled, Limits.retryNanosecondsMax)
        next = now.advanced(by: delay - delay / 1000 * min(spread, 99))
        guard failure.isNegative else { return false }
        negativeCount += 1
        let since = negativeSince ?? now
        negativeSince = since
        return negativeCount > Limits.negativeAnswersMin
            && now.nanoseconds(since: since) >= Limits.negativeNanosecondsMin
    }
}
