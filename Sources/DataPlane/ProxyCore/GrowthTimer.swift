internal import EventLoop

/// Wakes the monitor while the shares of new endpoints grow.
///
/// Confined to the monitor's loop.
final class GrowthTimer: EventHandler {
    private let loop: EventLoop
    private let action: () -> Void
    private var registration = Registration.none
    private var deadline = LoopInstant.never

    init(loop: EventLoop, action: @escaping () -> Void) {
        (self.loop, self.action) = (loop, action)
    }

    /// Comes after so many nanoseconds at the latest; `nil` is no need.
    func schedule(_ nanoseconds: UInt64?) {
        guard let nanoseconds else { return }
        let wanted = loop.now.advanced(by: nanoseconds)
        guard wanted < deadline else { return }
        if registration == .none { registration = loop.register(self) }
        deadline = wanted
        loop.setDeadline(of: registration, at: deadline)
    }

    func deadlinePassed() {
        deadline = .never
        action()
    }
}
