package import FleetModel
import Cryptography
import Foundation
import GRDB

// MARK: - Tokens

extension SQLiteConfigStore {
    package func createToken(
        digest: Digest,
        labels: [String: String],
        expiresMilliseconds: Int64,
        note: ChangeNote
    ) async throws(StoreError) -> StoredToken {
        let now = clock()
        return try await write { db in
            let token = StoredToken(
                id: encodeHex(randomBytes(8)),
                labels: labels,
                author: Audit.clipped(note.author, StoreLimits.authorBytesMax),
                createdMilliseconds: now,
                expiresMilliseconds: expiresMilliseconds,
                usedBy: nil,
                usedMilliseconds: nil,
                revokedMilliseconds: nil
            )
            try db.execute(
                sql: """
                    INSERT INTO tokens (id, digest, labels, author, created_ms, expires_ms)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    token.id, Data(digest.octets), try Labels.encode(labels), token.author, now,
                    expiresMilliseconds,
                ]
            )
            try Audit.insert(db, action: .tokenCreate, subject: token.id, note: note, now: now)
            return token
        }
    }

    package func tokens() async throws(StoreError) -> [StoredToken] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM tokens ORDER BY created_ms DESC, rowid DESC")
                .map(Tokens.read)
        }
    }

    package func revokeToken(_ id: String, note: ChangeNote) async throws(StoreError) -> Bool {
        let now = clock()
        return try await write { db in
            guard
                let row = try Row.fetchOne(
                    db,
                    sql: "SELECT * FROM tokens WHERE id = ?",
                    arguments: [id]
                )
            else { return false }
            if try Tokens.read(row).revokedMilliseconds != nil { return true }
            try db.execute(
                sql: "UPDATE tokens SET revoked_ms = ? WHERE id = ?",
                arguments: [now, id]
            )
            try Audit.insert(db, action: .tokenRevoke, subject: id, note: note, now: now)
            return true
        }
    }
}

/// Reading and using of tokens within a transaction.
enum Tokens {
    static func read(_ row: Row) throws -> StoredToken {
        StoredToken(
            id: row["id"],
            labels: try Labels.decode(row["labels"]),
            author: row["author"],
            createdMilliseconds: row["created_ms"],
            expiresMilliseconds: row["expires_ms"],
            usedBy: row["used_by"],
            usedMilliseconds: row["used_ms"],
            revokedMilliseconds: row["revoked_ms"]
        )
    }

    /// A token that may be used now, by this node with this key.
    struct Usable {
        let id: String
        /// Whether this very node has joined with it before.
        let isRepetition: Bool
    }

    static func usable(
        _ db: Database,
        digest: Digest,
        name: String,
        labels: [String: String],
        publicKeyDigest: Digest,
        now: Int64
    ) throws -> Usable {
        let found = try Row.fetchOne(
            db,
            sql: "SELECT * FROM tokens WHERE digest = ?",
            arguments: [Data(digest.octets)]
        )
        guard let row = found else { throw StoreError.tokenUnknown }
        let token = try read(row)
        if token.revokedMilliseconds != nil { throw StoreError.tokenRevoked }
        let keyDigest: Data? = row["used_key_digest"]
        let isRepetition = token.usedBy == name && keyDigest == Data(publicKeyDigest.octets)
        if token.usedBy != nil, !isRepetition { throw StoreError.tokenUsed }
        if now > token.expiresMilliseconds { throw StoreError.tokenExpired }
        guard token.labels.allSatisfy({ labels[$0.key] == $0.value }) else {
            throw StoreError.tokenLabelsMissing
        }
        let present = try Nodes.find(db, name)
        if present != nil, !isRepetition { throw StoreError.nodeNameTaken }
        // The node was removed after it had joined: its token is spent.
        if present == nil, isRepetition { throw StoreError.tokenUsed }
        if present?.isRevoked == true { throw StoreError.nodeRevoked(name) }
        return Usable(id: token.id, isRepetition: isRepetition)
    }
}

// MARK: - Nodes

extension SQLiteConfigStore {
    package func checkJoin(
        tokenDigest: Digest,
        name: String,
        labels: [String: String],
        publicKeyDigest: Digest
    ) async throws(StoreError) {
        let now = clock()
        try await read { db in
            _ = try Tokens.usable(
                db,
                digest: tokenDigest,
                name: name,
                labels: labels,
                publicKeyDigest: publicKeyDigest,
                now: now
            )
        }
    }

    package func join(
        tokenDigest: Digest,
        name: String,
        labels: [String: String],
        certificate: StoredCertificate,
        note: ChangeNote
    ) async throws(StoreError) -> StoredNode {
        let now = clock()
        return try await write { db in
            let token = try Tokens.usable(
                db,
                digest: tokenDigest,
                name: name,
                labels: labels,
                publicKeyDigest: certificate.publicKeyDigest,
                now: now
            )
            if token.isRepetition {
                try Nodes.addCertificate(db, node: name, certificate, now: now)
            } else {
                try db.execute(
                    sql: """
                        UPDATE tokens SET used_by = ?, used_ms = ?, used_key_digest = ? WHERE id = ?
                        """,
                    arguments: [name, now, Data(certificate.publicKeyDigest.octets), token.id]
                )
                try Nodes.insert(
                    db,
                    name: name,
                    labels: labels,
                    tokenID: token.id,
                    certificate,
                    now: now
                )
            }
            try Audit.insert(db, action: .nodeJoin, subject: name, note: note, now: now)
            return try Nodes.require(db, name)
        }
    }

    package func renewed(
        node: String,
        certificate: StoredCertificate
    ) async throws(StoreError) {
        let now = clock()
        try await write { db in
            if try Nodes.require(db, node).isRevoked { throw StoreError.nodeRevoked(node) }
            try Nodes.addCertificate(db, node: node, certificate, now: now)
        }
    }

    package func nodes() async throws(StoreError) -> [StoredNode] {
        try await read { db in
            try Row.fetchAll(db, sql: Nodes.rows + " ORDER BY n.name").map(Nodes.read)
        }
    }

    package func node(_ name: String) async throws(StoreError) -> StoredNode? {
        try await read { db in try Nodes.find(db, name) }
    }

    package func setDraining(
        _ isDraining: Bool,
        node: String,
        note: ChangeNote
    ) async throws(StoreError) {
        let now = clock()
        try await write { db in
            let present = try Nodes.require(db, node)
            if present.isRevoked { throw StoreError.nodeRevoked(node) }
            guard present.isDraining != isDraining else { return }
            try db.execute(
                sql: "UPDATE nodes SET draining = ? WHERE name = ?",
                arguments: [isDraining, node]
            )
            let action = isDraining ? Audit.Action.nodeDrain : .nodeUndrain
            try Audit.insert(db, action: action, subject: node, note: note, now: now)
        }
    }

    package func revoke(node: String, note: ChangeNote) async throws(StoreError) {
        let now = clock()
        try await write { db in
            let present = try Nodes.require(db, node)
            guard !present.isRevoked else { return }
            try db.execute(
                sql: "UPDATE nodes SET revoked_ms = ? WHERE name = ?",
                arguments: [now, node]
            )
            try Nodes.revokeCertificates(db, of: present, now: now)
            try Audit.insert(db, action: .nodeRevoke, subject: node, note: note, now: now)
        }
    }

    package func remove(node: String, note: ChangeNote) async throws(StoreError) {
        let now = clock()
        try await write { db in
            let present = try Nodes.require(db, node)
            try Nodes.revokeCertificates(db, of: present, now: now)
            try db.execute(sql: "DELETE FROM nodes WHERE name = ?", arguments: [node])
            try Audit.insert(db, action: .nodeRemove, subject: node, note: note, now: now)
        }
    }

    package func noteSeen(_ moments: [String: Int64]) async throws(StoreError) {
        guard !moments.isEmpty else { return }
        try await write { db in
            let update = try db.cachedStatement(
                sql: "UPDATE nodes SET seen_ms = max(coalesce(seen_ms, 0), ?) WHERE name = ?"
            )
            for (name, moment) in moments {
                try update.execute(arguments: [moment, name])
            }
        }
    }

    package func isRevoked(certificate fingerprint: Digest) async throws(StoreError) -> Bool {
        try await read { db in
            try Bool.fetchOne(
                db,
                sql: """
                    SELECT EXISTS (
                        SELECT 1 FROM certificates WHERE fingerprint = ? AND revoked_ms IS NOT NULL
                    )
                    """,
                arguments: [Data(fingerprint.octets)]
            ) ?? false
        }
    }

    package func revokedCertificates() async throws(StoreError) -> Set<Digest> {
        let endSeconds = clock() / 1000 - StoreLimits.endedCertificateSeconds
        return try await read { db in
            let rows = try Data.fetchAll(
                db,
                sql: """
                    SELECT fingerprint FROM certificates
                    WHERE revoked_ms IS NOT NULL AND not_after >= ?
                    """,
                arguments: [endSeconds]
            )
            return Set(rows.compactMap { Digest(octets: $0) })
        }
    }
}

/// Reading and writing of nodes within a transaction.
enum Nodes {
    static let rows = """
        SELECT n.*, t.labels AS token_labels FROM nodes n JOIN tokens t ON t.id = n.token_id
        """

    static func find(_ db: Database, _ name: String) throws -> StoredNode? {
        try Row.fetchOne(db, sql: rows + " WHERE n.name = ?", arguments: [name]).map(read)
    }

    static func require(_ db: Database, _ name: String) throws -> StoredNode {
        guard let node = try find(db, name) else { throw StoreError.nodeUnknown(name) }
        return node
    }

    static func insert(
        _ db: Database,
        name: String,
        labels: [String: String],
        tokenID: String,
        _ certificate: StoredCertificate,
        now: Int64
    ) throws {
        let id = randomBytes(16)
        try db.execute(
            sql: """
                INSERT INTO nodes
                    (name, node_id, labels, token_id, created_ms, fingerprint, not_after)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                name, Data(id), try Labels.encode(labels), tokenID, now,
                Data(certificate.fingerprint.octets), certificate.notAfterSeconds,
            ]
        )
        try addCertificate(db, node: name, certificate, now: now)
    }

