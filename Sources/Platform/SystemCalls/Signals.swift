internal import CLinux
internal import Glibc

/// A signal that the servers react to.
package enum Signal: Int32, CaseIterable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case user1 = 10
    case user2 = 12
    case terminate = 15
}

/// Signals as something to read (signalfd(2)), in place of handlers.
package struct SignalQueue: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    /// Blocks `signals` in this thread, and so in those that it starts afterwards.
    package init(_ signals: [Signal]) throws(SystemCallError) {
        let numbers = signals.map(\.rawValue)
        let count = Int32(clamping: numbers.count)
        // SAFETY: the array lives for the call and its count is given.
        let number = try check("signalfd") { unsafe weir_signal_descriptor(numbers, count) }
        descriptor = FileDescriptor(owning: number)
    }

    /// The number to register with a `Poller`.
    package var number: Int32 { descriptor.number }

    /// The next signal that waits, or `nil`.
    package borrowing func next() -> Signal? {
        Signal(rawValue: weir_next_signal(descriptor.number))
    }
}

/// Makes writes to a closed pipe return EPIPE in place of ending the process.
package func ignoreBrokenPipes() {
    _ = signal(SIGPIPE, SIG_IGN)
}
