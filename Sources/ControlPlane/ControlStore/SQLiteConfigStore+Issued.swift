package import FleetModel
import Foundation
import GRDB

/// What the control plane makes itself: certificates of its own, keys of session tickets.
extension SQLiteConfigStore {
    package func vaultSecrets(_ kind: SecretKind) async throws(StoreError) -> [VaultSecret] {
        let envelope = envelope
        return try await read { db in
            let digests = try Data.fetchAll(
                db,
                sql: "SELECT digest FROM vault WHERE kind = ? ORDER BY created_ms, digest",
                arguments: [kind.rawValue]
            )
            return try digests.compactMap { octets in
                guard let digest = Digest(octets: octets) else {
                    throw StoreError.corrupt("a digest of the vault")
                }
                return try Vault.secret(db, digest, envelope)
            }
        }
    }

    package func replaceSecrets(
        adding secret: VaultSecret,
        forgetting digests: [Digest],
        note: ChangeNote
    ) async throws(StoreError) {
        let (now, envelope) = (clock(), envelope)
        try await write { db in
            try Vault.insert(db, secret, envelope, now: now)
            let subject = secret.digest.description
            try Audit.insert(db, action: .secretStore, subject: subject, note: note, now: now)
            for digest in digests {
                try db.execute(
                    sql: "DELETE FROM vault WHERE digest = ?",
                    arguments: [Data(digest.octets)]
                )
                let subject = digest.description
                try Audit.insert(db, action: .secretForget, subject: subject, note: note, now: now)
            }
        }
    }

    package func issuedMaterial() async throws(StoreError) -> [IssuedKey: IssuedMaterial] {
        try await read { db in
            var found: [IssuedKey: IssuedMaterial] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM issued")
            while let row = try rows.next() {
                let next: Data? = row["next"]
                guard let resource = Digest(octets: row["resource"] as Data),
                    let serve = Digest(octets: row["serve"] as Data)
                else { throw StoreError.corrupt("a digest of issued material") }
                found[IssuedKey(name: row["name"], resource: resource)] = IssuedMaterial(
                    serve: serve,
                    next: next.flatMap { Digest(octets: $0) }
                )
            }
            return found
        }
    }

    package func setIssued(
        _ key: IssuedKey,
        _ material: IssuedMaterial,
        adding secret: VaultSecret?,
        note: ChangeNote
    ) async throws(StoreError) {
        let (now, envelope) = (clock(), envelope)
        try await write { db in
            if let secret { try Vault.insert(db, secret, envelope, now: now) }
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO issued (name, resource, serve, next, changed_ms)
                    VALUES (?, ?, ?, ?, ?)
                    """,
                arguments: [
                    key.name, Data(key.resource.octets), Data(material.serve.octets),
                    material.next.map { Data($0.octets) }, now,
                ]
            )
            var note = note
            note.message = "\((secret?.digest ?? material.serve).description)"
            try Audit.insert(
                db,
                action: secret == nil ? .certificateServe : .certificateIssue,
                subject: key.name,
                note: note,
                now: now
            )
        }
    }
}

// MARK: Orders at authorities

extension SQLiteConfigStore {
    package func acmeRecords() async throws(StoreError) -> [Digest: ACMERecord] {
        try await read { db in
            var found: [Digest: ACMERecord] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT id, secret, state FROM acme")
            while let row = try rows.next() {
                guard let id = Digest(octets: row["id"] as Data) else {
                    throw StoreError.corrupt("a digest of an order")
                }
                let secret: Data? = row["secret"]
                found[id] = ACMERecord(
                    secret: secret.flatMap { Digest(octets: $0) },
                    state: row["state"]
                )
            }
            return found
        }
    }

    package func setACME(
        _ id: Digest,
        _ record: ACMERecord,
        adding secret: VaultSecret?,
        note: ChangeNote
    ) async throws(StoreError) {
        let (now, envelope) = (clock(), envelope)
        try await write { db in
            let before = try Data.fetchOne(
                db,
                sql: "SELECT secret FROM acme WHERE id = ?",
                arguments: [Data(id.octets)]
            )
            if let secret {
                try Vault.insert(db, secret, envelope, now: now)
                let subject = secret.digest.description
                try Audit.insert(db, action: .secretStore, subject: subject, note: note, now: now)
            }
            if let old = before.flatMap({ Digest(octets: $0) }), old != record.secret {
                try db.execute(
                    sql: "DELETE FROM vault WHERE digest = ?",
                    arguments: [Data(old.octets)]
                )
                let subject = old.description
                try Audit.insert(db, action: .secretForget, subject: subject, note: note, now: now)
            }
            try db.execute(
                sql:
                    "INSERT OR REPLACE INTO acme (id, secret, state, changed_ms) VALUES (?, ?, ?, ?)",
                arguments: [
                    Data(id.octets), record.secret.map { Data($0.octets) }, record.state, now,
                ]
            )
        }
    }
}
