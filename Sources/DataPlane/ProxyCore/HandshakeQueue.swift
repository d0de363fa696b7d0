internal import EventLoop

/// Whose ClientHello has come and waits to be answered.
protocol WaitsForHandshake: AnyObject {
    /// Whether it waits still; one that has gone is passed over.
    var isWaiting: Bool { get }
    /// Since when.
    var waitingSince: LoopInstant { get }
}

/// Clients of a worker whose ClientHello waits to be answered.
///
/// The answer, a signature above all, costs as much as many requests. So those that come at once take turns, and what is
/// cheap, such as requests and the last flights of handshakes, goes before them.
///
/// The first one is the next. Once it has waited longer than the worker's patience, the last one is: a client that has
/// waited long may have given up, and while more come than can be answered, some are answered in time rather than all late.
struct HandshakeQueue<Client: WaitsForHandshake> {
    private var clients: [Client] = []
    private var first = 0
    /// How many places there may be before those of whom has gone or had a turn are given back.
    private var countMax = Self.countMin

    private static var countMin: Int { 64 }

    /// Places that are held, some of them for nobody any more.
    var count: Int { clients.count }

    /// Adds one at the end.
    ///
    /// - Complexity: O(1), amortised: at most half of the places, and a few more, are held for nobody.
    mutating func append(_ client: Client) {
        if clients.count >= countMax {
            clients.removeFirst(first)
            first = 0
            clients.removeAll { !$0.isWaiting }
            countMax = 2 * clients.count + Self.countMin
        }
        clients.append(client)
    }

    /// Takes the next one out.
    ///
    /// - Parameters:
    ///   - now: The moment.
    ///   - patience: In nanoseconds; `nil` has them take turns in their order however long they wait.
    /// - Returns: One that waits; `nil` when nobody does.
    mutating func takeNext(at now: LoopInstant, patience: UInt64?) -> Client? {
        while first < clients.count, !clients[first].isWaiting { first += 1 }
        guard first < clients.count else {
            clients.removeAll(keepingCapacity: true)
            first = 0
            return nil
        }
        if let patience, now.nanoseconds(since: clients[first].waitingSince) > patience {
            // The first one waits, so the search ends there.
            while let last = clients.popLast() {
                if last.isWaiting { return last }
            }
        }
        first += 1
        return clients[first - 1]
    }
}
