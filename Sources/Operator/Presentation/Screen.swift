/// Draws one state after the other at the same place of a terminal; elsewhere, one below the other.
package struct Screen: Sendable {
    private let isTerminal: Bool

    /// A screen on what standard output is.
    package init(isTerminal: Bool) {
        self.isTerminal = isTerminal
    }

    /// The text that shows `lines` in place of the frame before.
    ///
    /// Lines are overwritten rather than erased first, so that nothing flickers (ECMA-48: CUP, EL, ED).
    package func frame(_ lines: [String], isFirst: Bool) -> String {
        guard isTerminal else {
            return lines.map { $0 + "\n" }.joined() + "\n"
        }
        let start = isFirst ? "\u{1B}[2J\u{1B}[H" : "\u{1B}[H"
        return start + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }
}
