internal import Bytes
internal import SystemCalls

/// Times as logs write them; the part that changes once a second is kept.
struct LogClock {
    private var second = Int64.min
    private var civil = CivilTime(unixSeconds: 0)

    private static let months: [StaticString] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Appends `2026-11-24T14:36:35.123Z` (RFC 3339), 24 octets.
    mutating func appendInternet(_ nanoseconds: UInt64, to buffer: inout Buffer) {
        update(nanoseconds)
        appendPadded(civil.year, 4, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        appendPadded(civil.month, 2, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        appendPadded(civil.day, 2, to: &buffer)
        buffer.append(UInt8(ascii: "T"))
        appendTimeOfDay(to: &buffer)
        buffer.append(UInt8(ascii: "."))
        appendPadded(Int(nanoseconds / 1_000_000 % 1000), 3, to: &buffer)
        buffer.append(UInt8(ascii: "Z"))
    }

    /// Appends `24/Nov/2026:14:36:35 +0000`, 26 octets, as the common log format has it.
    mutating func appendCommon(_ nanoseconds: UInt64, to buffer: inout Buffer) {
        update(nanoseconds)
        appendPadded(civil.day, 2, to: &buffer)
        buffer.append(UInt8(ascii: "/"))
        buffer.append(Self.months[civil.month - 1])
        buffer.append(UInt8(ascii: "/"))
        appendPadded(civil.year, 4, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        appendTimeOfDay(to: &buffer)
        buffer.append(" +0000" as StaticString)
    }

    private mutating func update(_ nanoseconds: UInt64) {
        let now = Int64(nanoseconds / 1_000_000_000)
        guard now != second else { return }
        second = now
        civil = CivilTime(unixSeconds: now)
    }

    private func appendTimeOfDay(to buffer: inout Buffer) {
        appendPadded(civil.hour, 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        appendPadded(civil.minute, 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        appendPadded(civil.second, 2, to: &buffer)
    }

    private func appendPadded(_ number: Int, _ digitCount: Int, to buffer: inout Buffer) {
        var divisor = 1
        for _ in 1..<digitCount { divisor *= 10 }
        while divisor > 0 {
            buffer.append(0x30 + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}
