package import FleetModel

/// Who makes a change, why, and in which request; the audit row of the change.
package struct ChangeNote: Hashable, Sendable {
    /// Who, as authenticated or as told.
    package var author: String
    /// Why, in the author's words; may be empty.
    package var message: String
    /// The request's id, if a request made it.
    package var requestID: String?

    /// Says who and why.
    package init(author: String, message: String = "", requestID: String? = nil) {
        (self.author, self.message, self.requestID) = (author, message, requestID)
    }
}

/// The cluster that a store belongs to.
package struct StoredCluster: Hashable, Sendable {
    /// 16 random octets.
    package let clusterID: [UInt8]
    /// Rises with every restore; before the version in any comparison.
    package let epoch: UInt64
    /// SHA-256 of the admin token; nil before there is one.
    package let adminTokenDigest: [UInt8]?
}

/// A version of the configuration: immutable.
package struct StoredVersion: Hashable, Sendable {
    /// Counts from 1 without gaps.
    package let number: UInt64
    /// The manifest's digest.
    package let digest: Digest
    /// The version that was the head; nil for the first.
    package let parent: UInt64?
    /// Who made it.
    package let author: String
    /// Why.
    package let message: String
    /// When, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// The epoch that the signature covers.
    package let epoch: UInt64
    /// The cluster's Ed25519 signature, 64 octets.
    package let signature: [UInt8]
}

/// What became of an apply or a rollback.
package enum ApplyOutcome: Hashable, Sendable {
    /// A new version.
    case created(StoredVersion)
    /// The head has this content already; no version was made.
    case unchanged(StoredVersion)
    /// The head is not the expected one; nil before the first version.
    case conflict(head: StoredVersion?)
}

/// A certificate that the control plane makes itself: its name, and the digest of its content in versions.
package struct IssuedKey: Hashable, Sendable {
    /// Its name.
    package let name: String
    /// The digest of its resource.
    package let resource: Digest

    /// Joins both.
    package init(name: String, resource: Digest) {
        (self.name, self.resource) = (name, resource)
    }
}

/// Which material such a certificate has.
package struct IssuedMaterial: Hashable, Sendable {
    /// What nodes serve.
    package let serve: Digest
    /// What they hold already, to serve it next.
    package let next: Digest?

    /// Joins both.
    package init(serve: Digest, next: Digest?) {
        (self.serve, self.next) = (serve, next)
    }
}

/// An account at an authority, or an order, as far as it has come.
package struct ACMERecord: Hashable, Sendable {
    /// The vault's digest of its key, while it has one.
    package var secret: Digest?
    /// JSON of the code that orders.
    package var state: String

    /// Joins both.
    package init(secret: Digest?, state: String) {
        (self.secret, self.state) = (secret, state)
    }
}

/// An adjustment of an endpoint, as an operator made it.
package struct StoredAdjustment: Hashable, Sendable {
    /// Of which endpoint.
    package let endpoint: EndpointName
    /// What is wanted.
    package let adjustment: EndpointAdjustment
    /// When it ends by itself, in milliseconds since 1970-01-01 UTC; nil for never.
    package let untilMilliseconds: Int64?
    /// Digest of what the configuration said of the endpoint when it was made.
    package let settings: Digest
    /// Who made it.
    package let author: String
    /// When, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// The version that ended it by changing the endpoint; nil while it is in force.
    package let endedByVersion: UInt64?

    /// Joins its parts.
    package init(
        endpoint: EndpointName,
        adjustment: EndpointAdjustment,
        untilMilliseconds: Int64? = nil,
        settings: Digest,
        author: String,
        createdMilliseconds: Int64,
        endedByVersion: UInt64? = nil
    ) {
        (self.endpoint, self.adjustment) = (endpoint, adjustment)
        (self.untilMilliseconds, self.settings) = (untilMilliseconds, settings)
        (self.author, self.createdMilliseconds) = (author, createdMilliseconds)
        self.endedByVersion = endedByVersion
    }
}