    /// Remembers the certificate as the node's newest, and forgets certificates that have ended.
    static func addCertificate(
        _ db: Database,
        node: String,
        _ certificate: StoredCertificate,
        now: Int64
    ) throws {
        let present = try require(db, node)
        let fingerprint = Data(certificate.fingerprint.octets)
        try db.execute(
            sql: """
                INSERT INTO certificates (fingerprint, node_name, node_id, serial, not_after)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [
                fingerprint, node, Data(present.id), Data(certificate.serial),
                certificate.notAfterSeconds,
            ]
        )
        try db.execute(
            sql: "UPDATE nodes SET fingerprint = ?, not_after = ? WHERE name = ?",
            arguments: [fingerprint, certificate.notAfterSeconds, node]
        )
        try db.execute(
            sql: "DELETE FROM certificates WHERE not_after < ?",
            arguments: [now / 1000 - StoreLimits.endedCertificateSeconds]
        )
    }

    static func revokeCertificates(_ db: Database, of node: StoredNode, now: Int64) throws {
        try db.execute(
            sql: """
                UPDATE certificates SET revoked_ms = ? WHERE node_id = ? AND revoked_ms IS NULL
                """,
            arguments: [now, Data(node.id)]
        )
    }

    @Sendable static func read(_ row: Row) throws -> StoredNode {
        let name: String = row["name"]
        guard let fingerprint = Digest(octets: row["fingerprint"] as Data) else {
            throw StoreError.corrupt("certificate of node \(name)")
        }
        return StoredNode(
            name: name,
            id: [UInt8](row["node_id"] as Data),
            labels: try Labels.decode(row["labels"]),
            tokenLabels: try Labels.decode(row["token_labels"]),
            isDraining: row["draining"],
            revokedMilliseconds: row["revoked_ms"],
            createdMilliseconds: row["created_ms"],
            seenMilliseconds: row["seen_ms"],
            fingerprint: fingerprint,
            notAfterSeconds: row["not_after"]
        )
    }
}

/// Labels as JSON text with sorted keys.
enum Labels {
    static func encode(_ labels: [String: String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(labels), as: UTF8.self)
    }

    static func decode(_ text: String) throws -> [String: String] {
        do {
            return try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        } catch {
            throw StoreError.corrupt("labels: \(error)")
        }
    }
}
