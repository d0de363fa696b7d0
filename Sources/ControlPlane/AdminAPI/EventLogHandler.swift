import Foundation
package import Logging
import Synchronization
import SystemCalls

/// Writes log messages to stderr as events: a stable name, then fields.
///
///     2026-11-24T14:36:35.123Z warning node.refused why="the token was used"
///
/// Lines leave on a queue of their own, so that a stuck reader of stderr stops nobody; what does not fit the
/// queue is dropped. Repeats of an event are limited, and their number is told later (`suppressed=12`).
package struct EventLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let output: EventLogOutput

    /// Writes messages of `level` and above.
    package init(level: Logger.Level, output: EventLogOutput) {
        (logLevel, self.output) = (level, output)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        guard let suppressed = output.admit(event.message.description) else { return }
        var fields = metadata
        if let more = event.metadata { fields.merge(more) { _, new in new } }
        var line = timestamp(Int64(realtimeNanoseconds() / 1_000_000))
        line += " \(Self.word(event.level)) \(event.message)"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            line += " \(name)=\(Self.quoted("\(value)"))"
        }
        if suppressed > 0 { line += " suppressed=\(suppressed)" }
        output.write(line + "\n")
    }

    private static func word(_ level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "debug"
        case .info: "info"
        case .notice: "notice"
        case .warning: "warning"
        case .error, .critical: "error"
        }
    }

    /// The value as it is if it is one plain word, else as a JSON string.
    static func quoted(_ value: String) -> String {
        let isPlain = value.utf8.allSatisfy { octet in
            octet > 0x20 && octet < 0x7F && octet != UInt8(ascii: "\"")
                && octet != UInt8(ascii: "\\") && octet != UInt8(ascii: "=")
        }
        if isPlain, !value.isEmpty { return value }
        var result = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The one way to stderr of a process, shared by its loggers.
package final class EventLogOutput: Sendable {
    private struct Repeats {
        var windowStart: UInt64
        var count: Int
        var suppressed: Int
    }

    private let queue = DispatchQueue(label: "weir.log")
    private let waiting = Atomic<Int>(0)
    private let repeats = Mutex<[String: Repeats]>([:])

    /// An output without lines in it.
    package init() {}

    /// Writes a line when those before it are written.
    package func write(_ line: String) {
        let count = waiting.wrappingAdd(1, ordering: .relaxed).newValue
        guard count <= AdminLimits.logLinesMax else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            return
        }
        queue.async {
            // stderr is the last resort: there is nowhere to report its failure.
            try? writeAll(2, Array(line.utf8).span)
            self.waiting.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    /// Returns when all that was written before is out, or after two seconds of a stuck reader.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 2)
    }

    /// How many repeats of an event were left out before this one; nil if this one is left out too.
    func admit(_ event: String, now: UInt64 = monotonicNanoseconds()) -> Int? {
        repeats.withLock { repeats in
            let window = AdminLimits.logWindowSeconds * 1_000_000_000
            guard var entry = repeats[event], now - entry.windowStart < window else {
                let suppressed = repeats[event]?.suppressed ?? 0
                repeats[event] = Repeats(windowStart: now, count: 1, suppressed: 0)
                return suppressed
            }
            defer { repeats[event] = entry }
            if entry.count >= AdminLimits.logRepeatsMax {
                entry.suppressed += 1
                return nil
            }
            entry.count += 1
            return 0
        }
    }
}
