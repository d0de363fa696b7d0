import AdminClient
import AdminMessages
import ArgumentParser
import Foundation
import Presentation

/// `proxyctl secrets`.
struct SecretsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets",
        abstract: "Keep the secrets that configurations name.",
        subcommands: [Set.self, List.self, Remove.self]
    )

    /// `proxyctl secrets set`.
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Keep a secret under a name, in place of the value that it had.",
            discussion: """
                The value is read from a file or from standard input, never from the command
                line, which others on the machine can see. One line end behind it is no part
                of it. The control plane keeps it sealed; no command shows it again.

                EXAMPLES
                  proxyctl secrets set acme-eab --file eab.key
                  pass show acme/eab | proxyctl secrets set acme-eab
                """
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The name, as configurations have it.")
        var name: String

        @Option(
            help: ArgumentHelp(
                "The file that holds the secret (default: standard input).",
                valueName: "file"
            ),
            completion: .file()
        )
        var file: String?

        func run() async throws {
            let session = Session(options)
            let value = try read()
            try await session.withClient { client in
                let report = SecretReport([try await client.setSecret(name, value: value)])
                session.print(report.value) { report.rendered($0, now: Date()) }
            }
        }

        private func read() throws -> String {
            let octets: Data
            if let file, file != "-" {
                guard let found = FileManager.default.contents(atPath: file) else {
                    throw Failure(.failure, "cannot read '\(visible(file))'")
                }
                octets = found
            } else {
                guard !Output.inputIsTerminal else {
                    throw ValidationError("give the secret with --file, or on standard input")
                }
                octets = try FileHandle.standardInput.readToEnd() ?? Data()
            }
            guard var value = String(data: octets, encoding: .utf8) else {
                throw Failure(.failure, "the secret is not text in UTF-8")
            }
            // Swift takes CR and LF for one character.
            if value.hasSuffix("\n") || value.hasSuffix("\r\n") { value.removeLast() }
            guard !value.isEmpty else { throw Failure(.failure, "the secret is empty") }
            return value
        }
    }

    /// `proxyctl secrets list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the secrets: names, digests, dates and where they are used; no values.",
            discussion: """
                The digest is another one whenever the value is. It is not made of the value,
                and tells nothing of it.
                """
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                let report = SecretReport(try await client.secrets())
                session.print(report.value) { report.rendered($0, now: Date()) }
            }
        }
    }

    /// `proxyctl secrets remove`.
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Forget a secret; refused while the configuration names it."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The secret's name.")
        var name: String

        func run() async throws {
            try await Session(options).withClient { client in
                try await client.removeSecret(name)
            }
            Output.note("secret '\(visible(name))' is removed")
        }
    }
}
