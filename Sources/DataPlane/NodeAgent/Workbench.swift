internal import EventLoop
internal import SystemCalls

/// A thread for what may block: files, name look-ups, compiling versions.
///
///     agent's loop ──job──▶ workbench ──result──▶ agent's loop
///
/// Jobs run one after another, in the order in which they were given.
final class Workbench: Sendable {
    private let home: Mailbox
    private let mailbox: Mailbox
    private let loop: Handover<EventLoop>
    private let thread: Thread

    /// Starts the thread.
    ///
    /// - Parameter home: The loop on which results are received.
    /// - Throws: `SystemCallError` when descriptors or threads have run out.
    init(home: Mailbox) throws(SystemCallError) {
        let loop = Handover(try EventLoop())
        self.home = home
        self.loop = loop
        mailbox = loop.value.mailbox
        thread = try Thread.start(name: "workbench", isBackground: true) {
            loop.value.run()
        }
    }

    /// Runs `job` on the thread.
    ///
    /// - Parameters:
    ///   - job: What may block.
    ///   - completion: Gets the result, on the loop of `home`.
    func run<Result: Sendable>(
        _ job: @escaping @Sendable () -> Result,
        then completion: @escaping (Result) -> Void
    ) {
        let (home, completion) = (home, Handover(completion))
        mailbox.post {
            let result = job()
            home.post { completion.value(result) }
        }
    }

    /// Ends the thread after the jobs that it was given.
    func stop() {
        let loop = loop
        mailbox.post { loop.value.stop() }
        thread.join()
    }
}
