import Cryptography
import FleetModel
import Foundation
import GRDB
import Testing

@testable import ControlStore

@Suite("Directory, keys and damage")
struct DirectoryTests {
    let scratch: Scratch
    let signer: TestSigner

    init() throws {
        scratch = try Scratch()
        signer = try TestSigner()
    }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test("the directory and its files are for their owner alone")
    func modes() async throws {
        let store = try scratch.open("deep/er/data")
        try await store.apply(variant: 1, signer: signer)
        let directory = scratch.directory("deep/er/data")
        #expect(try mode(directory) == 0o700)
        for file in ["weir.db", "weir.db-wal", "weir.db-shm", "master.key", "weir.lock"] {
            #expect(try mode("\(directory)/\(file)") == 0o600, "\(file)")
        }
    }

    @Test("a second holder of the directory is refused for as long as the first is there")
    func lock() throws {
        let path = scratch.directory()
        var first: StoreDirectory? = try StoreDirectory(path)
        #expect(first != nil)
        #expect(throws: StoreError.directoryInUse(path)) { try StoreDirectory(path + "/") }
        first = nil
        _ = try StoreDirectory(path)
    }

    @Test("identity and content survive closing and opening")
    func reopen() async throws {
        var store: SQLiteConfigStore? = try scratch.open()
        try await store?.apply(variant: 1, signer: signer)
        let cluster = try await store?.cluster()
        try store?.close()
        store = nil
        let again = try scratch.open()
        #expect(try await again.cluster() == cluster)
        #expect(try await again.head()?.number == 1)
        #expect(cluster?.clusterID.count == 16)
        #expect(cluster?.epoch == 1)
    }

    @Test("secrets are sealed on the disk, made once, and bound to their names")
    func secrets() async throws {
        let store = try scratch.open()
        let secret = randomBytes(40)
        let other = randomBytes(40)
        #expect(try await store.secret("a") == nil)
        let made = try await store.secretsOrNew(["a": secret, "b": other], note: note)
        #expect(made == ["a": secret, "b": other])
        let kept = try await store.secretsOrNew(["a": other, "c": other], note: note)
        #expect(kept == ["a": secret, "c": other])
        #expect(try await store.secret("a") == secret)
        for file in ["weir.db", "weir.db-wal"] {
            let octets = try Data(contentsOf: URL(filePath: "\(scratch.directory())/\(file)"))
            #expect(octets.range(of: Data(secret)) == nil)
        }
        try await store.write { db in
            try db.execute(
                sql: """
                    UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'b')
                    WHERE name = 'a'
                    """
            )
        }
        await #expect(throws: StoreError.self) { try await store.secret("a") }
    }

    @Test("the admin token's digest is audited when it changes")
    func adminToken() async throws {
        let store = try scratch.open()
        #expect(try await store.cluster().adminTokenDigest == nil)
        let digest = sha256([1])
        try await store.setAdminTokenDigest(digest, note: note)
        try await store.setAdminTokenDigest(digest, note: note)
        #expect(try await store.cluster().adminTokenDigest == digest)
        let actions = try await store.audit(before: nil, limit: 10).map(\.action)
        #expect(actions == ["admin_token.replace", "cluster.create"])
    }

    @Test("a database without its key, or with another one, is refused")
    func keys() throws {
        try scratch.open().close()
        let key = "\(scratch.directory())/master.key"
        let octets = try Data(contentsOf: URL(filePath: key))
        try FileManager.default.removeItem(atPath: key)
        #expect(throws: StoreError.masterKeyMissing(key)) { try scratch.open() }
        #expect(!FileManager.default.fileExists(atPath: key))
        try scratch.writeKey(Data(randomBytes(32)))
        #expect(throws: StoreError.masterKeyWrong(key)) { try scratch.open() }
        for wrong in [octets.dropLast(), octets + [0], Data()] {
            try scratch.writeKey(wrong)
            #expect(throws: StoreError.masterKeyLengthWrong(key, octetCount: wrong.count)) {
                try scratch.open()
            }
        }
        try scratch.writeKey(octets)
        try scratch.open().close()
    }

    @Test("a key that others than its owner could read or change is refused, and told how to mend")
    func exposedKey() throws {
        try scratch.open().close()
        let key = "\(scratch.directory())/master.key"
        let octets = try Data(contentsOf: URL(filePath: key))
        for mode in [0o640, 0o604, 0o644, 0o620, 0o666, 0o601, 0o755] {
            try scratch.writeKey(octets, mode: mode)
            let error = StoreError.masterKeyExposed(key, mode: UInt32(mode))
            #expect(throws: error) { try scratch.open() }
            #expect("\(error)".contains(String(mode, radix: 8)))
            #expect("\(error)".contains("chmod 600 \(key)"))
        }
        for mode in [0o600, 0o400] {
            try scratch.writeKey(octets, mode: mode)
            try scratch.open().close()
        }
    }

    @Test("a first start that ended between its steps is repeated")
    func interruptedStart() async throws {
        let directory = scratch.directory()
        let envelope = try StoreDirectory(directory).envelope(makingKey: true)
        #expect(FileManager.default.createFile(atPath: "\(directory)/weir.db", contents: nil))
        let store = try scratch.open()
        #expect(try await store.cluster().epoch == 1)
        let check = try envelope.makeCheck()
        try store.envelope.verify(check: check)
    }

    @Test("another program's database, a newer one and garbage are told apart")
    func foreign() throws {
        let path = "\(scratch.directory())/weir.db"
        do { try scratch.open().close() }
        try Data(randomBytes(8192)).write(to: URL(filePath: path))
        #expect(throws: StoreError.corrupt("file is not a database")) { try scratch.open() }

        try FileManager.default.removeItem(atPath: path)
        let other = try DatabaseQueue(path: path)
        try other.write { db in try db.execute(sql: "CREATE TABLE t (a)") }
        try other.close()
        #expect(throws: StoreError.notAStore(path)) { try scratch.open() }

        try FileManager.default.removeItem(atPath: path)
        do {
            let newer = try scratch.open("newer")
            try newer.pool.write { db in
                try db.execute(
                    sql: "INSERT INTO grdb_migrations (identifier) VALUES ('9999 later')"
                )
            }
            try newer.close()
        }
        #expect(throws: StoreError.schemaTooNew) { try scratch.open("newer") }
    }

    @Test("damage at any page is found at opening, or told when it is read, and never traps")
    func damage() async throws {
        do {
            let store = try scratch.open()
            for variant in 1...5 { try await store.apply(variant: variant, signer: signer) }
            try store.close()
        }
        let whole = try Data(contentsOf: URL(filePath: "\(scratch.directory())/weir.db"))
        let key = try Data(contentsOf: URL(filePath: "\(scratch.directory())/master.key"))
        var found = 0
        for (index, start) in stride(from: 0, to: whole.count, by: 4096).enumerated() {
            var changed = whole
            for offset in start..<min(start + 64, whole.count) { changed[offset] ^= 0xa5 }
            let name = "damaged-\(index)"
            try FileManager.default.createDirectory(
                atPath: scratch.directory(name),
                withIntermediateDirectories: true
            )
            try changed.write(to: URL(filePath: "\(scratch.directory(name))/weir.db"))
            try scratch.writeKey(key, of: name)
            do {
                let opened = try scratch.open(name)
                _ = try await opened.resources(of: 5)
            } catch {
                found += 1
            }
        }
        #expect(found > 10)
    }
}
