import ControlStore
import Cryptography
import FleetModel
import FleetProtocol
import Testing

@testable import Authority

@Suite("Keys of the authority")
struct MaterialTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// What must be the same at each start.
    private func identity() async throws -> [[UInt8]] {
        let (_, authority) = try await scratch.open()
        return [authority.clusterID, authority.certificate, authority.manifestKey.rawOctets]
    }

    @Test("the CA, the cluster's identity and the signing key are the same after a restart")
    func stable() async throws {
        let first = try await identity()
        let second = try await identity()
        #expect(first == second)
    }

    @Test("a certificate from before a restart names its node after it")
    func certificateSurvives() async throws {
        let der = try await joined()
        let (_, authority) = try await scratch.open()
        guard case .member(let node, _) = try await authority.identify(certificate: der) else {
            Issue.record("not a member")
            return
        }
        #expect(node.name == "edge-1")
    }

    private func joined() async throws -> [UInt8] {
        let (_, authority) = try await scratch.open()
        return try await authority.join("edge-1").chain[0]
    }

    @Test("two clusters have nothing in common")
    func distinct() async throws {
        let (_, one) = try await scratch.open("one")
        let (_, other) = try await scratch.open("other")
        #expect(one.clusterID != other.clusterID)
        #expect(one.fingerprint != other.fingerprint)
        #expect(one.manifestKey.rawOctets != other.manifestKey.rawOctets)
    }

    @Test("what the authority signs, its public key verifies, for this cluster and version alone")
    func signature() async throws {
        let (_, authority) = try await scratch.open()
        let digest = Digest(hashing: [1, 2, 3])
        let signature = try authority.sign(
            clusterID: authority.clusterID,
            epoch: 1,
            version: 7,
            digest: digest
        )
        func verifies(version: UInt64, clusterID: [UInt8]) -> Bool {
            authority.manifestKey.verify(
                signature,
                of: SignedHead.signedOctets(
                    clusterID: clusterID,
                    epoch: 1,
                    version: version,
                    digest: digest
                )
            )
        }
        #expect(verifies(version: 7, clusterID: authority.clusterID))
        #expect(!verifies(version: 8, clusterID: authority.clusterID))
        #expect(!verifies(version: 7, clusterID: [UInt8](repeating: 0, count: 16)))
    }

    @Test("the fleet address has the name control.weir alone; no node's certificate has a name")
    func serverNames() async throws {
        let (_, authority) = try await scratch.open()
        let fleet = try Certificate(der: try authority.fleetServerIdentity().chain[0])
        #expect(fleet.dnsNames == ["control.weir"])
        #expect(fleet.uris.isEmpty && fleet.addresses.isEmpty)
        let admin = try Certificate(
            der: try authority.adminServerIdentity(hosts: ["admin.example", "10.0.0.9"]).chain[0]
        )
        #expect(admin.dnsNames.contains("localhost") && admin.dnsNames.contains("admin.example"))
        #expect(!admin.dnsNames.contains("control.weir"))
        #expect(admin.addresses.contains([10, 0, 0, 9]))
    }
}
