internal import COpenSSL

/// A private key on P-256, as its PKCS#8 DER; the node's TLS key.
///
/// The OpenSSL object is made per operation, so the key is a plain value.
package struct P256PrivateKey: Sendable {
    /// PKCS#8 `PrivateKeyInfo` in DER; secret.
    package let der: [UInt8]

    /// A new key.
    package init() throws(CryptographyError) {
        // SAFETY: the new key's only reference goes to the wrapper.
        guard let key = unsafe EVPKey(taking: weir_p256_generate()) else { throw .libraryFailed }
        self.der = try key.pkcs8()
    }

    /// The key in PKCS#8 or SEC 1 DER; other key types are refused.
    package init(der: [UInt8]) throws(CryptographyError) {
        self.der = try Self.decode(der).pkcs8()
    }

    /// The first key in a PEM text, `PRIVATE KEY` or `EC PRIVATE KEY`.
    package init(pem: String) throws(CryptographyError) {
        let label = pem.contains("BEGIN EC PRIVATE KEY") ? "EC PRIVATE KEY" : "PRIVATE KEY"
        try self.init(der: try PEM.decode(pem, label: label)[0])
    }

    /// PEM with the label `PRIVATE KEY`; secret.
    package var pem: String {
        PEM.encode(der, label: "PRIVATE KEY")
    }

    /// The public half as `SubjectPublicKeyInfo` in DER.
    package func publicKeyDER() throws(CryptographyError) -> [UInt8] {
        try Self.decode(der).publicKeyDER()
    }

    /// The ECDSA signature (DER) of `message` with SHA-256.
    package func sign(_ message: [UInt8]) throws(CryptographyError) -> [UInt8] {
        try Self.decode(der).sign(message, sha256: true)
    }

    /// A certificate signing request (PKCS#10 DER, RFC 2986) with the subject `CN=<commonName>`.
    ///
    /// - Parameter commonName: 1 to 64 characters (RFC 5280 ub-common-name).
    /// - Returns: The request, signed by this key as proof of possession.
    /// - Throws: `nameInvalid`, or `libraryFailed`.
    package func certificateSigningRequest(
        commonName: String
    ) throws(CryptographyError) -> [UInt8] {
        let name = Array(commonName.utf8)
        guard !name.isEmpty, commonName.unicodeScalars.count <= 64, !name.contains(0) else {
            throw .nameInvalid
        }
        let key = try Self.decode(der)
        // SAFETY: the request lives until the end of this function; its name is borrowed from it, and
        // OpenSSL copies the key (by reference count) and the common name.
        guard let request = unsafe X509_REQ_new() else { throw .libraryFailed }
        defer { unsafe X509_REQ_free(request) }
        guard let subject = unsafe X509_REQ_get_subject_name(request),
            unsafe X509_REQ_set_version(request, 0) == 1,
            unsafe X509_NAME_add_entry_by_NID(
                subject,
                NID_commonName,
                MBSTRING_UTF8,
                name,
                Int32(name.count),
                -1,
                0
            ) == 1
        else {
            ERR_clear_error()
            throw .nameInvalid
        }
        guard unsafe X509_REQ_set_pubkey(request, key.pointer) == 1,
            unsafe X509_REQ_sign(request, key.pointer, EVP_sha256()) > 0
        else { throw .libraryFailed }
        // SAFETY: as above; the encoder writes into the cursor that it is given.
        return unsafe try encodeDER { cursor in unsafe i2d_X509_REQ(request, cursor) }
    }

    /// Reads a key; the whole input must be used.
    private static func decode(_ der: [UInt8]) throws(CryptographyError) -> EVPKey {
        let key = try EVPKey(privateKey: der)
        guard key.kind == .p256 else { throw .keyTypeUnsupported }
        return key
    }
}

extension P256PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The algorithm, and nothing of the key.
    package var description: String { "private key, EC P-256" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
