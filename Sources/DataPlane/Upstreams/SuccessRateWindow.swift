package import EventLoop

/// How many of an endpoint's last requests went well: those of about ten seconds.
///
/// It is given sums once a second and keeps as many of them as it needs to tell what has come since.
package struct SuccessRateWindow: Sendable {
    /// Sums at the beginnings of seconds, the oldest first.
    private var marks: [Tally] = []
    /// When the share was last as it should be, as the owner has noted since the window began.
    package var wellUntil: LoopInstant?

    /// Requests that went well, and others.
    package struct Tally: Hashable, Sendable {
        package var successes: UInt64
        package var failures: UInt64

        package init(successes: UInt64 = 0, failures: UInt64 = 0) {
            (self.successes, self.failures) = (successes, failures)
        }
    }

    /// A window that begins with the first sum that it is given.
    package init() {}

    /// Begins anew.
    package mutating func clear() {
        marks.removeAll(keepingCapacity: true)
        wellUntil = nil
    }

    /// Takes the sums of the second that has passed.
    ///
    /// - Parameter sum: Since the endpoint is known; sums may wrap.
    /// - Returns: The share of successes in thousandths of a percent, or `nil` where there are too few requests to tell.
    package mutating func advance(to sum: Tally) -> Int? {
        let oldest = marks.first ?? sum
        if marks.count >= Limits.successRateSeconds { marks.removeFirst() }
        marks.append(sum)
        let successes = sum.successes &- oldest.successes  // counters wrap
        let failures = sum.failures &- oldest.failures  // counters wrap
        let (all, overflow) = successes.addingReportingOverflow(failures)
        guard !overflow, all >= Limits.successRateRequestsMin else { return nil }
        return Int(Double(successes) / Double(all) * 100_000)
    }
}
