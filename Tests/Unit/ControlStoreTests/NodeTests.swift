import FleetModel
import Testing

@testable import ControlStore

@Suite("Tokens and nodes")
struct NodeTests {
    let scratch: Scratch
    let store: SQLiteConfigStore
    let clock = TestClock()

    init() throws {
        scratch = try Scratch()
        store = try scratch.open(clock: clock)
    }

    /// Makes a token and returns what finds it.
    private func token(
        labels: [String: String] = [:],
        seconds: Int64 = 3600
    ) async throws -> (Digest, StoredToken) {
        let digest = try freshDigest()
        let stored = try await store.createToken(
            digest: digest,
            labels: labels,
            expiresMilliseconds: clock.now + seconds * 1000,
            note: note
        )
        return (digest, stored)
    }

    @discardableResult
    private func join(
        _ digest: Digest,
        _ name: String,
        labels: [String: String] = [:],
        _ issued: StoredCertificate? = nil
    ) async throws -> StoredNode {
        try await store.join(
            tokenDigest: digest,
            name: name,
            labels: labels,
            certificate: try issued ?? certificate(),
            note: ChangeNote(author: "node \(name)")
        )
    }

    @Test("a token admits one node, and says which")
    func oneUse() async throws {
        let (digest, stored) = try await token()
        #expect(stored.usedBy == nil)
        let node = try await join(digest, "edge-1", labels: ["zone": "a"])
        #expect(node.name == "edge-1")
        #expect(node.labels == ["zone": "a"])
        #expect(!node.isDraining && !node.isRevoked)
        #expect(try await store.nodes() == [node])
        let used = try await store.tokens()[0]
        #expect(used.usedBy == "edge-1")
        #expect(used.usedMilliseconds == clock.now)
        await #expect(throws: StoreError.tokenUsed) { try await join(digest, "edge-2") }
        let unknown = try freshDigest()
        await #expect(throws: StoreError.tokenUnknown) { try await join(unknown, "edge-2") }
        #expect(try await store.node("edge-2") == nil)
    }

    @Test("of nodes that race for one token, one joins")
    func race() async throws {
        let (digest, _) = try await token()
        let store = store
        let joined = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<12 {
                group.addTask {
                    do {
                        _ = try await store.join(
                            tokenDigest: digest,
                            name: "edge-\(index)",
                            labels: [:],
                            certificate: certificate(),
                            note: note
                        )
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(joined == 1)
        #expect(try await store.nodes().count == 1)
    }

    @Test("a token ends with its time, or when it is revoked, and is not used up by a refusal")
    func ends() async throws {
        let (digest, stored) = try await token(labels: ["zone": "a"], seconds: 60)
        await #expect(throws: StoreError.tokenLabelsMissing) { try await join(digest, "edge-1") }
        await #expect(throws: StoreError.tokenLabelsMissing) {
            try await join(digest, "edge-1", labels: ["zone": "b"])
        }
        clock.now += 60_001
        await #expect(throws: StoreError.tokenExpired) {
            try await join(digest, "edge-1", labels: ["zone": "a"])
        }
        clock.now -= 1
        let node = try await join(digest, "edge-1", labels: ["zone": "a", "rack": "3"])
        #expect(node.labels == ["zone": "a", "rack": "3"])
        #expect(node.tokenLabels == ["zone": "a"])
        #expect(try await store.nodes() == [node])
        #expect(try await store.revokeToken(stored.id, note: note))
        #expect(try await store.node("edge-1") != nil)

        let (second, revoked) = try await token()
        #expect(try await store.revokeToken(revoked.id, note: note))
        #expect(try await store.revokeToken(revoked.id, note: note))
        #expect(try await !store.revokeToken("none", note: note))
        await #expect(throws: StoreError.tokenRevoked) { try await join(second, "edge-2") }
        let actions = try await store.audit(before: nil, limit: 100).map(\.action)
        #expect(actions.filter { $0 == "token.revoke" }.count == 2)
    }

    @Test("a taken name is refused, and the token stays good")
    func takenName() async throws {
        try await join(try await token().0, "edge-1")
        let (digest, _) = try await token()
        await #expect(throws: StoreError.nodeNameTaken) { try await join(digest, "edge-1") }
        try await join(digest, "edge-2")
        #expect(try await store.nodes().map(\.name) == ["edge-1", "edge-2"])
    }

    @Test("a node whose answer was lost joins again with its key, and nobody else does")
    func lostAnswer() async throws {
        let (digest, _) = try await token()
        let key = try freshDigest()
        let first = try await join(digest, "edge-1", certificate(key: key))
        let second = try await join(digest, "edge-1", certificate(key: key))
        #expect(first.id == second.id)
        #expect(first.fingerprint != second.fingerprint)
        let other = try certificate()
        await #expect(throws: StoreError.tokenUsed) { try await join(digest, "edge-1", other) }
        let sameKey = try certificate(key: key)
        await #expect(throws: StoreError.tokenUsed) { try await join(digest, "edge-2", sameKey) }
        try await store.remove(node: "edge-1", note: note)
        await #expect(throws: StoreError.tokenUsed) { try await join(digest, "edge-1", sameKey) }
    }

    @Test("drained and undrained survive, and are audited when they change something")
    func drain() async throws {
        try await join(try await token().0, "edge-1")
        try await store.setDraining(true, node: "edge-1", note: note)
        try await store.setDraining(true, node: "edge-1", note: note)
        #expect(try await store.node("edge-1")?.isDraining == true)
        try await store.setDraining(false, node: "edge-1", note: note)
        #expect(try await store.node("edge-1")?.isDraining == false)
        await #expect(throws: StoreError.nodeUnknown("edge-9")) {
            try await store.setDraining(true, node: "edge-9", note: note)
        }
        let actions = try await store.audit(before: nil, limit: 2).map(\.action)
        #expect(actions == ["node.undrain", "node.drain"])
    }

