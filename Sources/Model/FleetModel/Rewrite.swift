/// How a request is changed for the upstream.
package struct Rewrite: Hashable, Sendable {
    /// What becomes of the path; `nil` leaves it.
    package let path: PathRewrite?
    /// What Host says in place of the client's authority; `nil` leaves it.
    package let host: String?
    /// What becomes of the query.
    package let query: QueryEdits
}

/// What becomes of a path.
package enum PathRewrite: Hashable, Sendable {
    /// The prefix that the route matched is replaced by this path, which has no slash at its end but for `/`.
    case prefix(String)
    /// The whole path is replaced.
    case path(String)
    /// Every match of the pattern is replaced by the substitution.
    case regex(pattern: String, substitution: String)
}

/// Changes of a query's parameters: what is removed goes first, then what is set, then what is added.
package struct QueryEdits: Hashable, Sendable {
    /// Names to remove; a pattern removes all names with its beginning.
    package let remove: [NamePattern]
    /// Parameters in the place of all that have their names; they come behind those that are there.
    package let set: [Parameter]
    /// Parameters that come behind those.
    package let add: [Parameter]

    /// A parameter of a query.
    package struct Parameter: Hashable, Sendable {
        /// The name, not encoded.
        package let name: String
        /// The value, not encoded.
        package let value: Template
    }

    /// Whether nothing is changed.
    package var isEmpty: Bool { remove.isEmpty && set.isEmpty && add.isEmpty }
}

/// Changes of a message's fields: what is removed goes first, then what is set, then what is added.
package struct FieldEdits: Hashable, Sendable {
    /// Fields to remove.
    package let remove: [NamePattern]
    /// Fields of which all lines are replaced by one.
    package let set: [FieldLine]
    /// Lines that come behind those that are there.
    package let add: [FieldLine]

    /// Whether nothing is changed.
    package var isEmpty: Bool { remove.isEmpty && set.isEmpty && add.isEmpty }
}

extension FieldEdits {
    /// All names that are edited one by one.
    var names: [String] {
        remove.filter { !$0.isPrefix }.map(\.name) + set.map(\.name) + add.map(\.name)
    }

    /// Octets that are written into each head, before variables are replaced.
    var byteCount: Int {
        (set + add).reduce(0) { $0 + $1.name.utf8.count + $1.value.byteCount + 4 }
    }
}

/// A name, or all names with a beginning.
package struct NamePattern: Hashable, Sendable {
    /// The name, or its beginning; of fields, in lower case.
    package let name: String
    /// Whether the pattern ended in `*`.
    package let isPrefix: Bool

    /// Reads a name that was checked.
    init(_ text: String) {
        isPrefix = text.hasSuffix("*")
        name = isPrefix ? String(text.dropLast()) : text
    }

    /// This name alone.
    package init(exactly name: String) {
        (self.name, isPrefix) = (name, false)
    }

    /// The pattern as the configuration writes it.
    package var text: String { isPrefix ? name + "*" : name }

    /// Whether a name, in the same case, is the name or begins so.
    package func matches(_ other: String) -> Bool {
        isPrefix ? other.hasPrefix(name) : other == name
    }
}
