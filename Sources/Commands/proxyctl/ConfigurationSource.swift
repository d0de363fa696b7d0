import AdminClient
import ArgumentParser
import ConfigurationFile
import FleetModel

/// Which configuration a command looks at: the head, a version, or files.
struct ConfigurationSource: ParsableArguments {
    @Option(help: "The version, in place of the head.")
    var version: VersionArgument?

    @Option(
        name: [.customShort("f"), .customLong("file")],
        parsing: .singleValue,
        help: ArgumentHelp("A file of the configuration; repeatable.", valueName: "file"),
        completion: .file(extensions: ["yaml", "yml", "json"])
    )
    var files: [String] = []

    func validate() throws {
        if !files.isEmpty, version != nil {
            throw ValidationError("Give either --file or --version.")
        }
    }

    /// Reads it.
    func configuration(_ session: Session) async throws -> Configuration {
        if !files.isEmpty {
            return try ConfigurationFile.load(files)
        }
        return try await session.withClient { client in
            let stored = try await client.configuration(version: version?.number)
            return try Configuration(document: stored.document)
        }
    }
}
