internal import SystemCalls

/// A moment of the monotonic clock, in nanoseconds.
public struct LoopInstant: Comparable, Hashable, Sendable {
    public let nanoseconds: UInt64

    /// Wraps `nanoseconds` of the monotonic clock.
    @inlinable
    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// What never comes: no deadline.
    public static let never = LoopInstant(nanoseconds: .max)

    /// The clock, read now.
    public static var now: LoopInstant {
        LoopInstant(nanoseconds: monotonicNanoseconds())
    }

    @inlinable
    public static func < (left: LoopInstant, right: LoopInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The moment so many nanoseconds later, `never` at the end of the clock.
    ///
    /// - Parameter nanoseconds: How much later.
    /// - Returns: The later moment.
    @inlinable
    public func advanced(by nanoseconds: UInt64) -> LoopInstant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return overflow ? .never : LoopInstant(nanoseconds: sum)
    }

    /// Nanoseconds since an earlier moment; 0 when it is later.
    ///
    /// - Parameter earlier: The other moment.
    /// - Returns: The difference.
    @inlinable
    public func nanoseconds(since earlier: LoopInstant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds &- earlier.nanoseconds : 0  // was compared
    }
}

extension Duration {
    /// Whole nanoseconds, at least 0; what is too long for the clock never ends.
    public var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carry ? .max : sum
    }
}
