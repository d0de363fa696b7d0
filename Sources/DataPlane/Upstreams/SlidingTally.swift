internal import Structures

/// Two counts of the last moments, over all workers of a node.
///
///     worker 0: | time, first | time, second | … ten buckets … |   worker 1: | … |
///
/// Each worker writes its own buckets alone, so that counting is a load and a store and no line of the processor's
/// cache goes from one to another. Reading adds all of them up: for what happens rarely. A bucket of another time
/// counts as empty, and is begun anew by the first who counts in it.
package final class SlidingTally: Sendable {
    private let cells: CounterCells
    private let workerCount: Int

    /// Buckets in the time that counts: what is a tenth too old is forgotten.
    package static let bucketCount: UInt64 = 10
    /// Two cells a bucket, and some between two workers.
    private static let stride = 32

    /// Sums of both counts.
    package struct Sums: Equatable, Sendable {
        package var first: UInt64 = 0
        package var second: UInt64 = 0
    }

    /// Makes counts of zero.
    ///
    /// - Parameter workerCount: How many count; at least 1.
    package init(workerCount: Int) {
        self.workerCount = workerCount
        cells = CounterCells(count: workerCount * Self.stride)
    }

    /// The number of the bucket that a moment belongs to.
    ///
    /// - Parameters:
    ///   - nanoseconds: The moment.
    ///   - window: The time that counts, in nanoseconds.
    /// - Returns: The number, which grows with time.
    package static func bucket(of nanoseconds: UInt64, window: UInt64) -> UInt64 {
        nanoseconds / max(window / bucketCount, 1)
    }

    /// Adds to the counts of a bucket.
    ///
    /// Only the worker itself may call it. A count stops at 2^32 - 1.
    ///
    /// - Parameters:
    ///   - worker: Its index, less than the number of workers.
    ///   - bucket: The current bucket's number.
    ///   - first: What to add to the first count; a negative number takes back what was added.
    ///   - second: What to add to the second count.
    package func add(worker: Int, bucket: UInt64, first: Int64 = 0, second: Int64 = 0) {
        guard worker >= 0, worker < workerCount else { return }
        let index = worker * Self.stride + Int(bucket % Self.bucketCount) * 2
        if first != 0 { add(first, to: index, bucket) }
        if second != 0 { add(second, to: index + 1, bucket) }
    }

    private func add(_ amount: Int64, to index: Int, _ bucket: UInt64) {
        let time = bucket & 0xFFFF_FFFF
        let cell = cells[index]
        let count = cell >> 32 == time ? Int64(cell & 0xFFFF_FFFF) : 0
        let sum = min(max(count + min(amount, 1 << 32), 0), 0xFFFF_FFFF)
        cells.set(index, time << 32 | UInt64(sum))
    }

    /// Adds up what all workers have counted.
    ///
    /// - Parameters:
    ///   - last: The current bucket's number.
    ///   - first: The first bucket that counts, if that is later than the window begins.
    /// - Returns: The sums.
    package func sums(through last: UInt64, from first: UInt64 = 0) -> Sums {
        let oldest = last >= Self.bucketCount ? last - Self.bucketCount + 1 : 0
        var sums = Sums()
        guard max(first, oldest) <= last else { return sums }
        for bucket in max(first, oldest)...last {
            let time = bucket & 0xFFFF_FFFF
            for worker in 0..<workerCount {
                let index = worker * Self.stride + Int(bucket % Self.bucketCount) * 2
                let (one, other) = (cells[index], cells[index + 1])
                if one >> 32 == time { sums.first += one & 0xFFFF_FFFF }
                if other >> 32 == time { sums.second += other & 0xFFFF_FFFF }
            }
        }
        return sums
    }
}
