package import FoundationEssentials

/// Reads a time as the admin API writes it (RFC 3339, with or without a fraction of a second).
package func parseTime(_ text: String) -> Date? {
    let plain = Date.ISO8601FormatStyle()
    let fractional = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
    // A text that is no time is shown as it came, so the reason does not matter.
    return (try? plain.parse(text)) ?? (try? fractional.parse(text))
}

/// How long ago `time` was, in its two largest units at most: `12s ago`, `3m 5s ago`, `in 2h`.
package func relativeTime(_ time: Date, now: Date) -> String {
    let seconds = now.timeIntervalSince(time)
    if abs(seconds) < 1 {
        return "now"
    }
    let text = shortDuration(seconds: abs(seconds))
    return seconds > 0 ? "\(text) ago" : "in \(text)"
}

/// A length of time for people: `450ms`, `12s`, `3m 5s`, `2h 10m`, `5d`.
package func shortDuration(seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e12 else {
        return "-"
    }
    if seconds < 1 {
        return milliseconds(seconds * 1000)
    }
    let whole = Int(seconds)
    switch whole {
    case ..<60: return "\(whole)s"
    case ..<600: return whole % 60 == 0 ? "\(whole / 60)m" : "\(whole / 60)m \(whole % 60)s"
    case ..<3600: return "\(whole / 60)m"
    case ..<86_400:
        let minutes = whole % 3600 / 60
        return minutes == 0 ? "\(whole / 3600)h" : "\(whole / 3600)h \(minutes)m"
    default: return "\(whole / 86_400)d"
    }
}

/// Milliseconds with as many digits as a reader can use: `0.42ms`, `3.1ms`, `120ms`.
package func milliseconds(_ value: Double) -> String {
    guard value.isFinite else {
        return "-"
    }
    switch value {
    case ..<0.995: return "\(rounded(value, digits: 2))ms"
    case ..<9.95: return "\(rounded(value, digits: 1))ms"
    default: return "\(rounded(value, digits: 0))ms"
    }
}

/// A rate for people: `0`, `0.4`, `12.5`, `1,240`.
package func rate(_ value: Double) -> String {
    guard value.isFinite else {
        return "-"
    }
    return value == 0 ? "0" : rounded(value, digits: value < 99.95 ? 1 : 0)
}

/// A share as a percentage: `0%`, `0.02%`, `12.5%`.
package func percentage(_ share: Double) -> String {
    guard share.isFinite else {
        return "-"
    }
    let percent = share * 100
    if percent == 0 {
        return "0%"
    }
    return rounded(percent, digits: percent < 0.995 ? 2 : 1) + "%"
}

/// `value` (finite, not negative) with `digits` decimals and commas between thousands.
private func rounded(_ value: Double, digits: Int) -> String {
    let scale = [1.0, 10, 100][digits]
    let scaled = (value * scale).rounded()
    guard scaled < 1e15 else {
        return "\(value)"
    }
    let whole = String(Int(scaled / scale))
    var grouped = ""
    for (index, digit) in whole.enumerated() {
        let remaining = whole.count - index
        grouped += index > 0 && remaining % 3 == 0 ? "," : ""
        grouped.append(digit)
    }
    guard digits > 0 else {
        return grouped
    }
    let fraction = String(Int(scaled.truncatingRemainder(dividingBy: scale)))
    return grouped + "." + String(repeating: "0", count: digits - fraction.count) + fraction
}
