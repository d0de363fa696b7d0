import Bytes

/// Walks the elements of a comma-separated list (RFC 9110 §5.6.1) that holds no quoted strings.
///
/// Empty elements are handed out as empty ranges; the caller says whether it allows them.
package struct ElementList: Sendable {
    private var index: Int
    private let end: Int
    private var isAtEnd = false

    /// Makes a walk over one field value.
    ///
    /// - Parameter value: The value's octets.
    package init(_ value: Range<Int>) {
        index = value.lowerBound
        end = value.upperBound
    }

    /// The next element, white space around it left out.
    ///
    /// - Parameter octets: Octets that hold the value.
    /// - Returns: The element's octets, or `nil` after the last one.
    package mutating func next(_ octets: Span<UInt8>) -> Range<Int>? {
        if isAtEnd { return nil }
        let comma = octets.firstIndex(of: 0x2c, from: index, to: end)
        var first = index
        var last = comma
        while first < last, octets[first] == 0x20 || octets[first] == 0x09 { first += 1 }
        while last > first, octets[last - 1] == 0x20 || octets[last - 1] == 0x09 { last -= 1 }
        if comma == end { isAtEnd = true } else { index = comma + 1 }
        return first..<last
    }
}
