import ControlStore
import FleetMessages
import FleetModel
import FleetProtocol
import FleetServer
import Synchronization

/// Versions and contents in memory, and a count of what was read.
final class MemoryStore: FleetStore {
    struct State: Sendable {
        var versions: [SignedManifest] = []
        var contents: [Digest: [UInt8]] = [:]
        var readings: [[Digest]] = []
        var manifestReadings = 0
        var material: [Digest: WireMaterial] = [:]
        var calls: [String] = []
        var isBroken = false
        var adjustments = StoredAdjustments(generation: 1, entries: [])
    }

    struct Broken: Error {}

    let state = Mutex(State())

    var clusterID: [UInt8] { FleetServerTests.clusterID }

    /// Makes a version the head, without telling the fleet.
    func commit(_ version: SignedManifest) {
        state.withLock { $0.versions.append(version) }
    }

    /// Stores contents and returns their digests.
    @discardableResult
    func keep(_ contents: [[UInt8]]) -> [Digest] {
        contents.map { octets in
            let digest = Digest(hashing: octets)
            state.withLock { $0.contents[digest] = octets }
            return digest
        }
    }

    func head() async throws -> SignedManifest? {
        try state.withLock { state in
            if state.isBroken { throw Broken() }
            return state.versions.last
        }
    }

    func version(_ number: UInt64) async throws -> SignedManifest? {
        state.withLock { $0.versions.first { $0.head.version == number } }
    }

    func manifest(_ digest: Digest) async throws -> Manifest? {
        state.withLock { state in
            state.manifestReadings += 1
            return state.versions.first { $0.head.digest == digest }?.manifest
        }
    }

    func leadingBlobs(_ digests: [Digest], bytesMax: Int) async throws -> [[UInt8]] {
        try state.withLock { state in
            if state.isBroken { throw Broken() }
            state.readings.append(digests)
            var byteCount = 0
            var found: [[UInt8]] = []
            for digest in digests where byteCount < bytesMax {
                guard let octets = state.contents[digest] else { break }
                found.append(octets)
                byteCount += octets.count
            }
            return found
        }
    }

    func material(_ digest: Digest) async throws -> WireMaterial? {
        try state.withLock { state in
            if state.isBroken { throw Broken() }
            return state.material[digest]
        }
    }

    func nodes() async throws -> [NodeRecord] { [] }

    func setDraining(_ isDraining: Bool, node: String, note: ChangeNote) async throws {
        self.note(isDraining ? "drain" : "undrain", node)
    }

    func revoke(node: String, note: ChangeNote) async throws { self.note("revoke", node) }

    func remove(node: String, note: ChangeNote) async throws { self.note("remove", node) }

    func noteSeen(_ moments: [String: Int64]) async throws {
        for name in moments.keys.sorted() { self.note("seen", name) }
    }

    func adjustments() async throws -> StoredAdjustments {
        try state.withLock { state in
            if state.isBroken { throw Broken() }
            return state.adjustments
        }
    }

    func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        isDiscovered: Bool,
        note: ChangeNote
    ) async throws -> StoredAdjustments {
        self.note(isDiscovered ? "adjust discovered" : "adjust", "\(endpoint)")
        return state.withLock { $0.adjustments }
    }

    func endExpiredAdjustments() async throws -> StoredAdjustments {
        self.note("end", "expired")
        return try await adjustments()
    }

    private func note(_ word: String, _ name: String) {
        state.withLock { $0.calls.append("\(word) \(name)") }
    }
}

/// Answers that a test writes.
final class ScriptedIssuer: CertificateIssuer {
    struct State: Sendable {
        var refusal: JoinError?
        /// The generation of nodes that join.
        var generation: UInt8 = 1
        var renewals = 0
        var renewedUntilSeconds: Int64 = 1_900_000_000
    }

    let state = Mutex(State())

    func join(_ request: WireJoin) async throws -> (NodeRecord, WireJoinAccepted) {
        let state = state.withLock { $0 }
        if let refusal = state.refusal { throw refusal }
        var accepted = WireJoinAccepted()
        accepted.clusterID = wireOctets(FleetServerTests.clusterID)
        accepted.signingKey = wireOctets([UInt8](repeating: 1, count: 32))
        accepted.certificateChain = [wireOctets([1])]
        accepted.name = request.name
        return (record(request.name, generation: state.generation), accepted)
    }

    func renew(node: String, certificateRequest: [UInt8]) async throws -> WireRenewed {
        state.withLock { state in
            state.renewals += 1
            var renewed = WireRenewed()
            renewed.certificateChain = [wireOctets([1])]
            renewed.notAfterUnixSeconds = state.renewedUntilSeconds
            return renewed
        }
    }

    func identify(certificate: [UInt8]) async throws -> PeerIdentity {
        .unknown(reason: "scripted")
    }
}
