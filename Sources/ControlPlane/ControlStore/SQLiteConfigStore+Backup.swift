import Cryptography
import Foundation
import GRDB
import SystemCalls

/// What a backup or a restored store holds.
package struct StoreSummary: Hashable, Sendable {
    /// The cluster's 16 octets.
    package let clusterID: [UInt8]
    /// The epoch; a new one after a restore.
    package let epoch: UInt64
    /// The newest version; 0 before the first.
    package let headNumber: UInt64
    /// Where a restore put the database that was there before, or nil.
    package let keptPath: String?
}

extension SQLiteConfigStore {
    /// Copies the database of a directory to one file, while a server may be writing to it.
    ///
    /// The copy is a consistent state with all that was acknowledged before the call. It does not hold
    /// `master.key`. A file that is there is replaced, once the copy is whole and checked.
    ///
    /// - Parameters:
    ///   - directory: The server's directory; it is not locked.
    ///   - file: Where the copy goes, readable by its owner only.
    /// - Returns: What the copy holds.
    /// - Throws: `storeMissing`, `corrupt`, `storeFull` or `failed`; `file` is then as before.
    package static func backup(
        directory: String,
        to file: String
    ) throws(StoreError) -> StoreSummary {
        let path = StoreDirectory.databasePath(in: directory)
        guard try StoreDirectory.hasDatabase(path) else { throw .storeMissing(path) }
        let partial = file + ".partial"
        do {
            let source = try DatabaseQueue(path: path, configuration: configuration())
            defer { try? source.close() }  // Reading is over; a failed close loses nothing.
            try check(source, path: path)
            try removeFile(partial)
            try StoreDirectory.makePrivateFile(partial)
            let summary = try copy(source, to: partial)
            try renameFile(partial, to: file)
            try syncDirectory(containing: file)
            return summary
        } catch {
            // What is left of the copy is of no use; the first error is the one to tell.
            try? removeFile(partial)
            throw StoreError(file: error, file)
        }
    }

    /// Makes a backup the database of a directory that no server holds, under a new epoch.
    ///
    /// Nodes take the restored head as newer than all they have seen. Tokens that were unused in the
    /// backup are revoked, as they may have been used since, and what the present database has revoked
    /// stays revoked. The present database is kept beside the new one.
    ///
    /// - Parameters:
    ///   - file: What `backup` made.
    ///   - directory: Held by the caller; its `master.key` must be the one of the backup, or its `master.key.old`:
    ///     then the secrets are sealed anew.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC; the system's if not given.
    /// - Returns: What the directory holds now.
    /// - Throws: Why the backup is not usable; the directory is then as before.
    package static func restore(
        _ file: String,
        into directory: StoreDirectory,
        clock: (@Sendable () -> Int64)? = nil
    ) throws(StoreError) -> StoreSummary {
        let now = clock?() ?? Int64(realtimeNanoseconds() / 1_000_000)
        guard try StoreDirectory.hasDatabase(file) else { throw .storeMissing(file) }
        settleMasterKey(directory)
        let envelope = try directory.envelope(makingKey: false)
        let older = try directory.oldEnvelope()
        let present = try hasDatabaseToKeep(directory) ? revocations(directory) : nil
        let partial = directory.databasePath + ".restoring"
        do {
            for suffix in ["", "-wal", "-shm", "-journal"] { try removeFile(partial + suffix) }
            try StoreDirectory.makePrivateFile(partial)
            let source = try DatabaseQueue(path: file, configuration: configuration())
            defer { try? source.close() }  // Reading is over; a failed close loses nothing.
            try check(source, path: file)
            _ = try copy(source, to: partial)
            let summary = try prepare(
                partial,
                envelope: envelope,
                older: older,
                present: present,
                now: now,
                fileName: file
            )
            let kept = try replace(directory, with: partial, epoch: summary.epoch)
            return StoreSummary(
                clusterID: summary.clusterID,
                epoch: summary.epoch,
                headNumber: summary.headNumber,
                keptPath: kept
            )
        } catch {
            // The partial copy is of no use; the first error is the one to tell.
            try? removeFile(partial)
            throw StoreError(file: error, file)
        }
    }

    // MARK: Copies

