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
        self.der = try Self.encodePKCS8(key)
    }

    /// The key in PKCS#8 or SEC 1 DER; other key types are refused.
    package init(der: [UInt8]) throws(CryptographyError) {
        self.der = try Self.encodePKCS8(try Self.decode(der))
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
        let key = try Self.decode(der)
        // SAFETY: the key outlives the call; the encoder writes into the cursor that it is given.
        return unsafe try encodeDER { cursor in unsafe i2d_PUBKEY(key.pointer, cursor) }
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
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the array outlives it.
        let (pointer, used) = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            let pointer = unsafe d2i_AutoPrivateKey(nil, &cursor, buffer.count)
            guard let start = buffer.baseAddress, let end = unsafe cursor else {
                return unsafe (pointer, 0)
            }
            return unsafe (pointer, end - start)
        }
        guard let key = unsafe EVPKey(taking: pointer), used == der.count else {
            ERR_clear_error()
            throw .keyInvalid
        }
        // SAFETY: the group's name is at most 16 octets and ends in a zero, or the call fails.
        var group = [CChar](repeating: 0, count: 16)
        var length = 0
        guard unsafe EVP_PKEY_get_base_id(key.pointer) == EVP_PKEY_EC,
            unsafe EVP_PKEY_get_group_name(key.pointer, &group, group.count, &length) == 1,
            group.prefix(length).elementsEqual("prime256v1".utf8.map { CChar($0) })
        else {
            ERR_clear_error()
            throw .keyTypeUnsupported
        }
        return key
    }

    private static func encodePKCS8(_ key: borrowing EVPKey) throws(CryptographyError) -> [UInt8] {
        // SAFETY: the PKCS#8 object lives until the end of this function.
        guard let info = unsafe EVP_PKEY2PKCS8(key.pointer) else { throw .libraryFailed }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(info) }
        return unsafe try encodeDER { cursor in unsafe i2d_PKCS8_PRIV_KEY_INFO(info, cursor) }
    }
}
