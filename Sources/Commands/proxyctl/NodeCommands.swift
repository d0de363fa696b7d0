import AdminClient
import AdminMessages
import ArgumentParser
import Foundation
import Presentation

/// `proxyctl nodes`.
struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "List the nodes and which version each is really serving."
    )

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let report = NodeReport(try await client.nodes())
            session.print(report.value) { report.rendered($0, now: Date()) }
        }
    }
}

/// `proxyctl node`.
struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Show one node, or ask something of it.",
        subcommands: [
            Show.self, Drain.self, Undrain.self, Retry.self, Revoke.self, Remove.self,
        ]
    )

    /// `proxyctl node show`.
    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show one node with its errors."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                let answer = try await client.known(node) { try await client.node(node) }
                session.print(NodeReport.value(of: answer)) {
                    NodeReport.lines(of: answer, palette: $0, now: Date())
                }
            }
        }
    }

    /// `proxyctl node drain`.
    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Let a node finish what it does and take nothing new; its process stays.",
            discussion: "The drain survives restarts of the node and of the control plane."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            try await Session(options).perform(.drain, on: node, saying: "is draining")
        }
    }

    /// `proxyctl node undrain`.
    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "undrain",
            abstract: "Let a drained node take requests again."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            try await Session(options).perform(.undrain, on: node, saying: "takes requests again")
        }
    }

    /// `proxyctl node retry`.
    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Send a node again what it rejected."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            try await Session(options).perform(.retry, on: node, saying: "tries again")
        }
    }

    /// `proxyctl node revoke`.
    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Shut a node out of the fleet for good.",
            discussion: """
                Its session is closed at once. It keeps serving what it has, but is not
                ready and erases its keys.
                """
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            try await Session(options).perform(.revoke, on: node, saying: "is revoked")
        }
    }

    /// `proxyctl node remove`.
    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove",
            abstract: "Forget a node that is gone; its name is free again."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The node's name.")
        var node: String

        func run() async throws {
            try await Session(options).withClient { client in
                try await client.known(node) { try await client.removeNode(node) }
            }
            Output.note("node '\(visible(node))' is removed")
        }
    }
}

extension Session {
    /// Asks something of a node, and says that it was done.
    fileprivate func perform(
        _ action: AdminClient.NodeAction,
        on node: String,
        saying words: String
    ) async throws {
        try await withClient { client in
            try await client.known(node) { try await client.perform(action, on: node) }
        }
        Output.note("node '\(visible(node))' \(words)")
    }
}

extension AdminClient {
    /// What `call` about a node returns; if there is no such node, the error suggests one.
    fileprivate func known<Value>(_ name: String, _ call: () async throws -> Value) async throws
        -> Value
    {
        do {
            return try await call()
        } catch AdminClientError.refused(404, let answer) {
            let names = try await nodes().map(\.name)
            throw Failure(.failure, visible(answer.message) + Output.hint(name, among: names))
        }
    }
}
