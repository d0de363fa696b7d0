import FleetModel
import Synchronization

/// The manifests that were read or stored last, so that they are decoded and hashed once.
///
/// A manifest is known by its digest and never changes, so what is here cannot be out of date. A change reads its
/// base's manifest several times: to store what is new, to tell the difference, and to encode it for nodes.
final class ManifestCache: Sendable {
    /// Oldest first.
    private let newest = Mutex<[Manifest]>([])

    /// The manifest with this digest, if it is here.
    func manifest(_ digest: Digest) -> Manifest? {
        newest.withLock { newest in newest.last { $0.digest == digest } }
    }

    /// Keeps a manifest that is stored, in place of the oldest.
    func keep(_ manifest: Manifest) {
        newest.withLock { newest in
            newest.removeAll { $0.digest == manifest.digest }
            if newest.count == StoreLimits.cachedManifestsMax { newest.removeFirst() }
            newest.append(manifest)
        }
    }
}
