import Authority
import ControlStore
import Cryptography
import FleetMessages
import FleetModel
import Foundation
import Testing

@testable import FleetProtocol
@testable import FleetServer

/// The real store and authority behind the fleet's server, in a directory of their own.
@Suite("The store and the authority as the fleet's server sees them")
final class StoredFleetTests {
    let path: String
    let store: SQLiteConfigStore
    let authority: Authority
    let stored: StoredFleet

    init() async throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-fleet-\(UUID().uuidString)"
        store = try SQLiteConfigStore(StoreDirectory(path))
        authority = try await Authority(store: store)
        stored = StoredFleet(store: store, authority: authority)
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    private func request(
        _ token: String,
        _ name: String = "edge-1",
        labels: [String: String] = [:],
        key: P256PrivateKey? = nil
    ) throws -> WireJoin {
        var join = WireJoin()
        join.token = token
        join.name = name
        join.labels = labels
        let key = try key ?? P256PrivateKey()
        join.certificateRequest = wireOctets(try key.certificateSigningRequest(commonName: name))
        return join
    }

    private func token(_ labels: [String: String] = [:]) async throws -> String {
        try await authority.createToken(secondsToLive: 60, labels: labels, note: note).text
    }

    private func refusal(_ join: WireJoin) async throws -> JoinError? {
        do {
            _ = try await stored.join(join)
            return nil
        } catch let error as JoinError {
            return error
        }
    }

    @Test("a node that joins is told all that it keeps, and is known by its certificate")
    func joins() async throws {
        let labels = ["site": "ams", "rack": "1"]
        let token = try await token(["site": "ams"])
        let (record, accepted) = try await stored.join(try request(token, labels: labels))
        #expect(octets(accepted.clusterID) == authority.clusterID)
        #expect(octets(accepted.signingKey) == authority.manifestKey.rawOctets)
        #expect(record.labels == labels && record.tokenLabels == ["site": "ams"])
        let leaf = octets(accepted.certificateChain[0])
        let identity = try await stored.identify(certificate: leaf)
        #expect(identity == .member(record, notAfterSeconds: accepted.notAfterUnixSeconds))
        #expect(try await stored.nodes() == [record])
    }

    @Test("each refusal of a join has its reason")
    func refusals() async throws {
        let token = try await token(["site": "ams"])
        #expect(try await refusal(try request("nonsense"))?.reason == .tokenUnknown)
        #expect(try await refusal(try request(token))?.reason == .labelsMissing)
        #expect(try await refusal(try request(token, "-"))?.reason == .nameInvalid)
        let labels = ["site": "ams"]
        #expect(try await refusal(try request(token, labels: labels)) == nil)
        let used = try await refusal(try request(token, "edge-2", labels: labels))
        #expect(used?.reason == .tokenUsed)
        let taken = try await refusal(try request(try await self.token()))
        #expect(taken?.reason == .nameTaken)
    }

    @Test("a revoked node that repeats its join is refused for good, and told what to do")
    func revoked() async throws {
        let token = try await token()
        let key = try P256PrivateKey()
        #expect(try await refusal(try request(token, key: key)) == nil)
        try await stored.revoke(node: "edge-1", note: note)
        let refusal = try await refusal(try request(token, key: key))
        #expect(refusal?.reason == .nameTaken)
        #expect(refusal?.detail.contains("was revoked") == true)
        #expect(refusal?.detail.contains("removed") == true)
    }

    @Test("a renewal of a revoked node is refused with words, one of an unknown node is a failure")
    func renewals() async throws {
        let (_, accepted) = try await stored.join(try request(try await token()))
        let next = octets(try request("").certificateRequest)
        let renewed = try await stored.renew(node: "edge-1", certificateRequest: next)
        #expect(renewed.refusal.isEmpty)
        #expect(renewed.notAfterUnixSeconds >= accepted.notAfterUnixSeconds)
        try await stored.revoke(node: "edge-1", note: note)
        let refused = try await stored.renew(node: "edge-1", certificateRequest: next)
        #expect(refused.refusal.contains("revoked"))
        await #expect(throws: AuthorityError.self) {
            try await self.stored.renew(node: "edge-2", certificateRequest: next)
        }
    }
}
