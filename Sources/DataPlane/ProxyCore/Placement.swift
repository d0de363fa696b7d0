internal import Upstreams

/// How an exchange's endpoint was chosen, and what is counted there for it.
///
/// All of it stays as it is made where endpoints are chosen in turn.
struct Placement {
    /// What the request is hashed by.
    var key = HashedKey(value: 0)
    /// What the client's cookie says.
    var asked: EndpointMark?
    /// Whether the client's cookie is to name the endpoint from now on.
    var setsCookie = false
    /// The load that the try counts at; `nil` where it counts nowhere.
    private(set) var load: EndpointLoad?
    private var total: UpstreamLoad?
    private var chosenAt: UInt64 = 0
    /// How it is noted what the endpoint takes, until it is.
    private var timing: EndpointLoad.Timing?

    /// Counts a try; `leave` is owed.
    mutating func begin(
        _ load: EndpointLoad,
        _ total: UpstreamLoad?,
        _ timing: EndpointLoad.Timing?,
        now: UInt64
    ) {
        // Whoever goes from one try to the next has left the first.
        leave(now: now)
        load.began()
        total?.began()
        (self.load, self.total, self.timing, chosenAt) = (load, total, timing, now)
    }

    /// Notes that the endpoint has answered, or failed to.
    mutating func answered(isFailure: Bool, now: UInt64) {
        guard let timing, let load else { return }
        self.timing = nil
        let nanoseconds = now > chosenAt ? now - chosenAt : 0
        if isFailure {
            load.failed(after: nanoseconds, now: now, timing)
        } else {
            load.answered(after: nanoseconds, now: now, timing)
        }
    }

    /// Counts the end of the try.
    mutating func leave(now: UInt64) {
        guard let load else { return }
        if let timing, now > chosenAt { load.waited(now - chosenAt, now: now, timing) }
        load.ended()
        total?.ended()
        (self.load, total, timing) = (nil, nil, nil)
    }
}
