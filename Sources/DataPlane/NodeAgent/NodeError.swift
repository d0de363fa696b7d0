/// Why a node cannot start, or cannot go on without its operator: one line that names the remedy.
package struct NodeError: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
