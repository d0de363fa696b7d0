internal import Bytes
internal import Synchronization
internal import SystemCalls

/// How much an event of the program matters (style.md, Logging).
package enum EventLevel: String, Sendable {
    /// An operator must act.
    case error
    /// Degraded, and healing by itself.
    case warning
    /// A step of the process's life.
    case notice
    case debug
}

/// The program's own log on stderr: events with a stable name and fields.
///
///     2026-11-24T14:36:35.123Z warning upstream.connect_failed upstream=api errno=ECONNREFUSED
///
/// Repeats of an event about the same thing (its first field) are limited; how many were left out is
/// told with the next one (`suppressed=12`). Lines go out through a writer's thread, so that a stuck
/// reader of stderr stops nobody.
package final class EventLog: Sendable {
    private struct Repeats {
        var windowStart: UInt64
        var count: Int
        var suppressed: UInt64
    }

    private struct State {
        var repeats: [String: Repeats] = [:]
        var clock = LogClock()
    }

    private let writer: LogWriter?
    private let sink: (@Sendable (String) -> Void)?
    private let now: @Sendable () -> UInt64
    private let showsDebug: Bool
    private let state = Mutex(State())

    /// Makes a log on stderr.
    ///
    /// Without a thread for it, which is what running out of them means, lines are written at once.
    ///
    /// - Parameter showsDebug: Whether `.debug` events are written.
    package init(showsDebug: Bool = false) {
        // Falls back to writing at once, as documented.
        writer = try? LogWriter(.standardError)
        sink = nil
        now = { realtimeNanoseconds() }
        self.showsDebug = showsDebug
    }

    /// Makes a log that calls `sink` with each line, for tests.
    package init(
        now: @escaping @Sendable () -> UInt64,
        sink: @escaping @Sendable (String) -> Void
    ) {
        writer = nil
        self.sink = sink
        self.now = now
        showsDebug = true
    }

    /// Writes an event.
    ///
    /// - Parameters:
    ///   - level: How much it matters.
    ///   - event: Its stable name: `<thing>.<what_happened>`.
    ///   - fields: Names and values; the first one says what the event is about. Values are quoted and escaped
    ///     as needed, and cut at 2 KiB. Never pass secrets or field values of requests.
    package func write(
        _ level: EventLevel,
        _ event: StaticString,
        _ fields: KeyValuePairs<StaticString, String> = [:]
    ) {
        guard level != .debug || showsDebug else { return }
        let name = "\(event)"
        let moment = now()
        state.withLock { state in
            let key = name + " " + (fields.first?.value ?? "")
            guard let suppressed = admit(key, moment, &state.repeats) else { return }
            var line = Buffer(capacity: Limits.logBlockBytes / 8)
            state.clock.appendInternet(moment, to: &line)
            line.append(" \(level.rawValue) \(name)")
            for (field, value) in fields {
                line.append(" \(field)=")
                append(value, to: &line)
            }
            if suppressed > 0 { line.append(" suppressed=\(suppressed)") }
            line.append(UInt8(ascii: "\n"))
            emit(&line)
        }
    }

    /// Writes what waits; call it before the process ends.
    package func stop() {
        writer?.stop()
    }

    /// Whether the event may be written: how many were left out before it, or `nil` when it is left out too.
    private func admit(
        _ key: String,
        _ moment: UInt64,
        _ repeats: inout [String: Repeats]
    ) -> UInt64? {
        let window = Limits.eventWindowSeconds * 1_000_000_000
        guard var entry = repeats[key], moment >= entry.windowStart else {
            if repeats.count >= Limits.eventKeysMax { repeats.removeAll(keepingCapacity: true) }
            repeats[key] = Repeats(windowStart: moment, count: 1, suppressed: 0)
            return 0
        }
        if moment - entry.windowStart >= window {
            let suppressed = entry.suppressed
            repeats[key] = Repeats(windowStart: moment, count: 1, suppressed: 0)
            return suppressed
        }
        defer { repeats[key] = entry }
        guard entry.count < Limits.eventRepeatsMax else {
            entry.suppressed += 1
            return nil
        }
        entry.count += 1
        return 0
    }

    private func append(_ value: String, to line: inout Buffer) {
        let octets = Array(value.utf8.prefix(Limits.eventValueBytesMax))
        let isPlain = octets.allSatisfy { octet in
            octet > 0x20 && octet < 0x7F && octet != UInt8(ascii: "\"")
                && octet != UInt8(ascii: "\\") && octet != UInt8(ascii: "=")
        }
        if isPlain, !octets.isEmpty {
            line.append(octets.span)
            return
        }
        // A line has room for one value in full; many long ones are cut at its end.
        guard line.writableCount > octets.count * 6 + 256 else { return }
        line.append(UInt8(ascii: "\""))
        LogText.appendJSON(octets.span, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    private func emit(_ line: inout Buffer) {
        if let sink {
            sink(
                line.withReadable { octets in
                    String(decoding: octets.indices.map { octets[$0] }, as: UTF8.self)
                }
            )
            return
        }
        guard let writer else {
            // stderr is the last resort: there is nowhere to report its failure.
            line.withReadable { octets in _ = try? writeAll(2, octets) }
            return
        }
        let block = writer.lendBlock()
        line.withReadable { octets in _ = block.buffer.append(octets) }
        block.recordCount = 1
        writer.submit(block)
    }
}