/// All adjustments, by endpoint.
package struct StoredAdjustments: Hashable, Sendable {
    /// Rises with each change, over restarts and restores too; at least 1.
    package let generation: UInt64
    /// Those that are in force and those that a version ended.
    package let entries: [StoredAdjustment]

    /// Joins both.
    package init(generation: UInt64, entries: [StoredAdjustment]) {
        (self.generation, self.entries) = (generation, entries)
    }

    /// Those that are in force.
    package var inForce: [StoredAdjustment] { entries.filter { $0.endedByVersion == nil } }
}

/// What is done to the adjustments of an endpoint.
package enum AdjustmentChange: Hashable, Sendable {
    /// Put in the place of what there is of its aspect; it ends by itself at a moment, in milliseconds since
    /// 1970-01-01 UTC, or never.
    case put(EndpointAdjustment, untilMilliseconds: Int64?)
    /// The endpoint is used as before, with the weight that it was given.
    case undrain
    /// All end.
    case reset
}

/// One line of the audit.
package struct AuditEntry: Hashable, Sendable {
    /// Rises with time.
    package let id: Int64
    /// When, in milliseconds since 1970-01-01 UTC.
    package let timeMilliseconds: Int64
    /// Who.
    package let author: String
    /// What, as in `configuration.apply`, `token.create` or `node.revoke`.
    package let action: String
    /// To what: a version's number, a token's id, a node's name.
    package let subject: String
    /// The author's message, or what a reader needs to know.
    package let detail: String
    /// The request's id, if a request made it.
    package let requestID: String?
}

/// A join token, without its secret.
package struct StoredToken: Hashable, Sendable {
    /// 16 hexadecimal digits.
    package let id: String
    /// Labels that the node must have.
    package let labels: [String: String]
    /// Who made it.
    package let author: String
    /// When, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// Last moment, in milliseconds since 1970-01-01 UTC.
    package let expiresMilliseconds: Int64
    /// The node that joined with it, or nil.
    package let usedBy: String?
    /// When it was used, or nil.
    package let usedMilliseconds: Int64?
    /// When it was revoked, or nil.
    package let revokedMilliseconds: Int64?
}

/// A node that has joined and was not removed.
package struct StoredNode: Hashable, Sendable {
    /// Unique among the nodes.
    package let name: String
    /// 16 random octets: tells it from a later node of the same name.
    package let id: [UInt8]
    /// The labels that it joined with.
    package let labels: [String: String]
    /// Those of them that its token asks for.
    package let tokenLabels: [String: String]
    /// Whether the operator wants it drained.
    package let isDraining: Bool
    /// When it was revoked, or nil.
    package let revokedMilliseconds: Int64?
    /// When it joined, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// When it was last seen, as of the last `noteSeen`; nil if never.
    package let seenMilliseconds: Int64?
    /// SHA-256 of its newest certificate.
    package let fingerprint: Digest
    /// Last moment of that certificate, in seconds since 1970-01-01 UTC.
    package let notAfterSeconds: Int64

    /// Whether it may come no more.
    package var isRevoked: Bool { revokedMilliseconds != nil }
}

/// A certificate as the store remembers it, to be able to refuse it.
package struct StoredCertificate: Hashable, Sendable {
    /// SHA-256 of its DER.
    package let fingerprint: Digest
    /// Its serial number's octets.
    package let serial: [UInt8]
    /// Its last moment, in seconds since 1970-01-01 UTC.
    package let notAfterSeconds: Int64
    /// SHA-256 of the `SubjectPublicKeyInfo` in DER.
    package let publicKeyDigest: Digest

    /// Describes a certificate.
    package init(
        fingerprint: Digest,
        serial: [UInt8],
        notAfterSeconds: Int64,
        publicKeyDigest: Digest
    ) {
        (self.fingerprint, self.serial) = (fingerprint, serial)
        (self.notAfterSeconds, self.publicKeyDigest) = (notAfterSeconds, publicKeyDigest)
    }
}
