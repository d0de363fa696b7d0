package import Certificates
import Crypto
import Cryptography
import FleetModel
import Foundation
import SwiftASN1
import X509

extension Authority {
    /// A new certificate that its own key signs, for hosts whose clients are told to trust it.
    ///
    /// P-256, 90 days, a random serial number; it is no CA and serves TLS servers alone. Nothing is stored.
    ///
    /// - Parameters:
    ///   - hosts: Names, and addresses with or without brackets, at least one; patterns such as
    ///     `*.example.com` are taken too.
    ///   - seconds: How long it is valid.
    /// - Returns: The certificate and its key.
    /// - Throws: `hostInvalid`, or `materialInvalid` if the library fails.
    package func selfSigned(
        hosts: [String],
        seconds: Int64 = 86_400 * Int64(AuthorityLimits.selfSignedDays)
    ) throws(AuthorityError) -> CertificateMaterial {
        let names = try Self.serverNames(hosts)
        do {
            let key = P256.Signing.PrivateKey()
            let der = try Self.selfSigned(names, key: key, now: clock(), seconds: seconds)
            var octets = Array(key.derRepresentation)
            return try CertificateMaterial(chain: [der], key: SecretBytes(taking: &octets))
        } catch {
            throw AuthorityError(error)
        }
    }

    /// The hosts as names of a certificate, each once.
    private static func serverNames(_ hosts: [String]) throws(AuthorityError) -> ServerNames {
        guard !hosts.isEmpty else { throw .hostInvalid("") }
        var (dnsNames, addresses): ([String], [IPAddress]) = ([], [])
        for host in hosts {
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            if let address = IPAddress(isBracketed ? host.dropFirst().dropLast() : host[...]) {
                if !addresses.contains(address) { addresses.append(address) }
            } else if ServerNames(dnsNames: [host], addresses: []).isEmpty {
                throw .hostInvalid(host)
            } else {
                dnsNames.append(host)
            }
        }
        return ServerNames(dnsNames: dnsNames, addresses: addresses)
    }

    private static func selfSigned(
        _ names: ServerNames,
        key: P256.Signing.PrivateKey,
        now: Int64,
        seconds: Int64
    ) throws -> [UInt8] {
        let begin = now / 1000 - 60 * Int64(AuthorityLimits.clockSkewMinutes)
        let end = now / 1000 + seconds
        // People look at the common name; one of over 64 characters would break RFC 5280's bound.
        let title = names.texts.first { $0.utf8.count <= 64 } ?? "self-signed"
        let subject = try DistinguishedName { CommonName(title) }
        let publicKey = X509.Certificate.PublicKey(key.publicKey)
        let alternatives =
            names.dnsNames.map { GeneralName.dnsName($0) }
            + names.addresses.map {
                GeneralName.ipAddress(ASN1OctetString(contentBytes: $0.octets[...]))
            }
        let certificate = try X509.Certificate(
            version: .v3,
            serialNumber: X509.Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: Date(timeIntervalSince1970: TimeInterval(begin)),
            notValidAfter: Date(timeIntervalSince1970: TimeInterval(end)),
            issuer: subject,
            subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try X509.Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(alternatives)
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: X509.Certificate.PrivateKey(key)
        )
        var serializer = DER.Serializer()
        try certificate.serialize(into: &serializer)
        return serializer.serializedBytes
    }
}
