package import AdminMessages
package import FleetModel

/// What differs between two configurations, resource by resource and field by field.
package struct ChangeReport: Sendable {
    private let changes: [ResourceChange]

    /// A report on `changes`, in their order.
    package init(_ changes: [ResourceChange]) {
        self.changes = changes
    }

    /// A line per resource (`+` added, `-` removed, `~` changed), and one per field below it.
    package func rendered(_ palette: Palette) -> [String] {
        if changes.isEmpty {
            return ["no differences"]
        }
        var lines: [String] = []
        for change in changes {
            let name = visible("\(change.kind) \(change.name)")
            switch change.change {
            case .added: lines.append(palette.paint("+ \(name)", .good))
            case .removed: lines.append(palette.paint("- \(name)", .bad))
            case .changed: lines.append(palette.paint("~ \(name)", .warning))
            case .moved: lines.append(palette.paint("~ \(name)", .warning) + " moved")
            }
            for field in change.fields {
                lines.append("    " + line(of: field, palette: palette))
            }
        }
        lines.append(summary)
        return lines
    }

    /// `1 added, 2 changed`.
    package var summary: String {
        let words: [(ResourceChange.Kind, String)] = [
            (.added, "added"), (.removed, "removed"), (.changed, "changed"), (.moved, "moved"),
        ]
        let parts = words.compactMap { kind, word -> String? in
            let count = changes.count { $0.change == kind }
            return count == 0 ? nil : "\(count) \(word)"
        }
        return parts.isEmpty ? "no differences" : parts.joined(separator: ", ")
    }

    private func line(of field: FieldChange, palette: Palette) -> String {
        let name = visible(field.field)
        let from = field.from.map { palette.paint(text(of: $0), .bad) }
        let to = field.to.map { palette.paint(text(of: $0), .good) }
        switch (from, to) {
        case (let from?, let to?): return "\(name): \(from) -> \(to)"
        case (let from?, nil): return "\(name): \(from) -> (default)"
        case (nil, let to?): return "\(name): \(to)"
        case (nil, nil): return name
        }
    }

    /// A value on one line; strings without quotation marks where that is clear.
    private func text(of value: JSONValue) -> String {
        let output = OutputValue(value)
        guard case .string(let string) = output else {
            return output.compactJSON
        }
        let isClear = !string.isEmpty && string.allSatisfy { !$0.isWhitespace && $0 != "\"" }
        return isClear ? visible(string) : output.compactJSON
    }

    /// An array of `kind, name, change, fields`, each field with `field, from, to`.
    package var value: OutputValue {
        .array(
            changes.map { change in
                [
                    "kind": .string(change.kind),
                    "name": .string(change.name),
                    "change": .string(change.change.rawValue),
                    "fields": .array(
                        change.fields.map { field in
                            [
                                "field": .string(field.field),
                                "from": field.from.map { OutputValue($0) } ?? nil,
                                "to": field.to.map { OutputValue($0) } ?? nil,
                            ]
                        }
                    ),
                ]
            }
        )
    }
}

extension OutputValue {
    /// The same value as the admin API carries it.
    package init(_ value: JSONValue) {
        switch value {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .array(values.map { OutputValue($0) })
        case .object(let members): self = .object(members.mapValues { OutputValue($0) })
        }
    }

    /// A document that was read from JSON.
    package init(_ node: ConfigurationNode) {
        switch node.value {
        case .list(let items): self = .array(items.map { OutputValue($0) })
        case .map(let entries):
            let members = entries.map { ($0.key, OutputValue($0.value)) }
            self = .object(Dictionary(members) { _, last in last })
        case .scalar(let scalar):
            switch scalar.style {
            case .null: self = .null
            case .boolean: self = .bool(scalar.text == "true")
            case .number:
                let integer = Int64(scalar.text).map { OutputValue.integer($0) }
                self = integer ?? OutputValue(Double(scalar.text))
            case .plain, .quoted: self = .string(scalar.text)
            }
        }
    }
}
