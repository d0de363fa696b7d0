internal import Synchronization

/// How many connections a node has open to something, over all its workers; the limit is exact.
package final class ConnectionCount: Sendable {
    private let value = Atomic<Int>(0)
    private let limitValue: Atomic<Int>
    private let refusedOne = Atomic<Bool>(false)

    /// Makes a count of zero.
    ///
    /// - Parameter limit: How many are allowed; `.max` for no limit.
    package init(limit: Int) {
        limitValue = Atomic(limit)
    }

    /// Connections that are open now.
    package var current: Int { value.load(ordering: .relaxed) }

    /// Whether there is room for no other one.
    package var isFull: Bool { current >= limitValue.load(ordering: .relaxed) }

    /// Changes the limit; what is open above it stays.
    ///
    /// - Parameter limit: The new limit.
    package func setLimit(_ limit: Int) {
        limitValue.store(limit, ordering: .relaxed)
    }

    /// Counts one more unless the limit is reached.
    ///
    /// - Returns: Whether there was room; then `remove` is owed.
    package func add() -> Bool {
        let limit = limitValue.load(ordering: .relaxed)
        if value.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        value.wrappingSubtract(1, ordering: .relaxed)
        refusedOne.store(true, ordering: .relaxed)
        return false
    }

    /// Whether `add` has refused one while the limit was reached, and it still is.
    ///
    /// Connections that rest should go then: they may be another worker's to make.
    package var wantsRoom: Bool {
        guard refusedOne.load(ordering: .relaxed) else { return false }
        if current >= limitValue.load(ordering: .relaxed) { return true }
        refusedOne.store(false, ordering: .relaxed)
        return false
    }

    /// Counts one less.
    package func remove() {
        value.wrappingSubtract(1, ordering: .relaxed)
    }
}
