import FleetMessages

/// What a node's last metrics report says about its traffic.
struct TrafficSummary {
    /// Counter of exchanges, by class of status.
    static let requestsMetric = "weir_requests_total"
    /// Its label whose value is `1xx` to `5xx`, or `aborted`.
    static let statusClassLabel = "status_class"
    /// Histogram of the time from the request's head to the answer's end, in nanoseconds.
    static let durationMetric = "weir_request_duration_seconds"

    private(set) var requestsPerSecond = 0.0
    private(set) var errorsPerSecond = 0.0
    /// Counts by upper bound of the bucket in nanoseconds.
    private(set) var durations: [UInt64: UInt64] = [:]
    /// Monotonic time of the report.
    let receivedNanoseconds: UInt64

    init(_ report: WireMetricsReport, receivedNanoseconds: UInt64) {
        self.receivedNanoseconds = receivedNanoseconds
        let seconds = max(0.001, Double(report.intervalMilliseconds) / 1_000)
        for counter in report.counters where counter.name == Self.requestsMetric {
            let rate = Double(counter.delta) / seconds
            requestsPerSecond += rate
            let isError = counter.labels.contains { label in
                label.name == Self.statusClassLabel && label.value == "5xx"
            }
            if isError { errorsPerSecond += rate }
        }
        for histogram in report.histograms where histogram.name == Self.durationMetric {
            add(histogram)
        }
    }

    private mutating func add(_ histogram: WireHistogramDelta) {
        for (bucket, count) in zip(histogram.buckets, histogram.counts) {
            guard let bound = Self.upperBound(bucket, subBucketBits: histogram.subBucketBits)
            else { continue }
            let (sum, overflow) = durations[bound, default: 0].addingReportingOverflow(count)
            durations[bound] = overflow ? .max : sum
        }
    }

    /// The largest value of a log-linear bucket; `nil` if the index is beyond 64 bits.
    static func upperBound(_ index: UInt32, subBucketBits: UInt32) -> UInt64? {
        let linear = UInt64(1) << UInt64(subBucketBits)
        let position = UInt64(index)
        if position < linear { return position }
        let exponent = position / linear - 1
        guard exponent + UInt64(subBucketBits) < 63 else { return nil }
        let lower = (linear + position % linear) << exponent
        return lower + (UInt64(1) << exponent) - 1
    }
}

extension TrafficRates {
    /// Adds up what several nodes reported.
    init(_ summaries: some Sequence<TrafficSummary>) {
        self.init()
        var errors = 0.0
        var durations: [UInt64: UInt64] = [:]
        for summary in summaries {
            requestsPerSecond += summary.requestsPerSecond
            errors += summary.errorsPerSecond
            durations.merge(summary.durations) { left, right in
                let (sum, overflow) = left.addingReportingOverflow(right)
                return overflow ? .max : sum
            }
        }
        if requestsPerSecond > 0 { errorShare = errors / requestsPerSecond }
        let buckets = durations.sorted { $0.key < $1.key }
        p50Seconds = Self.quantile(0.5, of: buckets)
        p99Seconds = Self.quantile(0.99, of: buckets)
    }

    private static func quantile(
        _ share: Double,
        of buckets: [(key: UInt64, value: UInt64)]
    ) -> Double? {
        let total = buckets.reduce(0.0) { $0 + Double($1.value) }
        guard total > 0 else { return nil }
        var count = 0.0
        for (bound, inBucket) in buckets {
            count += Double(inBucket)
            if count >= share * total { return Double(bound) / 1e9 }
        }
        return buckets.last.map { Double($0.key) / 1e9 }
    }
}
