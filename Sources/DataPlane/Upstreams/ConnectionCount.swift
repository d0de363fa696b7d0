internal import Synchronization

/// How many connections a node has open to something, over all its workers; the limit is exact.
package final class ConnectionCount: Sendable {
    private let value = Atomic<Int>(0)
    private let limitValue: Atomic<Int>

    /// Makes a count of zero.
    ///
    /// - Parameter limit: How many are allowed; `.max` for no limit.
    package init(limit: Int) {
        limitValue = Atomic(limit)
    }

    /// Connections that are open now.
    package var current: Int { value.load(ordering: .relaxed) }

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
        return false
    }

    /// Counts one less.
    package func remove() {
        value.wrappingSubtract(1, ordering: .relaxed)
    }
}
