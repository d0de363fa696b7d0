/// Octets on their way from one socket to another, in one block of memory that a pool lends.
///
///     0        start                      end          capacity
///     | headroom |  readable: count octets  |  writable   |
///
/// A new head is written over the old one's place by `prepend`, so that head and body leave in one
/// system call. A buffer without a block is empty and costs three words: an idle connection holds
/// none. Confined to the loop of the pool that lent the block.
// SAFETY: every access stays within `base ..< base + capacity`, which the invariant
// `0 <= start <= end <= capacity` and the checks of each method ensure; the block is owned alone.
@safe
public struct Buffer: ~Copyable {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>?
    @usableFromInline var capacity: Int
    @usableFromInline var start: Int
    @usableFromInline var end: Int

    /// Makes an empty buffer without a block.
    @inlinable
    public init() {
        // SAFETY: there is no block.
        unsafe base = nil
        capacity = 0
        start = 0
        end = 0
    }

    /// Makes an empty buffer with a block of its own, which no pool takes back.
    ///
    /// - Parameter capacity: Its size in octets.
    public init(capacity: Int) {
        // SAFETY: freed in deinit, or by the pool that takes the block over.
        unsafe base = .allocate(capacity: capacity)
        self.capacity = capacity
        start = 0
        end = 0
    }

    /// Takes over a block of a pool.
    @inlinable
    init(block: UnsafeMutablePointer<UInt8>, capacity: Int, headroom: Int) {
        // SAFETY: the pool hands the block over and keeps no pointer.
        unsafe base = block
        self.capacity = capacity
        start = headroom
        end = headroom
    }

    deinit {
        // SAFETY: the block is owned alone.
        if let base = unsafe base { unsafe base.deallocate() }
    }

    /// Gives the block up, so that a pool can have it.
    @inlinable
    mutating func takeBlock() -> UnsafeMutablePointer<UInt8>? {
        // SAFETY: the pointer leaves this buffer, which is empty afterwards.
        let block = unsafe base
        unsafe base = nil
        capacity = 0
        start = 0
        end = 0
        return unsafe block
    }

    /// Whether a block is lent.
    @inlinable public var hasBlock: Bool { unsafe base != nil }
    /// Octets that can be read.
    @inlinable public var count: Int { end &- start }  // start <= end
    /// Whether there is nothing to read.
    @inlinable public var isEmpty: Bool { start == end }
    /// Octets that fit behind the readable ones.
    @inlinable public var writableCount: Int { capacity &- end }  // end <= capacity
    /// Octets that fit before the readable ones.
    @inlinable public var headroom: Int { start }
    /// Size of the block, 0 without one.
    @inlinable public var blockSize: Int { capacity }

    // MARK: Reading

