import Cryptography
import FleetModel
import Foundation
import GRDB
import Testing

@testable import ControlStore

@Suite("The vault")
struct VaultTests {
    let scratch: Scratch
    let clock = TestClock()

    init() throws { scratch = try Scratch() }

    private func open() throws -> SQLiteConfigStore { try scratch.open(clock: clock) }

    /// A secret that nothing else has, and its octets.
    private func fresh(_ count: Int = 120) -> (VaultSecret, [UInt8]) {
        let octets = randomBytes(count)
        let secret = VaultSecret(
            kind: .certificate,
            publicContent: randomBytes(300),
            content: SecretBytes(octets)
        )
        return (secret, octets)
    }

    @Test("a secret is found by the digest of its public part, also after another start")
    func roundTrip() async throws {
        var store: SQLiteConfigStore? = try open()
        let (one, _) = fresh()
        let (other, _) = fresh(0)
        try await store?.putSecrets([one, other], note: note)
        #expect(one.digest == Digest(hashing: one.publicContent))
        #expect(try await store?.vaultSecret(one.digest) == one)
        try store?.close()
        store = nil
        let again = try open()
        #expect(try await again.vaultSecret(one.digest) == one)
        #expect(try await again.vaultSecret(other.digest) == other)
        #expect(try await again.vaultSecret(try freshDigest()) == nil)
        let audit = try await again.audit(before: nil, limit: 2)
        #expect(Set(audit.map(\.action)) == ["secret.store"])
        #expect(Set(audit.map(\.subject)) == [one.digest.description, other.digest.description])
    }

    @Test("the list has the public parts and times, and nothing else")
    func list() async throws {
        let store = try open()
        #expect(try await store.vaultEntries() == [])
        let (one, _) = fresh()
        let (other, _) = fresh()
        #expect(try await store.putSecrets([one], note: note) == [one.digest])
        let first = clock.now
        clock.now += 1000
        #expect(try await store.putSecrets([one, other], note: note) == [other.digest])
        let entries = try await store.vaultEntries()
        #expect(entries.map(\.digest) == [one.digest, other.digest].sorted())
        let entry = try #require(entries.first { $0.digest == one.digest })
        #expect(entry.publicContent == one.publicContent && entry.kind == .certificate)
        #expect(try await store.vaultEntry(one.digest) == entry)
        #expect(try await store.vaultEntry(try freshDigest()) == nil)
        #expect(entry.createdMilliseconds == first)
        #expect(entry.storedMilliseconds == first + 1000)
        // What was there already has one audit row.
        #expect(try await store.audit(before: nil, limit: 9).map(\.action).count == 3)
    }

    @Test("no file, backup or description has an octet of a secret or of a data key")
    func secrecy() async throws {
        let store = try open()
        let (one, octets) = fresh()
        try await store.putSecrets([one], note: note)
        let copy = scratch.directory("copy.db")
        _ = try SQLiteConfigStore.backup(directory: scratch.directory(), to: copy)
        let folder = scratch.directory()
        for file in ["\(folder)/weir.db", "\(folder)/weir.db-wal", copy] {
            let content = try Data(contentsOf: URL(filePath: file))
            #expect(content.range(of: Data(octets.prefix(16))) == nil, "\(file)")
        }
        #expect(try Data(contentsOf: URL(filePath: copy)).range(of: Data(one.publicContent)) != nil)
        var text = "\(one) \(String(reflecting: one)) \(store.envelope) "
        dump([one], to: &text)
        dump(store.envelope, to: &text)
        let master = try [UInt8](Data(contentsOf: URL(filePath: "\(folder)/master.key")))
        for secret in [octets, master] {
            #expect(!text.contains(secret.prefix(4).map(String.init).joined(separator: ", ")))
            #expect(!text.contains(encodeHex(Array(secret.prefix(6)))))
            // Each octet of a dumped array has a line of its own.
            #expect(!text.contains("elements"))
        }
        #expect(text.contains(one.digest.description))
    }

    @Test("equal secrets are sealed differently each time")
    func nonces() throws {
        let envelope = try Envelope(masterKey: SecretBytes(randomBytes(32)), path: "k")
        let secret = SecretBytes(randomBytes(48))
        let all = try (0..<50).map { _ in try envelope.seal(secret, identity: [1]) }
        #expect(Set(all.map(\.content)).count == 50 && Set(all.map(\.wrappedKey)).count == 50)
        for sealed in all { #expect(try envelope.open(sealed, identity: [1]) == secret) }
    }

    @Test("a record that was changed in any octet, or put in another's place, is damaged")
    func damage() throws {
        let envelope = try Envelope(masterKey: SecretBytes(randomBytes(32)), path: "k")
        let sealed = try envelope.seal(SecretBytes(randomBytes(20)), identity: [1, 2])
        func failure(_ record: Envelope.Sealed, _ identity: [UInt8] = [1, 2]) -> Envelope.Failure? {
            do {
                _ = try envelope.open(record, identity: identity)
                return nil
            } catch {
                return error
            }
        }
        #expect(failure(sealed) == nil)
        #expect(failure(sealed, [1, 3]) == .damaged)
        for index in sealed.content.indices {
            var changed = sealed
            changed.content[index] ^= 1
            #expect(failure(changed) == .damaged)
            changed = sealed
            changed.content.removeLast(index + 1)
            #expect(failure(changed) == .damaged)
        }
        for index in sealed.wrappedKey.indices {
            var changed = sealed
            changed.wrappedKey[index] ^= 1
            #expect(failure(changed) == ((1...8).contains(index) ? .otherMasterKey : .damaged))
            changed = sealed
            changed.wrappedKey.removeLast(index + 1)
            #expect(failure(changed) != nil)
        }
        let other = try Envelope(masterKey: SecretBytes(randomBytes(32)), path: "k")
        #expect(throws: Envelope.Failure.otherMasterKey) {
            try other.open(sealed, identity: [1, 2])
        }
    }

