internal import EventLoop
internal import FleetMessages
internal import FleetProtocol
internal import Telemetry

/// Makes the reports of what was measured since the report before.
///
/// A report that was not made is in the next one: nothing is lost while the node lives, and nothing is counted
/// twice.
struct MetricsReporter {
    private var last = MetricsSnapshot()
    private var lastMade = LoopInstant.never
    private var sequence: UInt64 = 0

    /// Begins at what is counted now: what was measured before the session is in no report.
    mutating func begin(_ registry: MetricsRegistry, now: LoopInstant) {
        last = registry.snapshot()
        lastMade = now
    }

    /// The report of what was measured since the last one.
    mutating func next(_ registry: MetricsRegistry, now: LoopInstant) -> WireMetricsReport {
        let snapshot = registry.snapshot()
        let difference = snapshot.since(last)
        sequence &+= 1  // 2^64 reports: never
        var report = WireMetricsReport()
        report.sequence = sequence
        report.intervalMilliseconds = now.nanoseconds(since: lastMade) / 1_000_000
        last = snapshot
        lastMade = now
        for family in MetricFamily.all { add(family, difference, to: &report) }
        for type in ProxyErrorType.allCases where difference[type] > 0 {
            let errors = MetricFamily.errors
            let label = Self.label(errors.label, type.rawValue)
            report.counters.append(Self.counter(errors.name, label, difference[type]))
        }
        add(difference.durations, to: &report)
        addRows(difference, to: &report)
        return report
    }

    private func add(
        _ family: MetricFamily,
        _ difference: MetricsSnapshot,
        to report: inout WireMetricsReport
    ) {
        for sample in family.samples {
            let value = difference[sample.metric]
            let label = Self.label(family.label, sample.value)
            switch family.kind {
            case .counter:
                if value > 0 { report.counters.append(Self.counter(family.name, label, value)) }
            case .gauge:
                var gauge = WireGaugeValue()
                gauge.name = family.name
                gauge.labels = label
                gauge.value = family.unit == .seconds ? Double(value) / 1e9 : Double(value)
                report.gauges.append(gauge)
            case .histogram:
                break
            }
        }
    }

    private func add(_ durations: HistogramSnapshot, to report: inout WireMetricsReport) {
        guard !durations.buckets.isEmpty else { return }
        var histogram = WireHistogramDelta()
        histogram.name = MetricFamily.requestDuration.name
        histogram.subBucketBits = 4
        histogram.buckets = durations.buckets.map { UInt32(clamping: $0.index) }
        histogram.counts = durations.buckets.map(\.count)
        histogram.sum = durations.sum
        report.histograms.append(histogram)
    }

    /// Rows of routes and the like, as many as a report holds; those of the first names win.
    private func addRows(_ difference: MetricsSnapshot, to report: inout WireMetricsReport) {
        for family in LabelledFamily.all {
            let names = difference.names(of: family.subject)
            for name in names.keys.sorted() {
                guard report.counters.count + report.gauges.count < Self.metricCountMax else {
                    return
                }
                guard let value = names[name]?[family.column.rawValue], value > 0,
                    name.utf8.count <= Self.labelBytesMax
                else { continue }
                let label = Self.label(family.label, name)
                report.counters.append(Self.counter(family.name, label, value))
            }
        }
    }

    private static let metricCountMax = FleetProtocol.Limits.metricCountMax
    private static let labelBytesMax = FleetProtocol.Limits.labelBytesMax

    private static func label(_ name: String, _ value: String) -> [WireMetricLabel] {
        guard !name.isEmpty else { return [] }
        var label = WireMetricLabel()
        (label.name, label.value) = (name, value)
        return [label]
    }

    private static func counter(
        _ name: String,
        _ labels: [WireMetricLabel],
        _ delta: UInt64
    ) -> WireCounterDelta {
        var counter = WireCounterDelta()
        (counter.name, counter.labels, counter.delta) = (name, labels, delta)
        return counter
    }
}