    /// Lends the readable octets.
    ///
    /// - Parameter body: Gets them; nothing of them outlives the call.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    @inlinable
    @inline(__always)
    public borrowing func withReadable<Result: ~Copyable, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: the octets start ..< end are initialized and nobody writes them meanwhile.
        guard let base = unsafe base else { return try body(Span()) }
        let octets = unsafe UnsafeBufferPointer(start: base + start, count: end &- start)
        return try unsafe body(Span(_unsafeElements: octets))
    }

    /// Drops octets from the front.
    ///
    /// - Parameter octetCount: How many, at most `count`.
    @inlinable
    public mutating func consume(_ octetCount: Int) {
        precondition(octetCount >= 0 && octetCount <= end &- start, "consume \(octetCount)")
        start &+= octetCount  // at most end
    }

    /// Moves the readable octets to the front of the block, so that there is more room behind them.
    ///
    /// - Parameter headroom: Octets to leave free in front; nothing happens if no more are free there.
    package mutating func compact(headroom: Int) {
        // SAFETY: `base` is the start of the block.
        guard start > headroom, let base = unsafe base else { return }
        let length = count
        // SAFETY: both places are within the block; update(from:) allows the overlap.
        unsafe (base + headroom).update(from: base + start, count: length)
        start = headroom
        end = headroom + length
    }

    /// Drops everything, and leaves `headroom` octets free in front.
    ///
    /// - Parameter headroom: Octets to leave, cut to the block's size.
    @inlinable
    public mutating func clear(headroom: Int = 0) {
        start = min(max(headroom, 0), capacity)
        end = start
    }

    // MARK: Writing

    /// Lends the free memory behind the readable octets.
    ///
    /// - Parameters:
    ///   - reserve: Octets at the end of the block to leave out.
    ///   - body: Fills the front of the memory and returns how many octets it wrote.
    @unsafe
    @inlinable
    public mutating func fill(
        reserve: Int,
        _ body: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        // SAFETY: `base` is the start of the block.
        guard let base = unsafe base else { return }
        let room = max(0, capacity &- end &- reserve)
        // SAFETY: end + room is at most capacity, and what `body` claims is checked.
        let filled = unsafe body(UnsafeMutableRawBufferPointer(start: base + end, count: room))
        precondition(filled >= 0 && filled <= room, "filled \(filled) of \(room)")
        end &+= filled
    }

    /// Copies `octets` behind what is there.
    ///
    /// - Parameter octets: At most `writableCount` of them.
    /// - Returns: `false`, with nothing copied, when they do not fit.
    @inlinable
    @discardableResult
    public mutating func append(_ octets: Span<UInt8>) -> Bool {
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard octets.count <= capacity &- end, let base = unsafe base else { return octets.isEmpty }
        let target = unsafe base + end
        // SAFETY: the room was checked, and a span of others cannot overlap memory that we own alone.
        unsafe octets.withUnsafeBufferPointer { source in
            if let first = source.baseAddress {
                unsafe target.update(from: first, count: source.count)
            }
        }
        end &+= octets.count
        return true
    }

    /// Copies a literal behind what is there.
    ///
    /// - Parameter text: At most `writableCount` octets.
    /// - Returns: `false`, with nothing copied, when it does not fit.
    @inlinable
    @inline(__always)
    @discardableResult
    public mutating func append(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard count <= capacity &- end, let base = unsafe base else { return count == 0 }
        // SAFETY: the room was checked; the literal lives for ever.
        unsafe (base + end).update(from: text.utf8Start, count: count)
        end &+= count
        return true
    }

    /// Appends one octet.
    ///
    /// - Parameter octet: The octet.
    /// - Returns: `false` when there is no room.
    @inlinable
    @discardableResult
    public mutating func append(_ octet: UInt8) -> Bool {
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard end < capacity, let base = unsafe base else { return false }
        // SAFETY: end is less than capacity.
        unsafe base[end] = octet
        end &+= 1
        return true
    }

    /// Appends the UTF-8 of a string.
    ///
    /// - Parameter text: At most `writableCount` octets.
    /// - Returns: `false`, with nothing copied, when it does not fit.
    @discardableResult
    public mutating func append(_ text: String) -> Bool {
        append(text.utf8.span)
    }

    /// Appends the octets of an array.
    ///
    /// - Parameter octets: At most `writableCount` of them.
    /// - Returns: `false`, with nothing copied, when they do not fit.
    @inlinable
    @discardableResult
    public mutating func append(_ octets: [UInt8]) -> Bool {
        append(octets.span)
    }

    /// Appends a number in decimal.
    ///
    /// - Parameter number: The number.
    /// - Returns: `false` when it does not fit.
    @discardableResult
    public mutating func append(decimal number: UInt64) -> Bool {
        appendDigits(number, base: 10)
    }

    /// Appends a number in lower-case hexadecimal.
    ///
    /// - Parameter number: The number.
    /// - Returns: `false` when it does not fit.
    @discardableResult
    public mutating func append(hexadecimal number: UInt64) -> Bool {
        appendDigits(number, base: 16)
    }

    /// Appends a number as sixteen digits of lower-case hexadecimal.
    ///
    /// - Parameter number: The number.
    /// - Returns: `false` when they do not fit.
    @discardableResult
    public mutating func append(sixteenDigits number: UInt64) -> Bool {
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard 16 <= capacity - end, let base = unsafe base else { return false }
        let target = unsafe UnsafeMutableRawPointer(base + end)
        // SAFETY: sixteen octets from `end` on are within the block.
        unsafe target.storeBytes(of: hexadecimalDigits(number >> 32), as: UInt64.self)
        unsafe target.storeBytes(
            of: hexadecimalDigits(number & 0xFFFF_FFFF),
            toByteOffset: 8,
            as: UInt64.self
        )
        end += 16
        return true
    }

    @inline(__always)
    private mutating func appendDigits(_ number: UInt64, base radix: UInt64) -> Bool {
        var digitCount = 1
        var rest = number / radix
        while rest > 0 {
            digitCount += 1
            rest /= radix
        }
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard digitCount <= capacity - end, let base = unsafe base else { return false }
        rest = number
        for index in stride(from: end + digitCount - 1, through: end, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest % radix)
            // SAFETY: end <= index < end + digitCount, which was checked.
            unsafe base[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            rest /= radix
        }
        end += digitCount
        return true
    }

    /// Copies the readable octets of `head` before those that are here.
    ///
    /// - Parameter head: At most `headroom` octets.
    /// - Returns: `false`, with nothing copied, when they do not fit.
    @inlinable
    public mutating func prepend(_ head: borrowing Buffer) -> Bool {
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard head.count <= start, let base = unsafe base, let source = unsafe head.base else {
            return head.isEmpty
        }
        // SAFETY: head.count <= start, and two buffers never share a block.
        unsafe (base + (start &- head.count)).update(from: source + head.start, count: head.count)
        start &-= head.count
        return true
    }

    /// Copies octets before those that are here.
    ///
    /// - Parameter octets: At most `headroom` of them, not of this buffer.
    /// - Returns: `false`, with nothing copied, when they do not fit.
    @inlinable
    @discardableResult
    public mutating func prepend(_ octets: Span<UInt8>) -> Bool {
        // SAFETY: `base` is the start of the block that this buffer owns.
        guard octets.count <= start, let base = unsafe base else { return octets.isEmpty }
        let target = unsafe base + (start &- octets.count)
        // SAFETY: octets.count <= start, and the block is written by nobody else.
        unsafe octets.withUnsafeBufferPointer { source in
            if let first = source.baseAddress {
                unsafe target.update(from: first, count: source.count)
            }
        }
        start &-= octets.count
        return true
    }

    /// Copies a literal before the octets that are here.
    ///
    /// - Parameter text: At most `headroom` octets.
    /// - Returns: `false`, with nothing copied, when it does not fit.
    public mutating func prepend(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        // SAFETY: `base` is the start of the block; count <= start; the literal lives for ever.
        guard count <= start, let base = unsafe base else { return count == 0 }
        unsafe (base + (start - count)).update(from: text.utf8Start, count: count)
        start -= count
        return true
    }

    /// Copies a literal between the octets that are here, moving those behind it.
    ///
    /// - Parameters:
    ///   - text: At most `writableCount` octets.
    ///   - offset: From the first readable octet.
    /// - Returns: `false`, with nothing copied, when it does not fit.
    public mutating func insert(_ text: StaticString, at offset: Int) -> Bool {
        precondition(offset >= 0 && offset <= count, "insert at \(offset) of \(count)")
        let added = text.utf8CodeUnitCount
        // SAFETY: `base` is the start of the block; the octets behind move within it, since `added` more
        // fit; update(from:) allows the overlap; the literal lives for ever.
        guard added <= capacity - end, let base = unsafe base else { return added == 0 }
        let place = unsafe base + start + offset
        unsafe (place + added).update(from: place, count: count - offset)
        unsafe place.update(from: text.utf8Start, count: added)
        end += added
        return true
    }

    /// Copies octets between those that are here, moving those behind them.
    ///
    /// - Parameters:
    ///   - octets: At most `writableCount` of them, not of this buffer.
    ///   - offset: From the first readable octet.
    /// - Returns: `false`, with nothing copied, when they do not fit.
    package mutating func insert(_ octets: Span<UInt8>, at offset: Int) -> Bool {
        precondition(offset >= 0 && offset <= count, "insert at \(offset) of \(count)")
        let added = octets.count
        // SAFETY: `base` is the start of the block; the octets behind move within it, since `added` more
        // fit; update(from:) allows the overlap; a span of others cannot overlap memory that we own alone.
        guard added <= capacity - end, let base = unsafe base else { return added == 0 }
        let place = unsafe base + start + offset
        unsafe (place + added).update(from: place, count: count - offset)
        unsafe octets.withUnsafeBufferPointer { source in
            if let first = source.baseAddress { unsafe place.update(from: first, count: added) }
        }
        end += added
        return true
    }

    /// Moves readable octets to another place in the readable part.
    ///
    /// - Parameters:
    ///   - range: Offsets from the first readable octet.
    ///   - target: Offset to which the first of them goes; lower than `range.lowerBound`.
    public mutating func move(_ range: Range<Int>, to target: Int) {
        precondition(range.lowerBound >= target && target >= 0 && range.upperBound <= count)
        // SAFETY: `base` is the start of the block.
        guard let base = unsafe base else { return }
        // SAFETY: both places are within the readable octets; update(from:) allows the overlap.
        unsafe (base + start + target).update(
            from: base + start + range.lowerBound,
            count: range.count
        )
    }

    /// Removes octets from the middle and closes the gap from behind.
    ///
    /// - Parameter range: Offsets from the first readable octet.
    public mutating func remove(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        // SAFETY: `base` is the start of the block.
        guard let base = unsafe base else { return }
        let tail = count - range.upperBound
        // SAFETY: both places are within the readable octets; update(from:) allows the overlap.
        unsafe (base + start + range.lowerBound)
            .update(from: base + start + range.upperBound, count: tail)
        end -= range.count
    }
}
