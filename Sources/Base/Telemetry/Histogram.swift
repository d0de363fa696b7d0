/// The buckets of a log-linear histogram over whole numbers.
///
///     value < 16        one bucket each
///     2^k ≤ value < 2^(k+1), k ≥ 4    16 buckets of equal width
///
/// A value is known to 1/16 of itself, from 1 ns to 584 years, in 976 buckets.
public enum HistogramBuckets {
    /// How many buckets there are.
    public static let count = 976

    /// The bucket of a value.
    ///
    /// - Parameter value: What was measured.
    /// - Returns: Its bucket, less than `count`.
    @inlinable
    public static func index(of value: UInt64) -> Int {
        guard value >= 16 else { return Int(value) }
        let shift = 59 - value.leadingZeroBitCount  // 0 ... 59, since value >= 16
        return shift * 16 + Int(truncatingIfNeeded: value >> UInt64(shift))
    }

    /// The smallest value of a bucket.
    ///
    /// - Parameter index: Less than `count`.
    /// - Returns: The value.
    public static func lowerBound(of index: Int) -> UInt64 {
        guard index >= 32 else { return UInt64(max(index, 0)) }
        let shift = UInt64(index / 16 - 1)
        return UInt64(index % 16 + 16) << shift
    }
}

/// The content of a histogram at one moment; sparse, so it is small to keep and to send.
public struct HistogramSnapshot: Equatable, Sendable {
    /// One bucket that is not empty.
    public struct Bucket: Equatable, Sendable {
        public var index: Int
        public var count: UInt64

        /// A bucket's place and how many values are in it.
        public init(index: Int, count: UInt64) {
            self.index = index
            self.count = count
        }
    }

    /// The buckets that are not empty, by rising index.
    public private(set) var buckets: [Bucket]
    /// The sum of all values, exactly; it wraps at 2^64.
    public private(set) var sum: UInt64

    /// Makes a snapshot of buckets with rising indexes.
    public init(buckets: [Bucket] = [], sum: UInt64 = 0) {
        self.buckets = buckets
        self.sum = sum
    }

    /// How many values there are.
    public var count: UInt64 { buckets.reduce(0) { $0 &+ $1.count } }  // 2^64 requests: never

    /// Adds another histogram's content.
    public mutating func merge(_ other: HistogramSnapshot) {
        var merged: [Bucket] = []
        merged.reserveCapacity(buckets.count + other.buckets.count)
        var rest = other.buckets[...]
        for bucket in buckets {
            while let next = rest.first, next.index < bucket.index {
                merged.append(next)
                rest = rest.dropFirst()
            }
            if let next = rest.first, next.index == bucket.index {
                let sum = bucket.count &+ next.count  // counts of what was measured
                merged.append(Bucket(index: bucket.index, count: sum))
                rest = rest.dropFirst()
            } else {
                merged.append(bucket)
            }
        }
        merged.append(contentsOf: rest)
        buckets = merged
        sum = sum &+ other.sum  // documented to wrap
    }

    /// What came in since an earlier snapshot of the same histogram.
    public func since(_ earlier: HistogramSnapshot) -> HistogramSnapshot {
        var counts: [Int: UInt64] = [:]
        for bucket in earlier.buckets { counts[bucket.index] = bucket.count }
        let difference = buckets.compactMap { bucket -> Bucket? in
            let before = counts[bucket.index] ?? 0
            guard bucket.count > before else { return nil }
            return Bucket(index: bucket.index, count: bucket.count - before)
        }
        return HistogramSnapshot(buckets: difference, sum: sum &- earlier.sum)  // wraps alike
    }

    /// The value below which the given share of all values lies.
    ///
    /// - Parameter share: From 0 to 1; 0.99 is the 99th percentile.
    /// - Returns: The middle of the bucket that holds it, or `nil` when there is no value.
    public func percentile(_ share: Double) -> UInt64? {
        let total = count
        guard total > 0 else { return nil }
        let rank = max(1, UInt64((Double(total) * min(max(share, 0), 1)).rounded(.up)))
        var seen: UInt64 = 0
        for bucket in buckets {
            seen += bucket.count
            if seen >= rank { return middle(of: bucket.index) }
        }
        return buckets.last.map { middle(of: $0.index) }
    }

    private func middle(of index: Int) -> UInt64 {
        let low = HistogramBuckets.lowerBound(of: index)
        guard index + 1 < HistogramBuckets.count else { return low }
        return low + (HistogramBuckets.lowerBound(of: index + 1) - low) / 2
    }
}
