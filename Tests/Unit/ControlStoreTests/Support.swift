import Cryptography
import FleetModel
import Foundation
import Testing

@testable import ControlStore

/// A directory of its own for one test, removed with this value.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of a server's directory in it.
    func directory(_ name: String = "data") -> String { "\(path)/\(name)" }

    func open(_ name: String = "data", clock: TestClock = TestClock()) throws -> SQLiteConfigStore {
        try SQLiteConfigStore(StoreDirectory(directory(name)), clock: { clock.now })
    }

    /// Writes a key file anew.
    func writeKey(_ octets: Data, of name: String = "data", mode: Int = 0o600) throws {
        let file = "\(directory(name))/master.key"
        // What was there may be for reading only.
        try? FileManager.default.removeItem(atPath: file)
        try octets.write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
    }

    /// Copies the files as a crash would leave them: the database first, then its WAL.
    func copyAsCrashed(_ name: String, to target: String) throws {
        let manager = FileManager.default
        try manager.createDirectory(atPath: directory(target), withIntermediateDirectories: true)
        for file in ["master.key", "weir.db", "weir.db-wal"] {
            let source = "\(directory(name))/\(file)"
            if manager.fileExists(atPath: source) {
                try manager.copyItem(atPath: source, toPath: "\(directory(target))/\(file)")
            }
        }
    }
}

/// A clock that a test sets; its tests do so between calls only.
final class TestClock: Sendable {
    private let moment: LockedValue

    init(_ now: Int64 = 1_800_000_000_000) {
        moment = LockedValue(now)
    }

    var now: Int64 {
        get { moment.value }
        set { moment.value = newValue }
    }
}

/// A number behind a lock.
final class LockedValue: @unchecked Sendable {
    private let lock = NSLock()
    private var stored: Int64

    init(_ value: Int64) { stored = value }

    var value: Int64 {
        get { lock.withLock { stored } }
        set { lock.withLock { stored = newValue } }
    }
}

/// Signs with a key of its own, over the numbers in front of the digest.
struct TestSigner: ManifestSigner {
    let key: Ed25519PrivateKey

    init() throws { key = try Ed25519PrivateKey() }

    static func octets(
        _ clusterID: [UInt8],
        _ epoch: UInt64,
        _ version: UInt64,
        _ digest: FleetModel.Digest
    ) -> [UInt8] {
        clusterID + Array("\(epoch) \(version) ".utf8) + digest.octets
    }

    func sign(
        clusterID: [UInt8],
        epoch: UInt64,
        version: UInt64,
        digest: FleetModel.Digest
    ) throws -> [UInt8] {
        try key.sign(Self.octets(clusterID, epoch, version, digest))
    }

    func verifies(_ version: StoredVersion, _ clusterID: [UInt8]) -> Bool {
        key.publicKey.verify(
            version.signature,
            of: Self.octets(clusterID, version.epoch, version.number, version.digest)
        )
    }
}

let note = ChangeNote(author: "ops", message: "because", requestID: "r-1")

/// A configuration of so many routes, with one that differs by `variant`.
func makeResources(_ variant: Int, routeCount: Int = 3) -> [Resource] {
    let upstream = Resource(
        kind: .upstream,
        name: "app",
        content: Array(#"{"name":"app","variant":\#(variant)}"#.utf8)
    )
    let routes = (0..<routeCount).map { index in
        Resource(kind: .route, name: "r\(index)", content: Array(#"{"name":"r\#(index)"}"#.utf8))
    }
    return [upstream] + routes
}

func makeManifest(_ resources: [Resource]) throws -> Manifest {
    try Manifest(entries: resources.map(\.entry))
}

extension SQLiteConfigStore {
    /// Applies the configuration of `makeResources(variant)`.
    @discardableResult
    func apply(
        variant: Int,
        expected: UInt64? = nil,
        signer: TestSigner
    ) async throws -> ApplyOutcome {
        let resources = makeResources(variant)
        return try await apply(
            try makeManifest(resources),
            resources: resources,
            expected: expected,
            note: note,
            signer: signer
        )
    }
}

/// A digest that nothing else has.
func freshDigest() throws -> FleetModel.Digest {
    try #require(Digest(octets: randomBytes(32)))
}

func certificate(
    notAfterSeconds: Int64 = 1_900_000_000,
    key: FleetModel.Digest? = nil
) throws -> StoredCertificate {
    StoredCertificate(
        fingerprint: try freshDigest(),
        serial: randomBytes(20),
        notAfterSeconds: notAfterSeconds,
        publicKeyDigest: try key ?? freshDigest()
    )
}
