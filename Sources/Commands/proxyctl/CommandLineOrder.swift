import ArgumentParser
import FleetModel

/// Arguments as ArgumentParser wants them: it takes a command's options only after the command's name.
struct CommandLineOrder {
    /// The arguments, with the global options moved behind the name of the command.
    private(set) var arguments: [String]
    /// The first word that names no command, where one was expected, and the names that would do.
    private(set) var unknown: (word: String, names: [String])?

    /// Finds the command that `given` names below `root`, and moves the global options before it.
    init(_ words: [String], root: any ParsableCommand.Type) {
        let given = words.flatMap(Self.split)
        arguments = []
        var moved: [String] = []
        var command = root
        var index = 0
        while index < given.count, !command.configuration.subcommands.isEmpty {
            let word = given[index]
            let length = Self.globalOptionLength(given[index...])
            if length > 0 {
                moved += given[index..<index + length]
                index += length
                continue
            }
            if word.hasPrefix("-") || word == "help" {
                break
            }
            let subcommands = command.configuration.subcommands
            guard let next = subcommands.first(where: { $0.configuration.commandName == word })
            else {
                unknown = (word, subcommands.compactMap { $0.configuration.commandName })
                break
            }
            arguments.append(word)
            command = next
            index += 1
        }
        // Moved to the front of the command's own arguments, so that what stands behind the name wins.
        if command.configuration.subcommands.isEmpty {
            arguments += moved
        }
        arguments += given[index...]
    }

    /// `-ojson` in two words, as ArgumentParser wants them.
    private static func split(_ word: String) -> [String] {
        let isJoined =
            word.hasPrefix("-o") && OutputFormat(rawValue: String(word.dropFirst(2))) != nil
        return isJoined ? ["-o", String(word.dropFirst(2))] : [word]
    }

    /// How many words at the front of `words` are one global option: 0, 1 (`--output=json`) or 2.
    private static func globalOptionLength(_ words: ArraySlice<String>) -> Int {
        guard let word = words.first else { return 0 }
        for name in GlobalOptions.names {
            if word == name {
                return min(2, words.count)
            }
            if name.hasPrefix("--"), word.hasPrefix(name + "=") {
                return 1
            }
        }
        return 0
    }
}
