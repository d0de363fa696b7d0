package import Authority
package import ControlStore
import Cryptography
package import FleetMessages
package import FleetModel
package import FleetProtocol

/// The store and the authority as the fleet's server sees them.
package struct StoredFleet: FleetStore, CertificateIssuer {
    private let store: any ConfigStore
    private let authority: Authority

    /// Takes the store that the authority was opened on.
    package init(store: any ConfigStore, authority: Authority) {
        (self.store, self.authority) = (store, authority)
    }

    // MARK: Store

    package var clusterID: [UInt8] { authority.clusterID }

    package func head() async throws -> SignedManifest? {
        guard let head = try await store.head() else { return nil }
        return try await signed(head)
    }

    package func version(_ number: UInt64) async throws -> SignedManifest? {
        guard let version = try await store.version(number) else { return nil }
        return try await signed(version)
    }

    package func manifest(_ digest: Digest) async throws -> Manifest? {
        try await store.manifest(digest: digest)
    }

    package func leadingBlobs(_ digests: [Digest], bytesMax: Int) async throws -> [[UInt8]] {
        try await store.leadingBlobs(digests, bytesMax: bytesMax)
    }

    package func material(_ digest: Digest) async throws -> WireMaterial? {
        guard let secret = try await store.vaultSecret(digest) else { return nil }
        var message = WireMaterial()
        message.digest = wireOctets(digest.octets)
        message.content = wireOctets(secret.publicContent)
        switch secret.kind {
        case .certificate:
            message.kind = .certificate
            message.key = secret.content.withOctets { wireOctets($0) }
        case .authority: message.kind = .authority
        case .ticketKey, .acmeAccount, .acmeRequest, .named, .affinityKey: return nil
        }
        return message
    }

    package func nodes() async throws -> [NodeRecord] {
        try await store.nodes().map(NodeRecord.init)
    }

    package func setDraining(_ isDraining: Bool, node: String, note: ChangeNote) async throws {
        try await store.setDraining(isDraining, node: node, note: note)
    }

    package func revoke(node: String, note: ChangeNote) async throws {
        try await store.revoke(node: node, note: note)
    }

    package func remove(node: String, note: ChangeNote) async throws {
        try await store.remove(node: node, note: note)
    }

    package func noteSeen(_ moments: [String: Int64]) async throws {
        try await store.noteSeen(moments)
    }

    package func adjustments() async throws -> StoredAdjustments { try await store.adjustments() }

    package func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        isDiscovered: Bool,
        note: ChangeNote
    ) async throws -> StoredAdjustments {
        try await store.adjust(endpoint, change, isDiscovered: isDiscovered, note: note)
    }

    package func endExpiredAdjustments() async throws -> StoredAdjustments {
        try await store.endExpiredAdjustments()
    }

    private func signed(_ version: StoredVersion) async throws -> SignedManifest? {
        guard let manifest = try await store.manifest(digest: version.digest) else { return nil }
        return SignedManifest(version, manifest)
    }

    // MARK: Authority

    package func join(_ request: WireJoin) async throws -> (NodeRecord, WireJoinAccepted) {
        let membership: Membership
        do {
            membership = try await authority.join(
                tokenText: request.token,
                name: request.name,
                labels: request.labels,
                request: octets(request.certificateRequest)
            )
        } catch {
            if let refusal = JoinError(error) { throw refusal }
            throw error
        }
        var accepted = WireJoinAccepted()
        accepted.clusterID = wireOctets(authority.clusterID)
        accepted.certificateChain = membership.chain.map(wireOctets)
        accepted.signingKey = wireOctets(authority.manifestKey.rawOctets)
        accepted.notAfterUnixSeconds = membership.node.notAfterSeconds
        accepted.name = membership.node.name
        return (NodeRecord(membership.node), accepted)
    }

    package func renew(node: String, certificateRequest: [UInt8]) async throws -> WireRenewed {
        var message = WireRenewed()
        do {
            let chain = try await authority.renew(node: node, request: certificateRequest)
            message.certificateChain = chain.map(wireOctets)
            if let leaf = chain.first {
                message.notAfterUnixSeconds = try Certificate(der: leaf).notAfterSeconds
            }
        } catch let error as AuthorityError where WireJoinRefusal(error) != nil {
            message.refusal = "\(error)"
        }
        return message
    }

    package func identify(certificate: [UInt8]) async throws -> PeerIdentity {
        switch try await authority.identify(certificate: certificate) {
        case .member(let node, let end): .member(NodeRecord(node), notAfterSeconds: end)
        case .revoked(let name): .revoked(name: name)
        case .unknown(let reason): .unknown(reason: reason)
        }
    }
}