    @Test("a revoked node keeps its name and loses all its certificates")
    func revoke() async throws {
        let first = try certificate()
        let second = try certificate()
        try await join(try await token().0, "edge-1", first)
        try await store.renewed(node: "edge-1", certificate: second)
        #expect(try await store.node("edge-1")?.fingerprint == second.fingerprint)
        #expect(try await store.revokedCertificates().isEmpty)
        try await store.revoke(node: "edge-1", note: note)
        try await store.revoke(node: "edge-1", note: note)
        #expect(try await store.node("edge-1")?.isRevoked == true)
        let revoked = try await store.revokedCertificates()
        #expect(revoked == [first.fingerprint, second.fingerprint])
        #expect(try await store.isRevoked(certificate: first.fingerprint))
        let third = try certificate()
        await #expect(throws: StoreError.nodeRevoked("edge-1")) {
            try await store.renewed(node: "edge-1", certificate: third)
        }
        await #expect(throws: StoreError.nodeRevoked("edge-1")) {
            try await store.setDraining(true, node: "edge-1", note: note)
        }
        let (digest, _) = try await token()
        await #expect(throws: StoreError.nodeNameTaken) { try await join(digest, "edge-1") }
    }

    @Test("a removed node frees its name, and its certificates stay refused until they end")
    func remove() async throws {
        let old = try certificate(notAfterSeconds: clock.now / 1000 + 86_400)
        try await join(try await token().0, "edge-1", old)
        try await store.remove(node: "edge-1", note: note)
        #expect(try await store.nodes().isEmpty)
        #expect(try await store.isRevoked(certificate: old.fingerprint))
        let new = try certificate(notAfterSeconds: clock.now / 1000 + 7 * 86_400)
        try await join(try await token().0, "edge-1", new)
        #expect(try await !store.isRevoked(certificate: new.fingerprint))
        #expect(try await store.revokedCertificates() == [old.fingerprint])
        // A clock that runs behind ours still takes the certificate for a while.
        clock.now += 86_400_000 + StoreLimits.endedCertificateSeconds * 1000
        try await join(try await token().0, "edge-3")
        #expect(try await store.isRevoked(certificate: old.fingerprint))
        #expect(try await store.revokedCertificates() == [old.fingerprint])
        clock.now += 1_000
        try await join(try await token().0, "edge-4")
        #expect(try await !store.isRevoked(certificate: old.fingerprint))
        #expect(try await store.revokedCertificates().isEmpty)
        await #expect(throws: StoreError.nodeUnknown("edge-2")) {
            try await store.remove(node: "edge-2", note: note)
        }
    }

    @Test("the moment of being seen only goes forward")
    func seen() async throws {
        try await join(try await token().0, "edge-1")
        try await store.noteSeen(["edge-1": 500, "edge-9": 7])
        try await store.noteSeen(["edge-1": 400])
        #expect(try await store.node("edge-1")?.seenMilliseconds == 500)
    }
}
