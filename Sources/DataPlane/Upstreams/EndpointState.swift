internal import Synchronization

/// What the workers of a node and its monitor share of one endpoint, in every version that names it: atomics alone.
package final class EndpointState: Sendable {
    /// Open connections to it.
    package let count: ConnectionCount
    /// What tries at it came to.
    package let outcomes: EndpointOutcomes
    /// Requests in flight at it and how long they take, where the balancing looks at that.
    package let load = EndpointLoad()

    /// Makes the state of an endpoint that nobody has used yet.
    ///
    /// - Parameters:
    ///   - connectionsMax: How many connections may be open; `.max` for no limit.
    ///   - workerCount: How many workers there are.
    package init(connectionsMax: Int, workerCount: Int = 1) {
        count = ConnectionCount(limit: connectionsMax)
        outcomes = EndpointOutcomes(workerCount: workerCount)
    }
}

/// What the workers of a node and its monitor share of one upstream, in every version that names it.
package final class UpstreamState: Sendable {
    /// Open connections to all of its endpoints.
    package let count: ConnectionCount
    /// Requests that wait for one.
    package let waiting: ConnectionCount
    /// The workers on which they do; one bit for all whose indices are the same modulo 64.
    private let waitingWorkers = Atomic<UInt64>(0)
    /// Requests in flight at all of its endpoints, where the balancing looks at that.
    package let load = UpstreamLoad()

    /// Makes the state of an upstream that nobody has used yet.
    ///
    /// - Parameters:
    ///   - connectionsMax: How many connections may be open.
    ///   - waitingMax: How many requests may wait for one.
    package init(connectionsMax: Int, waitingMax: Int = 0) {
        count = ConnectionCount(limit: connectionsMax)
        waiting = ConnectionCount(limit: waitingMax)
    }

    /// Notes whether requests wait on a worker.
    package func note(isWaiting: Bool, on worker: Int) {
        let bit: UInt64 = 1 << UInt64(worker & 63)
        if isWaiting {
            waitingWorkers.bitwiseOr(bit, ordering: .sequentiallyConsistent)
        } else {
            waitingWorkers.bitwiseAnd(~bit, ordering: .relaxed)
        }
    }

    /// The next worker behind another one on which requests wait, or one that shares its bit.
    ///
    /// - Parameters:
    ///   - worker: The other one's index.
    ///   - workerCount: How many there are.
    /// - Returns: Its index; `nil` when none wait elsewhere.
    package func waitingWorker(after worker: Int, of workerCount: Int) -> Int? {
        let bits = waitingWorkers.load(ordering: .relaxed)
        guard bits != 0, workerCount > 1 else { return nil }
        for step in 1..<workerCount {
            let other = (worker + step) % workerCount
            if bits & 1 << UInt64(other & 63) != 0 { return other }
        }
        return nil
    }
}
