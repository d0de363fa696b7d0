import EventLoop
import SystemCalls

/// Writes events as JSON lines to standard output, some at a time.
///
/// Confined to its loop.
final class EventWriter {
    /// What can happen to a node.
    enum Event: String {
        case joined, welcomed, settled, active, disconnected
    }

    private var lines: [UInt8] = []
    private var timer: LoopTimer?

    init(on loop: EventLoop) {
        timer = LoopTimer(on: loop) { [unowned self] in flush() }
    }

    /// Notes an event that happens now.
    ///
    /// - Parameters:
    ///   - event: What happens.
    ///   - node: To whom; letters, digits and hyphens.
    ///   - version: What the node serves, 0 for nothing.
    ///   - wanted: Contents that it had to ask for.
    ///   - octets: What its connection received since its last event.
    func write(_ event: Event, node: String, version: UInt64, wanted: Int, octets: UInt64) {
        let line = """
            {"node":"\(node)","event":"\(event.rawValue)","version":\(version),"wanted":\(wanted),\
            "octets":\(octets),"monotonic":\(monotonicNanoseconds()),"realtime":\(realtimeNanoseconds())}\n
            """
        if lines.isEmpty { timer?.set(after: .milliseconds(Limits.eventDelayMilliseconds)) }
        lines += line.utf8
    }

    /// Says what went wrong, on standard error.
    func note(_ text: String) {
        // Standard error is the last resort: there is nowhere to report its failure.
        try? writeAll(2, Array("\(text)\n".utf8).span)
    }

    /// Writes what is held back.
    func flush() {
        guard !lines.isEmpty else { return }
        do throws(SystemCallError) {
            try writeAll(1, lines.span)
        } catch {
            note("events are lost: \(error)")
        }
        lines.removeAll(keepingCapacity: true)
    }
}
