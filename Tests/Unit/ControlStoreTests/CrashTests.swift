import FleetModel
import Foundation
import Testing

@testable import ControlStore

@Suite("Crashes, backup and restore")
struct CrashTests {
    let scratch: Scratch
    let signer: TestSigner
    let clock = TestClock()

    init() throws {
        scratch = try Scratch()
        signer = try TestSigner()
    }

    /// The head with everything that belongs to it.
    private func verified(_ store: SQLiteConfigStore) async throws -> UInt64 {
        guard let head = try await store.head() else { return 0 }
        #expect(signer.verifies(head, try await store.cluster().clusterID))
        let stored = try #require(try await store.resources(of: head.number))
        #expect(try makeManifest(stored).digest == head.digest)
        let audit = try await store.audit(before: nil, limit: 1)
        #expect(audit.first?.subject == String(head.number))
        return head.number
    }

    @Test("what was acknowledged is there after a crash at any moment between two calls")
    func betweenCalls() async throws {
        let store = try scratch.open()
        for number in UInt64(1)...12 {
            try await store.apply(variant: Int(number), signer: signer)
            try scratch.copyAsCrashed("data", to: "crash-\(number)")
        }
        for number in UInt64(1)...12 {
            #expect(try await verified(try scratch.open("crash-\(number)")) == number)
        }
    }

    @Test("a crash while commits run holds the last acknowledged version or its successor")
    func duringCommits() async throws {
        let store = try scratch.open()
        let acknowledged = LockedValue(0)
        let signer = signer
        let writer = Task {
            for number in 1...60 {
                try await store.apply(variant: number, signer: signer)
                acknowledged.value = Int64(number)
            }
        }
        var before: [Int64] = []
        for index in 0..<25 {
            before.append(acknowledged.value)
            try scratch.copyAsCrashed("data", to: "crash-\(index)")
            await Task.yield()
        }
        try await writer.value
        for index in 0..<25 {
            let head = try await verified(try scratch.open("crash-\(index)"))
            #expect(Int64(head) >= before[index])
        }
    }

    @Test("a WAL cut at any length, or with a flipped octet, holds a whole older state")
    func tornLog() async throws {
        let store = try scratch.open()
        for number in 1...6 { try await store.apply(variant: number, signer: signer) }
        try scratch.copyAsCrashed("data", to: "whole")
        let log = try Data(contentsOf: URL(filePath: "\(scratch.directory("whole"))/weir.db-wal"))
        var generator = SystemRandomNumberGenerator()
        for index in 0..<40 {
            let name = "torn-\(index)"
            try scratch.copyAsCrashed("data", to: name)
            let at = Int.random(in: 0..<log.count, using: &generator)
            var torn = log
            if index.isMultiple(of: 2) { torn = log.prefix(at) } else { torn[at] ^= 1 }
            try torn.write(to: URL(filePath: "\(scratch.directory(name))/weir.db-wal"))
            #expect(try await verified(try scratch.open(name)) <= 6, "cut or flipped at \(at)")
        }
    }

