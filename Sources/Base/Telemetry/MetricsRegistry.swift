internal import Structures
internal import Synchronization

/// The shards of all workers and of the process, and the rows of named things.
package final class MetricsRegistry: Sendable {
    /// One shard for each worker, written by its thread alone.
    package let workers: [MetricsShard]
    /// What belongs to no worker: each number is written by one thread alone, the one that reports or the one that watches
    /// endpoints.
    package let process = MetricsShard()
    /// By worker, then by subject.
    private let rows: Mutex<[[MetricsRowsHistory]]>

    /// Makes shards for `workerCount` workers.
    package init(workerCount: Int) {
        workers = (0..<workerCount).map { _ in MetricsShard() }
        let subjects = LabelledFamily.Subject.allCases.map { _ in MetricsRowsHistory() }
        rows = Mutex(Array(repeating: subjects, count: workerCount))
    }

    /// Gives a worker's rows for `names`, in their order.
    ///
    /// Call it off the loop.
    ///
    /// A name that the version before has keeps its numbers; those of names that are not among these go.
    ///
    /// - Complexity: O(`names.count`); holds the lock meanwhile, which no loop takes.
    package func rows(
        worker: Int,
        _ subject: LabelledFamily.Subject,
        names: [String]
    ) -> MetricsRows {
        rows.withLock { $0[worker][subject.rawValue].rows(names) }
    }

    /// Reads everything and merges it over the workers.
    package func snapshot() -> MetricsSnapshot {
        var snapshot = MetricsSnapshot()
        for shard in workers + [process] { snapshot.merge(read(shard)) }
        rows.withLock { rows in
            for worker in rows.indices {
                for subject in LabelledFamily.Subject.allCases {
                    rows[worker][subject.rawValue].read(into: &snapshot, subject)
                }
            }
        }
        return snapshot
    }

    private func read(_ shard: MetricsShard) -> MetricsSnapshot {
        var buckets: [HistogramSnapshot.Bucket] = []
        for index in 0..<HistogramBuckets.count where shard.durations[index] > 0 {
            buckets.append(.init(index: index, count: shard.durations[index]))
        }
        return MetricsSnapshot(
            values: Metric.allCases.map { shard[$0] },
            errors: ProxyErrorType.allCases.map { shard.errors[$0.index] },
            durations: HistogramSnapshot(
                buckets: buckets,
                sum: shard.durations[HistogramBuckets.count]
            )
        )
    }
}
