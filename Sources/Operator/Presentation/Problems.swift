package import FleetModel

/// Everything that is wrong with a configuration, for people and for programs.
package struct ProblemReport: Sendable {
    private let problems: [Problem]

    /// A report on `problems`, in their order.
    package init(_ problems: [Problem]) {
        self.problems = problems
    }

    /// One line per problem, `file:line:column: routes[x].field: message`, and their number at the end.
    package func rendered(_ palette: Palette) -> [String] {
        var lines = problems.map { problem in
            let place = problem.place.description
            let parts = [
                place.isEmpty ? "" : palette.paint(visible(place), .strong),
                problem.path.isEmpty ? "" : visible(problem.path),
                palette.paint(visible(problem.message), .bad),
            ]
            return parts.filter { !$0.isEmpty }.joined(separator: ": ")
        }
        lines.append(problems.count == 1 ? "1 problem" : "\(problems.count) problems")
        return lines
    }

    /// `problems`: an array of `file, line, column, kind, name, field, message`.
    package var value: OutputValue {
        [
            "valid": .bool(problems.isEmpty),
            "problems": .array(
                problems.map { problem in
                    [
                        "file": .string(problem.file),
                        "line": OutputValue(problem.line > 0 ? problem.line : nil),
                        "column": OutputValue(problem.column > 0 ? problem.column : nil),
                        "kind": OutputValue(problem.kind?.rawValue),
                        "name": .string(problem.name),
                        "field": .string(problem.field),
                        "message": .string(problem.message),
                    ]
                }
            ),
        ]
    }
}
