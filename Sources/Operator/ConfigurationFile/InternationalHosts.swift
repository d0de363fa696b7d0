import FleetModel
package import InternationalNames

extension ConfigurationFile {
    /// Puts hosts that are written in another script into the form that clients ask for and that is stored.
    ///
    /// `bücher.example` becomes `xn--bcher-kva.example`, wherever the table of settings has a host, and in the URLs of
    /// tests. The control plane takes that form alone.
    ///
    /// - Parameter document: A document as `read` gives it.
    /// - Returns: The same with converted hosts, and every host that cannot be one.
    static func convertingHosts(_ document: ConfigurationNode) -> (ConfigurationNode, [Problem]) {
        guard document.hasInternationalText, case .map(var sections) = document.value else {
            return (document, [])
        }
        var problems: [Problem] = []
        for index in sections.indices {
            guard let kind = ResourceKind(section: sections[index].key) else { continue }
            let type = SettingType.record(Settings.settings(of: kind).record)
            func convert(_ resource: inout ConfigurationNode) {
                var converter = HostConverter(kind: kind, name: resource["name"]?.text ?? "")
                converter.convert(&resource, type, "")
                problems += converter.problems
            }
            if case .list(var resources) = sections[index].value.value {
                for number in resources.indices where resources[number].hasInternationalText {
                    convert(&resources[number])
                }
                sections[index].value.value = .list(resources)
            } else {
                convert(&sections[index].value)
            }
        }
        return (ConfigurationNode(.map(sections), at: document.place), problems)
    }

    /// Puts the host of a URL into the form that clients ask for.
    ///
    /// - Parameter url: A URL; what is none stays as it is.
    /// - Returns: The URL with that host.
    /// - Throws: Why its host is none, in words for its author.
    package static func convertingHost(ofURL url: String) throws(InternationalNameError) -> String {
        guard let start = url.firstRange(of: "://")?.upperBound else { return url }
        let end = url[start...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        let authority = url[start..<end]
        let host = authority.prefix { $0 != ":" }
        guard !host.isASCII else { return url }
        let ascii = try InternationalName.ascii(String(host))
        return url[..<start] + ascii + url[host.endIndex...]
    }
}

/// Converts the hosts of a resource.
private struct HostConverter {
    let kind: ResourceKind
    let name: String
    var problems: [Problem] = []

    init(kind: ResourceKind, name: String) {
        (self.kind, self.name) = (kind, name)
    }

    mutating func convert(_ node: inout ConfigurationNode, _ type: SettingType, _ path: String) {
        switch (node.value, type) {
        case (.scalar(var scalar), .text(let format)) where !scalar.text.isASCII:
            guard let text = converted(scalar.text, format, path, node.place) else { return }
            scalar.text = text
            node.value = .scalar(scalar)
        case (.list(var items), .list(let item, _)):
            for index in items.indices { convert(&items[index], item, "\(path)[\(index)]") }
            node.value = .list(items)
        case (.map(var entries), .map(let format, let values)):
            for index in entries.indices {
                let key = entries[index].key
                if !key.isASCII, let text = converted(key, format, path, entries[index].keyPlace) {
                    entries[index].key = text
                }
                convert(&entries[index].value, values, "\(path)[\(key)]")
            }
            node.value = .map(entries)
        case (.map(var entries), .record(let record)):
            for index in entries.indices {
                let key = entries[index].key
                guard let setting = record[key] else { continue }
                let inner = path.isEmpty ? key : "\(path).\(key)"
                convert(&entries[index].value, setting.type, inner)
            }
            node.value = .map(entries)
        case (_, .either(_, let other)): convert(&node, other, path)
        default: return
        }
    }

    /// A text in which hosts are converted; `nil` where it has none, or where it is no host.
    private mutating func converted(
        _ text: String,
        _ format: TextFormat,
        _ path: String,
        _ place: Place
    ) -> String? {
        do throws(InternationalNameError) {
            switch format {
            case .host: return try InternationalName.ascii(text)
            case .hostPattern where text.hasPrefix("*."):
                return try "*." + InternationalName.ascii(String(text.dropFirst(2)))
            case .hostPattern: return try InternationalName.ascii(text)
            case .endpointAddress where !text.hasPrefix("unix:"):
                let host = text.prefix { $0 != ":" }
                return try InternationalName.ascii(String(host)) + text[host.endIndex...]
            case .line where kind == .test && path == "request.url":
                return try ConfigurationFile.convertingHost(ofURL: text)
            default: return nil
            }
        } catch {
            problems.append(
                Problem(
                    kind: kind,
                    name: name,
                    field: path,
                    message: "\"\(text)\" is no international name: \(error)",
                    place: place
                )
            )
            return nil
        }
    }
}

extension ConfigurationNode {
    /// Whether a text in it has characters beyond ASCII.
    fileprivate var hasInternationalText: Bool {
        switch value {
        case .scalar(let scalar): !scalar.text.isASCII
        case .list(let items): items.contains { $0.hasInternationalText }
        case .map(let entries):
            entries.contains { !$0.key.isASCII || $0.value.hasInternationalText }
        }
    }
}

extension StringProtocol {
    fileprivate var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }
}
