extension OutputValue {
    /// The value as YAML in block style, with a line break at the end.
    ///
    /// Keys are sorted, but `name` comes first, as people write it; `leading` keys come before all others
    /// of the outermost mapping, in their order.
    package func yaml(leading: [String] = []) -> String {
        var lines: [String] = []
        writeYAML(into: &lines, indentation: 0, leading: leading)
        return lines.joined(separator: "\n") + "\n"
    }

    /// The value on one line if it has one: a scalar or an empty collection.
    private var scalarYAML: String? {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value): Self.text(of: value)
        case .string(let value): Self.yamlString(value)
        case .array(let values): values.isEmpty ? "[]" : nil
        case .object(let members): members.isEmpty ? "{}" : nil
        }
    }

    private func writeYAML(into lines: inout [String], indentation: Int, leading: [String]) {
        let margin = String(repeating: " ", count: indentation)
        if let scalarYAML {
            lines.append(margin + scalarYAML)
            return
        }
        switch self {
        case .array(let values):
            for value in values {
                if let scalar = value.scalarYAML {
                    lines.append("\(margin)- \(scalar)")
                    continue
                }
                let first = lines.count
                value.writeYAML(into: &lines, indentation: indentation + 2, leading: [])
                lines[first] = margin + "- " + lines[first].dropFirst(indentation + 2)
            }
        case .object(let members):
            for key in Self.yamlOrder(of: members.keys, leading: leading) {
                guard let value = members[key] else { continue }
                let name = Self.yamlString(key)
                if let scalar = value.scalarYAML {
                    lines.append("\(margin)\(name): \(scalar)")
                } else {
                    lines.append("\(margin)\(name):")
                    value.writeYAML(into: &lines, indentation: indentation + 2, leading: [])
                }
            }
        default: break
        }
    }

    private static func yamlOrder(
        of keys: some Collection<String>,
        leading: [String]
    ) -> [String] {
        let first = leading + ["name"]
        let rank = { (key: String) in first.firstIndex(of: key) ?? first.count }
        return keys.sorted { left, right in
            let (leftRank, rightRank) = (rank(left), rank(right))
            return leftRank == rightRank
                ? left.utf8.lexicographicallyPrecedes(right.utf8) : leftRank < rightRank
        }
    }

    /// A string as a YAML scalar: plain where no reader of YAML 1.1 or 1.2 can take it for anything else.
    static func yamlString(_ string: String) -> String {
        if isPlain(string) {
            return string
        }
        var text = ""
        writeQuoted(string, into: &text)
        return text
    }

    private static let otherMeanings: Set<String> = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ]

    private static func isPlain(_ string: String) -> Bool {
        let octets = Array(string.utf8)
        guard let first = octets.first, let last = octets.last, octets.count <= 200 else {
            return false
        }
        let isLetter = { (octet: UInt8) in
            (0x41...0x5A).contains(octet) || (0x61...0x7A).contains(octet)
        }
        let isDigit = { (octet: UInt8) in (0x30...0x39).contains(octet) }
        let inner = octets.allSatisfy {
            isLetter($0) || isDigit($0) || "/._-:+%$;=@ ".utf8.contains($0)
        }
        guard inner, isLetter(first) || isDigit(first) || first == UInt8(ascii: "/") else {
            return false
        }
        // A number, a date or a sexagesimal holds nothing but these and one dot at most; `1e5` and `0x1F`
        // are numbers too.
        let looksNumeric =
            isDigit(first) && octets.count { $0 == UInt8(ascii: ".") } < 2
            && octets.allSatisfy { isDigit($0) || ".:-+_eExabcdfABCDFo".utf8.contains($0) }
        return !looksNumeric && !otherMeanings.contains(string.lowercased())
            && last != UInt8(ascii: ":") && last != UInt8(ascii: " ") && !string.contains(": ")
    }
}
