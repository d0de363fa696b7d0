/// How a listener terminates TLS.
package struct ListenerTLS: Hashable, Sendable {
    /// Names of certificates; the server name chooses, and the last one answers an unknown or missing name.
    package let certificates: [String]
    /// Whether an unknown or missing name is refused.
    package let isStrict: Bool
    /// The lowest version that is spoken.
    package let minimumVersion: TLSMinimumVersion
    /// Application protocols by preference: `h2`, `http/1.1`.
    package let protocols: [String]
    /// What is asked of clients, and what upstreams are told of them.
    package let clientCertificate: ClientCertificate
    /// Handshakes that one client may begin in a second, per node; `nil` is no limit.
    package let handshakesPerSecond: Int?
}

/// The lowest version of TLS that is spoken.
package enum TLSMinimumVersion: String, Hashable, Sendable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}

/// What is asked of clients, and what upstreams are told of them.
package struct ClientCertificate: Hashable, Sendable {
    /// Whether clients are asked for a certificate.
    package enum Mode: String, Hashable, Sendable {
        /// They are not.
        case none
        /// They may show one, which is verified.
        case request
        /// They must.
        case require
    }

    /// Whether they are asked.
    package let mode: Mode
    /// Names of certificates that hold authorities.
    package let authorities: [String]
    /// The request field that tells the subject, in lower case.
    package let subjectField: String?
    /// The request field that tells the SHA-256 of the certificate, in lower case.
    package let fingerprintField: String?
}
