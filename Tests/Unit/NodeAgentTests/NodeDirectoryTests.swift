import Cryptography
import FleetModel
import FleetProtocol
@testable import NodeAgent
import SnapshotCompiler
import SystemCalls
import TLSLibrary
import Testing

/// A directory of its own that is gone at the end of the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = "/tmp/weir-node-test-\(processID())-\(randomNumber())"
        try makeDirectory(path)
    }

    deinit {
        for name in [
            "node.pem", "join.key", "last-good", "last-good.1", "draining", "lock", "adjustments",
        ] {
            try? removeFile("\(path)/\(name)")
        }
        try? removeDirectory(path)
    }
}

/// A cluster's signing key, and the membership of a node in it.
struct Cluster {
    let key = try? Ed25519PrivateKey()
    let membership: Membership

    init() throws {
        let facts = [UInt8](repeating: 7, count: 16) + [UInt8](repeating: 8, count: 32)
        let signing = try #require(key).publicKey.rawOctets
        let node = try P256PrivateKey()
        let text =
            PEM.encode(facts + signing + Array("edge-1".utf8), label: "WEIR CLUSTER")
            + PEM.encode([1, 2, 3], label: "CERTIFICATE") + node.pem
        membership = try Membership(pem: text)
    }

    /// A signed version with one route whose body is `body`.
    func version(_ number: UInt64, body: String) throws -> SnapshotFile {
        let configuration = try Configuration(
            json: #"{"routes": [{"name": "a", "respond": {"status": 200, "body": "\#(body)"}}]}"#
        )
        let plain = SnapshotFile(configuration)
        let signed = SignedHead.signedOctets(
            clusterID: membership.clusterID,
            epoch: 1,
            version: number,
            digest: plain.manifest.digest
        )
        let signature = try #require(key).sign(signed)
        let file = SnapshotFile(
            clusterID: membership.clusterID,
            epoch: 1,
            version: number,
            signature: signature,
            manifest: plain.manifest,
            contents: plain.contents
        )
        return try #require(file)
    }
}

