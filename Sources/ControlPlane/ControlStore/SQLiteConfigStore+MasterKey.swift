import Cryptography
import FleetModel
import Foundation
import GRDB
import SystemCalls

/// What a rotation of the master key did.
package struct MasterKeyRotation: Hashable, Sendable {
    /// How many secrets were sealed anew.
    package let secretCount: Int
    /// Where the key before is kept.
    package let oldKeyPath: String
}

/// Another `master.key`, made while no server runs.
///
///     master.key  K1                     K1                       K2
///     .next           K2 on the disk     K2                       -
///     .old                               -                        K1
///     database    K1 ───────────────────▶ K2 (one transaction)    K2
///
/// Whatever a crash leaves opens with one of the two, and the next start brings it to an end: forward if the
/// transaction was made, back if not.
extension SQLiteConfigStore {
    /// Seals every secret of a directory's database with a new master key.
    ///
    /// Contents keep their data keys: who has the old key **and** an old copy of the database goes on having what is
    /// in it.
    ///
    /// - Parameters:
    ///   - directory: Held by the caller, so that no server runs.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC; the system's if not given.
    /// - Returns: What was done.
    /// - Throws: `masterKeyOldKept`, `storeMissing`, `secretDamaged`, or what makes the directory unusable; the
    ///   database then has its key.
    package static func rotateMasterKey(
        of directory: StoreDirectory,
        clock: (@Sendable () -> Int64)? = nil
    ) throws(StoreError) -> MasterKeyRotation {
        guard try StoreDirectory.hasDatabase(directory.databasePath) else {
            throw .storeMissing(directory.databasePath)
        }
        let store = try SQLiteConfigStore(directory, clock: clock)
        // Looked for after the opening, which may have brought an interrupted rotation to its end.
        guard !directory.hasOldKey else {
            try store.close()
            throw .masterKeyOldKept(directory.oldKeyPath)
        }
        let next = try directory.makeNextKey()
        let count = try store.sealAnew(with: next)
        try store.close()
        try directory.adoptNextKey()
        return MasterKeyRotation(secretCount: count, oldKeyPath: directory.oldKeyPath)
    }

    /// The transaction; what is in place of the old octets overwrites them, in the write-ahead log too once the
    /// store is closed.
    func sealAnew(with next: Envelope) throws(StoreError) -> Int {
        do {
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA secure_delete = ON")
            }
            return try pool.write { db in
                let count = try MasterKey.replace(db, envelope, with: next)
                try Audit.insert(
                    db,
                    action: .masterKeyReplace,
                    subject: "master.key",
                    note: ChangeNote(author: "proxy-control", message: "\(count) secrets"),
                    now: clock()
                )
                return count
            }
        } catch {
            throw StoreError(database: error)
        }
    }

    /// Brings an interrupted rotation to its end; the key that is in place afterwards, or nil if there was none.
    static func settleMasterKey(
        _ reader: any DatabaseReader,
        _ directory: StoreDirectory
    ) throws -> Envelope? {
        guard let next = try directory.nextEnvelope() else { return nil }
        let check = try reader.read { db in
            try db.tableExists("cluster")
                ? try Data.fetchOne(db, sql: "SELECT key_check FROM cluster") : nil
        }
        if let check, next.opens(check: [UInt8](check)) {
            try directory.adoptNextKey()
            return next
        }
        // A `master.key` that does not fit either may have been put there by mistake: nothing is thrown away.
        let present = try directory.envelope(makingKey: false)
        if let check { try present.verify(check: [UInt8](check)) }
        try directory.discardNextKey()
        return present
    }

    /// As above, for a database that is about to be replaced and may be damaged.
    static func settleMasterKey(_ directory: StoreDirectory) {
        guard directory.hasNextKey else { return }
        do {
            let queue = try DatabaseQueue(
                path: directory.databasePath,
                configuration: configuration()
            )
            defer { try? queue.close() }  // Nothing was written.
            _ = try settleMasterKey(queue, directory)
        } catch {
            // A damaged database tells nothing of its key; both keys stay where they are.
            return
        }
    }
}

/// Sealing anew within a transaction.
enum MasterKey {
    /// Seals all that `old` opens with `new`, and makes that the database's key.
    @discardableResult
    static func replace(_ db: Database, _ old: Envelope, with new: Envelope) throws -> Int {
        let secrets = try Row.fetchAll(db, sql: "SELECT name, sealed FROM secrets")
        for row in secrets {
            let name: String = row["name"]
            let secret = try old.open([UInt8](row["sealed"] as Data), name: name)
            try db.execute(
                sql: "UPDATE secrets SET sealed = ? WHERE name = ?",
                arguments: [Data(try new.seal(secret, name: name)), name]
            )
        }
        let vault = try Row.fetchAll(db, sql: "SELECT digest, kind, wrapped_key FROM vault")
        for row in vault {
            guard let digest = Digest(octets: row["digest"] as Data) else {
                throw StoreError.corrupt("a digest of the vault")
            }
            let wrapped: [UInt8]
            do {
                wrapped = try new.rewrap(
                    [UInt8](row["wrapped_key"] as Data),
                    identity: Vault.identity(row["kind"], digest),
                    from: old
                )
            } catch {
                throw StoreError.secretDamaged(digest)
            }
            try db.execute(
                sql: "UPDATE vault SET wrapped_key = ? WHERE digest = ?",
                arguments: [Data(wrapped), Data(digest.octets)]
            )
        }
        try db.execute(
            sql: "UPDATE cluster SET key_check = ?",
            arguments: [Data(try new.makeCheck())]
        )
        return secrets.count + vault.count
    }
}
