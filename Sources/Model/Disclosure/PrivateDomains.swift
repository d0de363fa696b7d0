internal import Bytes

/// Top-level domains that the Internet does not have and never will: names in them mean something on a network of one's
/// own alone.
///
/// `test`, `invalid`, `localhost` (RFC 6761), `local` and what RFC 6762 App. G names, `home.arpa` (RFC 8375), and
/// `internal`, which ICANN keeps free for this.
enum PrivateDomains {
    /// Whether a name is in one of them.
    ///
    /// - Parameters:
    ///   - text: Octets that hold the name; looked at only within `range`.
    ///   - range: The name, in any case and with dots at its end or without.
    /// - Returns: False also for such a domain itself.
    /// - Complexity: O(length of the last labels); allocates nothing.
    static func hold(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var end = range.upperBound
        while end > range.lowerBound, text[end - 1] == UInt8(ascii: ".") { end -= 1 }
        let start = lastLabel(text, range.lowerBound..<end)
        guard start > range.lowerBound else { return false }
        let label = start..<end
        switch label.count {
        case 3: return text.matches("lan", in: label)
        case 4:
            if text.matches("arpa", in: label) {
                let home = lastLabel(text, range.lowerBound..<start - 1)
                return home > range.lowerBound && text.matches("home", in: home..<start - 1)
            }
            return text.matches("corp", in: label) || text.matches("home", in: label)
                || text.matches("test", in: label)
        case 5: return text.matches("local", in: label)
        case 7: return text.matches("private", in: label) || text.matches("invalid", in: label)
        case 8: return text.matches("internal", in: label) || text.matches("intranet", in: label)
        case 9: return text.matches("localhost", in: label)
        default: return false
        }
    }

    /// Where the last label of a name begins.
    private static func lastLabel(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
        var start = range.upperBound
        while start > range.lowerBound, text[start - 1] != UInt8(ascii: ".") { start -= 1 }
        return start
    }
}
