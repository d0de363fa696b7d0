internal import COpenSSL

/// An `EVP_PKEY`, freed with this value.
// SAFETY: the pointer is set once, is freed in deinit only, and is lent for single calls only.
@safe struct EVPKey: ~Copyable {
    let pointer: OpaquePointer

    /// Takes over one reference; nil stays nil.
    init?(taking pointer: OpaquePointer?) {
        // SAFETY: the caller hands over its reference and keeps no use of it.
        guard let pointer = unsafe pointer else { return nil }
        unsafe self.pointer = pointer
    }

    deinit {
        // SAFETY: the reference is ours.
        unsafe EVP_PKEY_free(pointer)
    }

    /// Reads a private key in PKCS#8, PKCS#1 or SEC 1 DER; the whole input must be used.
    init(privateKey der: [UInt8]) throws(CryptographyError) {
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the array outlives it.
        let (pointer, used) = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            let pointer = unsafe d2i_AutoPrivateKey(nil, &cursor, buffer.count)
            guard let start = buffer.baseAddress, let end = unsafe cursor else {
                return unsafe (pointer, 0)
            }
            return unsafe (pointer, end - start)
        }
        ERR_clear_error()
        guard let key = unsafe EVPKey(taking: pointer), used == der.count else { throw .keyInvalid }
        self = key
    }

    /// The private key as PKCS#8 `PrivateKeyInfo` in DER; secret.
    borrowing func pkcs8() throws(CryptographyError) -> [UInt8] {
        // SAFETY: the PKCS#8 object lives until the end of this function.
        guard let info = unsafe EVP_PKEY2PKCS8(pointer) else { throw .libraryFailed }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(info) }
        return unsafe try encodeDER { cursor in unsafe i2d_PKCS8_PRIV_KEY_INFO(info, cursor) }
    }

    /// The public half as `SubjectPublicKeyInfo` in DER.
    borrowing func publicKeyDER() throws(CryptographyError) -> [UInt8] {
        // SAFETY: the key outlives the call; the encoder writes into the cursor that it is given.
        let pointer = unsafe pointer
        return unsafe try encodeDER { cursor in unsafe i2d_PUBKEY(pointer, cursor) }
    }

    /// Signs in one shot; `digest` is nil for Ed25519.
    borrowing func sign(_ message: [UInt8], sha256 usesDigest: Bool) throws(CryptographyError)
        -> [UInt8]
    {
        // SAFETY: the context lives until the end of this function; OpenSSL reads the message and
        // writes at most `length` octets, which the buffer has.
        guard let context = unsafe EVP_MD_CTX_new() else { throw .libraryFailed }
        defer { unsafe EVP_MD_CTX_free(context) }
        let method = unsafe usesDigest ? EVP_sha256() : nil
        guard unsafe EVP_DigestSignInit(context, nil, method, nil, pointer) == 1 else {
            throw .libraryFailed
        }
        var length = 0
        guard unsafe EVP_DigestSign(context, nil, &length, message, message.count) == 1 else {
            throw .libraryFailed
        }
        var signature = [UInt8](repeating: 0, count: length)
        guard unsafe EVP_DigestSign(context, &signature, &length, message, message.count) == 1,
            length <= signature.count
        else { throw .libraryFailed }
        signature.removeLast(signature.count - length)
        return signature
    }

    /// Whether `signature` is this key's over `message`; no error is kept for a wrong one.
    borrowing func verifies(_ signature: [UInt8], of message: [UInt8], sha256 usesDigest: Bool)
        -> Bool
    {
        // SAFETY: the context lives until the end of this function; OpenSSL only reads both arrays.
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        let method = unsafe usesDigest ? EVP_sha256() : nil
        guard unsafe EVP_DigestVerifyInit(context, nil, method, nil, pointer) == 1 else {
            return false
        }
        let status = unsafe EVP_DigestVerify(
            context,
            signature,
            signature.count,
            message,
            message.count
        )
        if status != 1 {
            ERR_clear_error()
        }
        return status == 1
    }
}

/// Runs an OpenSSL `i2d` encoder twice: once for the length, once for the octets.
func encodeDER(
    _ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
) throws(CryptographyError) -> [UInt8] {
    let length = encode(nil)
    guard length > 0 else {
        ERR_clear_error()
        throw .libraryFailed
    }
    var octets = [UInt8](repeating: 0, count: Int(length))
    // SAFETY: the encoder was asked for its length, writes that many octets and moves its own copy of
    // the cursor only.
    let written = unsafe octets.withUnsafeMutableBufferPointer { buffer in
        var cursor = buffer.baseAddress
        return unsafe encode(&cursor)
    }
    guard written == length else { throw .libraryFailed }
    return octets
}
