/// How many requests to an upstream may be tried again: a share of those of the last ten seconds, on all workers.
///
/// A few always may, so that a client's lone request is not lost because nobody else has asked of late. So retries
/// never add more than the share to what endpoints have to do, however many of them fail. Tries that got no connection
/// have added nothing; they are repeated without asking where there is an endpoint to go to.
package final class RetryBudget: Sendable {
    /// Retries, and requests.
    private let tally: SlidingTally

    /// Retries in ten seconds that need no requests: as many as eject two endpoints that few ask for.
    package static let retriesMin: UInt64 = 10
    private static let windowNanoseconds: UInt64 = 10_000_000_000

    /// Makes a budget that nobody has used.
    ///
    /// - Parameter workerCount: Workers of the node.
    package init(workerCount: Int) {
        tally = SlidingTally(workerCount: workerCount)
    }

    /// Counts a request that is tried for the first time.
    ///
    /// - Parameters:
    ///   - worker: The index of the worker that calls.
    ///   - now: The moment, in nanoseconds.
    package func countRequest(worker: Int, now: UInt64) {
        tally.add(worker: worker, bucket: bucket(now), second: 1)
    }

    /// Counts a retry if it is within the budget.
    ///
    /// - Parameters:
    ///   - worker: The index of the worker that calls.
    ///   - now: The moment, in nanoseconds.
    ///   - share: The share of requests, in thousandths of a percent.
    /// - Returns: Whether the request may be tried again.
    package func take(worker: Int, now: UInt64, share: Int) -> Bool {
        let bucket = bucket(now)
        // Counted before it is looked, so that two workers do not both take the last one.
        tally.add(worker: worker, bucket: bucket, first: 1)
        let sums = tally.sums(through: bucket)
        let (product, overflows) = sums.second.multipliedReportingOverflow(
            by: UInt64(max(share, 0))
        )
        let allowed = max(overflows ? .max : product / 100_000, Self.retriesMin)
        if sums.first <= allowed { return true }
        tally.add(worker: worker, bucket: bucket, first: -1)
        return false
    }

    private func bucket(_ now: UInt64) -> UInt64 {
        SlidingTally.bucket(of: now, window: Self.windowNanoseconds)
    }
}
