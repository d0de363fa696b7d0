import ControlStore
import Cryptography
import FleetModel
import Testing

@testable import Authority

@Suite("Whom a client certificate names")
struct IdentityTests {
    let scratch: Scratch
    let store: SQLiteConfigStore
    let authority: Authority

    init() async throws {
        scratch = try Scratch()
        (store, authority) = try await scratch.open()
    }

    /// Why a certificate is nobody's; fails if it is somebody's.
    private func reason(_ der: [UInt8]) async throws -> String {
        guard case .unknown(let reason) = try await authority.identify(certificate: der) else {
            Issue.record("the certificate names somebody")
            return ""
        }
        return reason
    }

    @Test("a member is known by its certificate, and by the ones before it until they end")
    func member() async throws {
        let membership = try await authority.join("edge-1", labels: ["site": "ams"])
        let first = membership.chain[0]
        let second = try await authority.renew(node: "edge-1", request: makeRequest("edge-1"))[0]
        for der in [first, second] {
            guard case .member(let node, _) = try await authority.identify(certificate: der) else {
                Issue.record("not a member")
                return
            }
            #expect(node.name == "edge-1" && node.labels == ["site": "ams"])
        }
        guard case .member(_, let end) = try await authority.identify(certificate: first) else {
            return
        }
        #expect(end == (try Certificate(der: first).notAfterSeconds))
    }

    @Test("a certificate is good in its last second and expired after it")
    func expired() async throws {
        let membership = try await authority.join("edge-1")
        let der = membership.chain[0]
        let end = try Certificate(der: der).notAfterSeconds
        scratch.clock.now = end * 1_000 + 999
        let identity = try await authority.identify(certificate: der)
        #expect(identity == .member(membership.node, notAfterSeconds: end))
        scratch.clock.now += 1
        #expect(try await reason(der).contains("expired"))
    }

    @Test("a revoked node is told so")
    func revoked() async throws {
        let der = try await authority.join("edge-1").chain[0]
        try await store.revoke(node: "edge-1", note: note)
        #expect(try await authority.identify(certificate: der) == .revoked(name: "edge-1"))
    }

    @Test("a removed node is unknown, even when another node has joined under its name")
    func removed() async throws {
        let der = try await authority.join("edge-1").chain[0]
        try await store.remove(node: "edge-1", note: note)
        #expect(try await reason(der).contains("removed"))
        let other = try await authority.join("edge-1")
        #expect(try await reason(der).contains("removed"))
        guard
            case .member(let node, _) = try await authority.identify(certificate: other.chain[0])
        else {
            Issue.record("not a member")
            return
        }
        #expect(node == other.node)
    }

    @Test("a node of another cluster, a server's certificate and octets that are none are unknown")
    func others() async throws {
        let (_, stranger) = try await scratch.open("other")
        let der = try await stranger.join("edge-1").chain[0]
        try await authority.join("edge-1")
        #expect(try await reason(der).contains("cluster"))
        let server = try authority.fleetServerIdentity().chain[0]
        #expect(try await reason(server).contains("not one of a node"))
        #expect(try await reason([1, 2, 3]).contains("malformed"))
    }
}
