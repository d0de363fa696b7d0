internal import Bytes
internal import Synchronization
package import SystemCalls

/// A block of log lines.
///
/// One thread owns it at a time: a worker that fills it, then the writer.
final class LogBlock: @unchecked Sendable {
    var buffer = Buffer(capacity: Limits.logBlockBytes)
    var recordCount: UInt64 = 0
}

/// Writes blocks of log lines on a thread of its own, so that no loop waits for a disk or a pipe.
///
///     workers ──submit──▶ bounded queue ──▶ thread ──▶ write(2)
///
/// What does not fit the queue is dropped and counted, and so is what cannot be written: a full disk
/// costs records, not requests. A line that was cut off by a failure is ended before the next one.
package final class LogWriter: Sendable {
    /// Where lines go.
    package enum Target: Equatable, Sendable {
        case standardOutput
        case standardError
        /// A file, written at its end and made if missing.
        case file(String)
    }

    private struct State {
        var queue: [LogBlock] = []
        var spare: [LogBlock] = []
        var mustReopen = false
        var isStopping = false
        var thread: Thread?
    }

    private let state = Mutex(State())
    private let wakeUp: WakeUp
    private let finished: WakeUp
    private let dropped = Atomic<UInt64>(0)
    private let failed = Atomic<UInt64>(0)
    private let queuedMax: Int

    /// Opens the target and starts the thread.
    ///
    /// - Throws: `SystemCallError` when the file cannot be opened.
    package convenience init(_ target: Target) throws(SystemCallError) {
        try self.init(target, queuedMax: Limits.logBlocksQueuedMax)
    }

    init(_ target: Target, queuedMax: Int) throws(SystemCallError) {
        self.queuedMax = queuedMax
        wakeUp = try WakeUp()
        finished = try WakeUp()
        let loop = try LogWriterLoop(writer: self, target: target, wakeUp: wakeUp.number)
        let thread = try Thread.start(name: "log") { loop.run() }
        state.withLock { $0.thread = thread }
    }

    /// Records that were dropped because the queue was full.
    package var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

    /// Records that could not be written.
    package var failedCount: UInt64 { failed.load(ordering: .relaxed) }

    /// Opens the file again, after it was renamed.
    ///
    /// Does nothing for stdout and stderr.
    package func reopen() {
        state.withLock { $0.mustReopen = true }
        wakeUp.signal()
    }

    /// Writes what waits and ends the thread.
    ///
    /// Call it once; what is submitted afterwards is dropped.
    ///
    /// - Parameter timeoutMilliseconds: How long to wait for a reader of the log that is stuck; the
    ///   thread is left alone then, until the process ends.
    package func stop(timeoutMilliseconds: Int32 = 2000) {
        let thread = state.withLock { state in
            state.isStopping = true
            return state.thread.take()
        }
        guard let thread else { return }
        wakeUp.signal()
        // Without a descriptor for the wait the process ends without its last lines.
        guard let poller = try? Poller(eventCountMax: 1),
            (try? poller.addLevelTriggered(finished.number, token: 0)) != nil,
            poller.wait(timeoutMilliseconds: timeoutMilliseconds) > 0
        else { return }
        thread.join()
    }

    /// An empty block, used before if there is one.
    func lendBlock() -> LogBlock {
        state.withLock { $0.spare.popLast() } ?? LogBlock()
    }

    /// Queues a block, or drops it when the queue is full.
    func submit(_ block: LogBlock) {
        enum Outcome { case first, queued, full }
        let outcome = state.withLock { state -> Outcome in
            guard state.queue.count < queuedMax, !state.isStopping else { return .full }
            state.queue.append(block)
            return state.queue.count == 1 ? .first : .queued
        }
        switch outcome {
        case .first: wakeUp.signal()
        case .queued: break
        case .full:
            dropped.add(block.recordCount, ordering: .relaxed)
            recycle(block)
        }
    }

    /// Takes a block back after its lines were written or given up.
    private func recycle(_ block: LogBlock) {
        block.buffer.clear()
        block.recordCount = 0
        state.withLock { state in
            if state.spare.count < Limits.logBlocksSpareMax { state.spare.append(block) }
        }
    }

    /// What the thread has to do next.
    struct Work {
        var blocks: [LogBlock]
        var mustReopen: Bool
        var isLast: Bool
    }

    func takeWork() -> Work {
        wakeUp.clear()
        return state.withLock { state in
            let work = Work(
                blocks: state.queue,
                mustReopen: state.mustReopen,
                isLast: state.isStopping
            )
            state.queue = []
            state.mustReopen = false
            return work
        }
    }

    func finish(_ block: LogBlock, written: Bool) {
        if !written { failed.add(block.recordCount, ordering: .relaxed) }
        recycle(block)
    }

    func signalEnd() {
        finished.signal()
    }
}
