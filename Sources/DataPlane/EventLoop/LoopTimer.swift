/// A deadline of its own on a loop, for what has no descriptor.
///
/// Confined to its loop, which owns it until `stop`.
package final class LoopTimer: EventHandler {
    private unowned let loop: EventLoop
    private let action: () -> Void
    private var registration = Registration.none

    /// Makes a timer that is not set.
    ///
    /// - Parameters:
    ///   - loop: Outlives the timer.
    ///   - action: Called when the time has passed, once for each `set`.
    package init(on loop: EventLoop, _ action: @escaping () -> Void) {
        self.loop = loop
        self.action = action
        registration = loop.register(self)
    }

    /// Has the action called after this time, in place of the time set before.
    ///
    /// - Parameter time: From the beginning of this tick; at least 0.
    package func set(after time: Duration) {
        loop.setDeadline(of: registration, at: loop.now.advanced(by: time.nanoseconds))
    }

    /// Takes the deadline back.
    package func cancel() {
        loop.setDeadline(of: registration, at: .never)
    }

    /// Leaves the loop.
    package func stop() {
        loop.unregister(registration)
        registration = .none
    }

    package func deadlinePassed() {
        action()
    }
}