    @Test("a backup taken while commits run is whole, private, and without the key")
    func backup() async throws {
        let store = try scratch.open()
        try await store.apply(variant: 1, signer: signer)
        let signer = signer
        let writer = Task {
            for number in 2...30 { try await store.apply(variant: number, signer: signer) }
        }
        let file = scratch.directory("copy.db")
        let summary = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
        try await writer.value
        #expect(summary.headNumber >= 1)
        #expect(summary.clusterID == (try await store.cluster().clusterID))
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        for suffix in ["-wal", "-shm", ".partial"] {
            #expect(!FileManager.default.fileExists(atPath: file + suffix))
        }
        let key = try Data(contentsOf: URL(filePath: "\(scratch.directory())/master.key"))
        #expect(try Data(contentsOf: URL(filePath: file)).range(of: key) == nil)
        // A second one replaces the first.
        let again = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
        #expect(again.headNumber == 30)
        #expect(try await store.head()?.number == 30)
        #expect(throws: StoreError.storeMissing(scratch.directory("none") + "/weir.db")) {
            try SQLiteConfigStore.backup(directory: scratch.directory("none"), to: file)
        }
        #expect(throws: StoreError.self) {
            try SQLiteConfigStore.backup(
                directory: scratch.directory(),
                to: scratch.directory("no/such/place.db")
            )
        }
    }

    @Test("a restore begins a new epoch, signs the head anew and keeps what it replaced")
    func restore() async throws {
        var store: SQLiteConfigStore? = try scratch.open(clock: clock)
        let file = scratch.directory("copy.db")
        try await store?.apply(variant: 1, signer: signer)
        _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
        try await store?.apply(variant: 2, signer: signer)
        let held = #expect(throws: StoreError.directoryInUse(scratch.directory())) {
            try StoreDirectory(scratch.directory())
        }
        #expect(held != nil)
        try store?.close()
        store = nil
        let now = clock.now
        let summary = try SQLiteConfigStore.restore(
            file,
            into: StoreDirectory(scratch.directory()),
            clock: { now }
        )
        #expect(summary.epoch == UInt64(now / 1000) + 1)
        #expect(summary.headNumber == 1)
        let opened = try scratch.open(clock: clock)
        #expect(try await opened.cluster().epoch == summary.epoch)
        #expect(try await opened.head()?.epoch == 1)
        try await opened.signHead(signer)
        try await opened.signHead(signer)
        let head = try #require(try await opened.head())
        #expect(head.number == 1 && head.epoch == summary.epoch)
        #expect(signer.verifies(head, summary.clusterID))
        #expect(try await opened.audit(before: nil, limit: 1)[0].action == "cluster.restore")
        try await opened.apply(variant: 3, signer: signer)
        #expect(try await opened.head()?.epoch == summary.epoch)

        let kept = try #require(summary.keptPath)
        let keptSummary = try keptHead(kept)
        #expect(keptSummary == 2)
    }

    private func keptHead(_ path: String) throws -> UInt64 {
        try FileManager.default.createDirectory(
            atPath: scratch.directory("kept"),
            withIntermediateDirectories: true
        )
        try FileManager.default.copyItem(
            atPath: path,
            toPath: "\(scratch.directory("kept"))/weir.db"
        )
        let file = scratch.directory("kept-copy.db")
        return try SQLiteConfigStore.backup(directory: scratch.directory("kept"), to: file)
            .headNumber
    }

    @Test("a second restore within the same second still has a higher epoch")
    func restoreTwice() throws {
        try scratch.open(clock: clock).close()
        let file = scratch.directory("copy.db")
        _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
        let now = clock.now
        var epochs: [UInt64] = []
        for _ in 0..<3 {
            let directory = try StoreDirectory(scratch.directory())
            epochs.append(
                try SQLiteConfigStore.restore(file, into: directory, clock: { now }).epoch
            )
        }
        #expect(epochs[0] < epochs[1] && epochs[1] < epochs[2])
    }

    @Test("a restore revokes unused tokens, and what was revoked since the backup stays revoked")
    func restoreForbids() async throws {
        let clock = clock
        var store: SQLiteConfigStore? = try scratch.open(clock: clock)
        let file = scratch.directory("copy.db")
        let token = try freshDigest()
        let open = try freshDigest()
        let issued = try certificate()
        do {
            let store = try #require(store)
            for digest in [token, open] {
                _ = try await store.createToken(
                    digest: digest,
                    labels: [:],
                    expiresMilliseconds: clock.now + 1_000_000,
                    note: note
                )
            }
            _ = try await store.join(
                tokenDigest: token,
                name: "edge-1",
                labels: [:],
                certificate: issued,
                note: note
            )
            _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
            try await store.revoke(node: "edge-1", note: note)
            try store.close()
        }
        store = nil
        _ = try SQLiteConfigStore.restore(file, into: StoreDirectory(scratch.directory()))
        let opened = try scratch.open(clock: clock)
        #expect(try await opened.node("edge-1")?.isRevoked == true)
        #expect(try await opened.isRevoked(certificate: issued.fingerprint))
        #expect(
            try await opened.tokens().allSatisfy {
                $0.usedBy != nil || $0.revokedMilliseconds != nil
            }
        )
        let other = try certificate()
        await #expect(throws: StoreError.tokenRevoked) {
            try await opened.join(
                tokenDigest: open,
                name: "edge-2",
                labels: [:],
                certificate: other,
                note: note
            )
        }
    }

    @Test("a backup that is cut, foreign, or of another key leaves the directory as it was")
    func restoreRefused() async throws {
        let file = scratch.directory("copy.db")
        do {
            let store = try scratch.open()
            try await store.apply(variant: 1, signer: signer)
            _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
            try store.close()
        }
        let whole = try Data(contentsOf: URL(filePath: file))
        let bad = scratch.directory("bad.db")
        let target = scratch.directory("target")
        try scratch.open("target").close()
        let key = "\(target)/master.key"
        #expect(throws: StoreError.masterKeyWrong(key)) {
            try SQLiteConfigStore.restore(file, into: StoreDirectory(target))
        }
        for content in [
            whole.prefix(whole.count / 2), Data("not a database, but long enough".utf8),
        ] {
            try content.write(to: URL(filePath: bad))
            #expect(throws: StoreError.self) {
                try SQLiteConfigStore.restore(bad, into: StoreDirectory(target))
            }
        }
        #expect(throws: StoreError.storeMissing(scratch.directory("none.db"))) {
            try SQLiteConfigStore.restore(
                scratch.directory("none.db"),
                into: StoreDirectory(target)
            )
        }
        #expect(throws: StoreError.masterKeyMissing(scratch.directory("new") + "/master.key")) {
            try SQLiteConfigStore.restore(file, into: StoreDirectory(scratch.directory("new")))
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: target).sorted()
        #expect(left == ["master.key", "weir.db", "weir.lock"])
        let opened = try scratch.open("target")
        #expect(try await opened.head() == nil)
    }

    @Test("a damaged database is replaced, and kept aside")
    func restoreOverDamage() async throws {
        let file = scratch.directory("copy.db")
        do {
            let store = try scratch.open()
            try await store.apply(variant: 1, signer: signer)
            _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: file)
            try store.close()
        }
        let path = "\(scratch.directory())/weir.db"
        try Data(repeating: 7, count: 10_000).write(to: URL(filePath: path))
        let summary = try SQLiteConfigStore.restore(
            file,
            into: StoreDirectory(scratch.directory())
        )
        let kept = try #require(summary.keptPath)
        #expect(try Data(contentsOf: URL(filePath: kept)) == Data(repeating: 7, count: 10_000))
        #expect(try await verified(try scratch.open(), subject: false) == 1)
    }

    private func verified(_ store: SQLiteConfigStore, subject: Bool) async throws -> UInt64? {
        let head = try await store.head()
        let stored = try #require(try await store.resources(of: head?.number ?? 0))
        #expect(try makeManifest(stored).digest == head?.digest)
        return head?.number
    }
}
