internal import EventLoop

/// A connection that a port has accepted, whatever it carries, as a worker looks at all of them at once.
///
/// Confined to its worker's loop.
protocol Guest: EventHandler {
    /// The listener's port that accepted it.
    var port: ListeningPort { get }

    /// Since when it carries nothing, or no more than the beginning of something; `nil` while it carries something.
    var emptySince: LoopInstant? { get }

    /// Its time is over: closes, with what is under way on it.
    func cutOff()
}

extension ClientConnection: Guest {}
extension PortConnection: Guest {}
