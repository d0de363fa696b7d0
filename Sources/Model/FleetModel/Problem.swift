/// Where a value stands in a configuration file; lines and columns count from 1.
package struct Place: Hashable, Sendable, CustomStringConvertible {
    /// The file as the user named it; `-` is standard input, empty is a request body.
    package let file: String
    /// Line, from 1; 0 where the place within the file is unknown.
    package let line: Int
    /// Column in Unicode scalars, from 1; 0 where unknown.
    package let column: Int

    /// Names a place.
    package init(file: String, line: Int, column: Int) {
        (self.file, self.line, self.column) = (file, line, column)
    }

    /// The place of something that has none, such as a value built in memory.
    package static let none = Place(file: "", line: 0, column: 0)

    /// `file:line:column`, as editors understand it.
    package var description: String {
        let position = line > 0 ? "\(line):\(column)" : ""
        if file.isEmpty { return position }
        return position.isEmpty ? file : "\(file):\(position)"
    }
}

/// One thing that is wrong with a configuration.
package struct Problem: Hashable, Sendable, CustomStringConvertible {
    /// The kind of the resource at fault; `nil` for the document itself.
    package let kind: ResourceKind?
    /// The resource's name; empty where it has none or is not known.
    package let name: String
    /// The field's path within the resource, such as `match.path.prefix`; empty for the whole of it.
    package let field: String
    /// What is wrong, as one clause without a full stop.
    package let message: String
    /// Where the fault stands.
    package let place: Place

    /// States a problem.
    package init(
        kind: ResourceKind?,
        name: String,
        field: String,
        message: String,
        place: Place = .none
    ) {
        (self.kind, self.name, self.field) = (kind, name, field)
        (self.message, self.place) = (message, place)
    }

    /// The file at fault, or empty.
    package var file: String { place.file }
    /// The line at fault, or 0.
    package var line: Int { place.line }
    /// The column at fault, or 0.
    package var column: Int { place.column }

    /// The path of the field from the document's root, such as `routes[catalogue].match.methods`.
    package var path: String {
        guard let kind else { return field }
        let resource = kind.isSingleton || name.isEmpty ? kind.section : "\(kind.section)[\(name)]"
        return field.isEmpty ? resource : "\(resource).\(field)"
    }

    /// `file:line:column: path: message`.
    package var description: String {
        [place.description, path, message].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}

/// Everything that is wrong with a configuration; never empty.
package struct ConfigurationProblems: Error, Hashable, Sendable, CustomStringConvertible {
    /// The problems, in the order of the document.
    package let problems: [Problem]

    /// Takes at least one problem.
    package init(_ problems: [Problem]) {
        precondition(!problems.isEmpty, "a refusal names its reasons")
        self.problems = problems
    }

    /// One problem per line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
