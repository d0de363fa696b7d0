import FleetModel
import FleetProtocol
import NodeAgent
import Synchronization

/// What all nodes of the process know together, so that what is the same for all is checked once.
///
/// A version is some milliseconds of hashing for a node that has a machine of its own. A thousand nodes on one
/// processor would measure that, and not the control plane. So the first node that is sent a manifest works it
/// out and checks it, and the others take it over by its digest; contents are checked by each and thrown away.
final class SharedContents {
    /// Manifests that were checked, oldest first.
    private(set) var manifests: [Manifest] = []
    /// Whether a node that serves nothing is given what another one serves.
    var givesContents = false
    private var lacking: [Step: [Digest]] = [:]

    private struct Step: Hashable {
        let from: Digest?
        let to: Digest
    }

    /// Keeps a manifest.
    ///
    /// - Returns: Whether it is new.
    func keep(_ manifest: Manifest) -> Bool {
        guard !manifests.contains(where: { $0.digest == manifest.digest }) else { return false }
        if manifests.count == Limits.sharedManifestCountMax { manifests.removeFirst() }
        manifests.append(manifest)
        lacking = lacking.filter { step, _ in
            manifests.contains { $0.digest == step.from ?? step.to }
        }
        return true
    }

    /// A node serves a version: all of its contents have been sent.
    func served(_ manifest: Manifest) {
        if givesContents { lacking[Step(from: nil, to: manifest.digest)] = [] }
    }

    /// The contents that a node lacks which serves `active`.
    func missing(of version: SignedManifest, over active: Manifest?) -> [Digest] {
        let step = Step(from: active?.digest, to: version.manifest.digest)
        if let known = lacking[step] { return known }
        let held = Set(active?.entries.map(\.digest) ?? [])
        let missing = version.contentDigests.filter { !held.contains($0) }
        lacking[step] = missing
        return missing
    }
}

/// Verifies the cluster's signatures, the one verified last without doing it again.
final class SignatureCheck: Sendable {
    private struct Signed: Equatable {
        let octets: [UInt8]
        let signature: [UInt8]
    }

    private let last = Mutex<Signed?>(nil)

    /// Whether the signature is that of the member's cluster, which the octets name.
    func isSigned(_ octets: [UInt8], _ signature: [UInt8], for member: Membership) -> Bool {
        let signed = Signed(octets: octets, signature: signature)
        if last.withLock({ $0 == signed }) { return true }
        guard member.isSigned(octets, signature) else { return false }
        last.withLock { $0 = signed }
        return true
    }
}
