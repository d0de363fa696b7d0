import Bytes

/// A text as nodes of a route table are compared by: its length and its first 24 octets, so that a request needs no
/// memory behind the node's own for a text that is no longer.
struct TextKey: BitwiseCopyable, Equatable {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    /// How long the text is.
    let count: UInt32

    /// Whether the text is longer than what is compared here.
    @inline(__always)
    var isCut: Bool { count > 24 }

    /// Takes a text.
    ///
    /// - Parameters:
    ///   - octets: Where it lies, best with more behind it.
    ///   - range: Which of them it is.
    @inline(__always)
    init(_ octets: Span<UInt8>, _ range: Range<Int>) {
        let (start, length) = (range.lowerBound, range.upperBound - range.lowerBound)
        count = UInt32(truncatingIfNeeded: length)
        first = octets.word(at: start, count: min(length, 8))
        second = length > 8 ? octets.word(at: start + 8, count: min(length - 8, 8)) : 0
        third = length > 16 ? octets.word(at: start + 16, count: min(length - 16, 8)) : 0
    }

    private init(first: UInt64, second: UInt64, third: UInt64, count: UInt32) {
        (self.first, self.second, self.third, self.count) = (first, second, third, count)
    }

    /// The same in lower case.
    @inline(__always)
    var lowercased: TextKey {
        TextKey(
            first: asciiLowercased(first),
            second: asciiLowercased(second),
            third: asciiLowercased(third),
            count: count
        )
    }

    /// A hash of what is compared here.
    @inline(__always)
    var hash: UInt64 {
        let hash = HashIndex.mix(first, into: UInt64(count))
        return count > 8 ? HashIndex.mix(third, into: HashIndex.mix(second, into: hash)) : hash
    }
}
