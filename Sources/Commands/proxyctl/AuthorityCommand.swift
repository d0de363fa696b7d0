import AdminClient
import AdminMessages
import ArgumentParser
import Presentation

/// `proxyctl ca`.
struct AuthorityCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Change the cluster's CA, which nodes, servers and contexts trust.",
        discussion: """
            'ca rotate' makes another CA. From then on both are trusted, every node is told
            so and given a certificate of the new one. When 'ca status' shows that all nodes
            have confirmed, 'ca retire' trusts the new CA alone. All of it holds over
            restarts. Each of these commands brings the context's file of authorities up to date.
            """,
        subcommands: [Status.self, Rotate.self, Retire.self]
    )

    /// `proxyctl ca status`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Show the CAs that are trusted, and which nodes have confirmed the next one."
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                let answer = try await client.authorities()
                session.show(answer)
            }
        }
    }

    /// `proxyctl ca rotate`.
    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Make the next CA, which is trusted beside the present one.",
            discussion: "Once it is there, another call does nothing but show how far it is."
        )

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                let answer = try await client.rotateAuthority()
                session.show(answer)
            }
        }
    }

    /// `proxyctl ca retire`.
    struct Retire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retire",
            abstract: "Trust the next CA alone.",
            discussion: """
                Nodes that have not confirmed would be cut off, so they are named and nothing is
                done, unless it is forced: they then serve on, and come back only by being removed
                and joining with a new token. Tokens that nobody has used name the CA that goes,
                and are revoked.
                """
        )

        @OptionGroup var options: GlobalOptions

        @Flag(help: "Cut off the nodes that have not confirmed.")
        var force = false

        func run() async throws {
            let session = Session(options)
            try await session.withClient { client in
                // Before it is gone: without the next CA this context could not come back.
                session.keepAuthorities(try await client.authorities())
                let answer = try await client.retireAuthority(force: force)
                session.show(answer)
            }
        }
    }

    fileprivate static func lines(_ answer: AuthoritiesAnswer) -> [String] {
        var lines = answer.authorities.map { authority in
            "\(authority.role)  \(authority.fingerprint)  until \(visible(authority.notAfter))"
        }
        if let count = answer.tokensRevoked { lines.append("\(count) unused tokens are revoked") }
        guard answer.rotating else { return lines }
        let waiting = answer.nodes.filter { !$0.confirmed }
        let count = answer.nodes.count
        lines.append("\(count - waiting.count) of \(count) nodes have confirmed the next")
        lines += waiting.map { "waiting for \(visible($0.name)), which is \(visible($0.state))" }
        if waiting.isEmpty { lines.append("end it with 'proxyctl ca retire'") }
        return lines
    }

    fileprivate static func value(_ answer: AuthoritiesAnswer) -> OutputValue {
        var value: [String: OutputValue] = [
            "rotating": .bool(answer.rotating),
            "authorities": .array(
                answer.authorities.map { authority in
                    [
                        "fingerprint": .string(authority.fingerprint),
                        "role": .string(authority.role),
                        "notAfter": .string(authority.notAfter),
                    ]
                }
            ),
            "nodes": .array(
                answer.nodes.map { node in
                    [
                        "name": .string(node.name), "state": .string(node.state),
                        "confirmed": .bool(node.confirmed),
                    ]
                }
            ),
        ]
        if let count = answer.tokensRevoked { value["tokensRevoked"] = .integer(Int64(count)) }
        return .object(value)
    }
}

extension Session {
    /// Prints the CAs that are trusted, and keeps them for this context.
    fileprivate func show(_ answer: AuthoritiesAnswer) {
        print(AuthorityCommand.value(answer)) { _ in AuthorityCommand.lines(answer) }
        keepAuthorities(answer)
    }

    /// Writes the CAs that are trusted to the context's file; what fails is said, with what to do.
    fileprivate func keepAuthorities(_ answer: AuthoritiesAnswer) {
        do {
            guard let file = try ContextsFile.read(path: contextsPath) else { return }
            let context = try file.context(named: contextName)
            let texts = answer.authorities.map(\.certificate)
            if try file.keepAuthorities(texts, of: context) {
                Output.note("\(file.resolved(context.authority)): the CAs that are trusted now")
            }
        } catch {
            Output.note(
                "warning: \(error)\nCopy ca.pem of the control plane's directory there before the old CA is retired."
            )
        }
    }
}
