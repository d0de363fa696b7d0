import FleetModel
import GRDB
import Testing

@testable import ControlStore

@Suite("Versions")
struct VersionTests {
    let scratch: Scratch
    let store: SQLiteConfigStore
    let signer: TestSigner

    init() throws {
        scratch = try Scratch()
        store = try scratch.open()
        signer = try TestSigner()
    }

    private func created(_ outcome: ApplyOutcome) throws -> StoredVersion {
        guard case .created(let version) = outcome else {
            throw StoreError.failed("no version: \(outcome)")
        }
        return version
    }

    @Test("a new store has no version, and a first one comes after 0")
    func first() async throws {
        #expect(try await store.head() == nil)
        #expect(try await store.versions(before: nil, limit: 10).isEmpty)
        #expect(
            try await store.apply(variant: 1, expected: 3, signer: signer) == .conflict(head: nil)
        )
        let version = try created(await store.apply(variant: 1, expected: 0, signer: signer))
        #expect(version.number == 1)
        #expect(version.parent == nil)
        #expect(version.author == "ops")
        #expect(version.message == "because")
        #expect(version.digest == (try makeManifest(makeResources(1)).digest))
        #expect(try await store.head() == version)
        #expect(signer.verifies(version, try await store.cluster().clusterID))
    }

    @Test("what a version consists of is read back as it was given")
    func contents() async throws {
        try await store.apply(variant: 1, signer: signer)
        let given = makeResources(1)
        #expect(try await store.resources(of: 1) == given)
        #expect(try await store.manifest(of: 1) == makeManifest(given))
        #expect(try await store.manifest(digest: makeManifest(given).digest) == makeManifest(given))
        #expect(try await store.manifest(of: 2) == nil)
        #expect(try await store.resources(of: 0) == nil)
        #expect(try await store.version(.max) == nil)
        let missing = try freshDigest()
        let blobs = try await store.blobs([given[0].digest, missing])
        #expect(blobs == [given[0].digest: given[0].content])
    }

    @Test("applying what is there already makes no version and no audit row")
    func unchanged() async throws {
        let version = try created(await store.apply(variant: 1, signer: signer))
        let rows = try await store.audit(before: nil, limit: 100).count
        #expect(try await store.apply(variant: 1, signer: signer) == .unchanged(version))
        #expect(
            try await store.apply(variant: 1, expected: 1, signer: signer) == .unchanged(version)
        )
        #expect(try await store.audit(before: nil, limit: 100).count == rows)
    }

    @Test("a change based on another head is a conflict and changes nothing")
    func conflict() async throws {
        try await store.apply(variant: 1, signer: signer)
        let head = try created(await store.apply(variant: 2, expected: 1, signer: signer))
        let outcome = try await store.apply(variant: 3, expected: 1, signer: signer)
        #expect(outcome == .conflict(head: head))
        #expect(try await store.head() == head)
        let refused = try makeManifest(makeResources(3)).digest
        #expect(try await store.manifest(digest: refused) == nil)
        let same = try await store.apply(variant: 2, expected: 1, signer: signer)
        #expect(same == .conflict(head: head))
    }

    @Test("of writers that start from one head, one wins each round")
    func manyWriters() async throws {
        let (store, signer) = (store, signer)
        for round in UInt64(0)..<5 {
            let outcomes = try await withThrowingTaskGroup(of: ApplyOutcome.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        try await store.apply(
                            variant: Int(round) * 100 + writer,
                            expected: round,
                            signer: signer
                        )
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            var winners = 0
            for outcome in outcomes {
                if case .created = outcome { winners += 1 }
            }
            #expect(winners == 1)
            #expect(try await store.head()?.number == round + 1)
        }
    }

    @Test("a manifest whose content is nowhere leaves nothing behind")
    func missingContent() async throws {
        let given = makeResources(1)
        await #expect(throws: StoreError.contentMissing("route r2")) {
            try await store.apply(
                makeManifest(given),
                resources: Array(given.dropLast()),
                expected: nil,
                note: note,
                signer: signer
            )
        }
        #expect(try await store.head() == nil)
        #expect(try await store.manifest(digest: makeManifest(given).digest) == nil)
        #expect(try await store.blobs([given[0].digest]).isEmpty)
        try await store.apply(variant: 1, signer: signer)
        // Content that is stored need not be given again.
        let part = try makeManifest([given[0], given[2]])
        let outcome = try await store.apply(
            part,
            resources: [],
            expected: 1,
            note: note,
            signer: signer
        )
        #expect(try created(outcome).number == 2)
    }

    @Test("a rollback is a new version with old content")
    func rollback() async throws {
        try await store.apply(variant: 1, signer: signer)
        try await store.apply(variant: 2, signer: signer)
        let quiet = ChangeNote(author: "ops")
        let back = try created(
            await store.rollback(to: nil, expected: 2, note: quiet, signer: signer)
        )
        #expect(back.number == 3)
        #expect(back.parent == 2)
        #expect(back.message == "rollback to version 1")
        #expect(try await store.resources(of: 3) == makeResources(1))
        let again = try await store.rollback(to: 1, expected: nil, note: note, signer: signer)
        #expect(again == .unchanged(back))
        await #expect(throws: StoreError.versionUnknown(9)) {
            try await store.rollback(to: 9, expected: nil, note: note, signer: signer)
        }
        let late = try await store.rollback(to: 2, expected: 2, note: note, signer: signer)
        #expect(late == .conflict(head: back))
        #expect(try await store.audit(before: nil, limit: 1)[0].action == "configuration.rollback")
    }

    @Test("without a version before the head there is nothing to roll back to")
    func rollbackOfFirst() async throws {
        await #expect(throws: StoreError.versionUnknown(0)) {
            try await store.rollback(to: nil, expected: nil, note: note, signer: signer)
        }
        try await store.apply(variant: 1, signer: signer)
        await #expect(throws: StoreError.versionUnknown(0)) {
            try await store.rollback(to: nil, expected: nil, note: note, signer: signer)
        }
    }

    @Test("versions and audit come in pages, newest first")
    func pages() async throws {
        for variant in 1...7 { try await store.apply(variant: variant, signer: signer) }
        let newest = try await store.versions(before: nil, limit: 3).map(\.number)
        #expect(newest == [7, 6, 5])
        let older = try await store.versions(before: 3, limit: 100).map(\.number)
        #expect(older == [2, 1])
        #expect(try await store.versions(before: 1, limit: 5).isEmpty)
        #expect(try await store.versions(before: nil, limit: -1).isEmpty)
        let audit = try await store.audit(before: nil, limit: 2)
        #expect(audit.map(\.subject) == ["7", "6"])
        #expect(audit[0].action == "configuration.apply")
        #expect(audit[0].author == "ops")
        #expect(audit[0].detail == "because")
        #expect(audit[0].requestID == "r-1")
        let first = try await store.audit(before: audit[1].id, limit: 100)
        #expect(first.map(\.subject).prefix(5) == ["5", "4", "3", "2", "1"])
    }

    @Test("long texts are cut between characters")
    func longTexts() async throws {
        let long = ChangeNote(
            author: String(repeating: "é", count: 300),
            message: String(repeating: "€", count: 5000)
        )
        let given = makeResources(1)
        let outcome = try await store.apply(
            makeManifest(given),
            resources: given,
            expected: nil,
            note: long,
            signer: signer
        )
        let version = try created(outcome)
        #expect(version.author == String(repeating: "é", count: 128))
        #expect(version.message == String(repeating: "€", count: 4096 / 3))
        #expect(try await store.head() == version)
    }

    @Test("versions and audit rows cannot be changed or deleted")
    func immutable() async throws {
        try await store.apply(variant: 1, signer: signer)
        for sql in [
            "UPDATE versions SET message = ''", "DELETE FROM versions", "DELETE FROM audit",
            "UPDATE audit SET author = ''", "DELETE FROM manifests",
        ] {
            await #expect(throws: StoreError.self, "\(sql)") {
                try await store.write { db in try db.execute(sql: sql) }
            }
        }
    }

    @Test("a full disk is told as such, and the old head stays")
    func full() async throws {
        try await store.apply(variant: 1, signer: signer)
        let head = try await store.head()
        try await store.write { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages)")
        }
        let large = [
            Resource(
                kind: .upstream,
                name: "app",
                content: [UInt8](repeating: 0x20, count: 1 << 20)
            )
        ]
        await #expect(throws: StoreError.storeFull) {
            try await store.apply(
                makeManifest(large),
                resources: large,
                expected: nil,
                note: note,
                signer: signer
            )
        }
        #expect(try await store.head() == head)
        try await store.write { db in try db.execute(sql: "PRAGMA max_page_count = 1000000") }
        let outcome = try await store.apply(
            makeManifest(large),
            resources: large,
            expected: 1,
            note: note,
            signer: signer
        )
        #expect(try created(outcome).number == 2)
    }

    @Test("a signer that fails leaves no version")
    func signerFails() async throws {
        struct Refusal: Error {}
        struct Refusing: ManifestSigner {
            func sign(clusterID: [UInt8], epoch: UInt64, version: UInt64, digest: Digest) throws
                -> [UInt8]
            {
                throw Refusal()
            }
        }
        let given = makeResources(1)
        await #expect(throws: StoreError.self) {
            try await store.apply(
                makeManifest(given),
                resources: given,
                expected: nil,
                note: note,
                signer: Refusing()
            )
        }
        #expect(try await store.head() == nil)
    }

    @Test("a manifest of 10,000 routes and another with one changed are stored and read")
    func many() async throws {
        let first = makeResources(1, routeCount: 10_000)
        let second = makeResources(2, routeCount: 10_000)
        for given in [first, second] {
            _ = try await store.apply(
                makeManifest(given),
                resources: given,
                expected: nil,
                note: note,
                signer: signer
            )
        }
        #expect(try await store.resources(of: 2) == second)
        let count = try await store.read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM blobs")
        }
        #expect(count == 10_002)
    }

    @Test("contents are read from the first on, and no further than what was asked for")
    func leadingBlobs() async throws {
        try await store.apply(variant: 1, signer: signer)
        let resources = makeResources(1)
        let digests = resources.map(\.entry.digest)
        let contents = resources.map(\.content)
        #expect(try await store.leadingBlobs(digests, bytesMax: 1 << 20) == contents)
        #expect(try await store.leadingBlobs(digests, bytesMax: 1) == [contents[0]])
        let stranger = try freshDigest()
        let some = [digests[0], stranger, digests[1]]
        #expect(try await store.leadingBlobs(some, bytesMax: 1 << 20) == [contents[0]])
        #expect(try await store.leadingBlobs([stranger], bytesMax: 1 << 20).isEmpty)
    }
}
