/// When to look at which handler: a wheel of coarse ticks.
///
///     slot = tick % slotCount, one list of tokens each; a tick is 16 ms, a turn 16 s
///
/// An entry says when to look, not when a deadline is: deadlines that move later, which is what they do
/// with every request, cost nothing here. A deadline beyond one turn is looked at once a turn.
struct LoopTimers {
    private var slots: [[UInt64]]
    private var occupied: [UInt64]
    /// The tick whose slot is looked at next.
    private var current: UInt64
    private var due: [UInt64] = []

    static let slotCount: UInt64 = 1024
    static let tickNanoseconds: UInt64 = 16_000_000

    init(now: LoopInstant) {
        slots = Array(repeating: [], count: Int(Self.slotCount))
        occupied = Array(repeating: 0, count: Int(Self.slotCount / 64))
        current = now.nanoseconds / Self.tickNanoseconds
    }

    /// The first tick that begins at or after `instant`.
    static func tick(of instant: LoopInstant) -> UInt64 {
        instant.nanoseconds / tickNanoseconds + 1
    }

    /// The last tick that has begun at `instant`.
    static func tick(before instant: LoopInstant) -> UInt64 {
        instant.nanoseconds / tickNanoseconds
    }

    /// Adds an entry, at most one turn ahead, and returns the tick that it got.
    mutating func insert(_ token: UInt64, tick wanted: UInt64) -> UInt64 {
        let tick = min(max(wanted, current), current + Self.slotCount - 1)
        let slot = Int(tick % Self.slotCount)
        slots[slot].append(token)
        occupied[slot / 64] |= 1 << UInt64(slot % 64)
        return tick
    }

    /// The next token whose tick is at most `last`, or `nil` when there is none yet.
    mutating func next(through last: UInt64) -> UInt64? {
        while true {
            if let token = due.popLast() { return token }
            guard current <= last else { return nil }
            // A loop that slept longer than a turn has seen every slot once by then.
            if last - current > Self.slotCount { current = last - Self.slotCount }
            let slot = Int(current % Self.slotCount)
            current += 1
            guard occupied[slot / 64] & 1 << UInt64(slot % 64) != 0 else { continue }
            occupied[slot / 64] &= ~(1 << UInt64(slot % 64))
            swap(&due, &slots[slot])
        }
    }

    /// When the next occupied slot is due, or `nil` when all are empty.
    func nextInstant() -> LoopInstant? {
        var tick = current
        let end = current + Self.slotCount
        while tick < end {
            let slot = Int(tick % Self.slotCount)
            let word = occupied[slot / 64] >> UInt64(slot % 64)
            if word != 0 {
                let found = tick + UInt64(word.trailingZeroBitCount)
                return LoopInstant(nanoseconds: found * Self.tickNanoseconds)
            }
            tick += 64 - UInt64(slot % 64)
        }
        return nil
    }
}
