extension Configuration {
    /// The whole configuration as one document, which makes the same digest when it is read again.
    ///
    /// Sections stand in manifest order, fields in the order of the reference.
    package var document: ConfigurationNode {
        var sections: [ConfigurationNode.Entry] = []
        var items: [ConfigurationNode] = []
        let resources = resources
        for (index, resource) in resources.enumerated() {
            // Content of a checked configuration was written by `JSONWriter`, so it can be read.
            guard let content = try? JSONReader.read(resource.content) else { continue }
            let kind = resource.kind
            let node = content.arranged(by: .record(Settings.settings(of: kind).record))
            items.append(node)
            if index + 1 < resources.count && resources[index + 1].kind == kind { continue }
            let value = kind.isSingleton ? node : ConfigurationNode(.list(items))
            sections.append(.init(key: kind.section, keyPlace: .none, value: value))
            items = []
        }
        return ConfigurationNode(.map(sections))
    }

    /// `document` as indented JSON.
    package var documentJSON: String {
        String(decoding: JSONWriter.indented(document), as: UTF8.self)
    }

    /// `document` as YAML.
    package var documentYAML: String { YAMLWriter.write(document) }
}

extension ConfigurationNode {
    /// The same without places, with the fields of records in the order of the table.
    fileprivate func arranged(by type: SettingType) -> ConfigurationNode {
        switch (value, type) {
        case (.map(let entries), .record(let record)):
            var ordered: [Entry] = []
            for setting in record.settings {
                guard let entry = entries.first(where: { $0.key == setting.name }) else { continue }
                let value = entry.value.arranged(by: setting.type)
                ordered.append(Entry(key: entry.key, keyPlace: .none, value: value))
            }
            return ConfigurationNode(.map(ordered))
        case (.map(let entries), .map(_, let inner)):
            let ordered = entries.map { entry in
                Entry(key: entry.key, keyPlace: .none, value: entry.value.arranged(by: inner))
            }
            return ConfigurationNode(.map(ordered))
        case (.list(let items), .list(let inner, _)):
            return ConfigurationNode(.list(items.map { $0.arranged(by: inner) }))
        case (.list, .either(_, let inner)), (.map, .either(_, let inner)):
            return arranged(by: inner)
        default: return ConfigurationNode(value)
        }
    }
}
