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
    /// Whether it is noted how long the endpoint takes; until it is.
    private var isTimed = false

    /// Counts a try; `leave` is owed.
    mutating func begin(_ load: EndpointLoad, _ total: UpstreamLoad?, isTimed: Bool, now: UInt64) {
        load.began()
        total?.began()
        (self.load, self.total, self.isTimed, chosenAt) = (load, total, isTimed, now)
    }

    /// Notes that the endpoint has answered, or failed to.
    mutating func answered(isFailure: Bool, now: UInt64) {
        guard isTimed, let load else { return }
        isTimed = false
        let nanoseconds = now > chosenAt ? now - chosenAt : 0
        if isFailure {
            load.failed(after: nanoseconds, now: now)
        } else {
            load.answered(after: nanoseconds, now: now)
        }
    }

    /// Counts the end of the try.
    mutating func leave(now: UInt64) {
        guard let load else { return }
        if isTimed, now > chosenAt { load.waited(now - chosenAt, now: now) }
        load.ended()
        total?.ended()
        (self.load, total, isTimed) = (nil, nil, false)
    }
}
