/// A violation of RFC 7541 in a field block; each case names one.
///
/// The tables of both ends differ after any of them: the connection ends with COMPRESSION_ERROR.
package enum HPACKError: UInt8, Error, Equatable, Sendable, CaseIterable {
    // Integers (§5.1).
    case integerTruncated
    case integerOverflow
    // Strings (§5.2).
    case stringTruncated
    case huffmanEndOfString
    case huffmanPaddingTooLong
    case huffmanPaddingInvalid
    // Indices (§2.3.3).
    case indexZero
    case indexOutOfRange
    // Dynamic table size updates (§4.2, §6.3).
    case sizeUpdateMisplaced
    case sizeUpdatesTooMany
    case sizeUpdateAboveLimit
    // A limit of ours (§7.4).
    case expansionTooLarge

    /// What is wrong, in a few words for a log.
    package var reason: StaticString {
        switch self {
        case .integerTruncated: "field block ends within an integer"
        case .integerOverflow: "integer too large"
        case .stringTruncated: "field block ends within a string"
        case .huffmanEndOfString: "EOS in a Huffman-coded string"
        case .huffmanPaddingTooLong: "Huffman padding longer than seven bits"
        case .huffmanPaddingInvalid: "Huffman padding is not made of ones"
        case .indexZero: "index 0"
        case .indexOutOfRange: "index beyond the dynamic table"
        case .sizeUpdateMisplaced: "table size update after a field line"
        case .sizeUpdatesTooMany: "more than two table size updates"
        case .sizeUpdateAboveLimit: "table size update above the setting"
        case .expansionTooLarge: "field block expands without measure"
        }
    }
}
