package import ControlStore
import Cryptography
import FleetModel
import FleetProtocol

/// What a node that joins is given.
package struct Membership: Sendable {
    /// The node as stored.
    package let node: StoredNode
    /// DER, the node's certificate first and the CA last.
    package let chain: [[UInt8]]
}

/// Whom a client certificate names.
package enum NodeIdentity: Hashable, Sendable {
    /// A member, and the certificate's last moment in seconds since 1970-01-01 UTC.
    case member(StoredNode, notAfterSeconds: Int64)
    /// It was a member, and was revoked.
    case revoked(name: String)
    /// It is no member's certificate: of another cluster, of a removed node, or of none.
    case unknown(reason: String)
}

extension Authority {
    /// Makes a join token; its text is returned once and stored nowhere.
    ///
    /// - Parameters:
    ///   - secondsToLive: From now; at most 30 days.
    ///   - labels: What the node must be labelled with.
    ///   - note: Who and why.
    /// - Returns: The token and its row.
    /// - Throws: `tokenLifetimeInvalid`, `labelsInvalid` or `store`.
    package func createToken(
        secondsToLive: Int64,
        labels: [String: String],
        note: ChangeNote
    ) async throws(AuthorityError) -> (text: String, stored: StoredToken) {
        guard secondsToLive > 0, secondsToLive <= AuthorityLimits.tokenSecondsMax else {
            throw .tokenLifetimeInvalid
        }
        try Self.check(labels)
        let token = JoinToken(authorityFingerprint: fingerprint)
        do {
            let stored = try await store.createToken(
                digest: Digest(hashing: token.secret),
                labels: labels,
                expiresMilliseconds: clock() + secondsToLive * 1000,
                note: note
            )
            return (token.text, stored)
        } catch {
            throw .store(error)
        }
    }

    /// Admits a node: checks token and request, uses the token up, and issues its certificate.
    ///
    /// - Parameters:
    ///   - tokenText: As the operator was given it.
    ///   - name: The node's name.
    ///   - labels: The node's labels; the token's must be among them.
    ///   - request: PKCS#10 in DER, with a P-256 key.
    /// - Returns: The node and its certificates.
    /// - Throws: Why it is not admitted; the token is then not used up.
    package func join(
        tokenText: String,
        name: String,
        labels: [String: String],
        request: [UInt8]
    ) async throws(AuthorityError) -> Membership {
        guard let token = JoinToken(tokenText) else { throw .tokenMalformed }
        guard equalInConstantTime(token.authorityFingerprint, fingerprint) else {
            throw .tokenOfAnotherCluster
        }
        guard ResourceName.fault(in: name) == nil else { throw .nameInvalid }
        try Self.check(labels)
        let issued = try issueNode(request, name: name)
        do {
            let node = try await store.join(
                tokenDigest: Digest(hashing: token.secret),
                name: name,
                labels: labels,
                certificate: issued.stored,
                note: ChangeNote(author: "node \(name)")
            )
            return Membership(node: node, chain: issued.chain)
        } catch {
            throw .store(error)
        }
    }

    /// The next certificate of a member, for the key in its request.
    ///
    /// - Returns: DER, the node's certificate first and the CA last.
    /// - Throws: A `request` case, or `store` with `nodeUnknown` or `nodeRevoked`.
    package func renew(
        node name: String,
        request: [UInt8]
    ) async throws(AuthorityError) -> [[UInt8]] {
        let issued = try issueNode(request, name: name)
        do {
            try await store.renewed(node: name, certificate: issued.stored)
        } catch {
            throw .store(error)
        }
        return issued.chain
    }

    /// Whom a client certificate names, which TLS has found to be issued by a trusted CA.
    ///
    /// Its end and its issuer are looked at again here: a resumed TLS session is not verified anew.
    package func identify(certificate der: [UInt8]) async throws(AuthorityError) -> NodeIdentity {
        let fields: Certificate
        do {
            fields = try Certificate(der: der)
        } catch {
            return .unknown(reason: "the certificate is malformed")
        }
        guard let name = fields.commonName, fields.uris == [nodeURI(name)] else {
            return .unknown(reason: "the certificate is not one of a node of this cluster")
        }
        guard anchors.value.all.contains(where: { $0.issuer.hasIssued(der) }) else {
            return .unknown(reason: "the certificate of node \(name) is of another authority")
        }
        guard fields.notAfterSeconds >= clock() / 1000 else {
            return .unknown(reason: "the certificate of node \(name) has expired")
        }
        do {
            let node = try await store.node(name)
            if let node, node.isRevoked { return .revoked(name: name) }
            if try await store.isRevoked(certificate: Digest(hashing: der)) {
                return .unknown(reason: "the certificate is of a node that was removed")
            }
            guard let node else { return .unknown(reason: "the node was removed") }
            return .member(node, notAfterSeconds: fields.notAfterSeconds)
        } catch {
            throw .store(error)
        }
    }

    // MARK: Checks

    private static func check(_ labels: [String: String]) throws(AuthorityError) {
        let isShort = labels.allSatisfy { key, value in
            !key.isEmpty && key.utf8.count <= Limits.labelBytesMax
                && value.utf8.count <= Limits.labelBytesMax
        }
        guard isShort, labels.count <= Limits.labelCountMax else { throw .labelsInvalid }
    }
}
