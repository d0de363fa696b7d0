/// Which nodes take some of the listeners, by their labels.
package struct ListenerGroup: Hashable, Sendable {
    /// Unique among groups.
    package let name: String
    /// All of them are among the labels of a node that takes the listeners; never empty.
    package let labels: [String: String]
    /// Names of the listeners; a listener may be in several groups.
    package let listeners: [String]

    /// Whether a node with these labels takes the group's listeners.
    package func takes(_ nodeLabels: [String: String]) -> Bool {
        labels.allSatisfy { nodeLabels[$0.key] == $0.value }
    }

    /// The labels as `key=value`, for people.
    package var labelText: String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    }

    /// Whether no node can have the labels of both.
    func excludes(_ other: ListenerGroup) -> Bool {
        labels.contains { key, value in other.labels[key].map { $0 != value } ?? false }
    }
}

extension [ListenerGroup] {
    /// Whether a node that takes one listener never takes the other, whatever its labels are.
    ///
    /// - Parameters:
    ///   - one: A listener's name.
    ///   - other: Another one's.
    /// - Returns: False where a listener is in no group, because all nodes take it.
    func keepApart(_ one: String, _ other: String) -> Bool {
        let first = filter { $0.listeners.contains(one) }
        let second = filter { $0.listeners.contains(other) }
        return !first.isEmpty && !second.isEmpty
            && first.allSatisfy { group in second.allSatisfy { group.excludes($0) } }
    }
}
