import ArgumentParser
import FleetModel
import NodeAgent
import SystemCalls

/// The node's command.
@main
struct ProxyNode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "proxy-node",
        abstract: "Proxy requests as the configuration of a fleet says.",
        discussion: """
            EXAMPLES
              proxy-node run --data /var/lib/weir-node --control 10.0.0.1:7444 --token-file token
              proxy-node run --snapshot fleet.snapshot
              proxy-node upgrade --data /var/lib/weir-node

            EXIT CODES
              0 done    1 error    2 usage    (upgrade) 3 no node runs    4 another upgrade is under way
            """,
        version: "proxy-node \(buildVersion)",
        subcommands: [RunCommand.self, UpgradeCommand.self]
    )

    /// Runs the command that the arguments name, and exits with its code.
    static func main() {
        do {
            var command = try parseAsRoot(nil)
            try command.run()
        } catch {
            end(with: error)
        }
    }

    /// Says what went wrong and exits with the code for it; a request for help is no error.
    private static func end(with error: any Error) -> Never {
        if let error = error as? NodeError {
            note("error: \(error)")
            exit(withError: ExitCode.failure)
        }
        if let error = error as? UpgradeError {
            note("error: \(error)")
            exit(withError: error.code)
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

    /// Writes a line to standard error.
    static func note(_ line: String) {
        // Standard error is the last resort: there is nowhere to report its failure.
        try? writeAll(2, Array("\(line)\n".utf8).span)
    }
}
