public import Structures

/// The numbers of one worker: its thread writes them, any thread reads them.
public final class MetricsShard: Sendable {
    @usableFromInline let numbers = CounterCells(count: Metric.allCases.count)
    @usableFromInline let errors = CounterCells(count: ProxyErrorType.allCases.count)
    @usableFromInline let durations = CounterCells(count: HistogramBuckets.count + 1)

    /// Makes a shard of zeros.
    public init() {}

    /// Adds to a counter or a gauge.
    ///
    /// Only the shard's own thread may call it.
    ///
    /// - Parameters:
    ///   - metric: The number.
    ///   - amount: What to add.
    @inlinable
    @inline(__always)
    public func add(_ metric: Metric, _ amount: UInt64 = 1) {
        numbers.add(metric.rawValue, amount)
    }

    /// Takes from a gauge.
    ///
    /// Only the shard's own thread may call it.
    ///
    /// - Parameters:
    ///   - metric: The number.
    ///   - amount: What to take, at most what it is.
    @inlinable
    @inline(__always)
    public func subtract(_ metric: Metric, _ amount: UInt64 = 1) {
        numbers.subtract(metric.rawValue, amount)
    }

    /// Replaces a gauge.
    ///
    /// - Parameters:
    ///   - metric: The number.
    ///   - value: Its new value; nanoseconds where the unit is seconds.
    @inlinable
    @inline(__always)
    public func set(_ metric: Metric, _ value: UInt64) {
        numbers.set(metric.rawValue, value)
    }

    /// Reads a number, from any thread.
    ///
    /// - Parameter metric: The number.
    @inlinable
    public subscript(metric: Metric) -> UInt64 { numbers[metric.rawValue] }

    /// Counts a failed exchange.
    ///
    /// Only the shard's own thread may call it.
    package func countError(_ type: ProxyErrorType) {
        errors.add(type.index)
    }

    /// Adds a request's duration.
    ///
    /// Only the shard's own thread may call it.
    ///
    /// - Parameter nanoseconds: From its first octet to the last one of its response.
    @inlinable
    public func recordDuration(nanoseconds: UInt64) {
        durations.add(HistogramBuckets.index(of: nanoseconds))
        durations.add(HistogramBuckets.count, nanoseconds)
    }
}
