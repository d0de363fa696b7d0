import ArgumentParser
import ControlStore

/// `proxy-control backup`.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy the database to one file, also while the server runs.",
        discussion: """
            The file does not hold master.key, without which the keys in it cannot be read:
            keep a copy of DIR/master.key in another place.
            """
    )

    @OptionGroup var data: DataOptions

    @Argument(
        help: ArgumentHelp(
            "Where the copy goes; a file that is there is replaced.",
            valueName: "file"
        ),
        completion: .file()
    )
    var file: String

    func run() throws {
        let summary = try SQLiteConfigStore.backup(directory: data.directory, to: file)
        print("\(file): version \(summary.headNumber), epoch \(summary.epoch)")
        ProxyControl.note(
            "It does not hold \(data.directory)/master.key, which a restore needs: keep a copy elsewhere."
        )
    }
}

/// `proxy-control restore`.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a backup the database again, under a new epoch.",
        discussion: """
            The server must not run. DIR/master.key must be the key of the backup. What was
            revoked since stays revoked; the database that was there is kept beside it.
            """
    )

    @OptionGroup var data: DataOptions

    @Argument(
        help: ArgumentHelp("What 'proxy-control backup' made.", valueName: "file"),
        completion: .file()
    )
    var file: String

    func run() throws {
        let directory = try StoreDirectory(data.directory)
        let summary = try SQLiteConfigStore.restore(file, into: directory)
        print("\(data.directory): version \(summary.headNumber), epoch \(summary.epoch)")
        if let kept = summary.keptPath {
            ProxyControl.note("The database that was there is kept as \(kept).")
        }
    }
}
