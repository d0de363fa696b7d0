internal import EventLoop
internal import SystemCalls
internal import Transport

/// A connection that a port has accepted and that carries no exchanges: its PROXY header is still to come, or it is
/// relayed as it is.
///
/// Confined to its worker's loop.
class PortConnection: EventHandler {
    final let worker: Worker
    /// The listener's port that accepted it.
    final let port: ListeningPort
    final var registration = Registration.none

    init(_ port: ListeningPort) {
        worker = port.worker
        self.port = port
    }

    func ready(_ readiness: Readiness) {}

    func resume() {}

    func deadlinePassed() {}

    /// Since when its client could have begun, and has not; `nil` once it has.
    var emptySince: LoopInstant? { nil }

    /// Its time is over: closes, with what is under way on it.
    func cutOff() {}

    final func setDeadline(after nanoseconds: UInt64) {
        worker.setDeadline(of: registration, at: worker.loop.now.advanced(by: nanoseconds))
    }
}

/// Whose connection it is, as all that looks at clients sees it.
struct ClientAddresses {
    /// The client's end: the socket's peer, or whom a PROXY header has told in its place.
    let source: SocketAddress
    /// Where the client connected to, if a PROXY header has told it.
    let toldDestination: SocketAddress?
}
