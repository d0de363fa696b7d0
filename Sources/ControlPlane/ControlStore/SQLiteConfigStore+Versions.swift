package import FleetModel
import Foundation
import GRDB

extension SQLiteConfigStore {
    package func head() async throws(StoreError) -> StoredVersion? {
        try await read(Versions.head)
    }

    package func version(_ number: UInt64) async throws(StoreError) -> StoredVersion? {
        try await read { db in try Versions.version(db, number) }
    }

    package func versions(
        before: UInt64?,
        limit: Int
    ) async throws(StoreError) -> [StoredVersion] {
        try await read { db in try Versions.page(db, before: before, limit: limit) }
    }

    package func manifest(of number: UInt64) async throws(StoreError) -> Manifest? {
        try await read { [manifests] db in
            guard let version = try Versions.version(db, number) else { return nil }
            return try Versions.manifest(db, version.digest, manifests)
        }
    }

    package func manifest(digest: Digest) async throws(StoreError) -> Manifest? {
        if let known = manifests.manifest(digest) { return known }
        return try await read { [manifests] db in try Versions.manifest(db, digest, manifests) }
    }

    package func blobs(_ digests: [Digest]) async throws(StoreError) -> [Digest: [UInt8]] {
        try await read { db in try Versions.blobs(db, digests) }
    }

    package func leadingBlobs(
        _ digests: [Digest],
        bytesMax: Int
    ) async throws(StoreError) -> [[UInt8]] {
        try await read { db in try Versions.leadingBlobs(db, digests, bytesMax: bytesMax) }
    }

    package func resources(of number: UInt64) async throws(StoreError) -> [Resource]? {
        try await read { [manifests] db in
            guard let version = try Versions.version(db, number),
                let manifest = try Versions.manifest(db, version.digest, manifests)
            else { return nil }
            let blobs = try Versions.blobs(db, manifest.entries.map(\.digest))
            return try manifest.entries.map { entry in
                guard let content = blobs[entry.digest] else {
                    throw StoreError.corrupt("content of \(entry.kind.rawValue) \(entry.name)")
                }
                return Resource(kind: entry.kind, name: entry.name, content: content)
            }
        }
    }

    package func apply(
        _ manifest: Manifest,
        resources: [Resource],
        expected: UInt64?,
        note: ChangeNote,
        signer: any ManifestSigner
    ) async throws(StoreError) -> ApplyOutcome {
        let now = clock()
        let outcome: ApplyOutcome = try await write { [manifests] db in
            let head = try Versions.head(db)
            guard expected == nil || expected == head?.number ?? 0 else {
                return .conflict(head: head)
            }
            if let head, head.digest == manifest.digest { return .unchanged(head) }
            let present = try head.flatMap { try Versions.manifest(db, $0.digest, manifests) }
            try Versions.store(db, manifest, resources, present: present)
            let version = try Versions.append(
                db,
                manifest.digest,
                after: head,
                action: .configurationApply,
                note: note,
                now: now,
                signer: signer
            )
            try Adjustments.end(db, by: version, manifest, now: now)
            return .created(version)
        }
        // Not before: a transaction that fails leaves nothing stored.
        if case .created = outcome { manifests.keep(manifest) }
        return outcome
    }

    package func rollback(
        to number: UInt64?,
        expected: UInt64?,
        note: ChangeNote,
        signer: any ManifestSigner
    ) async throws(StoreError) -> ApplyOutcome {
        let now = clock()
        return try await write { [manifests] db in
            let head = try Versions.head(db)
            guard expected == nil || expected == head?.number ?? 0 else {
                return .conflict(head: head)
            }
            let wanted = number ?? head?.parent ?? 0
            guard let target = try Versions.version(db, wanted) else {
                throw StoreError.versionUnknown(wanted)
            }
            if let head, head.digest == target.digest { return .unchanged(head) }
            var note = note
            if note.message.isEmpty { note.message = "rollback to version \(target.number)" }
            let version = try Versions.append(
                db,
                target.digest,
                after: head,
                action: .configurationRollback,
                note: note,
                now: now,
                signer: signer
            )
            if let manifest = try Versions.manifest(db, target.digest, manifests) {
                try Adjustments.end(db, by: version, manifest, now: now)
            }
            return .created(version)
        }
    }

    package func signHead(_ signer: any ManifestSigner) async throws(StoreError) {
        try await write { db in
            guard let head = try Versions.head(db) else { return }
            let cluster = try Self.cluster(db)
            guard head.epoch != cluster.epoch else { return }
            _ = try Versions.sign(db, head.number, head.digest, cluster, signer)
        }
    }
}

/// Reading and writing of versions within a transaction.
enum Versions {
    private static let columns = """
        SELECT v.number, v.digest, v.parent, v.author, v.message, v.created_ms, s.epoch, s.signature
        FROM versions v JOIN signatures s ON s.version = v.number
            AND s.epoch = (SELECT max(epoch) FROM signatures WHERE version = v.number)
        """

    @Sendable static func head(_ db: Database) throws -> StoredVersion? {
        try Row.fetchOne(db, sql: columns + " ORDER BY v.number DESC LIMIT 1").map(read)
    }

    static func version(_ db: Database, _ number: UInt64) throws -> StoredVersion? {
        guard let key = Int64(exactly: number) else { return nil }
        return try Row.fetchOne(db, sql: columns + " WHERE v.number = ?", arguments: [key])
            .map(read)
    }

    static func page(_ db: Database, before: UInt64?, limit: Int) throws -> [StoredVersion] {
        let rows = try Row.fetchAll(
            db,
            sql: columns + " WHERE v.number < ? ORDER BY v.number DESC LIMIT ?",
            arguments: [
                Int64(clamping: before ?? .max), min(max(limit, 0), StoreLimits.pageRowsMax),
            ]
        )
        return try rows.map(read)
    }

