/// Decides when memory that was freed goes back to the system.
///
/// The allocator keeps what a burst of streams and connections has left, in pieces between those that live: a
/// node would look ever after as large as in its worst minute. Giving back makes threads that allocate wait for
/// some milliseconds, so it is tried when the process is well above the least that it was, and less often when
/// that brings little.
struct MemoryReturn {
    /// The least octets that were resident.
    private var residentMin = Int.max
    /// Looks to be passed over before the next attempt.
    private var passesLeft = 0
    /// Looks passed over after an attempt that brought little.
    private var passes = 0

    /// Whether to give back now.
    ///
    /// - Parameter resident: Octets that are resident; 0 when that is not known.
    /// - Returns: Whether there is likely something to give.
    mutating func isDue(resident: Int) -> Bool {
        guard resident > 0 else { return false }
        residentMin = min(residentMin, resident)
        guard resident - residentMin > Limits.freeBytesKept else {
            (passes, passesLeft) = (0, 0)
            return false
        }
        passesLeft -= 1
        return passesLeft < 0
    }

    /// Memory was given back.
    ///
    /// - Parameters:
    ///   - before: Octets that were resident.
    ///   - after: Octets that are now.
    mutating func returned(before: Int, after: Int) {
        let isWorthwhile = before - after > Limits.freeBytesKept / 4
        passes = isWorthwhile ? 0 : min(max(1, 2 * passes), Limits.memoryPassesMax)
        passesLeft = passes
    }
}
