/// Writes a `ConfigurationNode` as YAML that every YAML reader takes for the same text.
package struct YAMLWriter {
    private var text = ""

    private init() {}

    /// Block style, but lists of single values on one line.
    package static func write(_ node: ConfigurationNode) -> String {
        var writer = YAMLWriter()
        if let line = writer.inline(node) {
            writer.text = line + "\n"
        } else {
            writer.block(node, indent: 0, isContinued: false)
        }
        return writer.text
    }

    /// Writes a list or a map over lines; `isContinued` says that the first one holds the dash of a list.
    private mutating func block(_ node: ConfigurationNode, indent: Int, isContinued: Bool) {
        let margin = String(repeating: " ", count: indent)
        switch node.value {
        case .scalar: break
        case .list(let items):
            for (index, item) in items.enumerated() {
                text += isContinued && index == 0 ? "- " : margin + "- "
                if let line = inline(item) {
                    text += line + "\n"
                } else {
                    block(item, indent: indent + 2, isContinued: true)
                }
            }
        case .map(let entries):
            for (index, entry) in entries.enumerated() {
                text += isContinued && index == 0 ? "" : margin
                text += Self.scalar(entry.key, style: .quoted) + ":"
                if let line = inline(entry.value) {
                    text += " " + line + "\n"
                } else {
                    text += "\n"
                    block(entry.value, indent: indent + 2, isContinued: false)
                }
            }
        }
    }

    /// What fits on the line of its key.
    private func inline(_ node: ConfigurationNode) -> String? {
        switch node.value {
        case .scalar(let scalar): return Self.scalar(scalar.text, style: scalar.style)
        case .map(let entries): return entries.isEmpty ? "{}" : nil
        case .list(let items):
            var parts: [String] = []
            for item in items {
                guard case .scalar(let scalar) = item.value else { return nil }
                parts.append(Self.scalar(scalar.text, style: scalar.style))
            }
            return "[" + parts.joined(separator: ", ") + "]"
        }
    }

    private static func scalar(_ text: String, style: ConfigurationNode.Style) -> String {
        switch style {
        case .number, .boolean, .null: text
        case .plain, .quoted: isPlain(text) ? text : quote(text)
        }
    }

    /// Words that some readers take for something else than text.
    private static let words: Set<String> = [
        "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf",
    ]

    /// Whether the text needs no quotes, here or in any version of YAML, in brackets or not.
    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        let isMade = text.utf8.allSatisfy { octet in
            Texts.isAlphanumeric(octet) || "_./:+*-".utf8.contains(octet)
        }
        guard isMade, last != UInt8(ascii: ":"), !words.contains(text.lowercased()) else {
            return false
        }
        if first == UInt8(ascii: "/") { return true }
        guard Texts.isAlphanumeric(first) else { return false }
        let isNumeral = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        if !isNumeral { return true }
        // 64KiB and 15s are no numbers; 0x1f, 1e5, 0600 and 10:20 are to someone.
        let tail = Set("smhdB".utf8)
        return tail.contains(last) && !text.hasPrefix("0")
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}", "\u{FEFF}",
                "\u{FFFE}", "\u{FFFF}":
                let digits = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
