/// All numbers of a node at one moment, or of one of its workers.
package struct MetricsSnapshot: Equatable, Sendable {
    private var values: [UInt64]
    private var errors: [UInt64]
    /// How long requests took, in nanoseconds.
    package private(set) var durations: HistogramSnapshot
    /// For each subject, names and the numbers of their row.
    private var rows: [[String: [UInt64]]]

    /// A snapshot of zeros.
    package init() {
        self.init(
            values: Array(repeating: 0, count: Metric.allCases.count),
            errors: Array(repeating: 0, count: ProxyErrorType.allCases.count),
            durations: HistogramSnapshot()
        )
    }

    init(values: [UInt64], errors: [UInt64], durations: HistogramSnapshot) {
        self.values = values
        self.errors = errors
        self.durations = durations
        rows = Array(repeating: [:], count: LabelledFamily.Subject.allCases.count)
    }

    /// A number; nanoseconds where its unit is seconds.
    package subscript(metric: Metric) -> UInt64 {
        get { values[metric.rawValue] }
        set { values[metric.rawValue] = newValue }
    }

    /// How many exchanges failed in this way.
    package subscript(error: ProxyErrorType) -> UInt64 {
        get { errors[error.index] }
        set { errors[error.index] = newValue }
    }

    /// Requests of all classes.
    package var requestCount: UInt64 {
        let classes: [Metric] = [
            .requests1xx, .requests2xx, .requests3xx, .requests4xx, .requests5xx, .requestsAborted,
        ]
        return classes.reduce(0) { $0 &+ self[$1] }  // counters of one node
    }

    /// The numbers of each name of a subject.
    package func names(of subject: LabelledFamily.Subject) -> [String: [UInt64]] {
        rows[subject.rawValue]
    }

    mutating func add(_ row: [UInt64], to name: String, of subject: LabelledFamily.Subject) {
        guard let known = rows[subject.rawValue][name] else {
            rows[subject.rawValue][name] = row
            return
        }
        rows[subject.rawValue][name] = zip(known, row).map { $0 &+ $1 }  // counters may wrap
    }

    /// Adds the numbers of another worker.
    package mutating func merge(_ other: MetricsSnapshot) {
        for (index, merging) in MetricFamily.mergings.enumerated() {
            switch merging {
            case .sum: values[index] = values[index] &+ other.values[index]  // counters may wrap
            case .largest: values[index] = max(values[index], other.values[index])
            }
        }
        errors = zip(errors, other.errors).map { $0 &+ $1 }  // counters may wrap
        durations.merge(other.durations)
        for subject in LabelledFamily.Subject.allCases {
            for (name, row) in other.names(of: subject) { add(row, to: name, of: subject) }
        }
    }

    /// What happened since an earlier snapshot: counters as differences, gauges as they are.
    package func since(_ earlier: MetricsSnapshot) -> MetricsSnapshot {
        var difference = self
        for family in MetricFamily.all where family.kind == .counter {
            for sample in family.samples {
                difference[sample.metric] = self[sample.metric] &- earlier[sample.metric]  // grew
            }
        }
        difference.errors = zip(errors, earlier.errors).map { $0 &- $1 }  // grew
        difference.durations = durations.since(earlier.durations)
        for subject in LabelledFamily.Subject.allCases {
            let before = earlier.rows[subject.rawValue]
            for (name, row) in rows[subject.rawValue] {
                guard let old = before[name] else { continue }
                difference.rows[subject.rawValue][name] = zip(row, old).map { now, then in
                    now >= then ? now - then : now  // a name that went and came back starts at 0
                }
            }
        }
        return difference
    }
}
