/// Bounds of a loop's tick.
enum Limits {
    /// Events taken from the kernel at once.
    ///
    /// Enough to share one epoll_wait(2) among many connections;
    /// small enough that the mailbox and deadlines are seen soon.
    static let eventsPerTick = 512
    /// How often lag is measured: some times before what is measured by, tens of milliseconds, has passed, and seldom enough
    /// to cost nothing.
    static let lagIntervalNanoseconds: UInt64 = 10_000_000
    /// A wait for events from which on the loop has slept, so that nothing can have waited for it; a thread that the system
    /// has put aside for others mostly runs again before.
    static let sleepNanosecondsMin: UInt64 = 5_000_000
}
