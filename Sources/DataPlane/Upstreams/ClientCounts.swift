internal import Synchronization

/// How many connections each client has open to a listener, over all its workers; the limit is exact.
///
/// Used only where a limit is set: once as a connection is accepted and once as it is closed.
package final class ClientCounts: Sendable {
    /// What stands for a client: an IPv4 address, or the /64 of an IPv6 address, which one client has all of.
    package struct Client: Hashable, Sendable {
        private let high: UInt64
        private let low: UInt64

        /// Takes an address as sixteen octets; IPv4 in its IPv4-mapped form.
        package init(high: UInt64, low: UInt64) {
            (self.high, self.low) = high == 0 && low >> 32 == 0xFFFF ? (0, low) : (high, 0)
        }
    }

    private let counts = Mutex<[Client: Int]>([:])
    private let beginnings = Mutex(Beginnings())

    /// What clients have begun in a second.
    private struct Beginnings {
        var second: UInt64 = 0
        var counts: [Client: Int] = [:]
    }

    /// Makes counts of zero.
    package init() {}

    /// Counts one more of the client unless the limit is reached.
    ///
    /// - Parameters:
    ///   - client: Whose connection it is.
    ///   - limit: How many it may have.
    /// - Returns: Whether there was room; then `remove` is owed.
    package func add(_ client: Client, limit: Int) -> Bool {
        counts.withLock { counts in
            let count = counts[client, default: 0]
            guard count < limit else { return false }
            counts[client] = count + 1
            return true
        }
    }

    /// Counts something that the client begins, such as a handshake, unless it has begun so many in this second.
    ///
    /// - Parameters:
    ///   - client: Who begins.
    ///   - limit: How many in a second.
    ///   - second: Which second it is; of two workers that differ, the later one counts.
    /// - Returns: Whether it may.
    /// - Complexity: O(1), but for the first of a second, which frees the counts of the last.
    package func begin(_ client: Client, limit: Int, second: UInt64) -> Bool {
        beginnings.withLock { beginnings in
            if second > beginnings.second {
                beginnings.second = second
                beginnings.counts.removeAll(keepingCapacity: beginnings.counts.count < 1024)
            }
            let count = beginnings.counts[client, default: 0]
            guard count < limit else { return false }
            beginnings.counts[client] = count + 1
            return true
        }
    }

    /// Counts one less of the client.
    package func remove(_ client: Client) {
        counts.withLock { counts in
            guard let count = counts[client] else { return }
            counts[client] = count > 1 ? count - 1 : nil
        }
    }
}
