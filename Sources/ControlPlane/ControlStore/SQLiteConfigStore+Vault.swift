package import FleetModel
import Cryptography
import Foundation
import GRDB

extension SQLiteConfigStore {
    @discardableResult
    package func putSecrets(
        _ secrets: [VaultSecret],
        note: ChangeNote
    ) async throws(StoreError) -> Set<Digest> {
        for secret in secrets {
            guard secret.content.count <= StoreLimits.secretBytesMax,
                secret.publicContent.count <= StoreLimits.secretPublicBytesMax
            else { throw .secretTooLong }
        }
        let (now, envelope) = (clock(), envelope)
        return try await write { db in
            var new: Set<Digest> = []
            for secret in secrets {
                if try Vault.isWhole(db, secret.digest, envelope) {
                    try db.execute(
                        sql: "UPDATE vault SET stored_ms = ? WHERE digest = ?",
                        arguments: [now, Data(secret.digest.octets)]
                    )
                } else {
                    try Vault.insert(db, secret, envelope, now: now)
                    let subject = secret.digest.description
                    try Audit.insert(
                        db,
                        action: .secretStore,
                        subject: subject,
                        note: note,
                        now: now
                    )
                    new.insert(secret.digest)
                }
            }
            return new
        }
    }

    package func vaultSecret(_ digest: Digest) async throws(StoreError) -> VaultSecret? {
        let envelope = envelope
        return try await read { db in try Vault.secret(db, digest, envelope) }
    }

    package func vaultEntry(_ digest: Digest) async throws(StoreError) -> VaultEntry? {
        try await read { db in
            try Row.fetchOne(
                db,
                sql: """
                    SELECT digest, kind, public, created_ms, stored_ms FROM vault WHERE digest = ?
                    """,
                arguments: [Data(digest.octets)]
            )
            .map(Vault.entry)
        }
    }

    package func vaultEntries() async throws(StoreError) -> [VaultEntry] {
        try await read { db in
            let rows = try Row.fetchCursor(
                db,
                sql: "SELECT digest, kind, public, created_ms, stored_ms FROM vault ORDER BY digest"
            )
            var entries: [VaultEntry] = []
            while let row = try rows.next() { entries.append(try Vault.entry(row)) }
            return entries
        }
    }

    package func collectSecrets(
        keeping needed: Set<Digest>,
        storedBefore moment: Int64,
        note: ChangeNote
    ) async throws(StoreError) -> [Digest] {
        let now = clock()
        return try await write { db in
            let old = try Data.fetchAll(
                db,
                sql: """
                    SELECT digest FROM vault WHERE stored_ms < ? AND kind <> ? ORDER BY digest
                    """,
                // What has a name is needed until that is removed.
                arguments: [moment, SecretKind.named.rawValue]
            )
            var forgotten: [Digest] = []
            for octets in old {
                guard let digest = Digest(octets: octets) else {
                    throw StoreError.corrupt("a digest of the vault")
                }
                if needed.contains(digest) { continue }
                try db.execute(sql: "DELETE FROM vault WHERE digest = ?", arguments: [octets])
                let subject = digest.description
                try Audit.insert(db, action: .secretForget, subject: subject, note: note, now: now)
                forgotten.append(digest)
            }
            return forgotten
        }
    }
}

/// Reading and writing of the vault within a transaction.
enum Vault {
    static func insert(
        _ db: Database,
        _ secret: VaultSecret,
        _ envelope: Envelope,
        now: Int64
    ) throws {
        let sealed = try envelope.seal(
            secret.content,
            identity: identity(secret.kind.rawValue, secret.digest)
        )
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO vault
                    (digest, kind, public, wrapped_key, sealed, created_ms, stored_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                Data(secret.digest.octets), secret.kind.rawValue, Data(secret.publicContent),
                Data(sealed.wrappedKey), Data(sealed.content), now, now,
            ]
        )
    }

    static func secret(
        _ db: Database,
        _ digest: Digest,
        _ envelope: Envelope
    ) throws -> VaultSecret? {
        let found = try Row.fetchOne(
            db,
            sql: "SELECT * FROM vault WHERE digest = ?",
            arguments: [Data(digest.octets)]
        )
        guard let row = found else { return nil }
        let entry = try entry(row)
        let sealed = Envelope.Sealed(
            wrappedKey: [UInt8](row["wrapped_key"] as Data),
            content: [UInt8](row["sealed"] as Data)
        )
        do {
            let content = try envelope.open(
                sealed,
                identity: identity(entry.kind.rawValue, digest)
            )
            let secret = VaultSecret(
                kind: entry.kind,
                publicContent: entry.publicContent,
                content: content
            )
            guard secret.digest == digest else { throw Envelope.Failure.damaged }
            return secret
        } catch Envelope.Failure.otherMasterKey {
            throw envelope.wrongKey
        } catch Envelope.Failure.damaged {
            throw StoreError.secretDamaged(digest)
        }
    }

    /// Whether the secret is stored and opens.
    static func isWhole(_ db: Database, _ digest: Digest, _ envelope: Envelope) throws -> Bool {
        do {
            return try secret(db, digest, envelope) != nil
        } catch StoreError.secretDamaged {
            return false
        }
    }

    static func entry(_ row: Row) throws -> VaultEntry {
        guard let digest = Digest(octets: row["digest"] as Data) else {
            throw StoreError.corrupt("a digest of the vault")
        }
        guard let kind = SecretKind(rawValue: row["kind"]) else {
            throw StoreError.secretDamaged(digest)
        }
        return VaultEntry(
            kind: kind,
            digest: digest,
            publicContent: [UInt8](row["public"] as Data),
            createdMilliseconds: row["created_ms"],
            storedMilliseconds: row["stored_ms"]
        )
    }

    /// What a record is bound to.
    ///
    /// The digest is that of the public part, so that is bound too.
    static func identity(_ kind: String, _ digest: Digest) -> [UInt8] {
        Array("\(kind)\0".utf8) + digest.octets
    }
}
