/// Bounds of a loop's tick.
enum Limits {
    /// Events taken from the kernel at once.
    ///
    /// Enough to share one epoll_wait(2) among many connections;
    /// small enough that the mailbox and deadlines are seen soon.
    static let eventsPerTick = 512
}
