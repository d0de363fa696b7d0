package import FleetMessages
package import FleetModel

/// A version's identity as the control plane signed it.
package struct SignedHead: Hashable, Sendable {
    /// Rises when a store is restored from a backup; before the version in any comparison.
    package let epoch: UInt64
    package let version: UInt64
    /// The manifest's digest.
    package let digest: Digest
    /// Ed25519, 64 octets.
    package let signature: [UInt8]

    package init(epoch: UInt64, version: UInt64, digest: Digest, signature: [UInt8]) {
        (self.epoch, self.version) = (epoch, version)
        (self.digest, self.signature) = (digest, signature)
    }

    /// The octets that are signed: purpose, cluster, epoch, version, digest.
    ///
    /// The cluster's 16 octets are there so that a manifest of one cluster means nothing in another.
    package static func signedOctets(
        clusterID: [UInt8],
        epoch: UInt64,
        version: UInt64,
        digest: Digest
    ) -> [UInt8] {
        var octets = Array("weir signed manifest 1\0".utf8)
        octets.append(contentsOf: clusterID)
        octets.appendBigEndian(epoch)
        octets.appendBigEndian(version)
        digest.append(to: &octets)
        return octets
    }

    /// The octets that this head's signature covers in the given cluster.
    package func signedOctets(clusterID: [UInt8]) -> [UInt8] {
        Self.signedOctets(clusterID: clusterID, epoch: epoch, version: version, digest: digest)
    }

    /// Whether this one was made before the other.
    package func isOlder(than other: SignedHead) -> Bool {
        (epoch, version) < (other.epoch, other.version)
    }

    /// Whether both name one version, content and all.
    package func isSame(as other: SignedHead) -> Bool {
        epoch == other.epoch && version == other.version && digest == other.digest
    }
}

/// A version: what it is called and what it consists of.
package struct SignedManifest: Hashable, Sendable {
    package let head: SignedHead
    /// Has the digest that the head names.
    package let manifest: Manifest

    /// - Returns: `nil` if the manifest does not have the head's digest.
    package init?(head: SignedHead, manifest: Manifest) {
        guard manifest.digest == head.digest else { return nil }
        (self.head, self.manifest) = (head, manifest)
    }

    /// The digests of all contents, each once, in manifest order.
    package var contentDigests: [Digest] {
        var seen: Set<Digest> = []
        seen.reserveCapacity(manifest.entries.count)
        return manifest.entries.map(\.digest).filter { seen.insert($0).inserted }
    }
}

/// A version that a node was sent, with the contents that it lacked.
package struct Candidate: Sendable, Equatable {
    package let version: SignedManifest
    /// Octets by digest, each verified.
    package let blobs: [Digest: [UInt8]]

    package init(version: SignedManifest, blobs: [Digest: [UInt8]]) {
        (self.version, self.blobs) = (version, blobs)
    }

    /// What identifies the content.
    package var digest: Digest { version.head.digest }

    /// The same content under another number; `nil` if the head is of other content.
    func renumbered(_ head: SignedHead) -> Candidate? {
        guard let version = SignedManifest(head: head, manifest: version.manifest) else {
            return nil
        }
        return Candidate(version: version, blobs: blobs)
    }
}

/// A version's identity without proof: what a node says that it serves or keeps.
package struct Holding: Hashable, Sendable {
    package let epoch: UInt64
    package let version: UInt64
    package let digest: Digest

    package init(epoch: UInt64, version: UInt64, digest: Digest) {
        (self.epoch, self.version, self.digest) = (epoch, version, digest)
    }

    package init(_ head: SignedHead) {
        self.init(epoch: head.epoch, version: head.version, digest: head.digest)
    }

    /// Reads what was received; `nil` when the node holds nothing.
    package init?(_ message: WireHolding) {
        guard let digest = Digest(octets: octets(message.digest)) else { return nil }
        self.init(epoch: message.epoch, version: message.version, digest: digest)
    }

    /// The message that says so.
    package var message: WireHolding {
        var message = WireHolding()
        message.epoch = epoch
        message.version = version
        message.digest = wireOctets(digest.octets)
        return message
    }
}

extension SignedHead {
    /// Reads a message whose lengths have been checked.
    package init?(_ message: WireHead) {
        guard let digest = Digest(octets: octets(message.digest)) else { return nil }
        self.init(
            epoch: message.epoch,
            version: message.version,
            digest: digest,
            signature: octets(message.signature)
        )
    }

    /// The message that says so.
    package var message: WireHead {
        var message = WireHead()
        message.epoch = epoch
        message.version = version
        message.digest = wireOctets(digest.octets)
        message.signature = wireOctets(signature)
        return message
    }
}
