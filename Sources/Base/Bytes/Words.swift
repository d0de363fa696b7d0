// Eight octets at a time: the load that RawSpan lacks in a safe form, and the searches made of it.
//
// A search by words sets the top bit of each matching octet and takes the lowest one. The subtractions
// may borrow into higher octets, so only the lowest mark is exact; it is the only one that is used.

/// Repeats one octet in all eight places of a word.
///
/// - Parameter octet: The octet to repeat.
/// - Returns: The word.
@inlinable
@inline(__always)
public func repeated(_ octet: UInt8) -> UInt64 {
    // Wrapping: at most 255 × 0x0101…01, which is all ones.
    UInt64(octet) &* 0x0101_0101_0101_0101
}

/// Marks the octets of `word` that are zero; the lowest mark is exact.
///
/// - Parameter word: Eight octets.
/// - Returns: The word with the top bit of each match set.
@inlinable
@inline(__always)
public func marksOfZero(_ word: UInt64) -> UInt64 {
    // Wrapping by design: a borrow only disturbs octets above a true match.
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
}

/// Marks the octets of `word` that equal `octet`; the lowest mark is exact.
///
/// - Parameters:
///   - octet: The octet to find.
///   - word: Eight octets.
/// - Returns: The word with the top bit of each match set.
@inlinable
@inline(__always)
public func marks(of octet: UInt8, in word: UInt64) -> UInt64 {
    marksOfZero(word ^ repeated(octet))
}

/// Marks the octets of `word` that are below `bound`; the lowest mark is exact.
///
/// - Parameters:
///   - bound: At most 128.
///   - word: Eight octets.
/// - Returns: The word with the top bit of each match set.
@inlinable
@inline(__always)
public func marks(below bound: UInt8, in word: UInt64) -> UInt64 {
    // Wrapping by design, as in marksOfZero.
    (word &- repeated(bound)) & ~word & 0x8080_8080_8080_8080
}

/// The place, 0 to 7 in order of memory, of the lowest mark.
///
/// - Parameter marks: A word of marks that is not zero.
/// - Returns: The index of the octet.
@inlinable
@inline(__always)
public func firstMarked(_ marks: UInt64) -> Int {
    marks.trailingZeroBitCount / 8
}

/// Lower-cases the ASCII letters among eight octets and leaves every other octet as it is.
///
/// - Parameter word: Eight octets.
/// - Returns: The word in lower case.
@inlinable
@inline(__always)
public func asciiLowercased(_ word: UInt64) -> UInt64 {
    let heptets = word & 0x7f7f_7f7f_7f7f_7f7f
    // Wrapping cannot happen: each octet is at most 0x7f + 0x3f.
    let aboveZ = heptets &+ repeated(0x7f - 0x5a)
    let fromA = heptets &+ repeated(0x80 - 0x41)
    let upper = (fromA ^ aboveZ) & ~word & 0x8080_8080_8080_8080
    return word | (upper >> 2)
}

/// Lower-cases one ASCII letter and leaves every other octet as it is.
///
/// - Parameter octet: Any octet.
/// - Returns: The octet in lower case.
@inlinable
@inline(__always)
public func asciiLowercased(_ octet: UInt8) -> UInt8 {
    octet &- 0x41 < 26 ? octet | 0x20 : octet
}

extension Span where Element == UInt8 {
    /// Loads the eight octets from `offset` on, the first one in the lowest place.
    ///
    /// - Parameter offset: Where to load; `offset + 8` is at most `count`, which is checked.
    /// - Returns: The octets as a little-endian word.
    @inlinable
    @inline(__always)
    public func word(at offset: Int) -> UInt64 {
        // SAFETY: the load checks its bounds and traps outside of them; every pattern of eight
        // octets is a UInt64, and the bytes stay borrowed for the call.
        let word = unsafe self.bytes.unsafeLoadUnaligned(
            fromByteOffset: offset,
            as: UInt64.self
        )
        return UInt64(littleEndian: word)
    }

    /// Loads `octetCount` octets from `offset` on, with zeros above them.
    ///
    /// - Parameters:
    ///   - offset: Where to load; `offset + octetCount` is at most `count`, which is checked.
    ///   - octetCount: 0 to 8.
    /// - Returns: The octets as a little-endian word.
    @inlinable
    @inline(__always)
    public func word(at offset: Int, count octetCount: Int) -> UInt64 {
        if octetCount == 0 { return 0 }
        let unused = UInt64(truncatingIfNeeded: 64 - 8 * octetCount)
        if offset + 8 <= count { return word(at: offset) & (UInt64.max >> unused) }
        guard count >= 8 else { return shortWord(at: offset, count: octetCount) }
        precondition(offset + octetCount <= count, "octets behind the last one")
        // They are the last of the last eight.
        let earlier = UInt64(truncatingIfNeeded: 8 * (offset + 8 - count))
        return word(at: count - 8) >> earlier & (UInt64.max >> unused)
    }

