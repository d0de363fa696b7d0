import Foundation
import GRDB
import Cryptography
import SystemCalls

/// The embedded engine: one SQLite database in WAL mode with `synchronous=FULL`.
///
/// A commit returns after its octets are on the disk, so what was acknowledged survives the death of
/// the process and of the machine. There is one writer; reads see the last commit and wait for nobody.
/// Calls run on GRDB's own queues, never on the cooperative pool.
package struct SQLiteConfigStore: ConfigStore {
    let pool: DatabasePool
    let envelope: Envelope
    let clock: @Sendable () -> Int64
    let manifests = ManifestCache()
    private let directory: StoreDirectory

    /// Opens the database of `directory`, and makes it at the first start.
    ///
    /// Blocks for the check and the migrations; for start-up, not for a task of the cooperative pool.
    ///
    /// - Parameters:
    ///   - directory: Held for as long as the store lives.
    ///   - clock: The time in milliseconds since 1970-01-01 UTC; the system's if not given.
    /// - Throws: What makes the directory unusable, in words for the operator.
    package init(
        _ directory: StoreDirectory,
        clock: (@Sendable () -> Int64)? = nil
    ) throws(StoreError) {
        self.directory = directory
        self.clock = clock ?? { Int64(realtimeNanoseconds() / 1_000_000) }
        let isNew = try !StoreDirectory.hasDatabase(directory.databasePath)
        // A key without a database is what a first start leaves that was ended between the two.
        let present = try directory.envelope(makingKey: isNew)
        try StoreDirectory.makePrivateFile(directory.databasePath)
        do {
            pool = try DatabasePool(
                path: directory.databasePath,
                configuration: Self.configuration()
            )
            try Self.check(pool, path: directory.databasePath)
            envelope = try Self.settleMasterKey(pool, directory) ?? present
            let (now, envelope) = (self.clock(), envelope)
            // Marked before the first table, so that every crash leaves a file that is known as ours.
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try Schema.migrator.migrate(pool)
            try pool.write { db in try Self.found(db, now: now, envelope: envelope) }
        } catch {
            throw StoreError(database: error)
        }
    }

    /// Closes the database, with all of it in one file; later calls fail.
    package func close() throws(StoreError) {
        do {
            _ = try pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
            try pool.close()
        } catch {
            throw StoreError(database: error)
        }
    }

    static func configuration() -> GRDB.Configuration {
        var configuration = GRDB.Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(StoreLimits.busySecondsMax)
        configuration.maximumReaderCount = StoreLimits.readerCountMax
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = FULL")
        }
        return configuration
    }

    /// Tells another program's file, a newer build's and a damaged one before anything is written.
    static func check(_ reader: any DatabaseReader, path: String) throws {
        try reader.read { db in
            let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
            if tables == 0 { return }
            let application = try Int.fetchOne(db, sql: "PRAGMA application_id")
            guard application == Schema.applicationID else { throw StoreError.notAStore(path) }
            if try Schema.migrator.hasBeenSuperseded(db) { throw StoreError.schemaTooNew }
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            let pageBytes = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
            if pages * pageBytes <= StoreLimits.checkedBytesMax {
                let result = try String.fetchOne(db, sql: "PRAGMA quick_check(1)") ?? "no answer"
                if result != "ok" { throw StoreError.corrupt(result) }
            }
        }
    }

    /// Makes the cluster's identity in a new database; in another one, tells a wrong key.
    private static func found(_ db: Database, now: Int64, envelope: Envelope) throws {
        if let check = try Data.fetchOne(db, sql: "SELECT key_check FROM cluster") {
            try envelope.verify(check: [UInt8](check))
            return
        }
        let clusterID = randomBytes(16)
        try db.execute(
            sql: """
                INSERT INTO cluster (id, cluster_id, epoch, key_check, created_ms)
                VALUES (1, ?, 1, ?, ?)
                """,
            arguments: [Data(clusterID), Data(try envelope.makeCheck()), now]
        )
        try Audit.insert(
            db,
            action: .clusterCreate,
            subject: encodeHex(clusterID),
            note: ChangeNote(author: "proxy-control"),
            now: now
        )
    }

    // MARK: Transactions

    /// Reads a consistent state.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await pool.read(body)
        } catch {
            throw StoreError(database: error)
        }
    }

    /// Makes a change whole or not at all; it is durable when this returns.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await pool.write(body)
        } catch {
            throw StoreError(database: error)
        }
    }
}

