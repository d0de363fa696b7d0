import Bytes

extension StaticTable {
    /// Whether an entry has a value.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - index: 1 to `count`.
    /// - Returns: True when the entry has this value.
    static func hasValue(_ value: Span<UInt8>, at index: Int) -> Bool {
        let entry = entries[index - 1]
        guard Int(entry.valueCount) == value.count else { return false }
        let start = Int(entry.offset) + entry.valueOffset
        let octets = octets
        return octets.span.extracting(start..<start + value.count).equals(value)
    }
}
