package import FleetModel
import Foundation
import GRDB

/// What operators want of endpoints beside the configuration.
extension SQLiteConfigStore {
    package func adjustments() async throws(StoreError) -> StoredAdjustments {
        try await read(Adjustments.all)
    }

    package func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        isDiscovered: Bool,
        note: ChangeNote
    ) async throws(StoreError) -> StoredAdjustments {
        let now = clock()
        return try await write { [manifests] db in
            try Adjustments.endExpired(db, now: now)
            switch change {
            case .put(let adjustment, let until):
                let known = try Adjustments.outline(db, endpoint.upstream, manifests)
                guard let known else { throw StoreError.upstreamUnknown(endpoint.upstream) }
                let isNamed = known.endpoints.contains { $0.address == endpoint.address }
                guard isNamed || isDiscovered, let settings = known.settings(of: endpoint.address)
                else { throw StoreError.endpointUnknown(endpoint.upstream, endpoint.address) }
                let made = StoredAdjustment(
                    endpoint: endpoint,
                    adjustment: adjustment,
                    untilMilliseconds: until,
                    settings: settings,
                    author: Audit.clipped(note.author, StoreLimits.authorBytesMax),
                    createdMilliseconds: now
                )
                try Adjustments.put(db, made, note: note, now: now)
            case .undrain:
                let ended = try Adjustments.delete(db, endpoint, [.use])
                if ended > 0 {
                    try Adjustments.audit(db, .upstreamUndrain, endpoint, note, "", now: now)
                }
            case .reset:
                _ = try Adjustments.delete(db, endpoint, [.use, .weight])
                try Adjustments.audit(db, .upstreamReset, endpoint, note, "", now: now)
            }
            return try Adjustments.all(db)
        }
    }

    package func endExpiredAdjustments() async throws(StoreError) -> StoredAdjustments {
        let now = clock()
        return try await write { db in
            try Adjustments.endExpired(db, now: now)
            return try Adjustments.all(db)
        }
    }
}

