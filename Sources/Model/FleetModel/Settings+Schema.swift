extension Settings {
    /// A JSON Schema (draft 2020-12) of a configuration document, for editors.
    ///
    /// It refuses what this build refuses, as far as a schema can say it.
    package static var jsonSchema: String {
        var sections: [(String, ConfigurationNode)] = []
        for settings in all { sections.append((settings.kind.section, schema(of: settings))) }
        let root = ConfigurationNode.map([
            ("$schema", text("https://json-schema.org/draft/2020-12/schema")),
            ("title", text("Weir configuration")),
            ("type", text("object")),
            ("additionalProperties", flag(false)),
            ("properties", .map(sections)),
        ])
        return String(decoding: JSONWriter.indented(root), as: UTF8.self)
    }

    private static func schema(of settings: ResourceSettings) -> ConfigurationNode {
        let record = SettingType.record(settings.record)
        if !settings.isBuilt {
            let help = text("\(settings.help). Not supported by this build.")
            if settings.kind.isSingleton {
                return .map([("description", help), ("not", .map([]))])
            }
            return .map([
                ("description", help), ("type", text("array")), ("maxItems", number(0)),
            ])
        }
        if settings.kind.isSingleton { return schema(of: record, help: settings.help) }
        return .map([
            ("description", text(settings.help)),
            ("type", text("array")),
            ("items", schema(of: record, help: nil)),
        ])
    }

    private static func schema(of setting: Setting) -> ConfigurationNode {
        guard case .unbuilt(let accepting) = setting.support else {
            var help = setting.help
            if case .defaultsTo(let value) = setting.presence, !value.isEmpty {
                help += ". Default: \(value)"
            }
            return schema(of: setting.type, help: help)
        }
        let help = text("\(setting.help). Not supported by this build.")
        if accepting.contains("[]") {
            return .map([
                ("description", help), ("type", text("array")), ("maxItems", number(0)),
            ])
        }
        if accepting.isEmpty { return .map([("description", help), ("not", .map([]))]) }
        let values = accepting.flatMap { scalars($0, setting.type) }
        return .map([("description", help), ("enum", ConfigurationNode(.list(values)))])
    }

    /// How a value may be written: always as text, and as what JSON has for it.
    private static func scalars(_ value: String, _ type: SettingType) -> [ConfigurationNode] {
        switch type {
        case .boolean: [ConfigurationNode(value, style: .boolean)]
        case .integer: [ConfigurationNode(value, style: .number)]
        default:
            Quantity.isDigits(value)
                ? [ConfigurationNode(value, style: .number), text(value)] : [text(value)]
        }
    }

    private static func schema(of type: SettingType, help: String?) -> ConfigurationNode {
        let description = help.map { [("description", text($0))] } ?? []
        return .map(description + keywords(of: type))
    }

    private static func keywords(of type: SettingType) -> [(String, ConfigurationNode)] {
        switch type {
        case .boolean: [("type", text("boolean"))]
        case .integer(let range):
            [
                ("type", text("integer")), ("minimum", number(range.lowerBound)),
                ("maximum", number(range.upperBound)),
            ]
        case .duration: quantity("^([0-9]+(ms|s|m|h|d)|0)$")
        case .size: quantity("^[0-9]+(KiB|MiB|GiB|TiB)?$")
        case .percentage:
            [("type", text("string")), ("pattern", text("^[0-9]{1,3}(\\.[0-9]{1,3})?%$"))]
        case .word(let built, _): [("enum", ConfigurationNode(.list(built.map(text))))]
        case .text(let format): textKeywords(format)
        case .reference: textKeywords(.name)
        case .list(let item, let countMin):
            [("type", text("array"))] + (countMin > 0 ? [("minItems", number(countMin))] : [])
                + [("items", schema(of: item, help: nil))]
        case .map(_, let value):
            [
                ("type", text("object")),
                ("additionalProperties", schema(of: value, help: nil)),
            ]
        case .record(let record): recordKeywords(record)
        case .either(let words, let other):
            [
                (
                    "anyOf",
                    ConfigurationNode(
                        .list([
                            .map([("enum", ConfigurationNode(.list(words.map(text))))]),
                            schema(of: other, help: nil),
                        ])
                    )
                )
            ]
        }
    }

    private static func recordKeywords(_ record: RecordType) -> [(String, ConfigurationNode)] {
        var keywords: [(String, ConfigurationNode)] = [
            ("type", text("object")), ("additionalProperties", flag(false)),
            ("properties", .map(record.settings.map { ($0.name, schema(of: $0)) })),
        ]
        let required = record.settings.filter { $0.presence == .required }.map { text($0.name) }
        if !required.isEmpty { keywords.append(("required", ConfigurationNode(.list(required)))) }
        for group in record.exactlyOneOf {
            let choices = group.map { name in
                ConfigurationNode.map([("required", ConfigurationNode(.list([text(name)])))])
            }
            keywords.append(("oneOf", ConfigurationNode(.list(choices))))
        }
        return keywords
    }

    private static func textKeywords(_ format: TextFormat) -> [(String, ConfigurationNode)] {
        switch format {
        case .name:
            [
                ("type", texts("string", "number")),
                ("pattern", text("^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")),
            ]
        case .path, .pathPrefix: [("type", text("string")), ("pattern", text("^/"))]
        case .text, .line, .textTemplate, .lineTemplate, .fieldTemplate, .fieldValue, .token,
            .namePattern, .method, .regex, .title:
            [("type", texts("string", "number", "boolean"))]
        case .statusRange:
            [
                ("type", texts("string", "integer")),
                ("pattern", text("^[45][0-9]{2}(-[45][0-9]{2})?$")),
            ]
        case .statusRanges, .retryCondition: [("type", texts("string", "integer"))]
        case .fieldName, .fieldNamePattern, .discoveryName, .location, .host, .hostPattern,
            .listenAddress, .endpointAddress, .addressBlock, .logTarget:
            [("type", text("string"))]
        }
    }

    private static func quantity(_ pattern: String) -> [(String, ConfigurationNode)] {
        [("type", texts("string", "integer")), ("pattern", text(pattern))]
    }

    private static func text(_ text: String) -> ConfigurationNode {
        ConfigurationNode(text, style: .quoted)
    }

    private static func texts(_ words: String...) -> ConfigurationNode {
        ConfigurationNode(.list(words.map(text)))
    }

    private static func number(_ number: Int) -> ConfigurationNode {
        ConfigurationNode(String(number), style: .number)
    }

    private static func flag(_ flag: Bool) -> ConfigurationNode {
        ConfigurationNode(flag ? "true" : "false", style: .boolean)
    }
}
