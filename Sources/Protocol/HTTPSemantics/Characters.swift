// Character classes of RFC 9110 §5.6.2 and RFC 3986 as bit maps over ASCII: two words each, no memory
// to touch, no array to check.

/// A set of ASCII octets.
@frozen
public struct OctetSet: Sendable {
    @usableFromInline let low: UInt64
    @usableFromInline let high: UInt64

    @usableFromInline
    init(low: UInt64, high: UInt64) {
        (self.low, self.high) = (low, high)
    }

    /// Makes the set of the octets of `text`.
    ///
    /// - Parameter text: ASCII characters; others are left out.
    public init(_ text: String) {
        var words: (low: UInt64, high: UInt64) = (0, 0)
        for octet in text.utf8 where octet < 128 {
            let bit: UInt64 = 1 << UInt64(octet & 63)
            if octet < 64 { words.low |= bit } else { words.high |= bit }
        }
        (low, high) = words
    }

    /// Whether the set holds `octet`.
    ///
    /// - Parameter octet: Any octet; those from 128 on are in no set.
    /// - Returns: True when it does.
    @inlinable
    @inline(__always)
    public func contains(_ octet: UInt8) -> Bool {
        let word = octet & 64 == 0 ? low : high
        return (word >> UInt64(octet & 63)) & 1 != 0 && octet < 128
    }

    /// The index of the first octet in `range` that is not in the set.
    ///
    /// - Parameters:
    ///   - octets: The octets to look at.
    ///   - range: Indices within `octets`.
    /// - Returns: Its index, or the end of the range.
    @inlinable
    public func firstIndexOutside(_ octets: Span<UInt8>, _ range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, contains(octets[index]) { index += 1 }
        return index
    }
}

extension OctetSet {
    // Letters in the high word: A–Z at bits 1–26, a–z at bits 33–58. Digits in the low word at 48–57.
    @usableFromInline static let lettersHigh: UInt64 = 0x07ff_fffe_07ff_fffe

    /// `tchar`: what a token is made of (RFC 9110 §5.6.2): `!#$%&'*+-.^_`|~`, digits and letters.
    @inlinable
    public static var token: OctetSet {
        OctetSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
    }

    /// What field names are made of that have one spelling to all readers: letters, digits and hyphens.
    @inlinable
    public static var plainName: OctetSet {
        OctetSet(low: 0x03ff_2000_0000_0000, high: lettersHigh)
    }

    /// `unreserved` (RFC 3986 §2.3): letters, digits, `-._~`.
    @inlinable
    public static var unreserved: OctetSet {
        OctetSet(low: 0x03ff_6000_0000_0000, high: 0x47ff_fffe_87ff_fffe)
    }

    /// `pchar` and `/` (RFC 3986 §3.3) but `%`: what stands for itself in a path.
    @inlinable
    public static var path: OctetSet {
        OctetSet(low: 0x2fff_ffd2_0000_0000, high: 0x47ff_fffe_87ff_ffff)
    }

    /// What a host name is made of here:.
    ///
    /// `unreserved` but `~`. Stricter than `reg-name` of RFC 3986 §3.2.2, which allows
    /// `!$&'()*+,;=` and percent-encoding: two readers split those differently.
    @inlinable
    public static var hostName: OctetSet {
        OctetSet(low: 0x03ff_6000_0000_0000, high: 0x07ff_fffe_87ff_fffe)
    }
}
