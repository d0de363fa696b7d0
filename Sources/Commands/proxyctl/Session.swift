import AdminClient
import ArgumentParser
import FleetModel
import Foundation
import Presentation

/// What a command needs besides its own arguments: how to print, and which control plane to ask.
struct Session {
    private let options: GlobalOptions

    /// The session of one command.
    init(_ options: GlobalOptions) {
        self.options = options
    }

    /// The format that was asked for.
    var format: OutputFormat {
        options.output
    }

    /// The name of the context that was asked for.
    var contextName: String? {
        options.context
    }

    /// The path of the contexts file.
    var contextsPath: String {
        ContextsFile.path(option: options.config, environment: ProcessInfo.processInfo.environment)
    }

    /// Prints a result: lines for people, or its value for programs.
    func print(_ value: @autoclosure () -> OutputValue, table: (Palette) -> [String]) {
        switch format {
        case .table: Output.print(table(Output.palette))
        case .json: Output.print([value().json])
        case .yaml: Output.write(value().yaml())
        }
    }

    /// Runs `body` with a client of the chosen context.
    func withClient<Value>(_ body: (AdminClient) async throws -> Value) async throws -> Value {
        guard let file = try ContextsFile.read(path: contextsPath) else {
            throw Failure(
                .failure,
                """
                no contexts file at \(contextsPath)
                Add the control plane with 'proxyctl context add', or name its file: --config DIR/proxyctl.yaml
                """
            )
        }
        let context = try file.context(named: options.context)
        return try await AdminClient.with(context, of: file, body)
    }
}

extension Output {
    /// `; did you mean X?`, or nothing where no candidate is close.
    static func hint(_ word: String, among candidates: [String]) -> String {
        var suggester = Suggester()
        return suggester.hint(for: word, among: candidates)
    }
}

/// A length of time as an argument: `250ms`, `60s`, `5m`, `1h`, `30d`.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration

    /// The number of whole seconds, at least 1.
    var secondsRoundedUp: Int {
        let components = duration.components
        return max(1, Int(components.seconds) + (components.attoseconds > 0 ? 1 : 0))
    }

    /// That many seconds.
    init(seconds: Int) {
        duration = .seconds(seconds)
    }

    /// Reads digits and a unit.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), count <= 1_000_000_000 else {
            return nil
        }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(count)
        case "s": duration = .seconds(count)
        case "m": duration = .seconds(count * 60)
        case "h": duration = .seconds(count * 3600)
        case "d": duration = .seconds(count * 86_400)
        default: return nil
        }
    }

    /// As it is shown in help texts.
    var defaultValueDescription: String {
        let seconds = secondsRoundedUp
        return seconds % 3600 == 0 ? "\(seconds / 3600)h" : "\(seconds)s"
    }
}

/// A label as an argument: `key=value`.
struct LabelArgument: ExpressibleByArgument {
    let key: String
    let value: String

    /// Reads a key, an equals sign and a value.
    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else {
            return nil
        }
        key = String(argument[..<equals])
        value = String(argument[argument.index(after: equals)...])
    }
}

/// A version's number as an argument: `12`, or `v12` as tables show it.
struct VersionArgument: ExpressibleByArgument {
    let number: UInt64

    /// Reads a number from 1.
    init?(argument: String) {
        let digits = argument.hasPrefix("v") ? argument.dropFirst() : argument[...]
        guard let number = UInt64(digits), number > 0 else {
            return nil
        }
        self.number = number
    }
}
