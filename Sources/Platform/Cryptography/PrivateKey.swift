internal import COpenSSL

/// A private key of any algorithm that OpenSSL knows, in one encoding.
package struct PrivateKey: Equatable, Sendable {
    /// PKCS#8 `PrivateKeyInfo` in DER: the same key has the same octets, however it was encoded.
    package let der: SecretBytes
    /// Algorithm and size.
    package let kind: KeyKind
    /// The public half as `SubjectPublicKeyInfo` in DER.
    package let publicKeyDER: [UInt8]

    /// Reads PKCS#8, PKCS#1 or SEC 1 DER without encryption; the whole input must be used.
    package init(der: [UInt8]) throws(CryptographyError) {
        let key = try EVPKey(privateKey: der)
        var pkcs8 = try key.pkcs8()
        self.der = SecretBytes(taking: &pkcs8)
        kind = key.kind
        publicKeyDER = try key.publicKeyDER()
    }

    /// Whether the certificate's public key verifies what this key signs.
    package func matches(_ certificate: CertificateDetails) -> Bool {
        guard certificate.publicKeyDER == publicKeyDER else { return false }
        // The octets of the public half may lie about the private one, so it is tried.
        let usesDigest = kind != .ed25519
        let message = randomBytes(32)
        do {
            return try der.withOctets { octets throws(CryptographyError) in
                let key = try EVPKey(privateKey: octets)
                let signature = try key.sign(message, sha256: usesDigest)
                return key.verifies(signature, of: message, sha256: usesDigest)
            }
        } catch {
            ERR_clear_error()
            return false
        }
    }
}

extension PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Algorithm and the digest of the public half.
    package var description: String {
        "private key, \(kind), of public key sha256:\(encodeHex(sha256(publicKeyDER)))"
    }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
