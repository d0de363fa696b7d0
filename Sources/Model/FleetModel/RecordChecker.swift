/// Reads one resource by its table, noting every problem with its place.
///
/// What is wrong is left out of the value, so that the rest can still be checked.
struct RecordChecker {
    let kind: ResourceKind
    let name: String
    /// Takes fields that the build refuses, to check a document against the whole contract.
    let acceptsUnbuilt: Bool

    private(set) var problems: [Problem] = []
    private(set) var references: [Reference] = []
    private var suggester: Suggester
    private var path: [Step] = []

    /// One step of a field's path.
    private enum Step {
        case field(String)
        case index(Int)
        case key(String)
    }

    init(kind: ResourceKind, name: String, acceptsUnbuilt: Bool, suggester: Suggester) {
        (self.kind, self.name, self.acceptsUnbuilt) = (kind, name, acceptsUnbuilt)
        self.suggester = suggester
    }

    /// What is left of the budget for suggestions.
    var remainingSuggester: Suggester { suggester }

    // MARK: Records

    /// Reads a record; the value holds the fields that are right.
    mutating func record(_ node: ConfigurationNode, _ type: RecordType) -> SettingValue {
        guard let entries = node.entries else {
            complain("must be a map, not \(node.noun)", at: node.place)
            return .record([])
        }
        var fields: [SettingValue.Field] = []
        fields.reserveCapacity(entries.count)
        for entry in entries {
            path.append(.field(entry.key))
            defer { path.removeLast() }
            guard let setting = type[entry.key] else {
                let known = type.settings.lazy.map(\.name)
                let hint = suggester.hint(for: entry.key, among: known)
                complain("unknown field\(hint)", at: entry.keyPlace)
                continue
            }
            if let refusal = refusal(of: entry.value, for: setting) {
                complain(refusal, at: entry.keyPlace)
            } else if let value = value(entry.value, setting.type) {
                fields.append(SettingValue.Field(name: entry.key, value: value))
            }
        }
        checkPresence(entries, type, at: node.place)
        return .record(sorting: fields)
    }

    private mutating func checkPresence(
        _ entries: [ConfigurationNode.Entry],
        _ type: RecordType,
        at place: Place
    ) {
        for name in type.required {
            if entries.contains(where: { $0.key == name }) { continue }
            complain("\(name) is missing", at: place)
        }
        for group in type.exactlyOneOf {
            let given = entries.filter { group.contains($0.key) }
            if given.isEmpty {
                complain("needs one of \(group.joined(separator: ", "))", at: place)
            } else if given.count > 1 {
                let names = given.map(\.key).joined(separator: ", ")
                complain("has \(names), of which it may have only one", at: given[1].keyPlace)
            }
        }
    }

    /// Why the build does not take this value of a field that it does not carry out.
    private func refusal(of node: ConfigurationNode, for setting: Setting) -> String? {
        if case .only(let value, let reason) = setting.support,
            case .scalar(let scalar) = node.value
        {
            let text = try? setting.type.read(scalar.text).scalarText
            // What cannot be read at all is complained of when it is.
            return text == nil || text == value ? nil : "can only be \(value): \(reason)"
        }
        guard case .unbuilt(let accepting) = setting.support, !acceptsUnbuilt else { return nil }
        switch node.value {
        case .scalar(let scalar):
            if let text = try? setting.type.read(scalar.text).scalarText {
                // A value that cannot be read is none of those accepted.
                for accepted in accepting {
                    if text == (try? setting.type.read(accepted).scalarText) { return nil }
                }
            }
        case .list(let items): if items.isEmpty && accepting.contains("[]") { return nil }
        case .map(let entries): if entries.isEmpty && accepting.contains("{}") { return nil }
        }
        let scalars = accepting.filter { $0 != "[]" && $0 != "{}" }
        let hint = scalars.isEmpty ? "" : "; only \(scalars.joined(separator: ", ")) is"
        return "not supported by this build\(hint)"
    }

    // MARK: Values

