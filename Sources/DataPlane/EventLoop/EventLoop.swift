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
    private var onLag: ((UInt64) -> Void)?
    /// When lag is measured next; `never` while nobody asks, or it is being measured.
    private var lagDue = LoopInstant.never
    private var tickEnded = LoopInstant.never
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
        onLag = nil
    }

    /// The handlers that are registered now; for what happens rarely, such as closing all of a kind.
    package var allHandlers: [any EventHandler] { handlers.places.compactMap(\.handler) }

    /// Runs one tick; tests drive a loop with it.
    ///
    /// - Parameter timeoutMilliseconds: How long to wait for an event; -1 for ever.
    package func tick(timeoutMilliseconds: Int32) {
        let count = poller.wait(timeoutMilliseconds: timeoutMilliseconds)
        now = .now
        if now >= lagDue { measureLag() }
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
        tickEnded = .now
        let busy = tickEnded.nanoseconds(since: now)
        if busy > longestTickNanoseconds { longestTickNanoseconds = busy }
    }

    /// Has lag measured from now on: how long what becomes ready waits until the loop sees it.
    ///
    /// While the loop has work, a message goes through its own mailbox now and then, and waits behind all that is ready.
    /// Call it on the loop.
    ///
    /// - Parameter onLag: Gets each measure, in nanoseconds; 0 when the loop has slept. `nil` ends it.
    package func watchLag(_ onLag: ((UInt64) -> Void)?) {
        assertOnLoop()
        self.onLag = onLag
        lagDue = onLag == nil ? .never : now
    }

    private func measureLag() {
        guard now.nanoseconds(since: tickEnded) < Limits.sleepNanosecondsMin else {
            lagDue = now.advanced(by: Limits.lagIntervalNanoseconds)
            onLag?(0)
            return
        }
        lagDue = .never
        let (loop, posted) = (Handover(self), now)
        mailbox.post { loop.value.lagMeasured(since: posted) }
    }

    private func lagMeasured(since posted: LoopInstant) {
        guard let onLag, lagDue == .never else { return }
        lagDue = now.advanced(by: Limits.lagIntervalNanoseconds)
        onLag(max(LoopInstant.now.nanoseconds(since: posted), 1))
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
