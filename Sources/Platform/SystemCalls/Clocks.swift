internal import Glibc

/// CLOCK_MONOTONIC in nanoseconds.
package func monotonicNanoseconds() -> UInt64 {
    nanoseconds(CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME in nanoseconds since 1970-01-01T00:00:00Z.
package func realtimeNanoseconds() -> UInt64 {
    nanoseconds(CLOCK_REALTIME)
}

/// CPU time of this thread in nanoseconds.
package func threadCPUNanoseconds() -> UInt64 {
    nanoseconds(CLOCK_THREAD_CPUTIME_ID)
}

private func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // SAFETY: the structure lives for the call.
    _ = unsafe clock_gettime(clock, &time)
    let seconds = UInt64(clamping: time.tv_sec)
    return seconds &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)  // wraps in the year 2554
}

/// A date and time of day in UTC.
package struct CivilTime: Equatable, Sendable {
    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    /// 0 is Sunday.
    package let weekday: Int

    /// Converts seconds since 1970-01-01T00:00:00Z, by the Gregorian calendar without leap seconds.
    package init(unixSeconds: Int64) {
        let secondsPerDay: Int64 = 86_400
        var days = unixSeconds / secondsPerDay
        var rest = unixSeconds % secondsPerDay
        if rest < 0 {
            rest += secondsPerDay
            days -= 1
        }
        (hour, minute, second) = (Int(rest / 3600), Int(rest % 3600 / 60), Int(rest % 60))
        weekday = Int(((days % 7) + 11) % 7)
        // Days are counted from 0000-03-01, so that a leap day ends its year; eras have 400 years.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }
}
