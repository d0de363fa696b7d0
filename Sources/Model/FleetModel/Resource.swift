/// One named piece of a configuration, as it is stored and sent: a blob and its identity.
package struct Resource: Hashable, Sendable {
    /// What it is.
    package let kind: ResourceKind
    /// Its name; the kind's own word for a singleton.
    package let name: String
    /// SHA-256 of `content`.
    package let digest: Digest
    /// Canonical JSON: the fields that were set, normalised by type, keys sorted by octets, no
    /// white space.
    package let content: [UInt8]

    /// Names content and computes its digest.
    package init(kind: ResourceKind, name: String, content: [UInt8]) {
        (self.kind, self.name, self.content) = (kind, name, content)
        digest = Digest(hashing: content)
    }

    /// Its line of a manifest.
    package var entry: ManifestEntry { ManifestEntry(kind: kind, name: name, digest: digest) }
}
