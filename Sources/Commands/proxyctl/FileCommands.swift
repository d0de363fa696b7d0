import ArgumentParser
import ConfigurationFile
import FleetModel
import Foundation
import Presentation
import Routing
import SnapshotCompiler

/// `proxyctl validate`.
struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a configuration and report everything that is wrong with it.",
        discussion: """
            The files are together one configuration. Nothing is sent anywhere: proxyctl,
            the control plane and the nodes share one set of checks. Certificates and keys
            that it names are read and checked too; those with a digest are not, as the
            control plane has them. The configuration's own tests are run, and routes that
            no request can reach are warned of.

            EXAMPLES
              proxyctl validate fleet.yaml
              proxyctl validate base.yaml routes.yaml
              generate-routes | proxyctl validate base.yaml -
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(
        help: ArgumentHelp("The configuration's files; '-' is standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"])
    )
    var files: [String]

    func run() throws {
        let session = Session(options)
        do throws(ConfigurationProblems) {
            let now = Int64(Date().timeIntervalSince1970)
            let loaded = try ConfigurationFile.loadWithCertificates(files, atSeconds: now)
            let configuration = loaded.configuration
            let failures = RouteTests.problems(of: configuration).map(loaded.placed)
            guard failures.isEmpty else { throw ConfigurationProblems(failures) }
            let warnings = Self.warnings(loaded)
            session.print(Self.summary(of: configuration, warnings)) { palette in
                warnings.map { "\(palette.paint("warning:", .warning)) \(visible($0))" }
                    + ["valid: \(Self.counts(of: configuration))"]
            }
        } catch {
            let report = ProblemReport(error.problems)
            guard session.format == .table else {
                session.print(report.value) { _ in [] }
                throw Failure(.failure, nil)
            }
            report.rendered(Output.errorPalette).forEach(Output.note)
            throw Failure(.failure, nil)
        }
    }

    /// Routes that are never taken, with their places, and what groups leave without an answer.
    private static func warnings(_ loaded: LoadedConfiguration) -> [String] {
        let routes = loaded.configuration.routes
        return ShadowedRoutes.find(in: loaded.configuration).map { shadowed in
            let name = routes[shadowed.route].name
            let place = loaded.place(of: .route, name).description
            return
                "\(place.isEmpty ? "" : place + ": ")routes[\(name)]: \(shadowed.warning(routes))"
        } + ShadowedRoutes.notices(on: loaded.configuration) + loaded.configuration.groupWarnings
    }

    private static func summary(
        of configuration: Configuration,
        _ warnings: [String]
    ) -> OutputValue {
        [
            "valid": true, "problems": [], "warnings": .array(warnings.map { .string($0) }),
            "digest": .string("\(configuration.manifest.digest)"),
        ]
    }

    /// `2 listeners, 3 upstreams, 12 routes`.
    private static func counts(of configuration: Configuration) -> String {
        let counts: [(Int, String)] = [
            (configuration.listeners.count, "listener"),
            (configuration.upstreams.count, "upstream"), (configuration.routes.count, "route"),
            (configuration.tests.count, "test"),
        ]
        return counts.filter { $0.0 > 0 || $0.1 != "test" }.map {
            "\($0) \($1)\($0 == 1 ? "" : "s")"
        }.joined(separator: ", ")
    }
}

/// `proxyctl compile`.
struct CompileCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile",
        abstract: "Make the snapshot file with which a node runs without a control plane.",
        discussion: """
            The file is checksummed and not signed; only 'proxy-node run --snapshot'
            takes it. Certificates and keys are not a part of it, and not read.

            EXAMPLE
              proxyctl compile fleet.yaml --out fleet.snapshot
              proxy-node run --snapshot fleet.snapshot
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(
        help: ArgumentHelp("The configuration's files; '-' is standard input.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"])
    )
    var files: [String]

    @Option(
        help: ArgumentHelp("The file to write.", valueName: "snapshot"),
        completion: .file()
    )
    var out: String

    func run() throws {
        let configuration = try ConfigurationFile.load(files)
        let octets = SnapshotFile(configuration).encoded()
        do {
            try Data(octets).write(to: URL(fileURLWithPath: out), options: .atomic)
        } catch {
            throw Failure(.failure, "\(out): cannot be written: \(error.localizedDescription)")
        }
        Output.note("wrote \(out), \(octets.count) octets")
    }
}

/// `proxyctl schema`.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the JSON Schema of configurations, for editors.",
        discussion: """
            EXAMPLE
              proxyctl schema > weir.schema.json
              # in fleet.yaml, for editors with the YAML language server:
              # yaml-language-server: $schema=weir.schema.json
            """
    )

    @OptionGroup var options: GlobalOptions

    func run() {
        Output.print([Settings.jsonSchema])
    }
}
