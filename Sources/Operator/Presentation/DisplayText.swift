/// The number of terminal columns that `text` takes.
///
/// Wide East Asian characters and emoji take two columns, combining marks and format characters none.
/// Unicode leaves the width of some characters to the terminal; those count as one.
package func displayWidth(_ text: String) -> Int {
    var width = 0
    for character in text {
        width += displayWidth(character)
    }
    return width
}

/// The columns of one grapheme cluster: those of its widest scalar.
private func displayWidth(_ character: Character) -> Int {
    if character.isASCII {
        return 1
    }
    var width = 0
    for scalar in character.unicodeScalars {
        width = max(width, displayWidth(scalar))
    }
    return width
}

/// Ranges that Unicode's EastAsianWidth table calls wide or fullwidth, merged.
private let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x231A...0x231B, 0x2329...0x232A, 0x23E9...0x23EC, 0x2E80...0x303E,
    0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
    0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1FAFF, 0x20000...0x3FFFD,
]

private func displayWidth(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format, .control:
        return 0
    default:
        return wideRanges.contains { $0.contains(scalar.value) } ? 2 : 1
    }
}

/// `text` with its control characters made visible, so that a value from a node or a file cannot move the
/// cursor, change colours or forge lines on the operator's terminal.
///
/// Line breaks become `\n`; other C0, C1 and bidirectional controls become `\u{...}`.
package func visible(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else {
        return text
    }
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _ where isControl(scalar):
            result += "\\u{\(String(scalar.value, radix: 16))}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069, 0x2028...0x2029: true
    default: false
    }
}
