package import Certificates
package import Cryptography
import Crypto
import Foundation
import SwiftASN1
import X509

/// What an order needs of certificates beside the protocol.
package enum ACMECertificates {
    /// A new key, P-256, and the request for a certificate of these hosts.
    ///
    /// - Parameter hosts: Names of hosts, at least one.
    /// - Returns: The key in DER, and PKCS #10 in DER.
    /// - Throws: `libraryFailed`.
    package static func request(
        hosts: [String]
    ) throws(ACMEError) -> (key: SecretBytes, request: [UInt8]) {
        do {
            let key = P256.Signing.PrivateKey()
            let extensions = try X509.Certificate.Extensions {
                SubjectAlternativeNames(hosts.map { .dnsName($0) })
            }
            let attributes = try CertificateSigningRequest.Attributes([
                .init(ExtensionRequest(extensions: extensions))
            ])
            let request = try CertificateSigningRequest(
                version: .v1,
                subject: DistinguishedName(),
                privateKey: .init(key),
                attributes: attributes
            )
            var serializer = DER.Serializer()
            try request.serialize(into: &serializer)
            var octets = Array(key.derRepresentation)
            return (SecretBytes(taking: &octets), serializer.serializedBytes)
        } catch {
            throw .libraryFailed("a certificate cannot be asked for: \(error)")
        }
    }

    /// The certificate that answers a `tls-alpn-01` challenge (RFC 8737 §3): for the one host, signed by itself, with
    /// the SHA-256 of the authorization in a critical extension.
    ///
    /// - Parameters:
    ///   - challenge: The challenge.
    ///   - seconds: The moment, in seconds since 1970-01-01 UTC; it is valid for a week around it.
    /// - Returns: The certificate and its key.
    /// - Throws: `libraryFailed`.
    package static func answer(
        _ challenge: ACMEChallenge,
        atSeconds seconds: Int64
    ) throws(ACMEError) -> CertificateMaterial {
        do {
            let key = P256.Signing.PrivateKey()
            var value = DER.Serializer()
            let digest = sha256(Array(challenge.authorization.utf8))
            try value.serialize(ASN1OctetString(contentBytes: digest[...]))
            let mark = X509.Certificate.Extension(
                oid: [1, 3, 6, 1, 5, 5, 7, 1, 31],
                critical: true,
                value: value.serializedBytes[...]
            )
            let name = try DistinguishedName { CommonName("acme challenge") }
            let certificate = try X509.Certificate(
                version: .v3,
                serialNumber: X509.Certificate.SerialNumber(),
                publicKey: .init(key.publicKey),
                notValidBefore: Date(timeIntervalSince1970: TimeInterval(seconds - 86_400)),
                notValidAfter: Date(timeIntervalSince1970: TimeInterval(seconds + 6 * 86_400)),
                issuer: name,
                subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try X509.Certificate.Extensions {
                    SubjectAlternativeNames([.dnsName(challenge.host)])
                    mark
                },
                issuerPrivateKey: .init(key)
            )
            var serializer = DER.Serializer()
            try certificate.serialize(into: &serializer)
            var octets = Array(key.derRepresentation)
            return try CertificateMaterial(
                chain: [serializer.serializedBytes],
                key: SecretBytes(taking: &octets)
            )
        } catch {
            throw .libraryFailed("a challenge cannot be answered: \(error)")
        }
    }

    /// How a certificate is named to the authority that renews it (RFC 9773 §4.1); nil if it says nothing of the key
    /// that issued it.
    package static func renewalIdentifier(of der: [UInt8]) -> String? {
        guard let certificate = try? X509.Certificate(derEncoded: der),
            let issuer = try? certificate.extensions.authorityKeyIdentifier,
            let key = issuer.keyIdentifier
        else { return nil }  // One that cannot be read has no name either.
        let serial = Array(certificate.serialNumber.bytes)
        return "\(encodeBase64URL(Array(key))).\(encodeBase64URL(serial))"
    }
}
