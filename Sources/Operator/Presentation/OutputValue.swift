/// What `-o json` and `-o yaml` print: a tree of values, written with sorted keys.
package enum OutputValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([OutputValue])
    case object([String: OutputValue])

    /// The string, or null.
    package init(_ string: String?) {
        self = string.map { .string($0) } ?? .null
    }

    /// The integer, or null.
    package init<Integer: BinaryInteger>(_ integer: Integer?) {
        self = integer.map { .integer(Int64(clamping: $0)) } ?? .null
    }

    /// The number, or null; what is no number (NaN, infinity) is null, as JSON has no word for it.
    package init(_ number: Double?) {
        guard let number, number.isFinite else {
            self = .null
            return
        }
        self = .number(number)
    }

    /// The members of an object, or nothing.
    package var members: [String: OutputValue]? {
        guard case .object(let members) = self else { return nil }
        return members
    }
}

extension OutputValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    /// An object; the last of equal keys counts.
    package init(dictionaryLiteral elements: (String, OutputValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }

    /// An array.
    package init(arrayLiteral elements: OutputValue...) {
        self = .array(elements)
    }

    /// A string.
    package init(stringLiteral value: String) {
        self = .string(value)
    }

    /// A boolean.
    package init(booleanLiteral value: Bool) {
        self = .bool(value)
    }

    /// Null.
    package init(nilLiteral: ()) {
        self = .null
    }
}

extension OutputValue: Codable {
    /// Reads any JSON value.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // `try?`: a type that does not fit is followed by the next one.
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([OutputValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: OutputValue].self))
        }
    }

    /// Writes the value as it stands.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let values): try container.encode(values)
        case .object(let members): try container.encode(members)
        }
    }
}

// MARK: JSON

extension OutputValue {
    /// The value as JSON: keys sorted by octets, two columns of indentation, no line break at the end.
    package var json: String {
        var text = ""
        writeJSON(into: &text, indentation: 0)
        return text
    }

    /// The value as JSON on one line.
    package var compactJSON: String {
        var text = ""
        writeJSON(into: &text, indentation: nil)
        return text
    }

    private func writeJSON(into text: inout String, indentation: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let value): text += String(value)
        case .number(let value): text += Self.text(of: value)
        case .string(let value): Self.writeQuoted(value, into: &text)
        case .array(let values):
            Self.writeItems(values, "[", "]", into: &text, indentation: indentation) {
                $1.writeJSON(into: &$0, indentation: indentation.map { $0 + 2 })
            }
        case .object(let members):
            let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            Self.writeItems(sorted, "{", "}", into: &text, indentation: indentation) {
                Self.writeQuoted($1.key, into: &$0)
                $0 += indentation == nil ? ":" : ": "
                $1.value.writeJSON(into: &$0, indentation: indentation.map { $0 + 2 })
            }
        }
    }

    private static func writeItems<Item>(
        _ items: [Item],
        _ opening: String,
        _ closing: String,
        into text: inout String,
        indentation: Int?,
        write: (inout String, Item) -> Void
    ) {
        text += opening
        for (index, item) in items.enumerated() {
            text += index == 0 ? "" : ","
            if let indentation {
                text += "\n" + String(repeating: " ", count: indentation + 2)
            }
            write(&text, item)
        }
        if let indentation, !items.isEmpty {
            text += "\n" + String(repeating: " ", count: indentation)
        }
        text += closing
    }

    /// A number as JSON: without a fraction where it has none, so that `2` stays `2`.
    static func text(of number: Double) -> String {
        if let integer = Int64(exactly: number) {
            return String(integer)
        }
        return String(number)
    }

    /// `string` in double quotes with the escapes of RFC 8259 §7; C1 and line separators are escaped too.
    static func writeQuoted(_ string: String, into text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _
            where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
                || (0x2028...0x2029).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
