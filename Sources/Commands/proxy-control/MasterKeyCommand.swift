import ArgumentParser
import ControlStore

/// `proxy-control master-key`.
struct MasterKeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "master-key",
        abstract: "Replace the key that the secrets in the database are sealed with.",
        subcommands: [Rotate.self]
    )

    /// `proxy-control master-key rotate`.
    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Seal all secrets with a new master.key.",
            discussion: """
                The server must not run. The key before is kept as DIR/master.key.old: backups
                from before can only be restored with it. Copy the new key to where the old
                one's copy is, make a new backup, and remove master.key.old when no backup from
                before is needed. What ends the command half-way is mended by the next start.
                """
        )

        @OptionGroup var data: DataOptions

        func run() throws {
            let directory = try StoreDirectory(data.directory)
            let rotation = try SQLiteConfigStore.rotateMasterKey(of: directory)
            let count = rotation.secretCount
            print("\(data.directory)/master.key: new, \(count) secrets sealed with it")
            ProxyControl.note(
                "The key before is kept as \(rotation.oldKeyPath): backups from before need it. "
                    + "Copy the new key to a safe place and make a new backup."
            )
        }
    }
}
