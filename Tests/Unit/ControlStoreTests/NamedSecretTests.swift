import Cryptography
import FleetModel
import Foundation
import GRDB
import Testing

@testable import ControlStore

@Suite("Named secrets")
struct NamedSecretTests {
    let scratch: Scratch
    let clock = TestClock()

    init() throws { scratch = try Scratch() }

    private func open() throws -> SQLiteConfigStore { try scratch.open(clock: clock) }

    private func secret(_ text: String) -> SecretBytes { SecretBytes(Array(text.utf8)) }

    @Test(
        "a secret is kept under its name, and its digest changes with the value and tells nothing of it"
    )
    func sets() async throws {
        let store = try open()
        #expect(try await store.namedSecret("eab") == nil)
        let (first, isNew) = try await store.setNamedSecret("eab", secret("value"), note: note)
        #expect(isNew && first.name == "eab")
        #expect(first.digest != Digest(hashing: Array("value".utf8)))
        clock.now += 1000
        let (same, isOther) = try await store.setNamedSecret("eab", secret("value"), note: note)
        #expect(!isOther && same == first)
        let (next, isChanged) = try await store.setNamedSecret("eab", secret("other"), note: note)
        #expect(isChanged && next.digest != first.digest)
        #expect(next.createdMilliseconds == first.createdMilliseconds)
        #expect(next.changedMilliseconds == clock.now)
        // The same value under another name, or again, has another digest.
        let (twin, _) = try await store.setNamedSecret("twin", secret("other"), note: note)
        #expect(twin.digest != next.digest)
        #expect(try await store.namedSecrets() == [next, twin])
        #expect(try await store.namedSecret("eab") == secret("other"))
        // The value before is gone from the vault.
        #expect(try await store.vaultEntry(first.digest) == nil)
        let audit = try await store.audit(before: nil, limit: 3)
        #expect(audit.map(\.action) == ["secret.set", "secret.set", "secret.set"])
        #expect(audit.map(\.subject) == ["twin", "eab", "eab"])
        #expect(audit.map(\.detail) == [twin, next, first].map(\.digest.description))
    }

    @Test("a secret is there after another start, and gone when it is removed")
    func removes() async throws {
        var store: SQLiteConfigStore? = try open()
        _ = try await store?.setNamedSecret("eab", secret("value"), note: note)
        try store?.close()
        store = nil
        let again = try open()
        #expect(try await again.namedSecret("eab") == secret("value"))
        let digest = try #require(try await again.namedSecrets().first?.digest)
        // Nobody's cleaning takes what has a name.
        #expect(
            try await again.collectSecrets(keeping: [], storedBefore: .max, note: note) == []
        )
        try await again.removeNamedSecret("eab", note: note)
        #expect(try await again.namedSecrets() == [])
        #expect(try await again.vaultEntry(digest) == nil)
        #expect(try await again.audit(before: nil, limit: 1).map(\.action) == ["secret.remove"])
        await #expect(throws: StoreError.secretUnknown("eab")) {
            try await again.removeNamedSecret("eab", note: note)
        }
    }

    @Test("what is too long is refused, and what is damaged is mended by setting it again")
    func damaged() async throws {
        let store = try open()
        let long = SecretBytes([UInt8](repeating: 1, count: StoreLimits.secretBytesMax + 1))
        await #expect(throws: StoreError.secretTooLong) {
            try await store.setNamedSecret("eab", long, note: note)
        }
        let (made, _) = try await store.setNamedSecret("eab", secret("value"), note: note)
        try await store.write { db in
            try db.execute(
                sql: "UPDATE vault SET sealed = ? WHERE digest = ?",
                arguments: [Data([1] + randomBytes(40)), Data(made.digest.octets)]
            )
        }
        await #expect(throws: StoreError.secretDamaged(made.digest)) {
            try await store.namedSecret("eab")
        }
        let (mended, isChanged) = try await store.setNamedSecret("eab", secret("value"), note: note)
        #expect(isChanged && mended.digest != made.digest)
        #expect(try await store.namedSecret("eab") == secret("value"))
    }
}