extension StoreError {
    /// What a failure of the database means.
    init(database error: any Error) {
        if let error = error as? StoreError {
            self = error
        } else if error is CancellationError {
            self = .cancelled
        } else if let error = error as? DatabaseError {
            let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
            switch error.resultCode {
            case .SQLITE_FULL: self = .storeFull
            case .SQLITE_IOERR where error.extendedResultCode == .SQLITE_IOERR_SHMSIZE:
                // The shared-memory index of the WAL could not grow.
                self = .storeFull
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(detail)
            case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy
            case .SQLITE_INTERRUPT, .SQLITE_ABORT: self = .cancelled
            default: self = .failed(detail)
            }
        } else {
            self = .failed("\(error)")
        }
    }
}

// MARK: - Cluster and secrets

extension SQLiteConfigStore {
    package func cluster() async throws(StoreError) -> StoredCluster {
        try await read(Self.cluster)
    }

    @Sendable static func cluster(_ db: Database) throws -> StoredCluster {
        let row = try Row.fetchOne(
            db,
            sql: "SELECT cluster_id, epoch, admin_token_digest FROM cluster"
        )
        guard let row else { throw StoreError.corrupt("the cluster's row is missing") }
        let epoch: Int64 = row["epoch"]
        let token: Data? = row["admin_token_digest"]
        return StoredCluster(
            clusterID: [UInt8](row["cluster_id"] as Data),
            epoch: UInt64(clamping: epoch),
            adminTokenDigest: token.map { [UInt8]($0) }
        )
    }

    package func setAdminTokenDigest(
        _ digest: [UInt8],
        note: ChangeNote
    ) async throws(StoreError) {
        let now = clock()
        try await write { db in
            guard try Self.cluster(db).adminTokenDigest != digest else { return }
            try db.execute(
                sql: "UPDATE cluster SET admin_token_digest = ?",
                arguments: [Data(digest)]
            )
            try Audit.insert(db, action: .adminTokenReplace, subject: "admin", note: note, now: now)
        }
    }

    package func secret(_ name: String) async throws(StoreError) -> [UInt8]? {
        let envelope = envelope
        return try await read { db in
            let sealed = try Data.fetchOne(
                db,
                sql: "SELECT sealed FROM secrets WHERE name = ?",
                arguments: [name]
            )
            return try sealed.map { try envelope.open([UInt8]($0), name: name) }
        }
    }

    package func replaceAuthority(
        _ moves: [String: String],
        note: ChangeNote
    ) async throws(StoreError) -> Int? {
        let (now, envelope) = (clock(), envelope)
        return try await write { db in
            for (source, target) in moves.sorted(by: { $0.key < $1.key }) {
                let found = try Data.fetchOne(
                    db,
                    sql: "SELECT sealed FROM secrets WHERE name = ?",
                    arguments: [source]
                )
                // They are stored and moved together: it is the first that is missing, or none.
                guard let found else { return nil }
                // A secret is sealed to its name.
                let secret = try envelope.open([UInt8](found), name: source)
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO secrets (name, sealed, created_ms) VALUES (?, ?, ?)
                        """,
                    arguments: [target, Data(try envelope.seal(secret, name: target)), now]
                )
                try db.execute(sql: "DELETE FROM secrets WHERE name = ?", arguments: [source])
            }
            try db.execute(
                sql: """
                    UPDATE tokens SET revoked_ms = ?
                    WHERE used_by IS NULL AND revoked_ms IS NULL AND expires_ms >= ?
                    """,
                arguments: [now, now]
            )
            let count = db.changesCount
            try Audit.insert(db, action: .authorityRetire, subject: "ca", note: note, now: now)
            return count
        }
    }

    package func secretsOrNew(
        _ secrets: [String: [UInt8]],
        note: ChangeNote
    ) async throws(StoreError) -> [String: [UInt8]] {
        let (now, envelope) = (clock(), envelope)
        return try await write { db in
            var stored: [String: [UInt8]] = [:]
            for (name, secret) in secrets.sorted(by: { $0.key < $1.key }) {
                if let sealed = try Data.fetchOne(
                    db,
                    sql: "SELECT sealed FROM secrets WHERE name = ?",
                    arguments: [name]
                ) {
                    stored[name] = try envelope.open([UInt8](sealed), name: name)
                    continue
                }
                let sealed = Data(try envelope.seal(secret, name: name))
                try db.execute(
                    sql: "INSERT INTO secrets (name, sealed, created_ms) VALUES (?, ?, ?)",
                    arguments: [name, sealed, now]
                )
                try Audit.insert(db, action: .secretCreate, subject: name, note: note, now: now)
                stored[name] = secret
            }
            return stored
        }
    }
}