    @Test("a damaged secret is told by its digest, and mended by storing it again")
    func mended() async throws {
        let store = try open()
        let (one, _) = fresh()
        let (other, _) = fresh()
        try await store.putSecrets([one, other], note: note)
        let changes = [
            "UPDATE vault SET sealed = x'01' WHERE digest = ?",
            "UPDATE vault SET public = x'00' WHERE digest = ?",
            "UPDATE vault SET kind = 'other' WHERE digest = ?",
            """
            UPDATE vault SET (wrapped_key, sealed) =
                (SELECT o.wrapped_key, o.sealed FROM vault o WHERE o.digest <> vault.digest)
            WHERE digest = ?
            """,
        ]
        for sql in changes {
            let key = Data(one.digest.octets)
            try await store.write { db in try db.execute(sql: sql, arguments: [key]) }
            await #expect(throws: StoreError.secretDamaged(one.digest)) {
                try await store.vaultSecret(one.digest)
            }
            try await store.putSecrets([one], note: note)
            #expect(try await store.vaultSecret(one.digest) == one)
        }
        try await store.write { db in
            try db.execute(
                sql: """
                    UPDATE vault SET wrapped_key = CAST(
                        substr(wrapped_key, 1, 1) || x'0011223344556677' || substr(wrapped_key, 10)
                        AS BLOB)
                    """
            )
        }
        let key = "\(scratch.directory())/master.key"
        await #expect(throws: StoreError.masterKeyWrong(key)) {
            try await store.vaultSecret(other.digest)
        }
    }

    @Test("what nothing needs is forgotten, but not what was stored lately")
    func collection() async throws {
        let store = try open()
        let secrets = (0..<4).map { _ in fresh().0 }
        try await store.putSecrets(secrets, note: note)
        clock.now += 10_000
        let moment = clock.now
        try await store.putSecrets([secrets[1]], note: note)
        let forgotten = try await store.collectSecrets(
            keeping: [secrets[0].digest],
            storedBefore: moment,
            note: note
        )
        #expect(forgotten == secrets[2...].map(\.digest).sorted())
        let left = try await store.vaultEntries().map(\.digest)
        #expect(left == secrets[..<2].map(\.digest).sorted())
        #expect(try await store.vaultSecret(secrets[2].digest) == nil)
        let audit = try await store.audit(before: nil, limit: 2)
        #expect(audit.allSatisfy { $0.action == "secret.forget" && $0.author == note.author })
        #expect(Set(audit.map(\.subject)) == Set(forgotten.map(\.description)))
        // Stored again, it is new.
        try await store.putSecrets([secrets[2]], note: note)
        #expect(try await store.vaultSecret(secrets[2].digest) == secrets[2])
    }

    @Test("secrets over the limits are refused, and none of the call is stored")
    func limits() async throws {
        let store = try open()
        let (good, _) = fresh()
        let (long, _) = fresh(StoreLimits.secretBytesMax + 1)
        let wide = VaultSecret(
            kind: .certificate,
            publicContent: [UInt8](repeating: 0, count: StoreLimits.secretPublicBytesMax + 1),
            content: SecretBytes([1])
        )
        for bad in [long, wide] {
            await #expect(throws: StoreError.secretTooLong) {
                try await store.putSecrets([good, bad], note: note)
            }
        }
        #expect(try await store.vaultEntries() == [])
    }

    @Test(
        "an order is found after another start, and its key is forgotten when it has another or none"
    )
    func orders() async throws {
        var store: SQLiteConfigStore? = try open()
        func key() -> VaultSecret {
            VaultSecret(
                kind: .acmeRequest,
                publicContent: randomBytes(100),
                content: SecretBytes(randomBytes(138))
            )
        }
        let (id, first, second) = (Digest(hashing: [1]), key(), key())
        #expect(try await store?.acmeRecords() == [:])
        var record = ACMERecord(secret: first.digest, state: #"{"failures":0}"#)
        try await store?.setACME(id, record, adding: first, note: note)
        record.state = #"{"failures":1}"#
        try await store?.setACME(id, record, adding: nil, note: note)
        try store?.close()
        store = nil
        let again = try open()
        #expect(try await again.acmeRecords() == [id: record])
        #expect(try await again.vaultSecret(first.digest) == first)
        record.secret = second.digest
        try await again.setACME(id, record, adding: second, note: note)
        #expect(try await again.vaultSecret(first.digest) == nil)
        #expect(try await again.vaultSecret(second.digest) == second)
        record.secret = nil
        try await again.setACME(id, record, adding: nil, note: note)
        #expect(try await again.vaultSecret(second.digest) == nil)
        let actions = try await again.audit(before: nil, limit: 50).map(\.action)
        #expect(actions.filter { $0 == "secret.store" }.count == 2)
        #expect(actions.filter { $0 == "secret.forget" }.count == 2)
    }
}
