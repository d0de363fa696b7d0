internal import Synchronization
internal import SystemCalls

/// The one way into a loop from other threads: a queue of closures and an eventfd.
package final class Mailbox: Sendable {
    private let messages = Mutex<[@Sendable () -> Void]>([])
    private let wakeUp: WakeUp

    init() throws(SystemCallError) {
        wakeUp = try WakeUp()
    }

    var number: Int32 { wakeUp.number }

    /// Has the loop call `message` in its next tick; messages keep their order.
    package func post(_ message: @escaping @Sendable () -> Void) {
        let wasEmpty = messages.withLock { queue in
            queue.append(message)
            return queue.count == 1
        }
        if wasEmpty { wakeUp.signal() }
    }

    /// Takes everything that was posted so far.
    func takeAll() -> [@Sendable () -> Void] {
        wakeUp.clear()
        return messages.withLock { queue in
            let taken = queue
            queue = []
            return taken
        }
    }
}
