package import SystemCalls

/// A thread's event loop on epoll.
///
/// One tick, in order:
///
///     wait ─▶ read the clock ─▶ ready handlers ─▶ deferred work ─▶ mailbox ─▶ deadlines ─▶ wait
///
/// Descriptors are registered once, edge-triggered. Everything a loop owns is touched by its own
/// thread alone; other threads use `mailbox`. The interface says what became possible and lends
/// buffers for one call, so that a completion-based engine could stand in its place.
package final class EventLoop {
    /// The way in from other threads.
    package let mailbox: Mailbox
    /// The moment at which this tick began.
    package private(set) var now: LoopInstant
    /// What the last ticks cost; read and cleared by the owner.
    package private(set) var longestTickNanoseconds: UInt64 = 0

    let poller: Poller
    var handlers = HandlerTable()
    var timers: LoopTimers
    var deferred: [UInt64] = []
    var deferredNow: [UInt64] = []
    private var threadNumber: UInt = 0
    private var isStopping = false

    private static let mailboxToken: UInt64 = 0

    /// Makes a loop that no thread runs yet.
    ///
    /// - Throws: `SystemCallError` when there is no descriptor left.
    package init() throws(SystemCallError) {
        poller = try Poller(eventCountMax: Limits.eventsPerTick)
        mailbox = try Mailbox()
        now = .now
        timers = LoopTimers(now: now)
        try poller.addLevelTriggered(mailbox.number, token: Self.mailboxToken)
    }

    /// How many handlers are registered; tests expect what they started with.
    package var handlerCount: Int { handlers.count }

    /// Runs ticks on the calling thread until `stop`.
    package func run() {
        threadNumber = currentThreadNumber()
        now = .now
        while !isStopping { tick(timeoutMilliseconds: timeout()) }
        threadNumber = 0
    }

    /// Ends `run` after this tick.
    ///
    /// Call it on the loop.
    package func stop() {
        assertOnLoop()
        isStopping = true
    }

    /// Lets go of all handlers, so that nothing keeps anything alive.
    ///
    /// Call it after `run`.
    package func removeAllHandlers() {
        handlers.removeAll()
        deferred = []
    }

    /// The handlers that are registered now; for what happens rarely, such as closing all of a kind.
    package var allHandlers: [any EventHandler] { handlers.places.compactMap(\.handler) }

    /// Runs one tick; tests drive a loop with it.
    ///
    /// - Parameter timeoutMilliseconds: How long to wait for an event; -1 for ever.
    package func tick(timeoutMilliseconds: Int32) {
        let count = poller.wait(timeoutMilliseconds: timeoutMilliseconds)
        now = .now
        var hasMail = false
        for index in 0..<count {
            let (token, readiness) = poller.event(at: index)
            if token == Self.mailboxToken {
                hasMail = true
            } else if let place = handlers.place(of: token) {
                handlers.places[place].handler?.ready(readiness)
            }
        }
        runDeferred()
        if hasMail { for message in mailbox.takeAll() { message() } }
        runTimers()
        let busy = LoopInstant.now.nanoseconds(since: now)
        if busy > longestTickNanoseconds { longestTickNanoseconds = busy }
    }

    /// Reads and clears the longest tick.
    ///
    /// - Returns: Nanoseconds from the wake-up to the end of the longest tick since the last call.
    package func takeLongestTick() -> UInt64 {
        defer { longestTickNanoseconds = 0 }
        return longestTickNanoseconds
    }

    /// Stops with a message when another thread than the loop's is in here.
    @inline(__always)
    package func assertOnLoop() {
        assert(
            threadNumber == 0 || threadNumber == currentThreadNumber(),
            "a loop's state is touched from another thread"
        )
    }

    /// Milliseconds until the next deadline, rounded up; 0 when work is put off; -1 for ever.
    private func timeout() -> Int32 {
        if !deferred.isEmpty { return 0 }
        guard let next = timers.nextInstant() else { return -1 }
        let rest = next.nanoseconds(since: now)
        return Int32(clamping: (rest + 999_999) / 1_000_000)
    }
}
