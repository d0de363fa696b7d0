/// A stretch of octets in a span that the holder of the range knows, in eight octets of memory.
///
/// Parsers return these instead of spans: a range may outlive the borrow, and the octets may move.
@frozen
public struct OctetRange: Equatable, Sendable {
    /// Index of the first octet.
    public var offset: UInt32
    /// Number of octets.
    public var count: UInt32

    /// The empty range at 0.
    @inlinable
    public init() {
        (offset, count) = (0, 0)
    }

    /// Makes the range from one index up to another.
    ///
    /// - Parameters:
    ///   - start: Index of the first octet.
    ///   - end: Index after the last one; not below `start` and below 2^32, which is checked.
    @inlinable
    @inline(__always)
    public init(_ start: Int, _ end: Int) {
        offset = UInt32(start)
        count = UInt32(end - start)
    }

    /// Index of the first octet.
    @inlinable
    public var lowerBound: Int { Int(offset) }

    /// Index after the last octet.
    @inlinable
    public var upperBound: Int { Int(offset) + Int(count) }

    /// The range as indices of a span.
    @inlinable
    public var indices: Range<Int> { lowerBound..<upperBound }

    /// Whether it holds no octet.
    @inlinable
    public var isEmpty: Bool { count == 0 }
}
