internal import COpenSSL

/// A private key for Ed25519 signatures (RFC 8032), as its 32 octets.
///
/// The OpenSSL object is made per operation (some 30 microseconds), so the key is a plain value.
package struct Ed25519PrivateKey: Sendable {
    /// The seed; secret.
    package let rawOctets: [UInt8]
    /// The public half.
    package let publicKey: Ed25519PublicKey

    /// A new key.
    package init() throws(CryptographyError) {
        try self.init(rawOctets: randomBytes(32))
    }

    /// The key with this seed of 32 octets.
    package init(rawOctets: [UInt8]) throws(CryptographyError) {
        guard rawOctets.count == 32 else { throw .keyInvalid }
        let key = try Self.makeKey(rawOctets)
        var length = 32
        var publicOctets = [UInt8](repeating: 0, count: length)
        // SAFETY: OpenSSL writes at most `length` octets, which the array has.
        guard unsafe EVP_PKEY_get_raw_public_key(key.pointer, &publicOctets, &length) == 1,
            length == 32
        else { throw .libraryFailed }
        self.rawOctets = rawOctets
        self.publicKey = try Ed25519PublicKey(rawOctets: publicOctets)
    }

    /// The signature of `message`: 64 octets.
    package func sign(_ message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try Self.makeKey(rawOctets).sign(message, sha256: false)
    }

    private static func makeKey(_ octets: [UInt8]) throws(CryptographyError) -> EVPKey {
        // SAFETY: OpenSSL copies 32 octets out of the array.
        guard
            let key = unsafe EVPKey(
                taking: EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, octets, octets.count)
            )
        else { throw .libraryFailed }
        return key
    }
}

extension Ed25519PrivateKey: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The algorithm, and nothing of the key.
    package var description: String { "private key, Ed25519" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A public key for Ed25519 signatures, as its 32 octets.
package struct Ed25519PublicKey: Hashable, Sendable {
    /// The encoded point.
    package let rawOctets: [UInt8]

    /// The key with these 32 octets.
    package init(rawOctets: [UInt8]) throws(CryptographyError) {
        guard rawOctets.count == 32 else { throw .keyInvalid }
        self.rawOctets = rawOctets
    }

    /// Whether `signature` (64 octets) is the key's over `message`.
    package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == 64 else { return false }
        // SAFETY: OpenSSL copies 32 octets out of the array.
        guard
            let key = unsafe EVPKey(
                taking: EVP_PKEY_new_raw_public_key(
                    EVP_PKEY_ED25519,
                    nil,
                    rawOctets,
                    rawOctets.count
                )
            )
        else {
            ERR_clear_error()
            return false
        }
        return key.verifies(signature, of: message, sha256: false)
    }
}