extension SignedManifest {
    /// A stored version with its manifest; `nil` if the manifest is another's.
    package init?(_ version: StoredVersion, _ manifest: Manifest) {
        let head = SignedHead(
            epoch: version.epoch,
            version: version.number,
            digest: version.digest,
            signature: version.signature
        )
        self.init(head: head, manifest: manifest)
    }
}

extension NodeRecord {
    init(_ node: StoredNode) {
        self.init(
            name: node.name,
            id: node.id,
            labels: node.labels,
            tokenLabels: node.tokenLabels,
            isDraining: node.isDraining,
            isRevoked: node.isRevoked,
            seenAtMilliseconds: node.seenMilliseconds
        )
    }
}

extension JoinError {
    /// What a node that asked to join is told; `nil` if the fault is not the node's.
    init?(_ error: AuthorityError) {
        guard let reason = WireJoinRefusal(error) else { return nil }
        var detail = "\(error)"
        if case .store(.nodeRevoked) = error {
            detail += "; it has to be removed before a node of its name can join"
        }
        self.init(reason, detail)
    }
}

extension WireJoinRefusal {
    /// What a node is told; `nil` if the fault is not the node's.
    init?(_ error: AuthorityError) {
        switch error {
        case .tokenMalformed, .tokenOfAnotherCluster: self = .tokenUnknown
        case .nameInvalid: self = .nameInvalid
        case .labelsInvalid: self = .labelsMissing
        case .requestInvalid, .requestKeyUnsupported, .requestSignatureInvalid:
            self = .requestInvalid
        case .store(.tokenUnknown), .store(.tokenRevoked): self = .tokenUnknown
        case .store(.tokenExpired): self = .tokenExpired
        case .store(.tokenUsed): self = .tokenUsed
        case .store(.tokenLabelsMissing): self = .labelsMissing
        case .store(.nodeNameTaken), .store(.nodeRevoked): self = .nameTaken
        case .tokenLifetimeInvalid, .hostInvalid, .materialInvalid, .rotationMissing, .fileFailed,
            .store:
            return nil
        }
    }
}

extension FleetServer.Identity {
    /// A fresh certificate of the authority, and whom it trusts now.
    ///
    /// - Throws: `AuthorityError` if its key fails.
    package init(_ authority: Authority) throws {
        let identity = try authority.fleetServerIdentity()
        self.init(
            certificateChain: identity.chain,
            privateKey: identity.privateKey.der,
            authorityCertificates: authority.trusted.map(\.certificate),
            trust: FleetTrust(
                authorities: authority.trusted.map { Digest(hashing: $0.certificate) },
                issuer: Digest(octets: authority.issuerFingerprint)
            )
        )
    }
}

extension FleetServer.Settings {
    /// A listener with a fresh certificate of the authority.
    ///
    /// - Throws: `AuthorityError` if its key fails.
    package init(
        host: String,
        port: Int,
        authority: Authority,
        renewalSeconds: Int64? = nil
    ) throws {
        self.init(
            host: host,
            port: port,
            identity: try FleetServer.Identity(authority),
            renewalSeconds: renewalSeconds
        )
    }
}
