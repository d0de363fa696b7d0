public import Synchronization
internal import SystemCalls

/// A row of numbers that one thread writes and any thread reads.
///
/// A write is a load, an addition and a store, all relaxed: as cheap as for a plain number, since no
/// other thread writes. A reader sees each number whole, but not several of one moment.
// SAFETY: `cells` is allocated with `count` atomics in init and freed in deinit; every index is
// checked; atomics may be used from all threads, which is what makes this Sendable.
@safe
public final class CounterCells: @unchecked Sendable {
    @usableFromInline let cells: UnsafeMutablePointer<Atomic<UInt64>>
    /// How many numbers there are.
    public let count: Int

    /// Makes `count` numbers, all 0; the first one is at the start of a line of the processor's cache.
    public init(count: Int) {
        precondition(count >= 0, "a row of \(count) numbers")
        self.count = count
        // SAFETY: the memory is bound to its one type, and every atomic is initialized before anybody sees it.
        unsafe cells = TableMemory.allocate(byteCount: Self.byteCount(count))
            .bindMemory(to: Atomic<UInt64>.self, capacity: max(count, 1))
        for index in 0..<count { unsafe (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        // SAFETY: allocated and initialized in init; nobody has the pointer any more.
        unsafe cells.deinitialize(count: count)
        unsafe TableMemory.deallocate(cells, byteCount: Self.byteCount(count))
    }

    private static func byteCount(_ count: Int) -> Int {
        max(count, 1) * MemoryLayout<Atomic<UInt64>>.stride
    }

    /// Adds to a number.
    ///
    /// Only the row's own thread may call it.
    ///
    /// - Parameters:
    ///   - index: Less than `count`.
    ///   - amount: What to add; the sum wraps at 2^64.
    @inlinable
    @inline(__always)
    public func add(_ index: Int, _ amount: UInt64 = 1) {
        precondition(index >= 0 && index < count, "no cell with this index")
        // SAFETY: the index is within the allocation.
        let cell = unsafe cells + index
        unsafe cell.pointee.store(
            cell.pointee.load(ordering: .relaxed) &+ amount,  // counters may wrap
            ordering: .relaxed
        )
    }

    /// Has a number fetched into the processor's cache, for it is to be written soon.
    ///
    /// - Parameter index: Its index; others are of no effect.
    public func prefetch(_ index: Int) {
        guard index >= 0, index < count else { return }
        // SAFETY: the index is within the allocation, and nothing is read.
        unsafe TableMemory.prefetch(cells + index)
    }

    /// Subtracts from a number.
    ///
    /// Only the row's own thread may call it.
    ///
    /// - Parameters:
    ///   - index: Less than `count`.
    ///   - amount: At most the number.
    @inlinable
    @inline(__always)
    public func subtract(_ index: Int, _ amount: UInt64 = 1) {
        add(index, 0 &- amount)  // the sum is the difference modulo 2^64
    }

    /// Replaces a number.
    ///
    /// - Parameters:
    ///   - index: Less than `count`.
    ///   - value: The new number.
    @inlinable
    @inline(__always)
    public func set(_ index: Int, _ value: UInt64) {
        precondition(index >= 0 && index < count, "no cell with this index")
        // SAFETY: the index is within the allocation.
        unsafe cells[index].store(value, ordering: .relaxed)
    }

    /// Reads a number, from any thread.
    ///
    /// - Parameter index: Less than `count`.
    @inlinable
    public subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "no cell with this index")
        // SAFETY: the index is within the allocation.
        return unsafe cells[index].load(ordering: .relaxed)
    }
}
