import FleetModel
import Foundation
import Presentation

/// Where results and progress go.
enum Output {
    /// Whether standard output is a terminal.
    static let isTerminal = isatty(STDOUT_FILENO) == 1

    /// Whether standard input is a terminal.
    static let inputIsTerminal = isatty(STDIN_FILENO) == 1

    /// Colours of standard output and of standard error, each by what it is.
    static let palette = Palette(
        isTerminal: isTerminal,
        environment: ProcessInfo.processInfo.environment
    )
    static let errorPalette = Palette(
        isTerminal: isatty(STDERR_FILENO) == 1,
        environment: ProcessInfo.processInfo.environment
    )

    /// Writes text to standard output as it is.
    static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    /// Prints lines on standard output.
    static func print(_ lines: [String]) {
        write(lines.map { $0 + "\n" }.joined())
    }

    /// Prints a line of progress or explanation on standard error.
    static func note(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Prints an error on standard error.
    static func error(_ message: String) {
        note(errorPalette.paint("error:", .bad) + " " + message)
    }

    /// Ends the process.
    static func leave(_ code: Int32) -> Never {
        exit(code)
    }
}
