/// Brings the files of a certificate, or of a bundle of authorities: PEM texts.
package struct CertificateRequest: Sendable, Hashable, Codable {
    /// The certificate's name in the configuration; for messages and the audit.
    package var name: String?
    /// The certificate and its intermediates; with `key`.
    package var certificate: String?
    /// The private key; with `certificate`.
    package var key: String?
    /// A bundle of authorities with their revocation lists; without the two above.
    package var authority: String?

    /// Joins its parts.
    package init(
        name: String? = nil,
        certificate: String? = nil,
        key: String? = nil,
        authority: String? = nil
    ) {
        (self.name, self.certificate) = (name, certificate)
        (self.key, self.authority) = (key, authority)
    }
}

extension CertificateRequest: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The name alone: the rest may be secret.
    package var description: String { "files of certificate \(name ?? "-")" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A certificate or a bundle of authorities that the control plane keeps; never a key.
package struct CertificateAnswer: Sendable, Hashable, Codable {
    /// Names it in configurations.
    package var digest: String
    /// certificate or authority.
    package var kind: String
    /// The hosts that a certificate is for; the subjects of a bundle's authorities.
    package var names: [String]
    /// Until when it is valid, a bundle its first authority, by RFC 3339.
    package var notAfter: String
    /// When it was stored last, by RFC 3339.
    package var storedAt: String
    /// Of a certificate: from when it is valid, by RFC 3339.
    package var notBefore: String?
    /// Of a certificate: who issued it.
    package var issuer: String?
    /// Of a certificate: its serial number in hexadecimal digits.
    package var serial: String?
    /// Of a certificate: algorithm and size of its key.
    package var key: String?
    /// Of a certificate: SHA-256 of its DER.
    package var fingerprint: String?
    /// Where the head's configuration names it; absent if it does not.
    package var uses: [Use]?
    /// Names of the nodes that hold it.
    package var holding: [String]?
    /// Names of the nodes that serve it, or trust it.
    package var serving: [String]?

    /// A certificate of the head's configuration that has this material.
    package struct Use: Sendable, Hashable, Codable {
        /// The certificate's name.
        package var name: String
        /// files, selfSigned, authority or acme.
        package var source: String
        /// serve, next (nodes are to hold it, to serve it soon), temporary (served until an authority has issued the
        /// first) or unused (nothing names the certificate).
        package var state: String
        /// Why the last order at the authority failed, and when it is tried again.
        package var problem: String?

        /// Joins its parts.
        package init(name: String, source: String, state: String, problem: String? = nil) {
            (self.name, self.source, self.state) = (name, source, state)
            self.problem = problem
        }
    }

    /// Joins its parts.
    package init(
        digest: String,
        kind: String,
        names: [String],
        notAfter: String,
        storedAt: String,
        notBefore: String? = nil,
        issuer: String? = nil,
        serial: String? = nil,
        key: String? = nil,
        fingerprint: String? = nil
    ) {
        (self.digest, self.kind, self.names) = (digest, kind, names)
        (self.notAfter, self.storedAt, self.notBefore) = (notAfter, storedAt, notBefore)
        (self.issuer, self.serial) = (issuer, serial)
        (self.key, self.fingerprint) = (key, fingerprint)
    }
}
