import Foundation
import GRDB

/// Writing and reading of the audit; rows are written within the change's transaction only.
enum Audit {
    /// What can be done.
    enum Action: String {
        case clusterCreate = "cluster.create"
        case clusterRestore = "cluster.restore"
        case authorityRetire = "authority.retire"
        case masterKeyReplace = "master_key.replace"
        case adminTokenReplace = "admin_token.replace"
        case secretCreate = "secret.create"
        case secretStore = "secret.store"
        case secretForget = "secret.forget"
        case secretSet = "secret.set"
        case secretRemove = "secret.remove"
        case certificateIssue = "certificate.issue"
        case certificateServe = "certificate.serve"
        case configurationApply = "configuration.apply"
        case configurationRollback = "configuration.rollback"
        case tokenCreate = "token.create"
        case tokenRevoke = "token.revoke"
        case nodeJoin = "node.join"
        case nodeDrain = "node.drain"
        case nodeUndrain = "node.undrain"
        case nodeRevoke = "node.revoke"
        case nodeRemove = "node.remove"
        case upstreamDrain = "upstream.drain"
        case upstreamUndrain = "upstream.undrain"
        case upstreamDisable = "upstream.disable"
        case upstreamWeight = "upstream.weight"
        case upstreamReset = "upstream.reset"
        case upstreamAdjustmentEnd = "upstream.adjustment_end"
    }

    static func insert(
        _ db: Database,
        action: Action,
        subject: String,
        note: ChangeNote,
        now: Int64
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO audit (time_ms, author, action, subject, detail, request_id)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                now, clipped(note.author, StoreLimits.authorBytesMax), action.rawValue, subject,
                clipped(note.message, StoreLimits.messageBytesMax), note.requestID,
            ]
        )
    }

    static func fetch(_ db: Database, before: Int64?, limit: Int) throws -> [AuditEntry] {
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            arguments: [before ?? .max, min(max(limit, 0), StoreLimits.pageRowsMax)]
        )
        return rows.map { row in
            AuditEntry(
                id: row["id"],
                timeMilliseconds: row["time_ms"],
                author: row["author"],
                action: row["action"],
                subject: row["subject"],
                detail: row["detail"],
                requestID: row["request_id"]
            )
        }
    }

    /// The text, cut to so many octets between characters.
    static func clipped(_ text: String, _ bytesMax: Int) -> String {
        guard text.utf8.count > bytesMax else { return text }
        var clipped = ""
        var count = 0
        for character in text {
            count += character.utf8.count
            if count > bytesMax { break }
            clipped.append(character)
        }
        return clipped
    }
}

extension SQLiteConfigStore {
    package func audit(before: Int64?, limit: Int) async throws(StoreError) -> [AuditEntry] {
        try await read { db in try Audit.fetch(db, before: before, limit: limit) }
    }
}