    @usableFromInline
    func shortWord(at offset: Int, count octetCount: Int) -> UInt64 {
        var word: UInt64 = 0
        var index = octetCount
        while index > 0 {
            index -= 1
            word = word << 8 | UInt64(self[offset + index])
        }
        return word
    }

    /// Finds the first place of `octet` in `start ..< end`.
    ///
    /// - Parameters:
    ///   - octet: The octet to find.
    ///   - start: The first index looked at.
    ///   - end: The first index not looked at; at most `count`.
    /// - Returns: Its index, or `end` when it is not there.
    @inlinable
    public func firstIndex(of octet: UInt8, from start: Int, to end: Int) -> Int {
        var index = start
        while index + 8 <= end {
            let found = marks(of: octet, in: word(at: index))
            if found != 0 { return index + firstMarked(found) }
            index += 8
        }
        while index < end {
            if self[index] == octet { return index }
            index += 1
        }
        return end
    }

    /// Finds the first place of `octet` from `start` on.
    ///
    /// - Parameters:
    ///   - octet: The octet to find.
    ///   - start: The first index looked at.
    /// - Returns: Its index, or `nil` when it is not there.
    @inlinable
    public func firstIndex(of octet: UInt8, from start: Int = 0) -> Int? {
        let index = firstIndex(of: octet, from: start, to: count)
        return index < count ? index : nil
    }

    /// Whether these octets are those of `other`.
    ///
    /// - Parameter other: The octets to compare with.
    /// - Returns: True when length and octets are equal.
    @inlinable
    public func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var index = 0
        while index + 8 <= count {
            if word(at: index) != other.word(at: index) { return false }
            index += 8
        }
        while index < count {
            if self[index] != other[index] { return false }
            index += 1
        }
        return true
    }

    /// Whether these octets are those of `other` but for the case of ASCII letters.
    ///
    /// - Parameter other: The octets to compare with.
    /// - Returns: True when length and octets are equal, case aside.
    @inlinable
    public func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        var index = 0
        while index + 8 <= count {
            let own = asciiLowercased(word(at: index))
            if own != asciiLowercased(other.word(at: index)) { return false }
            index += 8
        }
        while index < count {
            if asciiLowercased(self[index]) != asciiLowercased(other[index]) { return false }
            index += 1
        }
        return true
    }

    /// Whether the octets in `range` are those of a literal, but for the case of ASCII letters.
    ///
    /// - Parameters:
    ///   - literal: ASCII text in lower case.
    ///   - range: A range within these octets.
    /// - Returns: True when length and octets are equal, case aside.
    @inlinable
    public func matches(_ literal: StaticString, in range: Range<Int>) -> Bool {
        guard range.count == literal.utf8CodeUnitCount else { return false }
        // SAFETY: a StaticString is immortal and holds utf8CodeUnitCount octets; what is read of it lies
        // below range.count, which is the same.
        let start = unsafe literal.utf8Start
        var index = 0
        while index + 8 <= range.count {
            let expected = unsafe UnsafeRawPointer(start + index).loadUnaligned(as: UInt64.self)
            let own = asciiLowercased(word(at: range.lowerBound + index))
            if own != UInt64(littleEndian: expected) { return false }
            index += 8
        }
        while index < range.count {
            let expected = unsafe start[index]
            if asciiLowercased(self[range.lowerBound + index]) != expected { return false }
            index += 1
        }
        return true
    }

    /// Whether these octets are those of a literal, but for the case of ASCII letters.
    ///
    /// - Parameter literal: ASCII text in lower case.
    /// - Returns: True when length and octets are equal, case aside.
    @inlinable
    public func matches(_ literal: StaticString) -> Bool {
        matches(literal, in: 0..<count)
    }
}

extension [UInt8] {
    /// Appends a copy of octets that lie together.
    ///
    /// - Parameter octets: What to append.
    @inlinable
    public mutating func append(copying octets: Span<UInt8>) {
        // SAFETY: the pointer is used by the one call, which copies.
        unsafe octets.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
    /// Writes a copy of octets that lie together over those from `offset` on.
    ///
    /// - Parameters:
    ///   - offset: Where the first one goes; `offset + octets.count` is at most `count`, which is checked.
    ///   - octets: What to write.
    @inlinable
    public mutating func replace(at offset: Int, copying octets: Span<UInt8>) {
        precondition(
            offset >= 0 && octets.count <= count - offset,
            "\(octets.count) octets at \(offset) of \(count)"
        )
        // SAFETY: the room was checked; the array is accessed alone, so that nothing of it is borrowed as
        // `octets`, and the pointers are used by the one call.
        unsafe octets.withUnsafeBufferPointer { source in
            unsafe withUnsafeMutableBufferPointer { target in
                if let first = source.baseAddress, let base = target.baseAddress {
                    unsafe (base + offset).update(from: first, count: source.count)
                }
            }
        }
    }
}
