internal import Structures
internal import Synchronization

/// What the tries at an endpoint came to, over all workers: for an endpoint that is well, one relaxed load each.
package final class EndpointOutcomes: Sendable {
    /// Failures in a row; `unproven` is added to it while none has gone well since the endpoint came back.
    private let failuresInRow = Atomic<Int>(0)
    /// Two numbers of each worker, each worker's in a cache line of its own.
    private let tallies: CounterCells

    /// Far above any count of failures.
    private static let unproven = 1 << 48
    /// Cells between two workers' numbers: a cache line.
    private static let cellsPerWorker = 8

    init(workerCount: Int) {
        tallies = CounterCells(count: workerCount * Self.cellsPerWorker)
    }

    /// A try has come to a good end.
    ///
    /// - Parameters:
    ///   - worker: Whose.
    ///   - isCounted: Whether the share of successes is of interest.
    package func succeeded(worker: Int, isCounted: Bool) {
        if failuresInRow.load(ordering: .relaxed) != 0 {
            failuresInRow.store(0, ordering: .relaxed)
        }
        if isCounted { tallies.add(worker * Self.cellsPerWorker) }
    }

    /// A try has failed.
    ///
    /// - Parameters:
    ///   - worker: Whose.
    ///   - isCounted: Whether the share of successes is of interest.
    /// - Returns: How many have failed in a row.
    package func failed(worker: Int, isCounted: Bool) -> Int {
        if isCounted { tallies.add(worker * Self.cellsPerWorker + 1) }
        return failuresInRow.wrappingAdd(1, ordering: .relaxed).newValue & (Self.unproven - 1)
    }

    /// Counts failures in a row from here on.
    package func forgetFailures() {
        failuresInRow.bitwiseAnd(Self.unproven, ordering: .relaxed)
    }

    /// The endpoint comes back, and has to show that it is well: counts from here on.
    package func beginAnew() {
        failuresInRow.store(Self.unproven, ordering: .relaxed)
    }

    /// Whether a try has gone well since the endpoint came back.
    package var isProven: Bool { failuresInRow.load(ordering: .relaxed) < Self.unproven }

    /// What all tries that were counted came to.
    package var tally: SuccessRateWindow.Tally {
        var sum = SuccessRateWindow.Tally()
        for first in stride(from: 0, to: tallies.count, by: Self.cellsPerWorker) {
            sum.successes &+= tallies[first]  // counters wrap
            sum.failures &+= tallies[first + 1]  // counters wrap
        }
        return sum
    }
}
