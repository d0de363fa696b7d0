/// A stretch of octets in a span that the holder of the range knows, in eight octets of memory.
///
/// Parsers return these instead of spans: a range may outlive the borrow, and the octets may move.
@frozen
@usableFromInline
package struct OctetRange: Equatable, Sendable {
    /// Index of the first octet.
    @usableFromInline package var offset: UInt32
    /// Number of octets.
    @usableFromInline package var count: UInt32

    /// The empty range at 0.
    @inlinable
    package init() {
        (offset, count) = (0, 0)
    }

    /// Makes the range from one index up to another.
    ///
    /// - Parameters:
    ///   - start: Index of the first octet.
    ///   - end: Index after the last one; not below `start` and below 2^32, which is checked.
    @inlinable
    @inline(__always)
    package init(_ start: Int, _ end: Int) {
        offset = UInt32(start)
        count = UInt32(end - start)
    }

    /// Index of the first octet.
    @inlinable
    package var lowerBound: Int { Int(offset) }

    /// Index after the last octet.
    @inlinable
    package var upperBound: Int { Int(offset) + Int(count) }

    /// The range as indices of a span.
    @inlinable
    package var indices: Range<Int> { lowerBound..<upperBound }

    /// Whether it holds no octet.
    @inlinable
    package var isEmpty: Bool { count == 0 }
}
