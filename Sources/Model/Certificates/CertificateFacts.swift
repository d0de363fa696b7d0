package import Cryptography
package import FleetModel

/// What anybody may know of a certificate that is served: it is sent to every client.
package struct CertificateFacts: Hashable, Sendable {
    /// The names that it is for.
    package let names: ServerNames
    /// The subject as RFC 2253 writes it; for people.
    package let subject: String
    /// The issuer, likewise.
    package let issuer: String
    /// The serial number, in lower-case hexadecimal digits.
    package let serial: String
    /// First moment of validity, in seconds since 1970-01-01 UTC.
    package let notBeforeSeconds: Int64
    /// Last moment of validity, in seconds since 1970-01-01 UTC.
    package let notAfterSeconds: Int64
    /// Algorithm and size of the key.
    package let key: KeyKind
    /// SHA-256 of the certificate's DER: what browsers show as its fingerprint.
    package let fingerprint: Digest
    /// SHA-256 of the `SubjectPublicKeyInfo` in DER.
    package let publicKeyDigest: Digest

    /// The facts of the leaf of a chain that was stored.
    ///
    /// - Throws: `storedMalformed`.
    package init(publicContent: [UInt8]) throws(MaterialError) {
        guard let leaf = try ChainCoding.decode(publicContent).first else { throw .storedMalformed }
        do {
            self.init(try CertificateDetails(der: leaf))
        } catch {
            throw .storedMalformed
        }
    }

    /// The facts of a certificate.
    init(_ details: CertificateDetails) {
        let certificate = details.certificate
        names = ServerNames(certificate)
        (subject, issuer) = (details.subject, details.issuer)
        serial = encodeHex(certificate.serial)
        notBeforeSeconds = certificate.notBeforeSeconds
        notAfterSeconds = certificate.notAfterSeconds
        key = details.key
        fingerprint = Digest(hashing: certificate.der)
        publicKeyDigest = Digest(hashing: details.publicKeyDER)
    }
}
