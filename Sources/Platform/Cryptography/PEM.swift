/// Textual encoding of DER (RFC 7468).
package enum PEM {
    /// Longest text that is read, in octets: some hundred certificates.
    package static let textBytesMax = 1 << 20

    /// One block: lines of 64 letters between the boundaries, with a final line feed.
    package static func encode(_ der: [UInt8], label: String) -> String {
        let letters = Array(encodeBase64(der).utf8)
        var text = "-----BEGIN \(label)-----\n"
        for start in stride(from: 0, to: letters.count, by: 64) {
            let line = letters[start..<min(start + 64, letters.count)]
            text += String(decoding: line, as: UTF8.self)
            text += "\n"
        }
        return text + "-----END \(label)-----\n"
    }

    /// The contents of every block with the label, in order.
    ///
    /// Text outside of blocks is skipped (RFC 7468 §2), blocks with other labels too; a block that does
    /// not end or does not decode is an error.
    package static func decode(_ text: String, label: String) throws(CryptographyError) -> [[UInt8]]
    {
        guard text.utf8.count <= textBytesMax else { throw .pemInvalid }
        let begin = "-----BEGIN \(label)-----"
        let end = "-----END \(label)-----"
        var blocks: [[UInt8]] = []
        var letters: String?
        for line in text.split(whereSeparator: \.isNewline) {
            let content = String(line).trimmingWhiteSpace()
            if content == begin {
                guard letters == nil else { throw .pemInvalid }
                letters = ""
            } else if content == end {
                guard let whole = letters, let der = decodeBase64(whole), !der.isEmpty else {
                    throw .pemInvalid
                }
                blocks.append(der)
                letters = nil
            } else if letters != nil {
                letters?.append(content)
            }
        }
        guard letters == nil, !blocks.isEmpty else { throw .pemInvalid }
        return blocks
    }
}

extension String {
    /// The text without spaces and tabs at its ends.
    fileprivate func trimmingWhiteSpace() -> String {
        var rest = Substring(self)
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\r" {
            rest.removeLast()
        }
        return String(rest)
    }
}
