import AdminClient
import AdminMessages
import ArgumentParser
import ConfigurationFile
import FleetModel
import Foundation
import Presentation

/// `proxyctl apply`.
struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Make a configuration the new version of the fleet.",
        discussion: """
            The files are together the whole configuration: what is absent is removed.
            Applying what is already there makes no version. If somebody else applied
            meanwhile, nothing is changed (exit 4).

            Certificates and keys that the files name are brought to the control plane,
            which keeps the keys sealed; a certificate with a digest is there already.

            With --wait, proxyctl returns when every node with an open session serves
            the version: 0 if all do, 5 if one rejected it, 6 at the timeout.

            EXAMPLES
              proxyctl apply fleet.yaml -m "new checkout" --wait
              proxyctl apply base.yaml routes.yaml --dry-run
              proxyctl export 12 | proxyctl apply - --expect 15
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(
        help: ArgumentHelp("The configuration's files; '-' is standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"])
    )
    var files: [String]

    @Option(name: .shortAndLong, help: "Why, for the history.")
    var message: String = ""

    @Option(help: "Apply only if this version is the head.")
    var expect: VersionArgument?

    @Flag(help: "Wait until the nodes serve it.")
    var wait = false

    @Option(help: "How long to wait, such as 60s or 5m.")
    var timeout = DurationArgument(seconds: 60)

    @Flag(help: "Check everything and say what would change, but change nothing.")
    var dryRun = false

    func run() async throws {
        let session = Session(options)
        let now = Int64(Date().timeIntervalSince1970)
        let loaded = try ConfigurationFile.loadWithCertificates(files, atSeconds: now)
        let configuration = loaded.configuration
        try await session.withClient { client in
            if !dryRun { try await bring(loaded.certificates, to: client) }
            let head = try await client.headVersion()
            let answer = try await client.apply(
                configuration,
                message: message,
                author: author(),
                isDryRun: dryRun,
                base: expect?.number ?? head
            )
            if dryRun {
                let report = ChangeReport(answer.changes)
                session.print(["changed": .bool(answer.changed), "changes": report.value]) {
                    report.rendered($0)
                }
                return
            }
            let waiting = wait ? RolloutWaiting(timeout: timeout) : nil
            let outcome = ChangeOutcome(
                session: session,
                client: client,
                verb: "applied",
                waiting: waiting
            )
            try await outcome.finish(answer)
        }
    }
}

extension ApplyCommand {
    /// Gives the control plane what the configuration is about to name.
    private func bring(_ certificates: [ReadCertificate], to client: AdminClient) async throws {
        for certificate in certificates {
            let answer = try await client.storeCertificate(certificate)
            guard answer.digest == certificate.digest.hex else {
                throw Failure(
                    .failure,
                    "the control plane read another certificate \(certificate.name) than proxyctl: "
                        + "are both of the same build?"
                )
            }
        }
    }
}

/// `proxyctl rollback`.
struct RollbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback",
        abstract: "Make a new version with the content of an old one.",
        discussion: """
            Without a version: the one before the head.

            EXAMPLES
              proxyctl rollback --wait
              proxyctl rollback 12 -m "the new checkout loses carts"
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The version whose content is wanted back.")
    var version: VersionArgument?

    @Option(name: .shortAndLong, help: "Why, for the history.")
    var message: String = ""

    @Option(help: "Roll back only if this version is the head.")
    var expect: VersionArgument?

    @Flag(help: "Wait until the nodes serve it.")
    var wait = false

    @Option(help: "How long to wait, such as 60s or 5m.")
    var timeout = DurationArgument(seconds: 60)

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let head = try await client.headVersion()
            let request = RollbackRequest(
                version: version?.number,
                message: message,
                author: author()
            )
            let answer = try await client.rollback(request, base: expect?.number ?? head)
            let waiting = wait ? RolloutWaiting(timeout: timeout) : nil
            let outcome = ChangeOutcome(
                session: session,
                client: client,
                verb: "rolled back",
                waiting: waiting
            )
            try await outcome.finish(answer)
        }
    }
}
