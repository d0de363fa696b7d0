/// One block of a PEM text (RFC 7468), with the place where it stands.
package struct PEMBlock: Hashable, Sendable {
    /// What stands after BEGIN, such as `CERTIFICATE`.
    package let label: String
    /// Line of its BEGIN, counted from 1.
    package let line: Int
    /// Whether its content is encrypted with a passphrase, by its label or by RFC 1421's fields.
    package let isEncrypted: Bool
    /// The decoded content; empty if it is encrypted.
    package var der: [UInt8]
}

/// What is wrong with a PEM text, and on which line.
package struct PEMError: Error, Hashable, Sendable {
    /// The line, counted from 1; 0 for the text as a whole.
    package let line: Int
    /// What is wrong.
    package let reason: Reason

    /// Says where and what.
    package init(line: Int, reason: Reason) {
        (self.line, self.reason) = (line, reason)
    }

    /// Kinds of damage.
    package enum Reason: Hashable, Sendable {
        /// The text has more than `PEM.textBytesMax` octets.
        case tooLong
        /// The text is DER, or has NULs: a binary file.
        case binary
        /// A line begins with five dashes and is neither BEGIN nor END of a block.
        case boundaryMalformed
        /// A BEGIN within a block: the END before it is missing.
        case endMissing
        /// An END without a BEGIN.
        case beginMissing
        /// An END with another label than its BEGIN.
        case labelsDiffer
        /// The text ends within the block that begins on this line.
        case unfinished
        /// The block that begins on this line has no content.
        case empty
        /// The block that begins on this line is not base64.
        case base64Malformed
    }
}

extension PEMError: CustomStringConvertible {
    /// The place and what is wrong, without any of the content.
    package var description: String {
        let what =
            switch reason {
            case .tooLong: "longer than \(PEM.textBytesMax) octets"
            case .binary: "a binary file where PEM text is expected"
            case .boundaryMalformed: "dashes that are neither a BEGIN nor an END line"
            case .endMissing: "a BEGIN line within a block whose END line is missing"
            case .beginMissing: "an END line without a BEGIN line"
            case .labelsDiffer: "an END line with another label than its BEGIN line"
            case .unfinished: "the block that begins here has no END line"
            case .empty: "the block that begins here is empty"
            case .base64Malformed: "the block that begins here is not base64"
            }
        return line == 0 ? what : "line \(line): \(what)"
    }
}

extension PEM {
    /// All blocks of a text in order, whatever their labels.
    ///
    /// Text outside of blocks is skipped (RFC 7468 §2), white space within lines too; a byte order mark
    /// and every kind of line end is taken. Anything else that is not PEM is an error with its line.
    package static func blocks(_ text: [UInt8]) throws(PEMError) -> [PEMBlock] {
        guard text.count <= textBytesMax else { throw PEMError(line: 0, reason: .tooLong) }
        guard !text.contains(0) else { throw PEMError(line: 0, reason: .binary) }
        var reader = PEMReader()
        var line = 1
        var start = text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        for index in start..<text.count {
            guard text[index] == UInt8(ascii: "\n") || text[index] == UInt8(ascii: "\r") else {
                continue
            }
            try reader.read(text[start..<index], line: line)
            start = index + 1
            // A line that ends in CR LF ends once.
            let isFirstOfTwo =
                text[index] == UInt8(ascii: "\r") && start < text.count
                && text[start] == UInt8(ascii: "\n")
            if !isFirstOfTwo { line += 1 }
        }
        try reader.read(text[start...], line: line)
        return try reader.finish()
    }
}

/// Reads a PEM text line by line.
private struct PEMReader {
    private var blocks: [PEMBlock] = []
    private var label: String?
    private var beginLine = 0
    private var letters: [UInt8] = []
    private var isEncrypted = false

    private static let dashes = [UInt8](repeating: UInt8(ascii: "-"), count: 5)

    mutating func read(_ line: ArraySlice<UInt8>, line number: Int) throws(PEMError) {
        let content = line.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
        if content.starts(with: Self.dashes) {
            try readBoundary(line, number)
        } else if label != nil {
            // RFC 1421 §4.6: fields in front of the content of an encrypted block.
            if letters.isEmpty, content.contains(UInt8(ascii: ":")) {
                isEncrypted = isEncrypted || line.starts(with: Array("Proc-Type".utf8))
            } else {
                letters.append(contentsOf: content)
            }
        }
    }

    private mutating func readBoundary(
        _ line: ArraySlice<UInt8>,
        _ number: Int
    ) throws(PEMError) {
        let text = String(decoding: line, as: UTF8.self).split(separator: " ").joined(
            separator: " "
        )
        guard text.hasSuffix("-----"), text.utf8.count >= 16 else {
            throw PEMError(line: number, reason: .boundaryMalformed)
        }
        let words = text.dropFirst(5).dropLast(5)
        if words.hasPrefix("BEGIN ") {
            guard label == nil else { throw PEMError(line: number, reason: .endMissing) }
            (label, beginLine) = (String(words.dropFirst(6)), number)
            isEncrypted = label == "ENCRYPTED PRIVATE KEY"
        } else if words.hasPrefix("END ") {
            guard let begun = label else { throw PEMError(line: number, reason: .beginMissing) }
            guard begun == words.dropFirst(4) else {
                throw PEMError(line: number, reason: .labelsDiffer)
            }
            try endBlock(begun)
        } else {
            throw PEMError(line: number, reason: .boundaryMalformed)
        }
    }

    private mutating func endBlock(_ label: String) throws(PEMError) {
        defer {
            erase(&letters)
            self.label = nil
        }
        guard !letters.isEmpty else { throw PEMError(line: beginLine, reason: .empty) }
        var der: [UInt8] = []
        if !isEncrypted {
            guard let decoded = decodeBase64(String(decoding: letters, as: UTF8.self)) else {
                throw PEMError(line: beginLine, reason: .base64Malformed)
            }
            der = decoded
        }
        blocks.append(
            PEMBlock(label: label, line: beginLine, isEncrypted: isEncrypted, der: der)
        )
    }

    mutating func finish() throws(PEMError) -> [PEMBlock] {
        guard label == nil else { throw PEMError(line: beginLine, reason: .unfinished) }
        return blocks
    }
}
