import AdminClient
import ArgumentParser
import FleetModel
import Foundation
import Presentation

/// `proxyctl context`.
struct ContextCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "context",
        abstract: "Choose which control plane proxyctl talks to.",
        subcommands: [List.self, Use.self, Add.self]
    )

    /// `proxyctl context list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the contexts of the contexts file."
        )

        @OptionGroup var options: GlobalOptions

        func run() throws {
            let session = Session(options)
            let file =
                try ContextsFile.read(path: session.contextsPath)
                ?? ContextsFile(path: session.contextsPath)
            let value: OutputValue = .array(
                file.contexts.map { context in
                    [
                        "name": .string(context.name), "server": .string(context.server),
                        "ca": .string(context.authority),
                        "current": .bool(context.name == file.current),
                    ]
                }
            )
            session.print(value) { palette in
                var table = Table([.init(""), .init("NAME"), .init("SERVER"), .init("CA")])
                for context in file.contexts {
                    let isCurrent = context.name == file.current
                    table.append([
                        .init(isCurrent ? "*" : " ", .good), .init(context.name),
                        .init(context.server), .init(context.authority),
                    ])
                }
                return table.isEmpty ? ["no contexts in \(file.path)"] : table.rendered(palette)
            }
        }
    }

    /// `proxyctl context use`.
    struct Use: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "use",
            abstract: "Make a context the current one."
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The context's name.")
        var name: String

        func run() throws {
            let session = Session(options)
            guard var file = try ContextsFile.read(path: session.contextsPath) else {
                throw Failure(.failure, "no contexts file at \(session.contextsPath)")
            }
            try file.use(name)
            try file.write()
            Output.note("the current context is '\(name)'")
        }
    }

    /// `proxyctl context add`.
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Add a context, or replace the one of its name.",
            discussion: """
                EXAMPLE
                  proxyctl context add prod --server https://control.example.com:7443 \\
                      --ca ca.pem --token-file admin.token
                """
        )

        @OptionGroup var options: GlobalOptions

        @Argument(help: "The context's name.")
        var name: String

        @Option(help: ArgumentHelp("The admin address.", valueName: "https://host:port"))
        var server: String

        @Option(
            help: ArgumentHelp("The PEM file with the control plane's CA.", valueName: "file"),
            completion: .file()
        )
        var ca: String

        @Option(
            help: ArgumentHelp("The file that holds the token.", valueName: "file"),
            completion: .file()
        )
        var tokenFile: String?

        @Option(
            help: "The token itself; other users of this machine can see it while proxyctl runs."
        )
        var token: String?

        func validate() throws {
            if (token == nil) == (tokenFile == nil) {
                throw ValidationError("Give either --token-file or --token.")
            }
            if !server.hasPrefix("https://") {
                throw ValidationError("The server has the form https://HOST:PORT.")
            }
        }

        func run() throws {
            let session = Session(options)
            var file =
                try ContextsFile.read(path: session.contextsPath)
                ?? ContextsFile(path: session.contextsPath)
            let secret: AdminContext.Token =
                token.map { .text($0) } ?? .file(Self.absolute(tokenFile ?? ""))
            let address = server.hasSuffix("/") ? String(server.dropLast()) : server
            file.add(
                AdminContext(
                    name: name,
                    server: address,
                    authority: Self.absolute(ca),
                    token: secret
                )
            )
            try file.write()
            Output.note("added the context '\(name)' to \(file.path)")
        }

        /// A path of the command line, which is relative to the working folder and not to the contexts file.
        private static func absolute(_ path: String) -> String {
            URL(fileURLWithPath: path).standardizedFileURL.path
        }
    }
}
