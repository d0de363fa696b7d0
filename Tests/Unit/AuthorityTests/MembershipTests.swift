import ControlStore
import Cryptography
import FleetModel
import FleetProtocol
import Testing

@testable import Authority

@Suite("Joining and renewing")
struct MembershipTests {
    let scratch: Scratch
    let store: SQLiteConfigStore
    let authority: Authority

    init() async throws {
        scratch = try Scratch()
        (store, authority) = try await scratch.open()
    }

    /// The error of a join.
    private func refusal(
        _ token: String,
        _ name: String = "edge-1",
        labels: [String: String] = [:],
        request: [UInt8]? = nil
    ) async throws -> AuthorityError? {
        let request = try request ?? makeRequest(name)
        do {
            _ = try await authority.join(
                tokenText: token,
                name: name,
                labels: labels,
                request: request
            )
            return nil
        } catch {
            return error
        }
    }

    @Test("a node is given a certificate for clients alone, for its key, for a day")
    func certificate() async throws {
        let key = try P256PrivateKey()
        let membership = try await authority.join(
            tokenText: try await authority.token(),
            name: "edge-1",
            labels: ["site": "ams"],
            request: try makeRequest("another-name", key: key)
        )
        #expect(membership.chain.count == 2)
        #expect(membership.chain[1] == authority.certificate)
        let leaf = try Certificate(der: membership.chain[0])
        #expect(leaf.commonName == "edge-1")
        #expect(leaf.uris == [authority.nodeURI("edge-1")])
        #expect(leaf.dnsNames.isEmpty && leaf.addresses.isEmpty)
        #expect(leaf.notAfterSeconds == scratch.clock.now / 1000 + 86_400)
        #expect(leaf.notBeforeSeconds == scratch.clock.now / 1000 - 300)
        #expect(membership.node.notAfterSeconds == leaf.notAfterSeconds)
        #expect(membership.node.labels == ["site": "ams"])
    }

    @Test("a token is used once, within its time, unless it is revoked")
    func tokenLife() async throws {
        let token = try await authority.token(seconds: 60)
        #expect(try await refusal(token) == nil)
        #expect(try await refusal(token, "edge-2") == .store(.tokenUsed))
        let late = try await authority.token(seconds: 60)
        scratch.clock.now += 60_001
        #expect(try await refusal(late, "edge-2") == .store(.tokenExpired))
        let made = try await authority.createToken(secondsToLive: 60, labels: [:], note: note)
        #expect(try await store.revokeToken(made.stored.id, note: note))
        #expect(try await refusal(made.text, "edge-2") == .store(.tokenRevoked))
        #expect(try await store.nodes().map(\.name) == ["edge-1"])
    }

    @Test("a token lives between a second and 30 days")
    func tokenLifetime() async throws {
        for seconds in [Int64.min, -1, 0, AuthorityLimits.tokenSecondsMax + 1, .max] {
            await #expect(throws: AuthorityError.tokenLifetimeInvalid) {
                try await authority.createToken(secondsToLive: seconds, labels: [:], note: note)
            }
        }
        _ = try await authority.token(seconds: 1)
        _ = try await authority.token(seconds: AuthorityLimits.tokenSecondsMax)
    }

    @Test("a token asks for no more labels, and no longer ones, than a node can say that it has")
    func tokenLabels() async throws {
        let longest = String(repeating: "x", count: Limits.labelBytesMax)
        let most = (0..<Limits.labelCountMax).map { ("label-\($0)", longest) }
        _ = try await authority.token(labels: Dictionary(uniqueKeysWithValues: most))
        _ = try await authority.token(labels: [longest: ""])
        let tooMany = Dictionary(uniqueKeysWithValues: most + [("one-more", "")])
        for labels in [tooMany, [longest + "x": ""], ["a": longest + "x"], ["": "a"]] {
            await #expect(throws: AuthorityError.labelsInvalid) {
                try await authority.token(labels: labels)
            }
        }
        let request = [UInt8](repeating: 0, count: Limits.certificateBytesMax + 1)
        let token = try await authority.token()
        #expect(try await refusal(token, request: request) == .requestInvalid)
    }

    @Test("each refusal says why, and does not use the token up")
    func refusals() async throws {
        let token = try await authority.token(labels: ["site": "ams"])
        let labels = ["site": "ams"]
        #expect(try await refusal("weir1.x.y") == .tokenMalformed)
        let (_, stranger) = try await scratch.open("other")
        #expect(try await refusal(try await stranger.token()) == .tokenOfAnotherCluster)
        let unknown = JoinToken(authorityFingerprint: authority.fingerprint).text
        #expect(try await refusal(unknown) == .store(.tokenUnknown))
        #expect(try await refusal(token, "-edge", labels: labels) == .nameInvalid)
        #expect(try await refusal(token) == .store(.tokenLabelsMissing))
        #expect(try await refusal(token, labels: ["site": "fra"]) == .store(.tokenLabelsMissing))
        #expect(try await refusal(token, labels: labels, request: [1, 2]) == .requestInvalid)
        var forged = try makeRequest("edge-1")
        forged[forged.count - 1] ^= 1
        let error = try await refusal(token, labels: labels, request: forged)
        #expect(error == .requestSignatureInvalid || error == .requestInvalid)
        try await authority.join("edge-0")
        #expect(try await refusal(token, "edge-0", labels: labels) == .store(.nodeNameTaken))
        #expect(try await refusal(token, labels: labels) == nil)
    }

    @Test("a node whose answer was lost joins again with its token and its key")
    func repeated() async throws {
        let token = try await authority.token()
        let key = try P256PrivateKey()
        #expect(try await refusal(token, request: makeRequest("edge-1", key: key)) == nil)
        #expect(try await refusal(token, request: makeRequest("edge-1", key: key)) == nil)
        #expect(try await refusal(token) == .store(.tokenUsed))
        try await store.revoke(node: "edge-1", note: note)
        #expect(
            try await refusal(token, request: makeRequest("edge-1", key: key))
                == .store(.nodeRevoked("edge-1"))
        )
    }

    @Test("a member's certificate is renewed for its new key; a revoked or unknown node's is not")
    func renew() async throws {
        try await authority.join("edge-1")
        scratch.clock.now += 43_200_000
        let chain = try await authority.renew(node: "edge-1", request: makeRequest("edge-1"))
        let leaf = try Certificate(der: chain[0])
        #expect(leaf.commonName == "edge-1")
        #expect(leaf.notAfterSeconds == scratch.clock.now / 1000 + 86_400)
        #expect(try await store.node("edge-1")?.notAfterSeconds == leaf.notAfterSeconds)
        await #expect(throws: AuthorityError.requestInvalid) {
            try await authority.renew(node: "edge-1", request: [])
        }
        await #expect(throws: AuthorityError.store(.nodeUnknown("edge-2"))) {
            try await authority.renew(node: "edge-2", request: makeRequest("edge-2"))
        }
        try await store.revoke(node: "edge-1", note: note)
        await #expect(throws: AuthorityError.store(.nodeRevoked("edge-1"))) {
            try await authority.renew(node: "edge-1", request: makeRequest("edge-1"))
        }
    }
}
