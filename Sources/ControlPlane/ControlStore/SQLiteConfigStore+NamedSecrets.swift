package import Cryptography
import FleetModel
import Foundation
import GRDB

/// Secrets that configurations name: the vault has their values, a table of its own their names.
extension SQLiteConfigStore {
    package func setNamedSecret(
        _ name: String,
        _ content: SecretBytes,
        note: ChangeNote
    ) async throws(StoreError) -> (secret: NamedSecret, isChanged: Bool) {
        guard content.count <= StoreLimits.secretBytesMax else { throw .secretTooLong }
        let (now, envelope) = (clock(), envelope)
        let made = VaultSecret(
            kind: .named,
            publicContent: Array("secret \(name)\0".utf8) + randomBytes(16),
            content: content
        )
        return try await write { db in
            let known = try NamedSecrets.find(db, name)
            if let known {
                if try NamedSecrets.content(db, known, envelope) == content {
                    return (known, false)
                }
                try NamedSecrets.forget(db, known)
            }
            try Vault.insert(db, made, envelope, now: now)
            let secret = NamedSecret(
                name: name,
                digest: made.digest,
                createdMilliseconds: known?.createdMilliseconds ?? now,
                changedMilliseconds: now
            )
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO named_secrets (name, digest, created_ms, changed_ms)
                    VALUES (?, ?, ?, ?)
                    """,
                arguments: [name, Data(made.digest.octets), secret.createdMilliseconds, now]
            )
            var note = note
            note.message = made.digest.description
            try Audit.insert(db, action: .secretSet, subject: name, note: note, now: now)
            return (secret, true)
        }
    }

    package func namedSecrets() async throws(StoreError) -> [NamedSecret] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM named_secrets ORDER BY name")
                .map(NamedSecrets.read)
        }
    }

    package func namedSecret(_ name: String) async throws(StoreError) -> SecretBytes? {
        let envelope = envelope
        return try await read { db in
            guard let known = try NamedSecrets.find(db, name) else { return nil }
            return try Vault.secret(db, known.digest, envelope)?.content
        }
    }

    package func removeNamedSecret(
        _ name: String,
        note: ChangeNote
    ) async throws(StoreError) {
        let now = clock()
        try await write { db in
            guard let known = try NamedSecrets.find(db, name) else {
                throw StoreError.secretUnknown(name)
            }
            try NamedSecrets.forget(db, known)
            try db.execute(sql: "DELETE FROM named_secrets WHERE name = ?", arguments: [name])
            var note = note
            note.message = known.digest.description
            try Audit.insert(db, action: .secretRemove, subject: name, note: note, now: now)
        }
    }
}

/// Reading of named secrets within a transaction.
private enum NamedSecrets {
    static func find(_ db: Database, _ name: String) throws -> NamedSecret? {
        try Row.fetchOne(
            db,
            sql: "SELECT * FROM named_secrets WHERE name = ?",
            arguments: [name]
        )
        .map(read)
    }

    static func read(_ row: Row) throws -> NamedSecret {
        guard let digest = Digest(octets: row["digest"] as Data) else {
            throw StoreError.corrupt("a digest of a named secret")
        }
        return NamedSecret(
            name: row["name"],
            digest: digest,
            createdMilliseconds: row["created_ms"],
            changedMilliseconds: row["changed_ms"]
        )
    }

    /// The value, or nothing where it is damaged: setting it again mends it.
    static func content(
        _ db: Database,
        _ secret: NamedSecret,
        _ envelope: Envelope
    ) throws -> SecretBytes? {
        do {
            return try Vault.secret(db, secret.digest, envelope)?.content
        } catch StoreError.secretDamaged {
            return nil
        }
    }

    static func forget(_ db: Database, _ secret: NamedSecret) throws {
        try db.execute(
            sql: "DELETE FROM vault WHERE digest = ?",
            arguments: [Data(secret.digest.octets)]
        )
    }
}
