/// One difference between two configurations.
package struct FieldDifference: Hashable, Sendable {
    /// The resource's kind.
    package let kind: ResourceKind
    /// The resource's name.
    package let name: String
    /// The field's path, such as `endpoints[10.0.0.1:80].weight`; empty for the whole resource, and
    /// `(order)` where a route moved.
    package let field: String
    /// Its value before: text, or JSON for a list or map; `nil` if it was not there.
    package let old: String?
    /// Its value after.
    package let new: String?

    /// States a difference.
    package init(kind: ResourceKind, name: String, field: String, old: String?, new: String?) {
        (self.kind, self.name, self.field) = (kind, name, field)
        (self.old, self.new) = (old, new)
    }

    /// The path of the field from the document's root, such as `routes[a].timeouts.total`.
    package var path: String {
        Problem(kind: kind, name: name, field: field, message: "").path
    }

    /// Compares two lists of resources, each in manifest order.
    ///
    /// - Returns: Per kind: what was removed, then what was added or changed, in the order of the
    ///   lists.
    /// - Complexity: O(n log n); only content that differs is read.
    package static func between(_ old: [Resource], _ new: [Resource]) -> [FieldDifference] {
        var differences: [FieldDifference] = []
        for kind in ResourceKind.allCases.sorted() {
            let before = old.filter { $0.kind == kind }
            let after = new.filter { $0.kind == kind }
            if before.isEmpty && after.isEmpty { continue }
            compare(kind, before, after, into: &differences)
        }
        return differences
    }

    private static func compare(
        _ kind: ResourceKind,
        _ before: [Resource],
        _ after: [Resource],
        into differences: inout [FieldDifference]
    ) {
        var positions: [String: Int] = [:]
        for (index, resource) in before.enumerated() { positions[resource.name] = index }
        let names = Set(after.map(\.name))
        for resource in before where !names.contains(resource.name) {
            differences.append(whole(resource, isNew: false))
        }
        let shared = after.map { positions[$0.name] }
        let isInPlace = ManifestDelta.longestIncreasing(shared)
        for (index, resource) in after.enumerated() {
            guard let position = shared[index] else {
                differences.append(whole(resource, isNew: true))
                continue
            }
            if kind.keepsOrder && !isInPlace[index] {
                differences.append(
                    FieldDifference(
                        kind: kind,
                        name: resource.name,
                        field: "(order)",
                        old: String(position + 1),
                        new: String(index + 1)
                    )
                )
            }
            if before[position].digest != resource.digest {
                var walk = Walk(kind: kind, name: resource.name)
                walk.compare(node(before[position]), node(resource), at: "")
                differences.append(contentsOf: walk.differences)
            }
        }
    }

    private static func whole(_ resource: Resource, isNew: Bool) -> FieldDifference {
        let content = String(decoding: resource.content, as: UTF8.self)
        return FieldDifference(
            kind: resource.kind,
            name: resource.name,
            field: "",
            old: isNew ? nil : content,
            new: isNew ? content : nil
        )
    }

    /// The content as a tree; as one text if it is none of ours.
    private static func node(_ resource: Resource) -> ConfigurationNode {
        (try? JSONReader.read(resource.content))
            ?? ConfigurationNode(String(decoding: resource.content, as: UTF8.self), style: .quoted)
    }
}

/// Compares the content of two versions of one resource.
private struct Walk {
    let kind: ResourceKind
    let name: String
    var differences: [FieldDifference] = []

    init(kind: ResourceKind, name: String) {
        (self.kind, self.name) = (kind, name)
    }

    mutating func compare(_ old: ConfigurationNode, _ new: ConfigurationNode, at path: String) {
        if let before = old.entries, let after = new.entries {
            compare(before.map { ($0.key, $0.value) }, after.map { ($0.key, $0.value) }) { key in
                path.isEmpty ? key : "\(path).\(key)"
            }
        } else if let before = Self.keyed(old), let after = Self.keyed(new) {
            let isSameOrder = before.map(\.0) == after.map(\.0)
            let isSameSet = Set(before.map(\.0)) == Set(after.map(\.0))
            if isSameSet && !isSameOrder {
                note(path, old, new)
            } else {
                compare(before, after) { "\(path)[\($0)]" }
            }
        } else if Self.text(old) != Self.text(new) {
            note(path, old, new)
        }
    }

    private mutating func compare(
        _ before: [(String, ConfigurationNode)],
        _ after: [(String, ConfigurationNode)],
        path: (String) -> String
    ) {
        var known: [String: ConfigurationNode] = [:]
        for (key, value) in after { known[key] = value }
        for (key, value) in before {
            if let other = known.removeValue(forKey: key) {
                compare(value, other, at: path(key))
            } else {
                note(path(key), value, nil)
            }
        }
        for (key, value) in after where known[key] != nil { note(path(key), nil, value) }
    }

    /// The records of a list by what names them, if all have such a field and no two the same.
    private static func keyed(_ node: ConfigurationNode) -> [(String, ConfigurationNode)]? {
        guard let items = node.items, !items.isEmpty else { return nil }
        var records: [(String, ConfigurationNode)] = []
        for item in items {
            guard let key = (item["name"] ?? item["address"] ?? item["upstream"])?.text else {
                return nil
            }
            records.append((key, item))
        }
        return Set(records.map(\.0)).count == records.count ? records : nil
    }

    private mutating func note(_ path: String, _ old: ConfigurationNode?, _ new: ConfigurationNode?)
    {
        differences.append(
            FieldDifference(
                kind: kind,
                name: name,
                field: path,
                old: old.map(Self.text),
                new: new.map(Self.text)
            )
        )
    }

    private static func text(_ node: ConfigurationNode) -> String {
        node.text ?? String(decoding: JSONWriter.compact(node), as: UTF8.self)
    }
}
