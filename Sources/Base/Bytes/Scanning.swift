// The two searches that see every octet of a head. They run on a pointer, so that the bounds are checked
// once for a search and not once for a word.

extension Span where Element == UInt8 {
    /// The index of the first control octet, below 0x20 or DEL, from `start` on.
    ///
    /// - Parameter start: Where to look first; 0 to `count`, which is checked.
    /// - Returns: Its index, or `count`.
    /// - Complexity: About one instruction an octet.
    @inlinable
    public func firstIndexOfControl(from start: Int) -> Int {
        precondition(start >= 0 && start <= count, "\(start) of \(count) octets")
        let count = count
        // SAFETY: every unchecked load lies in `start ..< count`, as the loop conditions say, and any
        // octets make a word. The sums cannot overflow: `index` stays at most `count`.
        let octets = unsafe self.bytes
        var index = start
        // Two words at a time while every octet is plainly printable ASCII: none borrows below
        // 0x20, none reaches 0x80 by one more (DEL) or is there already. This may stop too early,
        // never too late; the exact test follows.
        while index &+ 16 <= count {
            let one = unsafe octets.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index,
                as: UInt64.self
            )
            let two = unsafe octets.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index &+ 8,
                as: UInt64.self
            )
            let below = (one &- repeated(0x20)) | (two &- repeated(0x20))
            let above = (one &+ repeated(1)) | (two &+ repeated(1))
            if (below | above | one | two) & repeated(0x80) != 0 { break }
            index = index &+ 16
        }
        while index &+ 8 <= count {
            let word = unsafe octets.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index,
                as: UInt64.self
            )
            let found =
                marks(below: 0x20, in: UInt64(littleEndian: word))
                | marks(of: 0x7f, in: UInt64(littleEndian: word))
            if found != 0 { return index &+ firstMarked(found) }
            index = index &+ 8
        }
        while index < count {
            let octet = self[index]
            if octet < 0x20 || octet == 0x7f { return index }
            index = index &+ 1
        }
        return count
    }

    /// The index of the first octet from `start` on that is not visible ASCII (0x21 to 0x7e), or is
    /// `#`, or is `stop`.
    ///
    /// - Parameters:
    ///   - start: Where to look first; 0 to `count`, which is checked.
    ///   - stop: One more octet to stop at.
    /// - Returns: Its index, or `count`.
    @inlinable
    public func firstIndexOutsideTarget(from start: Int, stop: UInt8) -> Int {
        precondition(start >= 0 && start <= count, "\(start) of \(count) octets")
        let count = count
        // SAFETY: as above.
        let octets = unsafe self.bytes
        var index = start
        while index &+ 8 <= count {
            let loaded = unsafe octets.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index,
                as: UInt64.self
            )
            let word = UInt64(littleEndian: loaded)
            // Octets from 0x80 on are marked exactly, by their top bit.
            let found =
                marks(below: 0x21, in: word) | marks(of: 0x7f, in: word)
                | marks(of: 0x23, in: word) | marks(of: stop, in: word)
                | (word & repeated(0x80))
            if found != 0 { return index &+ firstMarked(found) }
            index = index &+ 8
        }
        while index < count {
            let octet = self[index]
            if octet < 0x21 || octet > 0x7e || octet == 0x23 || octet == stop { return index }
            index = index &+ 1
        }
        return count
    }
}
