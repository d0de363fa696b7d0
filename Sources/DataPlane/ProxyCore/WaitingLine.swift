internal import EventLoop

/// Exchanges of a worker that wait for a connection to an upstream, the first one first.
///
/// Those that leave from the middle are passed over when they come to the front. It knows how fast it has moved of late,
/// and so whether somebody at its end would wait in vain.
struct WaitingLine {
    private var places: [Effort] = []
    private var first = 0
    /// How many wait.
    private(set) var count = 0
    /// Time between two that went on, smoothed; 0 while nobody knows.
    private var interval: UInt64 = 0
    private var movedAt = LoopInstant.never
    /// How many have gone on since somebody began to wait.
    private var moves = 0

    /// So many may always wait, and so many go on before those who wait already are judged: a few say nothing about how
    /// fast it moves.
    private static let countMin = 4

    var isEmpty: Bool { count == 0 }

    /// Adds one at the end.
    mutating func append(_ effort: Effort, at now: LoopInstant) {
        if isEmpty { (movedAt, interval, moves) = (now, 0, 0) }
        places.append(effort)
        count += 1
    }

    /// Puts back the one that was taken last.
    mutating func putBack(_ effort: Effort) {
        if first > 0 {
            first -= 1
            places[first] = effort
        } else {
            places.insert(effort, at: 0)
        }
        count += 1
    }

    /// Takes the first one out.
    mutating func takeFirst() -> Effort? {
        trim()
        guard first < places.count else { return nil }
        let effort = places[first]
        first += 1
        count -= 1
        trim()
        return effort
    }

    /// The one whose turn is next.
    mutating func next() -> Effort? {
        trim()
        return first < places.count ? places[first] : nil
    }

    /// Somebody has left, who waits for no connection any more.
    mutating func left() {
        count -= 1
        trim()
    }

    /// The first one has gone on.
    mutating func moved(at now: LoopInstant) {
        let time = now.nanoseconds(since: movedAt)
        moves += 1  // far from 2^63
        interval = interval == 0 ? max(time, 1) : interval - interval / 8 + time / 8
    }

    /// Whether somebody who comes now would hardly have a turn in time: three quarters of it are reckoned with, so that
    /// those who are let in do have one.
    ///
    /// - Parameters:
    ///   - timeout: How long one waits, in nanoseconds.
    ///   - now: The moment.
    /// - Returns: Whether nobody should be let in.
    func isHopeless(within timeout: UInt64, at now: LoopInstant) -> Bool {
        count >= Self.countMin && waitNanoseconds(behind: count, at: now) > timeout / 4 * 3
    }

    /// The last one, if its turn will not come in time as the line moves.
    mutating func hopelessLast(at now: LoopInstant) -> Effort? {
        guard moves >= Self.countMin, count > Self.countMin else { return nil }
        while let last = places.last, last.wait != .connection { places.removeLast() }
        guard let last = places.last,
            waitNanoseconds(behind: count - 1, at: now) > last.deadline.nanoseconds(since: now)
        else { return nil }
        return last
    }

    /// How long somebody waits before whom there are so many, as the line has moved of late.
    private func waitNanoseconds(behind others: Int, at now: LoopInstant) -> UInt64 {
        let time = max(interval, now.nanoseconds(since: movedAt))
        let (product, overflows) = time.multipliedReportingOverflow(by: UInt64(others + 1))
        return overflows ? .max : product
    }

    /// Passes over those at the front who have left.
    private mutating func trim() {
        while first < places.count, places[first].wait != .connection { first += 1 }
        if first == places.count {
            places.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 64, first * 2 > places.count {
            places.removeFirst(first)
            first = 0
        }
    }
}
