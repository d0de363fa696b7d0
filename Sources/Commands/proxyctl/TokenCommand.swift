import AdminClient
import AdminMessages
import ArgumentParser
import Foundation
import Presentation

/// `proxyctl token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make and revoke the tokens with which nodes join.",
        subcommands: [Create.self, List.self, Revoke.self]
    )

    /// `proxyctl token create`.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create",
            abstract:
                "Make a token for one node, and print it: this is the only time that it is shown.",
            discussion: """
                The token carries the fingerprint of the control plane's CA, so that the
                node knows whom to trust.

                EXAMPLE
                  proxyctl token create --ttl 10m --label region=eu > eu-1.token
                  proxy-node run --data eu-1 --control 10.0.0.1:7444 --label region=eu --token-file eu-1.token
                """
        )

        @OptionGroup var options: GlobalOptions

        @Option(help: "How long it can be used, such as 10m or 24h.")
        var ttl = DurationArgument(seconds: 3600)

        @Option(
            name: .customLong("label"),
            parsing: .singleValue,
            help: ArgumentHelp(
                "A label that the node must have; repeatable.",
                valueName: "key=value"
            )
        )
        var labels: [LabelArgument] = []

        func run() async throws {
            let session = Session(options)
            let request = TokenRequest(
                ttlSeconds: ttl.secondsRoundedUp,
                labels: Dictionary(labels.map { ($0.key, $0.value) }) { _, last in last }
            )
            try await session.withClient { client in
                let token = try await client.createToken(request)
                let value: OutputValue = [
                    "id": .string(token.id), "token": .string(token.token),
                    "expiresAt": .string(token.expiresAt),
                    "labels": .object(token.labels.mapValues { .string($0) }),
                ]
                session.print(value) { _ in [token.token] }
            }
        }
    }

    /// `proxyctl token list`.
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the tokens, without their secrets."
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                let report = TokenReport(try await client.tokens())
                session.print(report.value) { report.rendered($0, now: Date()) }
            }
        }
    }

    /// `proxyctl token revoke`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Make a token useless."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The token's id, as 'proxyctl token list' shows it.")
        var id: String

        func run() async throws {
            try await Session(options).withClient { client in
                try await client.revokeToken(id)
            }
            Output.note("token '\(visible(id))' is revoked")
        }
    }
}