    /// Copies, checks every page and reference, and leaves one file without a WAL.
    private static func copy(_ source: DatabaseQueue, to path: String) throws -> StoreSummary {
        let target = try DatabaseQueue(path: path, configuration: configuration())
        defer { try? target.close() }  // The copy is complete or thrown away.
        try source.backup(to: target)
        try target.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA journal_mode = DELETE")
        }
        return try target.read { db in
            let result = try String.fetchOne(db, sql: "PRAGMA integrity_check(1)") ?? "no answer"
            guard result == "ok" else { throw StoreError.corrupt(result) }
            guard try Row.fetchOne(db, sql: "PRAGMA foreign_key_check") == nil else {
                throw StoreError.corrupt("a reference leads nowhere")
            }
            return try summary(db)
        }
    }

    private static func summary(_ db: Database) throws -> StoreSummary {
        let cluster = try cluster(db)
        return StoreSummary(
            clusterID: cluster.clusterID,
            epoch: cluster.epoch,
            headNumber: try Versions.head(db)?.number ?? 0,
            keptPath: nil
        )
    }

    // MARK: Restoring

    /// What the present database forbids, and its epoch.
    private struct Revocations {
        var epoch: UInt64
        var certificates: [Row]
        var nodeIDs: [Data]
    }

    private static func hasDatabaseToKeep(
        _ directory: StoreDirectory
    ) throws(StoreError) -> Bool {
        try StoreDirectory.hasDatabase(directory.databasePath)
    }

    /// Reads the present database, and empties its WAL so that one file holds all of it; nil if it is
    /// damaged, which may be why a backup is restored.
    private static func revocations(_ directory: StoreDirectory) -> Revocations? {
        do {
            let queue = try DatabaseQueue(
                path: directory.databasePath,
                configuration: configuration()
            )
            let found = try queue.read { db in
                Revocations(
                    epoch: try cluster(db).epoch,
                    certificates: try Row.fetchAll(
                        db,
                        sql: "SELECT * FROM certificates WHERE revoked_ms IS NOT NULL"
                    ),
                    nodeIDs: try Data.fetchAll(
                        db,
                        sql: "SELECT node_id FROM nodes WHERE revoked_ms IS NOT NULL"
                    )
                )
            }
            try queue.writeWithoutTransaction { db in
                _ = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
            try queue.close()
            return found
        } catch {
            return nil
        }
    }

    /// Brings the copy to the present schema, epoch and deny list.
    private static func prepare(
        _ path: String,
        envelope: Envelope,
        older: Envelope?,
        present: Revocations?,
        now: Int64,
        fileName: String
    ) throws -> StoreSummary {
        let queue = try DatabaseQueue(path: path, configuration: configuration())
        defer { try? queue.close() }  // All is committed, or the copy is thrown away.
        try Schema.migrator.migrate(queue)
        return try queue.write { db in
            let check = try Data.fetchOne(db, sql: "SELECT key_check FROM cluster") ?? Data()
            if let older, !envelope.opens(check: [UInt8](check)),
                older.opens(check: [UInt8](check))
            {
                // It was made before the master key was replaced.
                try MasterKey.replace(db, older, with: envelope)
            } else {
                try envelope.verify(check: [UInt8](check))
            }
            let stored = try cluster(db).epoch
            let epoch = max(stored, present?.epoch ?? 0, UInt64(clamping: now / 1000)) + 1
            try db.execute(
                sql: "UPDATE cluster SET epoch = ?",
                arguments: [Int64(clamping: epoch)]
            )
            try db.execute(
                sql:
                    "UPDATE tokens SET revoked_ms = ? WHERE used_by IS NULL AND revoked_ms IS NULL",
                arguments: [now]
            )
            for row in present?.certificates ?? [] {
                try db.execute(
                    sql: """
                        INSERT INTO certificates
                            (fingerprint, node_name, node_id, serial, not_after, revoked_ms)
                        VALUES (:fingerprint, :node_name, :node_id, :serial, :not_after, :revoked_ms)
                        ON CONFLICT DO UPDATE SET revoked_ms = excluded.revoked_ms
                        """,
                    arguments: StatementArguments(
                        Dictionary(uniqueKeysWithValues: row.map { ($0.0, $0.1) })
                    )
                )
            }
            for id in present?.nodeIDs ?? [] {
                try db.execute(
                    sql: "UPDATE nodes SET revoked_ms = coalesce(revoked_ms, ?) WHERE node_id = ?",
                    arguments: [now, id]
                )
            }
            let summary = try summary(db)
            try Audit.insert(
                db,
                action: .clusterRestore,
                subject: String(summary.headNumber),
                note: ChangeNote(author: "proxy-control", message: "epoch \(epoch)"),
                now: now
            )
            return summary
        }
    }

    /// Puts the new database in the place of the present one with one rename.
    ///
    /// The present one gets a second name first, so there is no moment without a database.
    private static func replace(
        _ directory: StoreDirectory,
        with partial: String,
        epoch: UInt64
    ) throws -> String? {
        let path = directory.databasePath
        var kept: String?
        if try StoreDirectory.hasDatabase(path) {
            let keptPath = "\(path).before-epoch-\(epoch)"
            try removeFile(keptPath)
            try FileManager.default.linkItem(atPath: path, toPath: keptPath)
            // Only a damaged database still has a WAL here; it must not meet the new one.
            for suffix in ["-wal", "-shm"] where fileExists(path + suffix) {
                try renameFile(path + suffix, to: keptPath + suffix)
            }
            kept = keptPath
        }
        try renameFile(partial, to: path)
        try syncDirectory(containing: path)
        return kept
    }
}

extension StoreError {
    /// What a failure on a file, or of the database in it, means.
    fileprivate init(file error: any Error, _ path: String) {
        if error is SystemCallError {
            self.init(fileSystem: error, path)
        } else {
            self.init(database: error)
        }
    }
}
