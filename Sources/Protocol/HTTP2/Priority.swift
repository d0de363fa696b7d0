import Bytes

/// How urgent a response is and whether parts of it are of use (RFC 9218 §4).
package struct Priority: Equatable, Sendable {
    /// 0 (first) to 7 (in the background).
    package var urgency: UInt8
    /// Whether parts of the response can be used, so that it shares with others of its urgency.
    package var isIncremental: Bool

    /// Makes a priority; the defaults are the RFC's.
    ///
    /// - Parameters:
    ///   - urgency: 0 to 7.
    ///   - isIncremental: Whether parts are of use.
    package init(urgency: UInt8 = 3, isIncremental: Bool = false) {
        precondition(urgency <= 7, "an urgency of \(urgency)")
        (self.urgency, self.isIncremental) = (urgency, isIncremental)
    }

    /// Reads a Priority field value, a dictionary such as `u=1, i` (RFC 9218 §4, RFC 9651 §3.2).
    ///
    /// Members that are unknown, or have a value of another type or range, are passed over, as RFC 9218
    /// §4 asks. A value that is no dictionary would count as absent; here what can be read of it counts.
    ///
    /// - Parameters:
    ///   - octets: Octets that hold the value.
    ///   - range: The value's octets.
    /// - Complexity: O(length); allocates nothing.
    package init(_ octets: Span<UInt8>, _ range: Range<Int>) {
        self.init()
        var start = range.lowerBound
        while start < range.upperBound {
            let end = octets.firstIndex(of: 0x2c, from: start, to: range.upperBound)
            take(octets, start..<end)
            start = end + 1
        }
    }

    private mutating func take(_ octets: Span<UInt8>, _ member: Range<Int>) {
        var start = member.lowerBound
        while start < member.upperBound, octets[start] == 0x20 || octets[start] == 0x09 {
            start += 1
        }
        // Parameters of a member have no meaning here.
        var end = octets.firstIndex(of: 0x3b, from: start, to: member.upperBound)
        while end > start, octets[end - 1] == 0x20 || octets[end - 1] == 0x09 { end -= 1 }
        let count = end - start
        guard count > 0 else { return }
        if octets[start] == 0x75, count == 3, octets[start + 1] == 0x3d {
            let digit = octets[start + 2]
            if digit >= 0x30, digit <= 0x37 { urgency = digit - 0x30 }
        } else if octets[start] == 0x69 {
            if count == 1 {
                isIncremental = true
            } else if count == 4, octets[start + 1] == 0x3d, octets[start + 2] == 0x3f {
                if octets[start + 3] == 0x31 { isIncremental = true }
                if octets[start + 3] == 0x30 { isIncremental = false }
            }
        }
    }
}
