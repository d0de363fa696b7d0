/// Base64 of RFC 4648: the URL alphabet without padding (§5) and the plain one with padding (§4).
private enum Base64Alphabet {
    static let plain = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )
    static let url = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// Values of 256 octets; 255 stands for "not in the alphabet".
    static func values(of alphabet: [UInt8]) -> [UInt8] {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, octet) in alphabet.enumerated() {
            values[Int(octet)] = UInt8(value)
        }
        return values
    }

    static let plainValues = values(of: plain)
    static let urlValues = values(of: url)
}

/// base64url without padding (RFC 4648 §5).
package func encodeBase64URL(_ octets: [UInt8]) -> String {
    String(decoding: encode(octets, alphabet: Base64Alphabet.url), as: UTF8.self)
}

/// Decodes base64url without padding (RFC 4648 §5), strictly.
///
/// Padding, white space, letters outside of the alphabet, a lone last letter, and unused bits that are
/// not zero are refused (§3.5), so each value has exactly one accepted text.
package func decodeBase64URL(_ text: some StringProtocol) -> [UInt8]? {
    decode(Array(text.utf8)[...], values: Base64Alphabet.urlValues)
}

/// Base64 with padding (RFC 4648 §4), as PEM uses it.
package func encodeBase64(_ octets: [UInt8]) -> String {
    var text = encode(octets, alphabet: Base64Alphabet.plain)
    while !text.count.isMultiple(of: 4) {
        text.append(UInt8(ascii: "="))
    }
    return String(decoding: text, as: UTF8.self)
}

/// Decodes base64 with padding (RFC 4648 §4), strictly.
package func decodeBase64(_ text: some StringProtocol) -> [UInt8]? {
    var letters = Array(text.utf8)[...]
    guard letters.count.isMultiple(of: 4) else { return nil }
    for _ in 0..<2 where letters.last == UInt8(ascii: "=") {
        letters.removeLast()
    }
    return decode(letters, values: Base64Alphabet.plainValues)
}

private func encode(_ octets: [UInt8], alphabet: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((octets.count * 4 + 2) / 3)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for octet in octets {
        bits = bits << 8 | UInt32(octet)
        bitCount += 8
        while bitCount >= 6 {
            bitCount -= 6
            text.append(alphabet[Int(bits >> bitCount & 63)])
        }
        bits &= 63
    }
    if bitCount > 0 {
        text.append(alphabet[Int(bits << (6 - bitCount) & 63)])
    }
    return text
}

private func decode(_ letters: ArraySlice<UInt8>, values: [UInt8]) -> [UInt8]? {
    var octets: [UInt8] = []
    octets.reserveCapacity(letters.count * 3 / 4)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for letter in letters {
        let value = values[Int(letter)]
        guard value < 64 else { return nil }
        bits = bits << 6 | UInt32(value)
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            octets.append(UInt8(truncatingIfNeeded: bits >> bitCount))
            bits &= (1 << bitCount) - 1
        }
    }
    guard bitCount < 6, bits == 0 else { return nil }
    return octets
}
