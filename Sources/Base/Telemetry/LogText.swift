internal import Bytes

/// Escapes octets of strangers for logs, so that no line is broken and no terminal obeys them.
enum LogText {
    /// Appends the inside of a JSON string.
    ///
    /// Well-formed UTF-8 stays; control characters, C1 among them, are escaped; every octet that is not
    /// part of a character becomes `\ufffd`. At most six octets are appended for each one.
    static func appendJSON(_ octets: Span<UInt8>, to buffer: inout Buffer) {
        var clean = 0
        var index = 0
        while index < octets.count {
            if index + 8 <= octets.count, isPlainASCII(octets.word(at: index)) {
                index += 8
                continue
            }
            let octet = octets[index]
            let length = octet < 0x80 ? 1 : characterLength(octets, at: index)
            if isPlain(octet) || length > 1 {
                index += length
                continue
            }
            buffer.append(octets.extracting(clean..<index))
            if octet == 0xC2, length < 0 {
                appendEscape(octets[index + 1], to: &buffer)  // U+0080 ... U+009F
                index += 2
            } else if octet >= 0x80 {
                buffer.append("\\ufffd" as StaticString)
                index += 1
            } else {
                appendEscape(octet, to: &buffer)
                index += 1
            }
            clean = index
        }
        buffer.append(octets.extracting(clean..<octets.count))
    }

    /// Appends octets with everything but printable ASCII as `\xHH`, and `"` and `\` too.
    ///
    /// At most four octets are appended for each one.
    static func appendHexEscaped(_ octets: Span<UInt8>, to buffer: inout Buffer) {
        var clean = 0
        for index in octets.indices where !isPlain(octets[index]) {
            buffer.append(octets.extracting(clean..<index))
            buffer.append("\\x" as StaticString)
            appendHexadecimal(octets[index], to: &buffer)
            clean = index + 1
        }
        buffer.append(octets.extracting(clean..<octets.count))
    }

    /// Whether eight octets are printable ASCII without `"` and `\`.
    @inline(__always)
    private static func isPlainASCII(_ word: UInt64) -> Bool {
        let special =
            marks(below: 0x20, in: word) | marks(of: UInt8(ascii: "\""), in: word)
            | marks(of: UInt8(ascii: "\\"), in: word) | marks(of: 0x7F, in: word)
        return special | (word & 0x8080_8080_8080_8080) == 0
    }

    private static func isPlain(_ octet: UInt8) -> Bool {
        octet >= 0x20 && octet < 0x7F && octet != UInt8(ascii: "\"") && octet != UInt8(ascii: "\\")
    }

    /// The length of the well-formed UTF-8 character at `index` (RFC 3629 §4): 2 to 4; 0 when there is
    /// none, and -2 for a C1 control character, which is well-formed but not wanted.
    private static func characterLength(_ octets: Span<UInt8>, at index: Int) -> Int {
        let first = octets[index]
        func follows(_ offset: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            index + offset < octets.count && range.contains(octets[index + offset])
        }
        switch first {
        case 0xC2 where follows(1, 0x80...0x9F): return -2
        case 0xC2...0xDF: return follows(1) ? 2 : 0
        case 0xE0: return follows(1, 0xA0...0xBF) && follows(2) ? 3 : 0
        case 0xED: return follows(1, 0x80...0x9F) && follows(2) ? 3 : 0
        case 0xE1...0xEF: return follows(1) && follows(2) ? 3 : 0
        case 0xF0: return follows(1, 0x90...0xBF) && follows(2) && follows(3) ? 4 : 0
        case 0xF1...0xF3: return follows(1) && follows(2) && follows(3) ? 4 : 0
        case 0xF4: return follows(1, 0x80...0x8F) && follows(2) && follows(3) ? 4 : 0
        default: return 0
        }
    }

    private static func appendEscape(_ octet: UInt8, to buffer: inout Buffer) {
        switch octet {
        case UInt8(ascii: "\""): buffer.append("\\\"" as StaticString)
        case UInt8(ascii: "\\"): buffer.append("\\\\" as StaticString)
        case UInt8(ascii: "\n"): buffer.append("\\n" as StaticString)
        case UInt8(ascii: "\r"): buffer.append("\\r" as StaticString)
        case UInt8(ascii: "\t"): buffer.append("\\t" as StaticString)
        default:
            buffer.append("\\u00" as StaticString)
            appendHexadecimal(octet, to: &buffer)
        }
    }

    private static func appendHexadecimal(_ octet: UInt8, to buffer: inout Buffer) {
        for digit in [octet >> 4, octet & 0xF] {
            buffer.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}
