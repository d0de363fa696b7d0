package import FleetModel

/// The files of a configuration.
package enum ConfigurationFile {
    /// The name that stands for standard input.
    package static let standardInput = "-"

    /// Reads files that are together one configuration.
    ///
    /// Lists of sections are joined in the order of the files. A section that is no list may stand in
    /// one file only.
    ///
    /// - Parameter paths: The files; `-` is standard input. `.json` files are read as JSON, and so is
    ///   standard input that starts like a JSON object; all else is YAML.
    /// - Returns: One document, whose places name the files.
    /// - Throws: Every problem of every file that cannot be read.
    package static func read(_ paths: [String]) throws(ConfigurationProblems) -> ConfigurationNode {
        var documents: [ConfigurationNode] = []
        var problems: [Problem] = []
        for path in paths {
            do {
                documents.append(try read(path))
            } catch {
                problems.append(contentsOf: error.problems)
            }
        }
        if !problems.isEmpty { throw ConfigurationProblems(problems) }
        return try merge(documents)
    }

    /// Reads files, with those of error pages, and checks the configuration that they are.
    package static func load(_ paths: [String]) throws(ConfigurationProblems) -> Configuration {
        let (document, missing) = resolving(try read(paths))
        do {
            let configuration = try Configuration(document: document)
            if missing.isEmpty { return configuration }
        } catch {
            throw ConfigurationProblems(missing + error.problems.unless(saidBy: missing))
        }
        throw ConfigurationProblems(missing)
    }

    /// Puts in what the control plane does not take as people write it: pages out of files, and hosts in any script.
    ///
    /// - Parameter document: A document as `read` gives it.
    /// - Returns: The document as it is sent, and what is wrong with it so far.
    static func resolving(_ document: ConfigurationNode) -> (ConfigurationNode, [Problem]) {
        let (converted, refused) = convertingHosts(document)
        let (resolved, missing) = resolvingPages(converted)
        return (resolved, refused + missing)
    }

    /// Reads one file.
    package static func read(_ path: String) throws(ConfigurationProblems) -> ConfigurationNode {
        let octets = try contents(of: path)
        let isJSON =
            path == standardInput ? startsLikeJSON(octets) : path.lowercased().hasSuffix(".json")
        if isJSON { return try JSONReader.read(octets, file: path) }
        return try readYAML(octets, file: path)
    }

    /// Joins documents section by section.
    package static func merge(
        _ documents: [ConfigurationNode]
    ) throws(ConfigurationProblems) -> ConfigurationNode {
        guard let first = documents.first, documents.count > 1 else {
            return documents.first ?? ConfigurationNode(.map([]))
        }
        var sections: [ConfigurationNode.Entry] = []
        var positions: [String: Int] = [:]
        var problems: [Problem] = []
        for document in documents {
            guard let entries = document.entries else {
                problems +=
                    ConfigurationProblems.one("must be a map of sections", at: document.place)
                    .problems
                continue
            }
            for entry in entries {
                guard let position = positions[entry.key] else {
                    positions[entry.key] = sections.count
                    sections.append(entry)
                    continue
                }
                if let before = sections[position].value.items, let more = entry.value.items {
                    sections[position].value.value = .list(before + more)
                    continue
                }
                problems.append(
                    Problem(
                        kind: ResourceKind(section: entry.key),
                        name: "",
                        field: ResourceKind(section: entry.key) == nil ? entry.key : "",
                        message: "already set at \(sections[position].keyPlace)",
                        place: entry.keyPlace
                    )
                )
            }
        }
        if !problems.isEmpty { throw ConfigurationProblems(problems) }
        return ConfigurationNode(.map(sections), at: first.place)
    }

    // MARK: Octets

    /// Reads at most one octet more than the longest document, so that no file exhausts memory.
    private static func contents(of path: String) throws(ConfigurationProblems) -> [UInt8] {
        let bytesMax = ModelLimits.documentBytesMax + 1
        do {
            return try FileContents.read(path == standardInput ? nil : path, bytesMax: bytesMax)
        } catch {
            throw .one("cannot be read: \(error.reason)", at: Place(file: path, line: 0, column: 0))
        }
    }

    private static func startsLikeJSON(_ octets: [UInt8]) -> Bool {
        let significant = octets.lazy.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        var start = significant.prefix(2).makeIterator()
        guard start.next() == UInt8(ascii: "{"), let second = start.next() else { return false }
        return second == UInt8(ascii: "\"") || second == UInt8(ascii: "}")
    }
}

extension [Problem] {
    /// Those that are not about a place that others have said the same of.
    func unless(saidBy others: [Problem]) -> [Problem] {
        let places = Set(others.map(\.place))
        return filter { $0.place == .none || !places.contains($0.place) }
    }
}
