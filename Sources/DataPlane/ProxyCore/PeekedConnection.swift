internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Transport

/// A connection whose first octets say what becomes of it.
///
///     waiting ──they say it──▶ its descriptor goes on, as if nobody had looked
///        └──they are wrong, late, or the end──▶ closed
///
/// Octets are looked at and left in the kernel. Subclasses read them. Confined to its worker's loop.
class PeekedConnection: PortConnection {
    final let number: Int32
    /// What it takes of its client's limit.
    final let share: ListeningPort.ClientShare
    private var descriptor: FileDescriptor?
    private let started: LoopInstant

    init(
        _ port: ListeningPort,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor
    ) {
        number = descriptor.number
        self.share = share
        self.descriptor = consume descriptor
        started = port.worker.loop.now
        super.init(port)
    }

    /// Joins the loop.
    ///
    /// - Parameter nanoseconds: How long the octets may take.
    /// - Throws: `SystemCallError` of epoll_ctl(2).
    final func open(for nanoseconds: UInt64) throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: number)
        setDeadline(after: nanoseconds)
    }

    /// Reads what has come so far; `false` while it says nothing.
    func read(_ octets: Span<UInt8>) -> Bool { false }

    /// The most octets that `read` looks at.
    var octetsMax: Int { 0 }

    final override func ready(_ readiness: Readiness) {
        guard readiness.promisesReading else { return }
        var octets = [UInt8](repeating: 0, count: octetsMax)
        var span = octets.mutableSpan
        if case .count(let count) = peek(number, into: &span), count > 0,
            read(octets.span.extracting(first: count))
        {
            return
        }
        // An end that is not there yet comes with another event.
        if readiness.endIsNear { refuse() }
    }

    override func deadlinePassed() {
        refuse()
    }

    final override var emptySince: LoopInstant? { started }

    final override func cutOff() {
        close()
    }

    /// Leaves the loop with its descriptor, which is somebody else's from now on.
    final func leave() -> FileDescriptor? {
        guard let descriptor = descriptor.take() else { return nil }
        worker.loop.unregister(registration, descriptor: number)
        registration = .none
        return descriptor
    }

    final func refuse() {
        worker.metrics.add(.connectionsRefused)
        close()
    }

    private func close() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        descriptor = nil
        port.connectionClosed(share)
        worker.clientClosed()
    }
}
