import FleetModel

extension ConfigurationFile {
    /// Reads the files that error pages name, and puts their texts in.
    ///
    /// Paths are relative to the file that names them, those of standard input to the current folder. A page that has a
    /// body is as it was exported: its file is not read.
    ///
    /// - Parameter document: A document as `read` gives it.
    /// - Returns: The same with a body beside each file, and every file that cannot be a page.
    static func resolvingPages(_ document: ConfigurationNode) -> (ConfigurationNode, [Problem]) {
        guard case .map(var sections) = document.value,
            let index = sections.firstIndex(where: { $0.key == ResourceKind.policy.section }),
            let items = sections[index].value.items
        else { return (document, []) }
        var reader = PageReader()
        sections[index].value.value = .list(items.map { reader.resolve(policy: $0) })
        return (ConfigurationNode(.map(sections), at: document.place), reader.problems)
    }
}

/// Reads the files of a document's error pages.
private struct PageReader {
    var problems: [Problem] = []

    mutating func resolve(policy node: ConfigurationNode) -> ConfigurationNode {
        guard case .map(var entries) = node.value,
            let index = entries.firstIndex(where: { $0.key == "errorPages" }),
            case .map(var pages) = entries[index].value.value
        else { return node }
        let name = node["name"]?.text ?? ""
        for page in pages.indices {
            guard case .map(var fields) = pages[page].value.value,
                let file = pages[page].value["file"], let path = file.text, !path.isEmpty,
                pages[page].value["body"] == nil
            else { continue }
            // What is wrong with the file is all that there is to say of it.
            let text = read(path, at: file.place, name, pages[page].key) ?? ""
            let body = ConfigurationNode(text, style: .quoted, at: file.place)
            fields.append(.init(key: "body", keyPlace: file.place, value: body))
            pages[page].value.value = .map(fields)
        }
        entries[index].value.value = .map(pages)
        return ConfigurationNode(.map(entries), at: node.place)
    }

    private mutating func read(
        _ path: String,
        at place: Place,
        _ policy: String,
        _ statuses: String
    ) -> String? {
        let bytesMax = ModelLimits.errorPageBytesMax
        do throws(FileContents.Failure) {
            let octets = try FileContents.read(
                regular: place.resolving(path),
                bytesMax: bytesMax + 1
            )
            guard octets.count <= bytesMax else {
                throw FileContents.Failure(reason: "it is longer than \(bytesMax >> 10) KiB")
            }
            guard let text = String(validating: octets, as: UTF8.self) else {
                throw FileContents.Failure(reason: "it is not UTF-8")
            }
            return text
        } catch {
            problems.append(
                Problem(
                    kind: .policy,
                    name: policy,
                    field: "errorPages[\(statuses)].file",
                    message:
                        "\(path) cannot be a page: \(error.reason); name it relative to the file "
                        + "that names it, or give its text as body",
                    place: place
                )
            )
            return nil
        }
    }
}

extension Place {
    /// The path from the current folder of a file that is named here.
    func resolving(_ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }
}
