/// What a piece of text means; the palette decides how that looks.
package enum TextStyle: Sendable {
    case plain, strong, faint, good, warning, bad
}

/// Paints text for a terminal, or leaves it alone.
package struct Palette: Sendable {
    /// Whether escape sequences are written at all.
    package let isColoured: Bool

    /// A palette that paints if `isColoured`.
    package init(isColoured: Bool) {
        self.isColoured = isColoured
    }

    /// Colour only on a terminal, and neither with `NO_COLOR` set (to anything but nothing) nor on a dumb one.
    package init(isTerminal: Bool, environment: [String: String]) {
        let isRefused = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        self.isColoured = isTerminal && !isRefused && environment["TERM"] != "dumb"
    }

    /// `text` in `style`; the text itself where nothing is painted.
    package func paint(_ text: String, _ style: TextStyle) -> String {
        guard isColoured, !text.isEmpty, let code = Self.code(of: style) else {
            return text
        }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }

    /// The SGR parameter (ECMA-48 §8.3.117) of a style.
    private static func code(of style: TextStyle) -> String? {
        switch style {
        case .plain: nil
        case .strong: "1"
        case .faint: "2"
        case .good: "32"
        case .warning: "33"
        case .bad: "31"
        }
    }
}
