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
