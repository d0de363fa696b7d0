/// What a peer may make us hold of one field section.
package struct FieldBlockLimits: Sendable {
    /// Largest field section: of each line name, value and 32 (RFC 9113 §6.5.2); 431 above.
    package var fieldSectionBytesMax: Int
    /// Most field lines, without pseudo-header fields and with all cookies as one; 431 above.
    package var fieldLinesMax: Int

    /// Makes limits.
    ///
    /// The defaults are fleet.yaml's.
    ///
    /// - Parameters:
    ///   - fieldSectionBytesMax: Largest field section, in octets.
    ///   - fieldLinesMax: Most field lines.
    package init(fieldSectionBytesMax: Int = 64 * 1024, fieldLinesMax: Int = 100) {
        self.fieldSectionBytesMax = fieldSectionBytesMax
        self.fieldLinesMax = fieldLinesMax
    }
}

/// Bounds of RFC 7541 and of this implementation of it.
enum HPACKLimits {
    /// Size of the dynamic table before a setting or an update says otherwise (RFC 9113 §6.5.2).
    static let tableBytesInitial = 4096
    /// What an entry counts beside its name and its value (RFC 7541 §4.1).
    static let entryOverheadBytes = 32
    /// Most size updates at the start of a block: the smallest and the final one (RFC 7541 §4.2).
    static let sizeUpdatesMax = 2
    /// Most octets of an integer behind its prefix: five hold all that is accepted.
    static let continuationOctetsMax = 5
    /// Integers are below this, so that no sum of theirs can overflow.
    static let integerEnd = 1 << 31
    /// Most octets of names that are looked up for lines beyond the limits of one section.
    ///
    /// Two octets of a block can name an entry of the size of the table: 64 KiB of them would copy 128 MiB. What a
    /// peer sends in good faith beyond the limits has names of some ten octets.
    static let excessBytesMax = 1024 * 1024
    /// Most octets that a field section keeps room for between messages; more is given back.
    static let octetsKept = 16 * 1024
    /// Most field lines that a field section keeps room for between messages.
    static let linesKept = 64
    /// A cookie shorter than this is never indexed: it could be guessed octet by octet (RFC 7541 §7.1.3).
    static let cookieBytesIndexedMin = 20
}
