import AdminAPI
import ArgumentParser
import Authority
import ControlStore
import FleetModel
import SystemCalls

/// The control plane's command.
@main
struct ProxyControl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-control",
        abstract: "Keep the configuration of a fleet of Weir proxy nodes, and stream it to them.",
        discussion: """
            EXAMPLES
              proxy-control serve --data /var/lib/weir
              proxyctl --config /var/lib/weir/proxyctl.yaml status
              proxy-control backup --data /var/lib/weir weir-backup.db
              proxy-control master-key rotate --data /var/lib/weir

            EXIT CODES
              0 done    1 error    2 usage
            """,
        version: "proxy-control \(buildVersion)",
        subcommands: [
            ServeCommand.self, BackupCommand.self, RestoreCommand.self, MasterKeyCommand.self,
        ]
    )

    /// Runs the command that the arguments name, and exits with its code.
    static func main() async {
        do {
            var command = try await asyncParseAsRoot(nil)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Says what went wrong and exits with the code for it; a request for help is no error.
    private static func end(with error: any Error) -> Never {
        switch error {
        case let error as StoreError: fail(error.description)
        case let error as AuthorityError: fail(error.description)
        case let error as ListenFailure: fail(error.description)
        case let error as SystemCallError: fail("\(error)")
        default: break
        }
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        if code.isSuccess {
            print(message)
            exit(withError: ExitCode.success)
        }
        note(message)
        exit(withError: code == .validationFailure ? ExitCode(2) : ExitCode.failure)
    }

    private static func fail(_ message: String) -> Never {
        note("error: \(message)")
        exit(withError: ExitCode.failure)
    }

    /// Writes a line to standard error.
    static func note(_ line: String) {
        // Standard error is the last resort: there is nowhere to report its failure.
        try? writeAll(2, Array("\(line)\n".utf8).span)
    }
}

extension HostPort: ExpressibleByArgument {
    /// Reads an option's value.
    package init?(argument: String) { self.init(argument) }

    /// How help shows it.
    package var defaultValueDescription: String { description }
}

/// The directory that all commands work on.
struct DataOptions: ParsableArguments {
    @Option(
        name: .customLong("data"),
        help: ArgumentHelp("The control plane's directory.", valueName: "dir"),
        completion: .directory
    )
    var directory: String
}
