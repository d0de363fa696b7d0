import ArgumentParser

/// The operator's command.
@main
struct Proxyctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxyctl",
        abstract: "Configure, roll out and observe a fleet of Weir proxy nodes.",
        discussion: """
            The global options -o/--output (table, json, yaml), --config FILE and
            --context NAME are accepted before and after every command. Results go to
            standard output, progress to standard error.

            EXAMPLES
              proxyctl validate fleet.yaml
              proxyctl apply fleet.yaml -m "double the weight of eu-1" --wait
              proxyctl nodes
              proxyctl rollback --wait

            EXIT CODES
              0 done               3 differences, leaks      6 timed out waiting
              1 error              4 conflict                7 unauthorised
              2 usage              5 rejected by a node      8 unreachable
            """,
        subcommands: [
            ValidateCommand.self, CompileCommand.self, SchemaCommand.self, ExplainCommand.self,
            DiffCommand.self, ApplyCommand.self, ExportCommand.self, VersionsCommand.self,
            ShowCommand.self, RollbackCommand.self, StatusCommand.self, NodesCommand.self,
            NodeCommand.self, UpstreamsCommand.self, UpstreamCommand.self, CertificatesCommand.self,
            SecretsCommand.self, TokenCommand.self, AuthorityCommand.self, AuditCommand.self,
            LeaksCommand.self, ContextCommand.self, CompletionCommand.self, VersionCommand.self,
        ]
    )

    /// Runs the command that the arguments name, and exits with its code.
    static func main() async {
        let order = CommandLineOrder(Array(CommandLine.arguments.dropFirst()), root: Self.self)
        if let unknown = order.unknown {
            Output.error(
                "unknown command '\(unknown.word)'"
                    + Output.hint(unknown.word, among: unknown.names)
            )
            Output.note("See 'proxyctl --help' for all commands.")
            Output.leave(ExitStatus.usage.rawValue)
        }
        do {
            var command = try await asyncParseAsRoot(order.arguments)
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
        if let failure = Failure(error) {
            if let message = failure.message {
                Output.error(message)
            }
            Output.leave(failure.status.rawValue)
        }
        let code = exitCode(for: error)
        let message = fullMessage(for: error)
        if code.isSuccess {
            Output.write(message + "\n")
            Output.leave(ExitStatus.done.rawValue)
        }
        Output.note(message)
        Output.leave(code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue)
    }
}
