/// A certificate of the configuration: a name, and where the material under it comes from.
///
/// The material itself, chains and keys, is never a part of the configuration.
package struct ConfiguredCertificate: Hashable, Sendable {
    /// Unique among certificates.
    package let name: String
    /// Where its material comes from.
    package let source: Source

    /// Where material comes from.
    package enum Source: Hashable, Sendable {
        /// Files that proxyctl reads; the digest names what it read.
        case files(certificate: String, key: String, digest: Digest?)
        /// The control plane makes and renews it, for these hosts.
        case selfSigned(hosts: [String])
        /// A file of authorities that proxyctl reads; the digest names what it read.
        case authority(file: String, digest: Digest?)
        /// The control plane orders and renews it.
        case acme(ACMESource)
    }

    /// Whether it holds authorities to trust, and not a certificate to serve.
    package var isAuthority: Bool {
        if case .authority = source { true } else { false }
    }

    /// The digest of its material, if the configuration says which it is.
    package var digest: Digest? {
        switch source {
        case .files(_, _, let digest), .authority(_, let digest): digest
        case .selfSigned, .acme: nil
        }
    }

    /// Whether the control plane decides which material it has, so that it may change within a version.
    package var isIssued: Bool {
        switch source {
        case .selfSigned, .acme: true
        case .files, .authority: false
        }
    }

    /// What is ordered of an authority, where its material comes from one.
    package var order: ACMESource? {
        if case .acme(let order) = source { order } else { nil }
    }

    /// The word of the configuration for its source.
    package var sourceWord: String {
        switch source {
        case .files: "files"
        case .selfSigned: "selfSigned"
        case .authority: "authority"
        case .acme: "acme"
        }
    }

    /// The field that the digest of its material stands in, or would.
    package var digestField: String { isAuthority ? "authority.digest" : "files.digest" }
}

/// A certificate that an authority issues by RFC 8555.
package struct ACMESource: Hashable, Sendable {
    /// How hosts are proved.
    package enum Challenge: String, Hashable, Sendable {
        /// A file under http (RFC 8555 §8.3).
        case http = "http-01"
        /// A certificate for the protocol `acme-tls/1` (RFC 8737).
        case tlsALPN = "tls-alpn-01"
    }

    /// Names in lower case, without wildcards, in order and each once.
    package let hosts: [String]
    /// URL of the directory.
    package let directory: String
    /// Whom the authority may write to.
    package let email: String?
    /// How hosts are proved.
    package let challenge: Challenge
    /// The certificate that holds the authorities to trust for the directory itself; `nil` for the system's.
    package let authority: String?
    /// The account that the authority knows already, where it asks for one (RFC 8555 §7.3.4).
    package let binding: Binding?

    /// An account that the authority has made otherwise.
    package struct Binding: Hashable, Sendable {
        /// As the authority calls the key.
        package let keyID: String
        /// The name of the secret that holds the key.
        package let secret: String

        /// Joins both.
        package init(keyID: String, secret: String) {
            (self.keyID, self.secret) = (keyID, secret)
        }
    }

    /// Takes hosts as they are written.
    package init(
        hosts: [String],
        directory: String,
        email: String?,
        challenge: Challenge,
        authority: String?,
        binding: Binding? = nil
    ) {
        self.hosts = Set(hosts.map { $0.lowercased() }).sorted()
        (self.directory, self.email) = (directory, email)
        (self.challenge, self.authority) = (challenge, authority)
        self.binding = binding
    }
}

/// Where a resource names a secret.
package struct SecretUse: Hashable, Sendable {
    /// The kind of the resource that names it.
    package let kind: ResourceKind
    /// The resource's name.
    package let user: String
    /// The field that names it.
    package let field: String
    /// The secret's name.
    package let secret: String
}

/// Where a resource names a certificate.
package struct CertificateUse: Hashable, Sendable {
    /// The kind of the resource that names it.
    package let kind: ResourceKind
    /// The resource's name.
    package let user: String
    /// The field that names it.
    package let field: String
    /// The certificate's name.
    package let certificate: String

    /// Whether it is one of those that a listener serves.
    package var isServed: Bool { kind == .listener && field.hasPrefix("tls.certificates") }

    /// Whether authorities are wanted here, and not a certificate with its key.
    package var wantsAuthority: Bool {
        kind == .listener && field.hasPrefix("tls.clientCertificate.authorities")
            || kind == .upstream && field.hasPrefix("tls.authority")
            || kind == .certificate && field.hasPrefix("acme.authority")
    }
}
