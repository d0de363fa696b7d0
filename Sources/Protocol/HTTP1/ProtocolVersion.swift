import Bytes

/// Reads `HTTP/DIGIT.DIGIT` at `start` (RFC 9112 §2.3).
///
/// - Parameters:
///   - octets: The message.
///   - start: Where the version begins.
/// - Returns: The two digits, or `nil` while they have not all arrived.
/// - Throws: `HTTP1Error.versionInvalid` at the first octet that does not fit.
func parseVersion(
    _ octets: Span<UInt8>,
    at start: Int
) throws(HTTP1Error) -> (major: UInt8, minor: UInt8)? {
    let count = min(octets.count - start, 8)
    let expected: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0x48, 0x54, 0x54, 0x50, 0x2f)
    var index = 0
    while index < count {
        let octet = octets[start + index]
        let fits =
            switch index {
            case 0: octet == expected.0
            case 1: octet == expected.1
            case 2: octet == expected.2
            case 3: octet == expected.3
            case 4: octet == expected.4
            case 6: octet == 0x2e
            default: octet &- 0x30 < 10
            }
        guard fits else {
            throw octet == lineFeed && index == 0 ? .bareLineFeed : .versionInvalid
        }
        index += 1
    }
    guard count == 8 else { return nil }
    return (octets[start + 5] - 0x30, octets[start + 7] - 0x30)
}