@Suite("NodeDirectory")
struct NodeDirectoryTests {
    @Test("A membership is read back as it was written, with its key and without")
    func keepsMembership() throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        #expect(try directory.readMembership() == nil)
        let membership = try Cluster().membership
        try directory.write(membership)
        let read = try #require(try directory.readMembership())
        #expect(read.pem == membership.pem && read.name == "edge-1")
        #expect(read.identity?.chain == [[1, 2, 3]])
        // While the cluster changes to another CA, both are believed.
        let authorities = [[UInt8](repeating: 8, count: 32), [UInt8](repeating: 9, count: 32)]
        try directory.write(membership.trusting(authorities))
        let both = try #require(try directory.readMembership())
        #expect(both.authorityFingerprints == authorities && both.name == "edge-1")
        #expect(
            both.renewed(TLSIdentity(chain: [[4]], privateKey: [5])).authorityFingerprints
                == authorities
        )
        #expect(both.issuerFingerprint == sha256([1, 2, 3]))
        let last = both.trusting([authorities[1]])
        #expect(last.authorityFingerprints == [authorities[1]])
        #expect(!last.pem.contains("WEIR AUTHORITIES"))
        #expect(try Membership(pem: last.pem).authorityFingerprints == [authorities[1]])
        let labels = ["region": "eu", "a=b": "", "c": "x y"]
        let labelled = membership.labelled(labels.merging(["nul": "\0"]) { one, _ in one })
        #expect(try Membership(pem: labelled.pem).labels == labels)
        #expect(try Membership(pem: labelled.revoked.pem).labels == labels)
        try directory.write(membership.revoked)
        let revoked = try #require(try directory.readMembership())
        #expect(revoked.identity == nil && revoked.name == "edge-1")
        #expect(revoked.signingKey == membership.signingKey)
    }

    @Test("The key of a join is stored before it is used, and stays the same until it is forgotten")
    func keepsJoinKey() throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        let key = try directory.joinKey()
        #expect(try filePermissions("\(folder.path)/join.key") == 0o600)
        #expect(try directory.joinKey().der == key.der)
        let membership = try Cluster().membership
        #expect(!directory.isJoinKeyStored(in: membership))
        let identity = TLSIdentity(chain: [[1]], privateKey: key.der)
        #expect(directory.isJoinKeyStored(in: membership.renewed(identity)))
        try directory.eraseJoinKey()
        #expect(!directory.isJoinKeyStored(in: membership.renewed(identity)))
        #expect(try directory.joinKey().der != key.der)
        // What is no key is replaced by one.
        try replaceFile("\(folder.path)/join.key", with: Array("rubbish".utf8).span)
        _ = try directory.joinKey()
        #expect(try directory.joinKey().der == directory.joinKey().der)
    }

    @Test(
        "A damaged identity is an error that names the file and the remedy",
        arguments: [
            "", "rubbish", "-----BEGIN WEIR CLUSTER-----\nAAAA\n-----END WEIR CLUSTER-----",
        ]
    )
    func refusesDamagedMembership(text: String) throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        try replaceFile("\(folder.path)/node.pem", with: Array(text.utf8).span)
        let error = #expect(throws: NodeError.self) { try directory.readMembership() }
        #expect(error?.description.contains("node.pem") == true)
        #expect(error?.description.contains("token") == true)
    }

    @Test("A second process cannot have the directory")
    func locks() throws {
        let folder = try TemporaryDirectory()
        let first = try NodeDirectory(folder.path)
        let error = #expect(throws: NodeError.self) { try NodeDirectory(folder.path) }
        #expect(error?.description.contains(folder.path) == true)
        #expect(!first.isDraining)
    }

    @Test("The operator's wish to drain outlives the process")
    func keepsDrain() throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        try directory.setDraining(true)
        #expect(directory.isDraining)
        try directory.setDraining(false)
        try directory.setDraining(false)
        #expect(!directory.isDraining)
    }

    @Test("The newest version that is whole and signed is loaded, and the one before in its place")
    func keepsTwoGenerations() throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        let cluster = try Cluster()
        func load() -> (version: UInt64?, isNewest: Bool?, faults: Int) {
            var faults = 0
            let kept = directory.loadLastGood(cluster.membership) { _, _ in faults += 1 }
            return (kept?.file.version, kept?.isNewest, faults)
        }
        #expect(load() == (nil, nil, 0))
        try directory.storeLastGood(try cluster.version(1, body: "one"), keepsNewest: false)
        try directory.storeLastGood(try cluster.version(2, body: "two"), keepsNewest: true)
        #expect(load() == (2, true, 0))
        try replaceFile("\(folder.path)/last-good", with: [1, 2, 3].span)
        #expect(load() == (1, false, 1))
        // The damaged one is not what the next version is kept beside.
        try directory.storeLastGood(try cluster.version(3, body: "three"), keepsNewest: false)
        #expect(load() == (3, true, 0))
        try removeFile("\(folder.path)/last-good")
        #expect(load() == (1, false, 0))
    }

    @Test("A version of another cluster, or of nobody, is not served")
    func refusesForeignVersions() throws {
        let folder = try TemporaryDirectory()
        let directory = try NodeDirectory(folder.path)
        let cluster = try Cluster()
        let stranger = try Cluster()
        try directory.storeLastGood(try stranger.version(1, body: "theirs"), keepsNewest: false)
        var reasons: [String] = []
        #expect(directory.loadLastGood(cluster.membership) { reasons.append($1) } == nil)
        let unsigned = SnapshotFile(try Configuration(json: "{}"))
        try directory.storeLastGood(unsigned, keepsNewest: false)
        #expect(directory.loadLastGood(cluster.membership) { reasons.append($1) } == nil)
        #expect(reasons.count == 2 && reasons.allSatisfy { $0.contains("signed") })
    }
}