    static func manifest(
        _ db: Database,
        _ digest: Digest,
        _ cache: ManifestCache
    ) throws -> Manifest? {
        if let known = cache.manifest(digest) { return known }
        let octets = try Data.fetchOne(
            db,
            sql: "SELECT entries FROM manifests WHERE digest = ?",
            arguments: [Data(digest.octets)]
        )
        guard let octets else { return nil }
        let manifest = try ManifestCoding.decode([UInt8](octets), digest: digest)
        cache.keep(manifest)
        return manifest
    }

    static func blobs(_ db: Database, _ digests: [Digest]) throws -> [Digest: [UInt8]] {
        let statement = try db.cachedStatement(sql: "SELECT content FROM blobs WHERE digest = ?")
        var blobs: [Digest: [UInt8]] = [:]
        blobs.reserveCapacity(digests.count)
        for digest in digests where blobs[digest] == nil {
            let content = try Data.fetchOne(statement, arguments: [Data(digest.octets)])
            blobs[digest] = content.map { [UInt8]($0) }
        }
        return blobs
    }

    static func leadingBlobs(
        _ db: Database,
        _ digests: [Digest],
        bytesMax: Int
    ) throws -> [[UInt8]] {
        let statement = try db.cachedStatement(sql: "SELECT content FROM blobs WHERE digest = ?")
        var blobs: [[UInt8]] = []
        var byteCount = 0
        for digest in digests where byteCount < bytesMax {
            guard let content = try Data.fetchOne(statement, arguments: [Data(digest.octets)])
            else { break }
            blobs.append([UInt8](content))
            byteCount += content.count
        }
        return blobs
    }

    /// Stores the manifest and those of its contents that `present`, the head's, does not have already.
    static func store(
        _ db: Database,
        _ manifest: Manifest,
        _ resources: [Resource],
        present: Manifest?
    ) throws {
        let key = Data(manifest.digest.octets)
        let isStored = try Bool.fetchOne(
            db,
            sql: "SELECT EXISTS (SELECT 1 FROM manifests WHERE digest = ?)",
            arguments: [key]
        )
        // A stored manifest was stored with its contents, and contents are never deleted.
        if isStored == true { return }
        var known = Set(present?.entries.map(\.digest) ?? [])
        let contents = Dictionary(resources.map { ($0.digest, $0.content) }) { first, _ in first }
        let insertion = try db.cachedStatement(
            sql: "INSERT INTO blobs (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING"
        )
        let search = try db.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = ?)"
        )
        for entry in manifest.entries where known.insert(entry.digest).inserted {
            let digest = Data(entry.digest.octets)
            if let content = contents[entry.digest] {
                try insertion.execute(arguments: [digest, Data(content)])
            } else if try Bool.fetchOne(search, arguments: [digest]) != true {
                throw StoreError.contentMissing("\(entry.kind.rawValue) \(entry.name)")
            }
        }
        try db.execute(
            sql: "INSERT INTO manifests (digest, entries) VALUES (?, ?)",
            arguments: [key, Data(ManifestCoding.encode(manifest))]
        )
    }

    /// Makes a stored manifest the head, signed, with its audit row.
    static func append(
        _ db: Database,
        _ digest: Digest,
        after head: StoredVersion?,
        action: Audit.Action,
        note: ChangeNote,
        now: Int64,
        signer: any ManifestSigner
    ) throws -> StoredVersion {
        let (number, overflows) = (head?.number ?? 0).addingReportingOverflow(1)
        guard !overflows, let key = Int64(exactly: number) else {
            throw StoreError.corrupt("the head's number is \(head?.number ?? 0)")
        }
        let author = Audit.clipped(note.author, StoreLimits.authorBytesMax)
        let message = Audit.clipped(note.message, StoreLimits.messageBytesMax)
        try db.execute(
            sql: """
                INSERT INTO versions (number, digest, parent, author, message, created_ms)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                key, Data(digest.octets), head.map { Int64(clamping: $0.number) }, author, message,
                now,
            ]
        )
        let cluster = try SQLiteConfigStore.cluster(db)
        let signature = try sign(db, number, digest, cluster, signer)
        try Audit.insert(db, action: action, subject: String(number), note: note, now: now)
        return StoredVersion(
            number: number,
            digest: digest,
            parent: head?.number,
            author: author,
            message: message,
            createdMilliseconds: now,
            epoch: cluster.epoch,
            signature: signature
        )
    }

    static func sign(
        _ db: Database,
        _ number: UInt64,
        _ digest: Digest,
        _ cluster: StoredCluster,
        _ signer: any ManifestSigner
    ) throws -> [UInt8] {
        let signature = try signer.sign(
            clusterID: cluster.clusterID,
            epoch: cluster.epoch,
            version: number,
            digest: digest
        )
        try db.execute(
            sql: "INSERT INTO signatures (version, epoch, signature) VALUES (?, ?, ?)",
            arguments: [
                Int64(clamping: number), Int64(clamping: cluster.epoch), Data(signature),
            ]
        )
        return signature
    }

    private static func read(_ row: Row) throws -> StoredVersion {
        let number: Int64 = row["number"]
        let parent: Int64? = row["parent"]
        let epoch: Int64 = row["epoch"]
        guard let digest = Digest(octets: row["digest"] as Data) else {
            throw StoreError.corrupt("digest of version \(number)")
        }
        return StoredVersion(
            number: UInt64(clamping: number),
            digest: digest,
            parent: parent.map { UInt64(clamping: $0) },
            author: row["author"],
            message: row["message"],
            createdMilliseconds: row["created_ms"],
            epoch: UInt64(clamping: epoch),
            signature: [UInt8](row["signature"] as Data)
        )
    }
}
