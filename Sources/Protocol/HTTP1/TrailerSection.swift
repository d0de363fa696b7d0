/// The trailer section of a chunked message (RFC 9112 §7.1.2), kept so that it can be forwarded.
///
/// Fields that RFC 9110 §6.5.1 does not allow there are marked as hop-by-hop, so they are dropped.
package struct TrailerSection: ~Copyable {
    /// The field lines.
    package private(set) var fields = FieldSection(role: .trailer)
    private var isReading = false

    /// Makes an empty section.
    package init() {}

    /// Reads on.
    ///
    /// - Parameters:
    ///   - octets: Octets from the first one after the last chunk's header.
    ///   - limits: Bounds of the section, those of a head.
    /// - Returns: The section's length with its empty line, or `nil` while more are needed.
    /// - Throws: The first violation.
    package mutating func decode(
        _ octets: Span<UInt8>,
        limits: borrowing HTTP1Limits
    ) throws(HTTP1Error) -> Int? {
        if !isReading {
            fields.begin(at: 0)
            isReading = true
        }
        guard let end = try fields.decode(octets, limits: limits) else { return nil }
        isReading = false
        return end
    }
}
