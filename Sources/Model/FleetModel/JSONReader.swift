/// Reads JSON (RFC 8259) into a `ConfigurationNode`, strictly and in linear time.
///
/// Stricter than §4 and §9 ask: duplicate keys, a byte order mark, lone surrogates, and documents
/// over the limits of `ModelLimits` are refused. Numbers keep their text.
package struct JSONReader {
    private let octets: [UInt8]
    private let file: String
    private var index = 0
    private var line = 1
    /// Where the line starts, moved forward by one for each continuation octet on it, so that
    /// `index - lineStart + 1` is the column in Unicode scalars.
    private var lineStart = 0
    private var valueCount = 0

    private init(octets: [UInt8], file: String) {
        (self.octets, self.file) = (octets, file)
    }

    /// Reads one document.
    ///
    /// - Parameters:
    ///   - octets: The whole document.
    ///   - file: The name that places carry; empty for a request body.
    ///   - bytesMax: Longest document accepted.
    /// - Returns: The document with the places of its values.
    /// - Throws: One problem, with its place; the rest of the document is then not looked at.
    package static func read(
        _ octets: [UInt8],
        file: String = "",
        bytesMax: Int = ModelLimits.documentBytesMax
    ) throws(ConfigurationProblems) -> ConfigurationNode {
        var reader = JSONReader(octets: octets, file: file)
        if octets.count > bytesMax {
            throw reader.refusal("longer than \(bytesMax) octets, the limit of a document", at: 0)
        }
        if octets.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw reader.refusal("starts with a byte order mark, which JSON does not have", at: 0)
        }
        let node = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.index == octets.count else {
            throw reader.refusal("more text after the end of the document", at: reader.index)
        }
        return node
    }

    // MARK: Values

    private mutating func value(depth: Int) throws(ConfigurationProblems) -> ConfigurationNode {
        skipSpace()
        try count()
        let place = place(at: index)
        guard let first = peek() else { throw refusal("the document ends too early", at: index) }
        switch first {
        case UInt8(ascii: "{"):
            return ConfigurationNode(.map(try map(depth: depth + 1)), at: place)
        case UInt8(ascii: "["):
            return ConfigurationNode(.list(try list(depth: depth + 1)), at: place)
        case UInt8(ascii: "\""):
            return ConfigurationNode(try string(), style: .quoted, at: place)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return ConfigurationNode(try number(), style: .number, at: place)
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
            return try literal(at: place)
        default:
            throw refusal("a value must start here", at: index)
        }
    }

    private mutating func map(
        depth: Int
    ) throws(ConfigurationProblems) -> [ConfigurationNode.Entry] {
        try checkDepth(depth)
        index += 1
        var entries: [ConfigurationNode.Entry] = []
        var keys = KeySet()
        skipSpace()
        if take(UInt8(ascii: "}")) { return entries }
        while true {
            skipSpace()
            let keyPlace = place(at: index)
            guard peek() == UInt8(ascii: "\"") else {
                throw refusal("a key in double quotes must stand here", at: index)
            }
            try count()
            let start = index
            let key = try string()
            if let first = keys.insert(key, among: entries) {
                let message = "\(quoted(key)) is already set at \(entries[first].keyPlace)"
                throw refusal(message, from: keyPlace, at: start)
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else {
                throw refusal("a colon must follow the key", at: index)
            }
            let value = try value(depth: depth)
            entries.append(ConfigurationNode.Entry(key: key, keyPlace: keyPlace, value: value))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return entries }
            throw refusal("a comma or } must stand here", at: index)
        }
    }

    private mutating func list(depth: Int) throws(ConfigurationProblems) -> [ConfigurationNode] {
        try checkDepth(depth)
        index += 1
        var items: [ConfigurationNode] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return items }
        while true {
            items.append(try value(depth: depth))
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return items }
            throw refusal("a comma or ] must stand here", at: index)
        }
    }

    private mutating func literal(
        at place: Place
    ) throws(ConfigurationProblems) -> ConfigurationNode {
        let words: [(String, ConfigurationNode.Style)] = [
            ("true", .boolean), ("false", .boolean), ("null", .null),
        ]
        for (word, style) in words where octets[index...].starts(with: word.utf8) {
            index += word.utf8.count
            return ConfigurationNode(word, style: style, at: place)
        }
        throw refusal("a value must start here; text stands in double quotes", at: index)
    }

    /// RFC 8259 §6: `[ minus ] int [ frac ] [ exp ]`.
    private mutating func number() throws(ConfigurationProblems) -> String {
        let start = index
        _ = take(UInt8(ascii: "-"))
        let integerStart = index
        try digits()
        if index - integerStart > 1 && octets[integerStart] == UInt8(ascii: "0") {
            throw refusal("a number must not start with 0", at: integerStart)
        }
        if take(UInt8(ascii: ".")) { try digits() }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
            try digits()
        }
        return String(decoding: octets[start..<index], as: UTF8.self)
    }

    private mutating func digits() throws(ConfigurationProblems) {
        let start = index
        while let digit = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) {
            index += 1
        }
        if index == start { throw refusal("a digit must stand here", at: index) }
    }

    // MARK: Strings

    private mutating func string() throws(ConfigurationProblems) -> String {
        let start = index
        index += 1
        var text: [UInt8] = []
        var runStart = index
        while let octet = peek() {
            switch octet {
            case UInt8(ascii: "\""):
                text.append(contentsOf: octets[runStart..<index])
                index += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw refusal("a string that is not UTF-8", at: start)
                }
                return string
            case UInt8(ascii: "\\"):
                text.append(contentsOf: octets[runStart..<index])
                try escape(into: &text)
                runStart = index
            case 0..<0x20:
                throw refusal("a control character must be written as an escape", at: index)
            case 0x80..<0xC0:
                lineStart += 1
                index += 1
            default:
                index += 1
            }
        }
        throw refusal("the string that starts here has no end", at: start)
    }

    private mutating func escape(into text: inout [UInt8]) throws(ConfigurationProblems) {
        let start = index
        index += 1
        guard let kind = peek() else { throw refusal("an escape without its end", at: start) }
        index += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal(from: start)
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                    throw refusal("half of a surrogate pair", at: start)
                }
                let low = try hexadecimal(from: start)
                guard (0xDC00..<0xE000).contains(low) else {
                    throw refusal("half of a surrogate pair", at: start)
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw refusal("half of a surrogate pair", at: start)
            }
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
        default:
            throw refusal("an escape that JSON does not have", at: start)
        }
    }

    private mutating func hexadecimal(from start: Int) throws(ConfigurationProblems) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = peek(), let value = Character(Unicode.Scalar(digit)).hexDigitValue
            else { throw refusal("\\u needs four hexadecimal digits", at: start) }
            code = code << 4 | UInt32(value)
            index += 1
        }
        return code
    }

    // MARK: Octets

    private func peek() -> UInt8? {
        index < octets.count ? octets[index] : nil
    }

    private mutating func take(_ octet: UInt8) -> Bool {
        guard peek() == octet else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let octet = peek() {
            switch octet {
            case 0x0A:
                index += 1
                line += 1
                lineStart = index
            case 0x20, 0x09, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func count() throws(ConfigurationProblems) {
        valueCount += 1
        if valueCount > ModelLimits.valueCountMax {
            throw refusal("more than \(ModelLimits.valueCountMax) values", at: index)
        }
    }

    private func checkDepth(_ depth: Int) throws(ConfigurationProblems) {
        if depth > ModelLimits.depthMax {
            throw refusal("nested deeper than \(ModelLimits.depthMax) levels", at: index)
        }
    }

    private func place(at index: Int) -> Place {
        Place(file: file, line: line, column: index - lineStart + 1)
    }

    private func refusal(
        _ message: String,
        from place: Place? = nil,
        at index: Int
    ) -> ConfigurationProblems {
        ConfigurationProblems([
            Problem(
                kind: nil,
                name: "",
                field: "",
                message: message,
                place: place ?? self.place(at: index)
            )
        ])
    }
}

/// Finds a duplicate among the keys of one map; a dictionary only pays from some size on.
private struct KeySet {
    private var positions: [String: Int] = [:]
    private static let linearCountMax = 12

    /// Adds `key`, which would be the next entry, or returns the position of its first mention.
    mutating func insert(_ key: String, among entries: [ConfigurationNode.Entry]) -> Int? {
        if entries.count < Self.linearCountMax {
            return entries.firstIndex { $0.key == key }
        }
        if positions.isEmpty {
            for (index, entry) in entries.enumerated() { positions[entry.key] = index }
        }
        if let first = positions[key] { return first }
        positions[key] = entries.count
        return nil
    }
}

/// A text of the user in an error: in quotes, without control characters, and not too long.
///
/// A key that was pasted into the wrong place is not shown.
package func quoted(_ text: String) -> String {
    // Most texts are short, and the search has a price.
    if text.utf8.count > 10, text.contains("PRIVATE KEY") { return "(a private key)" }
    var shown = ""
    for scalar in text.unicodeScalars.prefix(60) {
        let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    return "\"\(shown)\(text.unicodeScalars.count > 60 ? "…" : "")\""
}
