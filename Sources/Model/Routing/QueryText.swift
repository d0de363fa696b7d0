internal import Bytes

/// Names and values of a query: percent-encoded, with `+` for a space (WHATWG URL §5.1).
///
/// What is no percent-encoding stands for itself. Everything is decoded once.
enum QueryText {
    /// Whether a text is, decoded, another one.
    static func equals(_ text: Span<UInt8>, _ plain: Span<UInt8>) -> Bool {
        guard let end = matchedEnd(text, plain) else { return false }
        return end == text.count
    }

    /// Whether a text begins, decoded, with another one.
    static func begins(_ text: Span<UInt8>, with plain: Span<UInt8>) -> Bool {
        matchedEnd(text, plain) != nil
    }

    /// A text decoded.
    static func decoded(_ text: Span<UInt8>) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.count)
        var index = 0
        while index < text.count { plain.append(next(text, &index)) }
        return plain
    }

    /// The index behind what stands for `plain` at the front of a text; `nil` if it is not there.
    private static func matchedEnd(_ text: Span<UInt8>, _ plain: Span<UInt8>) -> Int? {
        var index = 0
        for position in plain.indices {
            guard index < text.count, next(text, &index) == plain[position] else { return nil }
        }
        return index
    }

    /// Takes one octet, of up to three; there is one.
    private static func next(_ text: Span<UInt8>, _ index: inout Int) -> UInt8 {
        let octet = text[index]
        index += 1
        if octet == UInt8(ascii: "+") { return 0x20 }
        guard octet == UInt8(ascii: "%"), index + 1 < text.count,
            let high = hexadecimalDigit(text[index]),
            let low = hexadecimalDigit(text[index + 1])
        else { return octet }
        index += 2
        return high << 4 | low
    }
}
