internal import Structures
internal import Synchronization

/// What the tries at an endpoint came to, over all workers: for an endpoint that is well, one relaxed load each.
package final class EndpointOutcomes: Sendable {
    private let failuresInRow = Atomic<Int>(0)
    /// Two numbers of each worker, each worker's in a cache line of its own.
    private let tallies: CounterCells

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
        return failuresInRow.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Counts failures in a row from here on.
    package func forgetFailures() {
        failuresInRow.store(0, ordering: .relaxed)
    }

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
