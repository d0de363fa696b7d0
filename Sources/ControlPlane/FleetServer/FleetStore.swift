package import ControlStore
package import FleetMessages
package import FleetModel
package import FleetProtocol

/// What the fleet's server needs of the store: versions, contents, and what is remembered of nodes.
package protocol FleetStore: Sendable {
    /// 16 octets.
    var clusterID: [UInt8] { get }

    /// The newest version; `nil` before the first.
    func head() async throws -> SignedManifest?

    /// Any version by its number.
    func version(_ number: UInt64) async throws -> SignedManifest?

    /// A manifest that some version had, as a base of deltas; `nil` if no version has this digest.
    func manifest(_ digest: Digest) async throws -> Manifest?

    /// The contents with these digests from the first on, as `ConfigStore` has it.
    func leadingBlobs(_ digests: [Digest], bytesMax: Int) async throws -> [[UInt8]]

    /// Material by its digest, with its key; `nil` if there is none.
    func material(_ digest: Digest) async throws -> WireMaterial?
    /// All nodes that have joined and were not removed.
    func nodes() async throws -> [NodeRecord]

    /// Remembers whether the operator wants the node drained.
    func setDraining(_ isDraining: Bool, node: String, note: ChangeNote) async throws

    /// Puts the node's certificates on the deny list.
    func revoke(node: String, note: ChangeNote) async throws

    /// Forgets the node and puts its certificates on the deny list.
    func remove(node: String, note: ChangeNote) async throws

    /// Remembers when nodes were last heard of, in milliseconds since 1970.
    func noteSeen(_ moments: [String: Int64]) async throws

    /// What operators want of endpoints beside the configuration.
    func adjustments() async throws -> StoredAdjustments

    /// Changes the adjustments of an endpoint, and returns all.
    func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        isDiscovered: Bool,
        note: ChangeNote
    ) async throws -> StoredAdjustments
    /// Ends the adjustments whose time is over, and returns all.
    func endExpiredAdjustments() async throws -> StoredAdjustments
}

/// What is remembered of a node.
package struct NodeRecord: Sendable, Equatable {
    package let name: String
    /// Tells it from an earlier or later node of the same name.
    package let id: [UInt8]
    package let labels: [String: String]
    /// Those that its token asks for: it keeps them, whatever it says later.
    package let tokenLabels: [String: String]
    /// Whether the operator wants it drained.
    package let isDraining: Bool
    package let isRevoked: Bool
    /// When it was last heard of, in milliseconds since 1970.
    package let seenAtMilliseconds: Int64?

    package init(
        name: String,
        id: [UInt8],
        labels: [String: String],
        tokenLabels: [String: String] = [:],
        isDraining: Bool = false,
        isRevoked: Bool = false,
        seenAtMilliseconds: Int64? = nil
    ) {
        (self.name, self.id) = (name, id)
        (self.labels, self.tokenLabels) = (labels, tokenLabels)
        (self.isDraining, self.isRevoked) = (isDraining, isRevoked)
        self.seenAtMilliseconds = seenAtMilliseconds
    }
}

/// Who decides which nodes are members.
package protocol CertificateIssuer: Sendable {
    /// Checks the token and the request, and uses the token up.
    ///
    /// - Returns: The node as it is remembered, and the answer to it.
    /// - Throws: `JoinError`; any other error is told as `unavailable` and logged.
    func join(_ request: WireJoin) async throws -> (NodeRecord, WireJoinAccepted)

    /// The next certificate of a member, for the key in its request.
    func renew(node: String, certificateRequest: [UInt8]) async throws -> WireRenewed

    /// Whom a verified client certificate names.
    func identify(certificate: [UInt8]) async throws -> PeerIdentity
}

/// Whom a certificate names.
package enum PeerIdentity: Sendable, Equatable {
    /// A member, and the certificate's last moment in seconds since 1970-01-01 UTC.
    case member(NodeRecord, notAfterSeconds: Int64)
    /// It was a member, and must be told that it is no longer one.
    case revoked(name: String)
    /// The certificate is not one of this cluster's node certificates, or the node was removed.
    case unknown(reason: String)
}

/// Why a node may not join.
package struct JoinError: Error, Sendable, Equatable {
    package let reason: WireJoinRefusal
    /// For people; names no secret.
    package let detail: String

    package init(_ reason: WireJoinRefusal, _ detail: String) {
        (self.reason, self.detail) = (reason, detail)
    }
}
