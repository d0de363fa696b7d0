package import FleetModel
import Yams

/// Reads one YAML document into a tree of texts with their places.
///
/// What YAML guesses about a scalar does not count: `off`, `1.2` and `0600` stay text. Anchors,
/// aliases, tags, merge keys, complex keys and a second document are refused, and so is text over the
/// limits of `YAMLLimits` and `ModelLimits.depthMax`.
///
/// - Parameters:
///   - octets: The whole document, in UTF-8.
///   - file: The name that places carry.
/// - Returns: The document.
/// - Throws: One problem, with its place.
/// - Complexity: O(n): depth is bounded before libyaml sees the text.
package func readYAML(
    _ octets: [UInt8],
    file: String
) throws(ConfigurationProblems) -> ConfigurationNode {
    let start = Place(file: file, line: 1, column: 1)
    if octets.count > YAMLLimits.documentBytesMax {
        let most = YAMLLimits.documentBytesMax
        throw .one("longer than \(most) octets; split it, or use JSON", at: start)
    }
    let hasMark = octets.starts(with: [0xEF, 0xBB, 0xBF])
    let content = hasMark ? Array(octets.dropFirst(3)) : octets
    guard let text = String(validating: content, as: UTF8.self) else {
        throw .one("not UTF-8", at: start)
    }
    try YAMLScanner.check(content, file: file)
    let root: Node?
    do {
        root = try Parser(yaml: text).singleRoot()
    } catch {
        throw problem(from: error, file: file)
    }
    guard let root else {
        throw .one("holds nothing; an empty configuration is written as {}", at: start)
    }
    return try convert(root, file: file, depth: 0)
}

private func convert(
    _ node: Node,
    file: String,
    depth: Int
) throws(ConfigurationProblems) -> ConfigurationNode {
    let mark = node.mark
    let place = Place(file: file, line: mark?.line ?? 0, column: mark?.column ?? 0)
    switch node {
    case .scalar(let scalar):
        let style: ConfigurationNode.Style = scalar.style == .plain ? .plain : .quoted
        return ConfigurationNode(scalar.string, style: style, at: place)
    case .sequence(let sequence):
        try checkDepth(depth, at: place)
        var items: [ConfigurationNode] = []
        items.reserveCapacity(sequence.count)
        for item in sequence { items.append(try convert(item, file: file, depth: depth + 1)) }
        return ConfigurationNode(.list(items), at: place)
    case .mapping(let mapping):
        try checkDepth(depth, at: place)
        var entries: [ConfigurationNode.Entry] = []
        entries.reserveCapacity(mapping.count)
        for (key, value) in mapping {
            let keyNode = try convert(key, file: file, depth: depth + 1)
            guard case .scalar(let scalar) = keyNode.value else {
                throw .one("a key must be a single value", at: keyNode.place)
            }
            if scalar.text == "<<" && scalar.style == .plain {
                throw .one("merge keys are not supported", at: keyNode.place)
            }
            entries.append(
                ConfigurationNode.Entry(
                    key: scalar.text,
                    keyPlace: keyNode.place,
                    value: try convert(value, file: file, depth: depth + 1)
                )
            )
        }
        return ConfigurationNode(.map(entries), at: place)
    case .alias:
        throw .one("aliases are not supported", at: place)
    }
}

private func checkDepth(_ depth: Int, at place: Place) throws(ConfigurationProblems) {
    if depth >= ModelLimits.depthMax {
        throw .one("nested deeper than \(ModelLimits.depthMax) levels", at: place)
    }
}

/// Puts libyaml's words and marks into a problem.
private func problem(from error: any Error, file: String) -> ConfigurationProblems {
    func place(_ mark: Mark?) -> Place {
        Place(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1)
    }
    guard let error = error as? YamlError else {
        return .one("cannot be read: \(error)", at: place(nil))
    }
    switch error {
    case .scanner(let context, let problem, let mark, _),
        .parser(let context, let problem, let mark, _),
        .composer(let context, let problem, let mark, _):
        let reason = context.map { ", \($0.text) at \($0.mark.line):\($0.mark.column)" } ?? ""
        return .one(problem + reason, at: place(mark))
    case .duplicatedKeysInMapping(let duplicates, let context):
        let keys = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
        return .one("\(keys) is set more than once", at: place(context.mark))
    case .reader(let problem, _, let value, _):
        let character = value > 0 ? " U+\(String(value, radix: 16, uppercase: true))" : ""
        return .one("\(problem)\(character)", at: place(nil))
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
        return .one("cannot be read", at: place(nil))
    }
}