    private mutating func value(_ node: ConfigurationNode, _ type: SettingType) -> SettingValue? {
        switch (node.value, type) {
        case (.scalar(let scalar), .either(let words, _)) where words.contains(scalar.text):
            return .text(scalar.text)
        case (.list, .either(_, let other)), (.map, .either(_, let other)):
            return value(node, other)
        case (.scalar(let scalar), _) where type.isScalar:
            return self.scalar(scalar, type, at: node.place)
        case (.list(let items), .list(let item, let countMin)):
            return list(items, of: item, countMin: countMin, at: node.place)
        case (.map(let entries), .map(let keys, let values)):
            return map(entries, keys: keys, values: values, at: node.place)
        case (.map, .record(let record)):
            return self.record(node, record)
        default:
            complain("must be \(type.noun), not \(node.noun)", at: node.place)
            return nil
        }
    }

    private mutating func scalar(
        _ scalar: ConfigurationNode.Scalar,
        _ type: SettingType,
        at place: Place
    ) -> SettingValue? {
        if scalar.style == .null {
            complain("null is not a value; leave the field out", at: place)
            return nil
        }
        do {
            let value: SettingValue
            if acceptsUnbuilt, case .word(let built, let unbuilt) = type {
                value = try SettingType.word(built + unbuilt, unbuilt: []).read(scalar.text)
            } else {
                value = try type.read(scalar.text)
            }
            // A word in place of a name never comes here.
            let named = if case .either(_, let other) = type { other } else { type }
            if case .reference(let kind) = named {
                references.append(
                    Reference(kind: kind, name: scalar.text, field: pathText, place: place)
                )
            }
            return value
        } catch {
            complain(error.message, at: place)
            return nil
        }
    }

    private mutating func list(
        _ items: [ConfigurationNode],
        of type: SettingType,
        countMin: Int,
        at place: Place
    ) -> SettingValue? {
        if items.count < countMin {
            complain("must not be empty", at: place)
            return nil
        }
        if items.count > ModelLimits.listCountMax {
            complain("has more than \(ModelLimits.listCountMax) entries", at: place)
            return nil
        }
        var values: [SettingValue] = []
        values.reserveCapacity(items.count)
        var seen: Set<SettingValue> = []
        for (index, item) in items.enumerated() {
            path.append(.index(index))
            defer { path.removeLast() }
            guard let value = value(item, type) else { continue }
            if type.isScalar, !seen.insert(value).inserted {
                complain("\(quoted(item.text ?? "")) is listed twice", at: item.place)
                continue
            }
            values.append(value)
        }
        return .list(values)
    }

    private mutating func map(
        _ entries: [ConfigurationNode.Entry],
        keys: TextFormat,
        values: SettingType,
        at place: Place
    ) -> SettingValue? {
        if entries.count > ModelLimits.listCountMax {
            complain("has more than \(ModelLimits.listCountMax) entries", at: place)
            return nil
        }
        var fields: [SettingValue.Field] = []
        var seen: Set<String> = []
        for entry in entries {
            path.append(.key(entry.key))
            defer { path.removeLast() }
            let key: String
            do {
                key = try keys.parse(entry.key).scalarText ?? entry.key
            } catch {
                complain(error.message, at: entry.keyPlace)
                continue
            }
            guard seen.insert(key).inserted else {
                complain("\(quoted(key)) is listed twice", at: entry.keyPlace)
                continue
            }
            guard let value = value(entry.value, values) else { continue }
            fields.append(SettingValue.Field(name: key, value: value))
        }
        return .record(sorting: fields)
    }

    // MARK: Problems

    /// Notes a problem of a field below the current path.
    mutating func complain(_ message: String, field: String? = nil, at place: Place) {
        problems.append(
            Problem(
                kind: kind,
                name: name,
                field: field ?? pathText,
                message: message,
                place: place
            )
        )
    }

    private var pathText: String {
        var text = ""
        for step in path {
            switch step {
            case .field(let name):
                let shown = quoted(name).dropFirst().dropLast()
                text += text.isEmpty ? "\(shown)" : ".\(shown)"
            case .index(let index): text += "[\(index)]"
            case .key(let key): text += "[\(quoted(key).dropFirst().dropLast())]"
            }
        }
        return text
    }
}

/// A resource's mention of another.
struct Reference: Hashable, Sendable {
    let kind: ResourceKind
    let name: String
    /// Path of the field that holds it.
    let field: String
    let place: Place
}
