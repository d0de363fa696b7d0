/// Rows and columns for people: every value is shown whole, columns are as wide as their widest value.
package struct Table: Sendable {
    /// One column: its heading and the side to which its values lean.
    package struct Column: Sendable {
        let heading: String
        let leansRight: Bool

        /// A column; numbers lean right.
        package init(_ heading: String, leansRight: Bool = false) {
            self.heading = heading
            self.leansRight = leansRight
        }
    }

    /// One value and what it means.
    package struct Cell: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
        let text: String
        let style: TextStyle

        /// A cell; control characters in `text` are made visible, and an empty text becomes `-`.
        package init(_ text: String, _ style: TextStyle = .plain) {
            self.text = text.isEmpty ? "-" : visible(text)
            self.style = style
        }

        /// A plain cell.
        package init(stringLiteral value: String) {
            self.init(value)
        }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    /// An empty table with `columns`.
    package init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Whether the table has no row.
    package var isEmpty: Bool {
        rows.isEmpty
    }

    /// Adds a row of one cell per column.
    package mutating func append(_ cells: [Cell]) {
        precondition(
            cells.count == columns.count,
            "a row of \(cells.count) cells in \(columns.count) columns"
        )
        rows.append(cells)
    }

    /// The table as lines, without a line break at the end; headings first.
    package func rendered(_ palette: Palette) -> [String] {
        var widths = columns.map { displayWidth($0.heading) }
        for row in rows {
            for (index, cell) in row.enumerated() {
                widths[index] = max(widths[index], displayWidth(cell.text))
            }
        }
        let headings = columns.map { Cell($0.heading, .strong) }
        return ([headings] + rows).map { line(of: $0, widths: widths, palette: palette) }
    }

    private func line(of cells: [Cell], widths: [Int], palette: Palette) -> String {
        var result = ""
        for (index, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[index] - displayWidth(cell.text))
            let text = palette.paint(cell.text, cell.style)
            let isLast = index == cells.count - 1
            if columns[index].leansRight {
                result += padding + text
            } else {
                result += text + (isLast ? "" : padding)
            }
            result += isLast ? "" : "  "
        }
        return result
    }
}
