/// Writes a `ConfigurationNode` as JSON.
///
/// Compact output of a node whose keys are sorted is the canonical form that digests are made of:
/// no white space, and only those escapes that RFC 8259 §7 demands.
package struct JSONWriter {
    private var octets: [UInt8] = []
    private let isIndented: Bool

    private init(isIndented: Bool) {
        self.isIndented = isIndented
    }

    /// The shortest form, in the order of the node's keys.
    package static func compact(_ node: ConfigurationNode) -> [UInt8] {
        var writer = JSONWriter(isIndented: false)
        writer.write(node, depth: 0)
        return writer.octets
    }

    /// Two spaces per level and a final newline, for people.
    package static func indented(_ node: ConfigurationNode) -> [UInt8] {
        var writer = JSONWriter(isIndented: true)
        writer.write(node, depth: 0)
        writer.octets.append(0x0A)
        return writer.octets
    }

    /// A JSON string with its quotes.
    package static func string(_ text: String) -> [UInt8] {
        var writer = JSONWriter(isIndented: false)
        writer.write(text)
        return writer.octets
    }

    private mutating func write(_ node: ConfigurationNode, depth: Int) {
        switch node.value {
        case .scalar(let scalar):
            switch scalar.style {
            case .number, .boolean, .null: octets.append(contentsOf: scalar.text.utf8)
            case .plain, .quoted: write(scalar.text)
            }
        case .list(let items):
            octets.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { octets.append(UInt8(ascii: ",")) }
                newLine(depth + 1)
                write(item, depth: depth + 1)
            }
            if !items.isEmpty { newLine(depth) }
            octets.append(UInt8(ascii: "]"))
        case .map(let entries):
            octets.append(UInt8(ascii: "{"))
            for (index, entry) in entries.enumerated() {
                if index > 0 { octets.append(UInt8(ascii: ",")) }
                newLine(depth + 1)
                write(entry.key)
                octets.append(UInt8(ascii: ":"))
                if isIndented { octets.append(0x20) }
                write(entry.value, depth: depth + 1)
            }
            if !entries.isEmpty { newLine(depth) }
            octets.append(UInt8(ascii: "}"))
        }
    }

    private mutating func newLine(_ depth: Int) {
        guard isIndented else { return }
        octets.append(0x0A)
        for _ in 0..<(2 * depth) { octets.append(0x20) }
    }

    private mutating func write(_ text: String) {
        octets.append(UInt8(ascii: "\""))
        for octet in text.utf8 {
            switch octet {
            case UInt8(ascii: "\""): octets.append(contentsOf: #"\""#.utf8)
            case UInt8(ascii: "\\"): octets.append(contentsOf: #"\\"#.utf8)
            case 0x08: octets.append(contentsOf: #"\b"#.utf8)
            case 0x09: octets.append(contentsOf: #"\t"#.utf8)
            case 0x0A: octets.append(contentsOf: #"\n"#.utf8)
            case 0x0C: octets.append(contentsOf: #"\f"#.utf8)
            case 0x0D: octets.append(contentsOf: #"\r"#.utf8)
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                octets.append(contentsOf: #"\u00"#.utf8)
                octets.append(digits[Int(octet >> 4)])
                octets.append(digits[Int(octet & 15)])
            default: octets.append(octet)
            }
        }
        octets.append(UInt8(ascii: "\""))
    }
}
