internal import Structures
internal import Synchronization

/// The shards of all workers and of the process, and the rows of named things.
package final class MetricsRegistry: Sendable {
    /// One shard for each worker, written by its thread alone.
    package let workers: [MetricsShard]
    /// What belongs to no worker: each number is written by one thread alone, the one that reports or the one that watches
    /// endpoints.
    package let process = MetricsShard()
    private let rows: Mutex<[[[String: MetricsRow]]]>

    /// Makes shards for `workerCount` workers.
    package init(workerCount: Int) {
        workers = (0..<workerCount).map { _ in MetricsShard() }
        let subjects = [[String: MetricsRow]](
            repeating: [:],
            count: LabelledFamily.Subject.allCases.count
        )
        rows = Mutex(Array(repeating: subjects, count: workerCount))
    }

    /// Gives a worker's rows for `names`, in their order.
    ///
    /// Call it off the loop.
    ///
    /// A name that has a row keeps it with its numbers, across versions of the configuration; the rows of
    /// names that are not among these go, though exchanges in flight may still write to them.
    ///
    /// - Complexity: O(`names.count`); holds the lock meanwhile, which no loop takes.
    package func rows(
        worker: Int,
        _ subject: LabelledFamily.Subject,
        names: [String]
    ) -> [MetricsRow] {
        rows.withLock { rows in
            let known = rows[worker][subject.rawValue]
            var kept: [String: MetricsRow] = Dictionary(minimumCapacity: names.count)
            let result = names.map { name in
                let row = kept[name] ?? known[name] ?? MetricsRow()
                kept[name] = row
                return row
            }
            rows[worker][subject.rawValue] = kept
            return result
        }
    }

    /// Reads everything and merges it over the workers.
    package func snapshot() -> MetricsSnapshot {
        var snapshot = MetricsSnapshot()
        for shard in workers + [process] { snapshot.merge(read(shard)) }
        let rows = self.rows.withLock { $0 }
        for worker in rows {
            for subject in LabelledFamily.Subject.allCases {
                for (name, row) in worker[subject.rawValue] {
                    snapshot.add(row.values, to: name, of: subject)
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
