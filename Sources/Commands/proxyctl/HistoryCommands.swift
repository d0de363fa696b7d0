import AdminClient
import AdminMessages
import ArgumentParser
import ConfigurationFile
import FleetModel
import Foundation
import Presentation

/// `proxyctl versions`.
struct VersionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "versions",
        abstract: "List the versions of the configuration, newest first."
    )

    @OptionGroup var options: GlobalOptions

    @Option(help: "How many.")
    var limit = 20

    @Option(help: "Only versions before this one.")
    var before: VersionArgument?

    func validate() throws {
        guard (1...1000).contains(limit) else {
            throw ValidationError("The limit is from 1 to 1000.")
        }
    }

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let report = VersionReport(
                try await client.versions(limit: limit, before: before?.number)
            )
            session.print(report.value) { report.rendered($0, now: Date()) }
        }
    }
}

/// `proxyctl show`.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one version: who made it, when, why, and what it changed."
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The version.")
    var version: VersionArgument

    @Option(help: "The version to compare with, in place of its parent.")
    var base: VersionArgument?

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let answer = try await client.version(version.number)
            let difference = try await client.changes(of: version.number, since: base?.number)
            let report = ChangeReport(difference.changes)
            var value = VersionReport.value(of: answer).members ?? [:]
            value["changes"] = report.value
            session.print(.object(value)) { palette in
                VersionReport.lines(of: answer, now: Date()) + [""] + report.rendered(palette)
            }
        }
    }
}

/// `proxyctl export`.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the configuration of a version, ready to be applied again.",
        discussion: """
            YAML, or JSON with -o json. Without a version: the head.

            EXAMPLES
              proxyctl export > fleet.yaml
              proxyctl export 12 | proxyctl diff -
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: "The version.")
    var version: VersionArgument?

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let answer = try await client.configuration(version: version?.number)
            if session.format == .json {
                Output.print([OutputValue(answer.document).json])
            } else {
                // In the order of the reference, unless a newer control plane has fields that are unknown here.
                let known = try? Configuration(document: answer.document)
                Output.write(known?.documentYAML ?? YAMLWriter.write(answer.document))
            }
        }
    }
}

/// `proxyctl diff`.
struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Say what applying a configuration would change; exit 3 if anything.",
        discussion: """
            EXAMPLES
              proxyctl diff fleet.yaml
              proxyctl diff fleet.yaml --base 12
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(
        help: ArgumentHelp("The configuration's files; '-' is standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"])
    )
    var files: [String]

    @Option(help: "The version to compare with, in place of the head.")
    var base: VersionArgument?

    func run() async throws {
        let session = Session(options)
        let now = Int64(Date().timeIntervalSince1970)
        let loaded = try ConfigurationFile.loadWithCertificates(files, atSeconds: now)
        try await session.withClient { client in
            let answer = try await client.diff(loaded.configuration, base: base?.number)
            let report = ChangeReport(answer.changes)
            session.print(["base": OutputValue(answer.base as UInt64?), "changes": report.value]) {
                report.rendered($0)
            }
            if !answer.changes.isEmpty {
                throw Failure(.differences, nil)
            }
        }
    }
}

/// `proxyctl audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "List who changed what, newest first."
    )

    @OptionGroup var options: GlobalOptions

    @Option(help: "How many.")
    var limit = 50

    @Option(help: "Only records before the one with this id.")
    var before: UInt64?

    func validate() throws {
        guard (1...1000).contains(limit) else {
            throw ValidationError("The limit is from 1 to 1000.")
        }
    }

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let report = AuditReport(try await client.audit(limit: limit, before: before))
            session.print(report.value) { report.rendered($0, now: Date()) }
        }
    }
}
