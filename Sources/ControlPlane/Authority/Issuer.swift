import Crypto
import Foundation
import SwiftASN1
import X509

/// What a leaf certificate says.
struct Leaf {
    let commonName: String
    let names: [GeneralName]
    let usage: ExtendedKeyUsage.Usage
    let key: P256.Signing.PublicKey
    let seconds: Int64
}

/// The CA's key and certificate, and the making of certificates with them.
struct Issuer: Sendable {
    private let key: Certificate.PrivateKey
    private let certificate: Certificate

    init(key: [UInt8], certificate: [UInt8]) throws {
        let privateKey = try P256.Signing.PrivateKey(derRepresentation: key)
        self.key = Certificate.PrivateKey(privateKey)
        self.certificate = try Certificate(derEncoded: certificate)
        guard self.certificate.publicKey == self.key.publicKey else {
            throw AuthorityError.materialInvalid("certificate, which is not its key's,")
        }
    }

    /// A new CA: its key, and its certificate signed by itself, both in DER.
    static func makeAuthority(
        clusterID: [UInt8],
        now: Int64
    ) throws -> (key: [UInt8], certificate: [UInt8]) {
        let key = P256.Signing.PrivateKey()
        // The name tells people which cluster a CA file is of; eight octets do for that.
        let short = clusterID.prefix(4).map {
            String($0 >> 4, radix: 16) + String($0 & 15, radix: 16)
        }
        let subject = try DistinguishedName {
            OrganizationName("Weir")
            CommonName("Weir cluster \(short.joined())")
        }
        let publicKey = Certificate.PublicKey(key.publicKey)
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: begin(now),
            notValidAfter: date(now).addingTimeInterval(
                TimeInterval(AuthorityLimits.authorityDays) * 86_400
            ),
            issuer: subject,
            subject: subject,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                SubjectKeyIdentifier(hash: publicKey)
            },
            issuerPrivateKey: Certificate.PrivateKey(key)
        )
        return (Array(key.derRepresentation), try encode(certificate))
    }

    /// A leaf certificate in DER.
    func issue(_ leaf: Leaf, now: Int64) throws -> [UInt8] {
        let publicKey = Certificate.PublicKey(leaf.key)
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: publicKey,
            notValidBefore: Self.begin(now, secondsMax: leaf.seconds / 4),
            notValidAfter: Self.date(now).addingTimeInterval(TimeInterval(leaf.seconds)),
            issuer: certificate.subject,
            subject: try DistinguishedName { CommonName(leaf.commonName) },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([leaf.usage])
                SubjectAlternativeNames(leaf.names)
                SubjectKeyIdentifier(hash: publicKey)
                AuthorityKeyIdentifier(keyIdentifier: try authorityKeyIdentifier())
            },
            issuerPrivateKey: key
        )
        return try Self.encode(certificate)
    }

    /// Whether this CA's key has signed a certificate.
    func hasIssued(_ der: [UInt8]) -> Bool {
        // What cannot be read was issued by nobody.
        guard let leaf = try? Certificate(derEncoded: der) else { return false }
        return certificate.publicKey.isValidSignature(leaf.signature, for: leaf)
    }

    private func authorityKeyIdentifier() throws -> ArraySlice<UInt8>? {
        try certificate.extensions.subjectKeyIdentifier?.keyIdentifier
    }

    private static func encode(_ certificate: Certificate) throws -> [UInt8] {
        var serializer = DER.Serializer()
        try certificate.serialize(into: &serializer)
        return serializer.serializedBytes
    }

    /// When a validity begins; a life that is shorter than the tolerance of clocks keeps most of its length.
    private static func begin(_ now: Int64, secondsMax: Int64 = .max) -> Date {
        let seconds = min(60 * Int64(AuthorityLimits.clockSkewMinutes), secondsMax)
        return date(now).addingTimeInterval(-TimeInterval(seconds))
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: TimeInterval(milliseconds / 1000))
    }
}
