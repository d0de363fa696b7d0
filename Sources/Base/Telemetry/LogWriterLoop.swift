internal import Bytes
internal import SystemCalls

/// The body of a log writer's thread.
///
/// Made by another thread, and touched by its own one from then on.
final class LogWriterLoop: @unchecked Sendable {
    private let writer: LogWriter
    private let target: LogWriter.Target
    private let poller: Poller
    private var output: Int32
    /// Whether a failure cut off the last line.
    private var isInsideLine = false

    init(writer: LogWriter, target: LogWriter.Target, wakeUp: Int32) throws(SystemCallError) {
        self.writer = writer
        self.target = target
        poller = try Poller(eventCountMax: 1)
        try poller.addLevelTriggered(wakeUp, token: 0)
        output = try Self.open(target)
    }

    /// Writes blocks as they come, until the writer is stopped.
    func run() {
        while true {
            _ = poller.wait(timeoutMilliseconds: -1)
            let work = writer.takeWork()
            for block in work.blocks {
                let written = block.buffer.withReadable { write($0) }
                writer.finish(block, written: written)
            }
            if work.mustReopen { reopen() }
            if work.isLast { break }
        }
        if case .file = target { closeDescriptor(output) }
        writer.signalEnd()
    }

    private static func open(_ target: LogWriter.Target) throws(SystemCallError) -> Int32 {
        switch target {
        case .standardOutput: 1
        case .standardError: 2
        case .file(let path): try openFile(path, .append, mode: 0o640).release()
        }
    }

    private func reopen() {
        guard case .file = target else { return }
        // A file that cannot be opened again leaves the old one in use; the next signal tries again.
        guard let opened = try? Self.open(target) else { return }
        closeDescriptor(output)
        output = opened
        isInsideLine = false
    }

    /// Writes whole lines; ends one that was cut off before.
    private func write(_ lines: Span<UInt8>) -> Bool {
        if isInsideLine {
            let end: [UInt8] = [UInt8(ascii: "\n")]
            guard writeOctets(end.span) == 1 else { return false }
            isInsideLine = false
        }
        let done = writeOctets(lines)
        if done < lines.count { isInsideLine = done > 0 && lines[done - 1] != UInt8(ascii: "\n") }
        return done == lines.count
    }

    /// Writes until everything is out or a call fails, and says how far it came.
    private func writeOctets(_ octets: Span<UInt8>) -> Int {
        var done = 0
        while done < octets.count {
            switch SystemCalls.write(output, octets.extracting(done..<octets.count)) {
            case .count(0), .failed: return done
            case .count(let count): done += count
            case .wouldBlock:
                guard waitUntilWritable() else { return done }
            }
        }
        return done
    }

    /// Waits for a pipe or terminal that somebody made non-blocking.
    private func waitUntilWritable() -> Bool {
        // Without a descriptor for the wait the lines are given up and counted.
        guard let waiter = try? Poller(eventCountMax: 1),
            (try? waiter.add(output, token: 0)) != nil
        else { return false }
        return waiter.wait(timeoutMilliseconds: -1) >= 0
    }
}
