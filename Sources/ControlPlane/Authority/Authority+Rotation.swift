package import ControlStore
import Cryptography

/// A CA that is trusted.
package struct TrustedAuthority: Hashable, Sendable {
    /// DER.
    package let certificate: [UInt8]
    /// SHA-256 of the certificate.
    package let fingerprint: [UInt8]
    /// Whether servers still show the one before it.
    package let isNext: Bool
}

/// The change from one CA to another; each step is one transaction, and holds over restarts.
extension Authority {
    /// The CAs that are trusted, the one that servers' certificates end in first.
    package var trusted: [TrustedAuthority] {
        let anchors = anchors.value
        return anchors.all.map { anchor in
            TrustedAuthority(
                certificate: anchor.certificate,
                fingerprint: anchor.fingerprint,
                isNext: anchor.fingerprint == anchors.next?.fingerprint
            )
        }
    }

    /// SHA-256 of the CA certificate that issues certificates of nodes now.
    package var issuerFingerprint: [UInt8] { anchors.value.issuing.fingerprint }

    /// Makes the next CA: from now on both are trusted, and nodes are given certificates of the next one.
    ///
    /// Does nothing if there is one.
    ///
    /// - Parameter note: Who and why.
    /// - Throws: `store` or `materialInvalid`; there is no next CA then.
    package func rotate(note: ChangeNote) async throws(AuthorityError) {
        do {
            let made = try Issuer.makeAuthority(clusterID: clusterID, now: clock())
            let stored = try await store.secretsOrNew(
                [SecretName.nextKey: made.key, SecretName.nextCertificate: made.certificate],
                note: note
            )
            guard let key = stored[SecretName.nextKey],
                let certificate = stored[SecretName.nextCertificate]
            else { throw AuthorityError.materialInvalid("next key") }
            let next = try Anchor(key: key, certificate: certificate)
            anchors.rotated(to: next)
        } catch {
            throw AuthorityError(error)
        }
    }

    /// Puts the next CA in the place of the current one, which is trusted no more; its key is forgotten.
    ///
    /// Tokens that nobody has used name the CA that goes, and are revoked in the same transaction.
    ///
    /// - Parameter note: Who and why.
    /// - Returns: How many tokens were revoked.
    /// - Throws: `rotationMissing` if there is no next CA, or `store`.
    package func retire(note: ChangeNote) async throws(AuthorityError) -> Int {
        guard let next = anchors.value.next else { throw .rotationMissing }
        do {
            let revoked = try await store.replaceAuthority(
                [
                    SecretName.nextKey: SecretName.authorityKey,
                    SecretName.nextCertificate: SecretName.authorityCertificate,
                ],
                note: note
            )
            guard let revoked else { throw AuthorityError.rotationMissing }
            anchors.retired(for: next)
            return revoked
        } catch {
            throw AuthorityError(error)
        }
    }

    static func nextAnchor(_ store: any ConfigStore) async throws -> Anchor? {
        let key = try await store.secret(SecretName.nextKey)
        let certificate = try await store.secret(SecretName.nextCertificate)
        switch (key, certificate) {
        case (let key?, let certificate?): return try Anchor(key: key, certificate: certificate)
        case (nil, nil): return nil
        default: throw AuthorityError.materialInvalid("next key")
        }
    }
}
