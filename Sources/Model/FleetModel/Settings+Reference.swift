extension Settings {
    /// The page `docs/config-reference.md`.
    package static var reference: String {
        var page = """
            # Configuration reference

            Generated from the table of settings in `Sources/Model/FleetModel`; a test compares it.
            The files given to one `proxyctl apply` are together the whole configuration: what is
            absent is removed. Files are YAML or, with the suffix `.json`, JSON with the same field
            names; `-` is standard input. Every field is read from its text by the field's own type,
            so YAML's guesses do not count, and only `true` and `false` are booleans. Anchors, aliases,
            tags and merge keys are refused.

            A field marked *not built* is refused by name, but for the values listed, which state what
            the build does anyway.

            | Type | Written as |
            |---|---|
            | duration | `250ms`, `5s`, `10m`, `24h`, `30d`; `0` where it means no limit |
            | size | `1000`, `64KiB`, `1MiB`, in octets |
            | share | `10%`, `0.5%` |
            | address | `host:port`, `[v6]:port`, `unix:/path`; a listener's host is an IP address |
            | name | letters, digits, and `.` `-` `_` between them, at most \(ModelLimits.nameBytesMax) |

            Texts with variables know
            """
        let variables = Template.Variable.allCases.map { "`${\($0.rawValue)}`" }
        page += "\n\(variables.joined(separator: ", ")); `$${` stands for `${` itself.\n\n"
        page += """
            Limits: a JSON document \(Quantity.sizeText(ModelLimits.documentBytesMax)), a YAML file \
            \(Quantity.sizeText(ModelLimits.yamlBytesMax)), \
            nesting \(ModelLimits.depthMax) levels, a text field \
            \(Quantity.sizeText(ModelLimits.textBytesMax)), a list \(ModelLimits.listCountMax) entries.

            """
        for settings in all { page += section(settings) }
        return page
    }

    private static func section(_ settings: ResourceSettings) -> String {
        var text = "\n## \(settings.kind.section)\n\n\(settings.help).\n"
        text +=
            settings.isBuilt ? "" : "\n*Not built*: the section is refused unless it is empty.\n"
        text += "\n| Field | Type | Default | |\n|---|---|---|---|\n"
        text += rows(settings.record, prefix: "", isBuilt: settings.isBuilt)
        for group in settings.record.exactlyOneOf {
            let names = group.map { "`\($0)`" }
            text += "\nExactly one of \(names.joined(separator: ", ")).\n"
        }
        return text
    }

    private static func rows(_ record: RecordType, prefix: String, isBuilt: Bool) -> String {
        var text = ""
        for setting in record.settings {
            let name = prefix + setting.name
            var help = setting.help
            var isFieldBuilt = isBuilt
            if isBuilt, case .unbuilt(let accepting) = setting.support {
                let values = accepting.map { "`\($0)`" }.joined(separator: ", ")
                help += accepting.isEmpty ? ". *Not built*" : ". *Not built*: only \(values)"
                isFieldBuilt = false
            }
            if case .only(let value, let reason) = setting.support {
                help += ". Only `\(value)`: \(reason)"
            }
            let cells = [
                "`\(name)`", noun(setting.type), presence(setting.presence), help,
            ]
            // A bar would end the cell, and an asterisk of a pattern is not emphasis.
            text +=
                "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ")
                + " |\n"
            text += inner(setting.type, name, isBuilt: isFieldBuilt)
        }
        return text
    }

    private static func inner(_ type: SettingType, _ name: String, isBuilt: Bool) -> String {
        switch type {
        case .record(let record): rows(record, prefix: name + ".", isBuilt: isBuilt)
        case .list(.record(let record), _): rows(record, prefix: name + "[].", isBuilt: isBuilt)
        case .map(_, .record(let record)): rows(record, prefix: name + "[].", isBuilt: isBuilt)
        case .either(_, let other): inner(other, name, isBuilt: isBuilt)
        default: ""
        }
    }

    private static func presence(_ presence: Setting.Presence) -> String {
        switch presence {
        case .required: "required"
        case .optional: ""
        case .defaultsTo(let value): value.isEmpty ? "empty" : "`\(value)`"
        }
    }

    private static func noun(_ type: SettingType) -> String {
        switch type {
        case .boolean: return "`true` or `false`"
        case .integer(let range): return "\(range.lowerBound) to \(range.upperBound)"
        case .duration(let range, let allowsZero):
            let most = Quantity.durationText(range.upperBound)
            return "duration, \(Quantity.durationText(range.lowerBound)) to \(most)"
                + (allowsZero ? ", or 0" : "")
        case .size(let range, let allowsZero):
            let most = Quantity.sizeText(range.upperBound)
            return "size, \(Quantity.sizeText(range.lowerBound)) to \(most)"
                + (allowsZero ? ", or 0" : "")
        case .percentage: return "share"
        case .word(let built, let unbuilt):
            let words = built.map { "`\($0)`" }.joined(separator: ", ")
            if unbuilt.isEmpty { return words }
            return words + "; not built: " + unbuilt.map { "`\($0)`" }.joined(separator: ", ")
        case .text(let format): return format.noun
        case .reference(let kind): return "name of \(article(kind.rawValue))"
        case .list(let item, let countMin):
            return (countMin > 0 ? "non-empty list" : "list") + " of: \(noun(item))"
        case .map(let key, let value): return "map of \(key.noun) to \(noun(value))"
        case .record: return "map"
        case .either(let words, let other):
            let shown = words.map { $0.isEmpty ? "empty" : "`\($0)`" }.joined(separator: ", ")
            return "\(shown), or \(noun(other))"
        }
    }

    private static func article(_ word: String) -> String {
        "aeiou".contains(word.prefix(1)) ? "an \(word)" : "a \(word)"
    }
}