/// Reading and writing of adjustments within a transaction.
enum Adjustments {
    @Sendable static func all(_ db: Database) throws -> StoredAdjustments {
        let generation = try Int64.fetchOne(db, sql: "SELECT generation FROM adjustments_state")
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT * FROM adjustments ORDER BY upstream, endpoint, aspect"
        )
        return StoredAdjustments(
            generation: UInt64(clamping: generation ?? 1),
            entries: try rows.map(read)
        )
    }

    private static func read(_ row: Row) throws -> StoredAdjustment {
        let endpoint = EndpointName(upstream: row["upstream"], address: row["endpoint"])
        let action: String = row["action"]
        let ended: Int64? = row["ended_version"]
        let adjustment: EndpointAdjustment =
            switch action {
            case "drain": .drain
            case "disable": .disable
            default: .weight(row["weight"])
            }
        guard let settings = Digest(octets: row["settings"] as Data) else {
            throw StoreError.corrupt("a digest of the adjustment of \(endpoint)")
        }
        return StoredAdjustment(
            endpoint: endpoint,
            adjustment: adjustment,
            untilMilliseconds: row["until_ms"],
            settings: settings,
            author: row["author"],
            createdMilliseconds: row["created_ms"],
            endedByVersion: ended.map { UInt64(clamping: $0) }
        )
    }

    /// What the head says of an upstream's endpoints; nil if it has no such upstream.
    static func outline(
        _ db: Database,
        _ upstream: String,
        _ manifests: ManifestCache
    ) throws -> UpstreamOutline? {
        guard let head = try Versions.head(db),
            let manifest = try Versions.manifest(db, head.digest, manifests)
        else { return nil }
        return try outline(db, upstream, manifest)
    }

    private static func outline(
        _ db: Database,
        _ upstream: String,
        _ manifest: Manifest
    ) throws -> UpstreamOutline? {
        let entry = manifest.entries.first { $0.kind == .upstream && $0.name == upstream }
        guard let entry else { return nil }
        let content = try Versions.blobs(db, [entry.digest])[entry.digest]
        return content.map { UpstreamOutline(content: $0) }
    }

    // MARK: Changes

    /// Puts an adjustment in the place of the one of its aspect; nothing happens if it is there already.
    static func put(
        _ db: Database,
        _ made: StoredAdjustment,
        note: ChangeNote,
        now: Int64
    ) throws {
        let all = try all(db)
        let others = all.inForce.filter { other in
            other.endpoint != made.endpoint || other.adjustment.aspect != made.adjustment.aspect
        }
        let isThere = all.inForce.contains { other in
            (other.endpoint, other.adjustment) == (made.endpoint, made.adjustment)
                && other.untilMilliseconds == made.untilMilliseconds
                && other.settings == made.settings
        }
        if isThere { return }
        guard others.count < StoreLimits.adjustmentsMax else { throw StoreError.adjustmentsFull }
        var weight = 0
        if case .weight(let wanted) = made.adjustment { weight = wanted }
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO adjustments
                    (upstream, endpoint, aspect, action, weight, until_ms, settings, author, created_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                made.endpoint.upstream, made.endpoint.address, made.adjustment.aspect.rawValue,
                made.adjustment.word, weight, made.untilMilliseconds, Data(made.settings.octets),
                made.author, made.createdMilliseconds,
            ]
        )
        let action: Audit.Action =
            switch made.adjustment {
            case .drain: .upstreamDrain
            case .disable: .upstreamDisable
            case .weight: .upstreamWeight
            }
        var detail = weight > 0 || made.adjustment.aspect == .weight ? ["weight \(weight)"] : []
        if let until = made.untilMilliseconds {
            detail.append("for \((until - now + 500) / 1_000) s")
        }
        try audit(
            db,
            action,
            made.endpoint,
            note,
            detail.joined(separator: ", "),
            now: now
        )
    }

    /// Ends adjustments of an endpoint, those that a version ended already among them.
    ///
    /// - Returns: How many.
    static func delete(
        _ db: Database,
        _ endpoint: EndpointName,
        _ aspects: [EndpointAdjustment.Aspect]
    ) throws -> Int {
        var count = 0
        for aspect in aspects {
            try db.execute(
                sql: "DELETE FROM adjustments WHERE upstream = ? AND endpoint = ? AND aspect = ?",
                arguments: [endpoint.upstream, endpoint.address, aspect.rawValue]
            )
            count += db.changesCount
        }
        return count
    }

    /// Writes the audit row of a change, which makes a new generation.
    static func audit(
        _ db: Database,
        _ action: Audit.Action,
        _ endpoint: EndpointName,
        _ note: ChangeNote,
        _ detail: String,
        now: Int64
    ) throws {
        var note = note
        note.message = [detail, note.message].filter { !$0.isEmpty }.joined(separator: ": ")
        try Audit.insert(db, action: action, subject: "\(endpoint)", note: note, now: now)
        try beginGeneration(db, now: now)
    }

    /// The time keeps the generation above all that a node may have, when the store is one of a backup.
    private static func beginGeneration(_ db: Database, now: Int64) throws {
        try db.execute(
            sql: "UPDATE adjustments_state SET generation = max(generation + 1, ?)",
            arguments: [now]
        )
    }

    // MARK: Ends

    /// Ends those whose time is over, and forgets those that a version ended long ago.
    static func endExpired(_ db: Database, now: Int64) throws {
        for entry in try all(db).inForce {
            guard let until = entry.untilMilliseconds, until <= now else { continue }
            _ = try delete(db, entry.endpoint, [entry.adjustment.aspect])
            let note = ChangeNote(author: "proxy-control")
            let detail = "\(entry.adjustment.word) is over: its time has passed"
            try audit(db, .upstreamAdjustmentEnd, entry.endpoint, note, detail, now: now)
        }
        try db.execute(
            sql:
                "DELETE FROM adjustments WHERE ended_ms IS NOT NULL AND (ended_ms < ? OR until_ms <= ?)",
            arguments: [now - StoreLimits.endedAdjustmentMilliseconds, now]
        )
        if db.changesCount > 0 { try beginGeneration(db, now: now) }
    }

    /// Ends those of endpoints that a new version changes or removes.
    static func end(
        _ db: Database,
        by version: StoredVersion,
        _ manifest: Manifest,
        now: Int64
    ) throws {
        try endExpired(db, now: now)
        var outlines: [String: UpstreamOutline] = [:]
        for entry in try all(db).inForce {
            let name = entry.endpoint.upstream
            if outlines[name] == nil { outlines[name] = try outline(db, name, manifest) }
            guard outlines[name]?.settings(of: entry.endpoint.address) != entry.settings else {
                continue
            }
            try db.execute(
                sql: """
                    UPDATE adjustments SET ended_version = ?, ended_ms = ?
                    WHERE upstream = ? AND endpoint = ? AND aspect = ?
                    """,
                arguments: [
                    Int64(clamping: version.number), now, name, entry.endpoint.address,
                    entry.adjustment.aspect.rawValue,
                ]
            )
            let note = ChangeNote(author: version.author)
            let detail =
                "\(entry.adjustment.word) is over: version \(version.number) changes the endpoint"
            try audit(db, .upstreamAdjustmentEnd, entry.endpoint, note, detail, now: now)
        }
        try db.execute(
            sql: """
                DELETE FROM adjustments WHERE (upstream, endpoint, aspect) IN (
                    SELECT upstream, endpoint, aspect FROM adjustments
                    WHERE ended_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT -1 OFFSET ?
                )
                """,
            arguments: [StoreLimits.adjustmentsMax]
        )
    }
}
