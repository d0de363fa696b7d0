import Cryptography
import FleetModel
import Foundation
import GRDB
import Testing

@testable import ControlStore

@Suite("Another master key")
struct MasterKeyTests {
    let scratch: Scratch
    let secret = VaultSecret(
        kind: .certificate,
        publicContent: randomBytes(300),
        content: SecretBytes(randomBytes(120))
    )

    init() throws { scratch = try Scratch() }

    private func path(_ file: String, of name: String = "data") -> String {
        "\(scratch.directory(name))/\(file)"
    }

    private func octets(_ file: String, of name: String = "data") throws -> Data {
        try Data(contentsOf: URL(filePath: path(file, of: name)))
    }

    private func exists(_ file: String, of name: String = "data") -> Bool {
        FileManager.default.fileExists(atPath: path(file, of: name))
    }

    /// A store with a secret of each kind, closed again.
    private func makeStore() async throws {
        let store = try scratch.open()
        _ = try await store.secretsOrNew(["authority.key": [1, 2, 3]], note: note)
        try await store.putSecrets([secret], note: note)
        try store.close()
    }

    /// Opens the store and looks whether all is there.
    private func verify(_ name: String = "data") async throws {
        let store = try scratch.open(name)
        #expect(try await store.secret("authority.key") == [1, 2, 3])
        #expect(try await store.vaultSecret(secret.digest) == secret)
        try store.close()
        #expect(!exists("master.key.next", of: name))
    }

    @Test("all secrets open with the new key, and none with the old one")
    func rotates() async throws {
        try await makeStore()
        let before = try octets("master.key")
        let rotation = try SQLiteConfigStore.rotateMasterKey(
            of: StoreDirectory(scratch.directory())
        )
        #expect(rotation.secretCount == 2)
        #expect(try octets("master.key") != before)
        #expect(try octets("master.key.old") == before)
        let mode = try FileManager.default.attributesOfItem(atPath: path("master.key"))
        #expect(mode[.posixPermissions] as? Int == 0o600)
        try await verify()
        do {
            let store = try scratch.open()
            let last = try await store.audit(before: nil, limit: 1).first
            #expect(last?.action == "master_key.replace")
            try store.close()
        }
        try scratch.writeKey(before)
        #expect(throws: StoreError.masterKeyWrong(path("master.key"))) { try scratch.open() }
    }

    @Test("it is not done again while the key before is there")
    func keepsOldKey() async throws {
        try await makeStore()
        _ = try SQLiteConfigStore.rotateMasterKey(of: StoreDirectory(scratch.directory()))
        #expect(throws: StoreError.masterKeyOldKept(path("master.key.old"))) {
            try SQLiteConfigStore.rotateMasterKey(of: StoreDirectory(scratch.directory()))
        }
        try FileManager.default.removeItem(atPath: path("master.key.old"))
        _ = try SQLiteConfigStore.rotateMasterKey(of: StoreDirectory(scratch.directory()))
        try await verify()
    }

    @Test("a crash before the transaction leaves the old key in force")
    func crashBefore() async throws {
        try await makeStore()
        let before = try octets("master.key")
        _ = try StoreDirectory(scratch.directory()).makeNextKey()
        try await verify()
        #expect(try octets("master.key") == before)
        #expect(!exists("master.key.old"))
    }

    @Test("a crash after the transaction leaves the new key in force, whatever files it left")
    func crashAfter() async throws {
        try await makeStore()
        let before = try octets("master.key")
        let directory = try StoreDirectory(scratch.directory())
        do {
            let store = try SQLiteConfigStore(directory)
            _ = try store.sealAnew(with: try directory.makeNextKey())
            try store.close()
        }
        // The crash may have come between the link and the rename, too.
        for (name, hasLink) in [("early", false), ("late", true)] {
            let target = scratch.directory(name)
            try FileManager.default.createDirectory(
                atPath: target,
                withIntermediateDirectories: true
            )
            for file in ["weir.db", "master.key", "master.key.next"] {
                try FileManager.default.copyItem(atPath: path(file), toPath: "\(target)/\(file)")
            }
            if hasLink {
                try FileManager.default.linkItem(
                    atPath: "\(target)/master.key",
                    toPath: "\(target)/master.key.old"
                )
            }
            try await verify(name)
            #expect(try octets("master.key", of: name) != before)
            #expect(try octets("master.key.old", of: name) == before)
        }
    }

    @Test("with a key of neither, nothing is thrown away")
    func strangeKey() async throws {
        try await makeStore()
        let before = try octets("master.key")
        _ = try StoreDirectory(scratch.directory()).makeNextKey()
        try scratch.writeKey(Data(randomBytes(32)))
        #expect(throws: StoreError.masterKeyWrong(path("master.key"))) { try scratch.open() }
        #expect(exists("master.key.next"))
        try scratch.writeKey(before)
        try await verify()
    }

    @Test("a backup from before is restored with the key before, and sealed with the new one")
    func oldBackup() async throws {
        try await makeStore()
        let copy = scratch.directory("copy.db")
        _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: copy)
        let directory = try StoreDirectory(scratch.directory())
        _ = try SQLiteConfigStore.rotateMasterKey(of: directory)
        _ = try SQLiteConfigStore.restore(copy, into: directory)
        let store = try SQLiteConfigStore(directory)
        #expect(try await store.vaultSecret(secret.digest) == secret)
        try store.close()
        try FileManager.default.removeItem(atPath: path("master.key.old"))
        #expect(throws: StoreError.masterKeyWrong(path("master.key"))) {
            try SQLiteConfigStore.restore(copy, into: directory)
        }
    }

    @Test("a damaged secret stops it, and the key stays as it is")
    func damagedSecret() async throws {
        try await makeStore()
        let before = try octets("master.key")
        do {
            let store = try scratch.open()
            try await store.write { db in
                try db.execute(sql: "UPDATE vault SET wrapped_key = zeroblob(69)")
            }
            try store.close()
        }
        #expect(throws: StoreError.secretDamaged(secret.digest)) {
            try SQLiteConfigStore.rotateMasterKey(of: StoreDirectory(scratch.directory()))
        }
        #expect(try octets("master.key") == before)
        let again = try scratch.open()
        #expect(try await again.secret("authority.key") == [1, 2, 3])
        try again.close()
    }
}
