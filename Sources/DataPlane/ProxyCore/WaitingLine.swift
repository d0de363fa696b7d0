internal import EventLoop

/// Who has a place in a line.
protocol WaitsInLine: AnyObject {
    /// Whether it waits there still, and not elsewhere or for nothing.
    var isInLine: Bool { get }
    /// Until when it waits.
    var deadline: LoopInstant { get }
}

/// Exchanges of a worker that wait for a connection to an upstream, the first one first.
///
/// Those that leave from the middle are passed over when they come to the front. It knows how fast it has moved of late,
/// and so whether somebody at its end would wait in vain.
struct WaitingLine<Place: WaitsInLine> {
    private var places: [Place] = []
    private var first = 0
    /// How many wait.
    private(set) var count = 0
    /// How many went on in the last spans of time, the latest first, and of how many spans that is known.
    private var movesBefore = SIMD4<UInt64>()
    private var spansKnown: UInt64 = 0
    /// How many have gone on in this one.
    private var moves: UInt64 = 0
    private var spanBegan = LoopInstant.never

    /// So many may always wait: a few say nothing about how fast it moves.
    private static var countMin: Int { 4 }
    /// Spans of time in which one may wait.
    ///
    /// Half of them are remembered: endpoints take their time to answer, and many answer at once after it.
    private static var spans: UInt64 { 8 }

    var isEmpty: Bool { count == 0 }

    /// Adds one at the end.
    mutating func append(_ place: Place, at now: LoopInstant) {
        if isEmpty { (spansKnown, moves, spanBegan) = (0, 0, now) }
        places.append(place)
        count += 1
    }

    /// Puts back the one that was taken last.
    mutating func putBack(_ place: Place) {
        if first > 0 {
            first -= 1
            places[first] = place
        } else {
            places.insert(place, at: 0)
        }
        count += 1
    }

    /// Takes the first one out.
    mutating func takeFirst() -> Place? {
        trim()
        guard first < places.count else { return nil }
        let place = places[first]
        first += 1
        count -= 1
        trim()
        return place
    }

    /// The one whose turn is next.
    mutating func next() -> Place? {
        trim()
        return first < places.count ? places[first] : nil
    }

    /// Somebody has left, who waits for no connection any more.
    mutating func left() {
        count -= 1
        trim()
    }

    /// The first one has gone on.
    mutating func moved() {
        moves += 1  // far from 2^64
    }

    /// Whether somebody who comes now would hardly have a turn in time: three quarters of it are reckoned with, so that
    /// those who are let in do have one.
    ///
    /// - Parameters:
    ///   - timeout: How long one waits, in nanoseconds.
    ///   - now: The moment.
    /// - Returns: Whether nobody should be let in.
    mutating func isHopeless(within timeout: UInt64, at now: LoopInstant) -> Bool {
        guard count >= Self.countMin else { return false }
        return nanoseconds(for: count + 1, within: timeout, at: now) > timeout / 4 * 3
    }

    /// The last one, if its turn will not come in time as the line moves.
    ///
    /// - Parameters:
    ///   - timeout: How long one waits, in nanoseconds.
    ///   - now: The moment.
    /// - Returns: Who should not be kept waiting.
    mutating func hopelessLast(within timeout: UInt64, at now: LoopInstant) -> Place? {
        guard count > Self.countMin else { return nil }
        while let last = places.last, !last.isInLine { places.removeLast() }
        guard let last = places.last,
            nanoseconds(for: count, within: timeout, at: now)
                > last.deadline.nanoseconds(since: now)
        else { return nil }
        return last
    }

    /// How long it takes until so many have gone on, as the line has moved of late; 0 while nobody knows.
    private mutating func nanoseconds(
        for number: Int,
        within timeout: UInt64,
        at now: LoopInstant
    ) -> UInt64 {
        let span = max(timeout / Self.spans, 1_000_000)
        let passed = now.nanoseconds(since: spanBegan)
        if passed >= span {
            // Nobody may have asked for a while.
            let share = UInt64((Double(moves) * Double(span) / Double(passed)).rounded(.up))
            for _ in 0..<min(passed / span, 4) {
                movesBefore = SIMD4(share, movesBefore[0], movesBefore[1], movesBefore[2])
                spansKnown = min(spansKnown + 1, 4)
            }
            (moves, spanBegan) = (0, spanBegan.advanced(by: passed - passed % span))
        }
        var sum: UInt64 = 0
        for index in 0..<Int(spansKnown) { sum += movesBefore[index] }  // far from 2^64
        // As long as there may be none that has had the time to answer, it is not known.
        if sum == 0 { return spansKnown < 4 ? 0 : .max }
        let time = (span * spansKnown).multipliedReportingOverflow(by: UInt64(max(number, 0)))
        return time.overflow ? .max : time.partialValue / sum
    }

    /// Passes over those at the front who have left.
    private mutating func trim() {
        while first < places.count, !places[first].isInLine { first += 1 }
        if first == places.count {
            places.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 64, first * 2 > places.count {
            places.removeFirst(first)
            first = 0
        }
    }
}
