internal import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) over whole messages: nonce (12) ‖ ciphertext ‖ tag (16).
///
/// The nonce is random, so one key seals at most 2³² messages; an envelope key here seals a few per day.
package enum AESGCM {
    /// Octets of a key.
    package static let keyByteCount = 32
    /// Octets by which a sealed message is longer than its content.
    package static let overheadByteCount = nonceByteCount + tagByteCount

    private static let nonceByteCount = 12
    private static let tagByteCount = 16
    /// Longest message, in octets: OpenSSL counts in `int`.
    private static let messageBytesMax = 1 << 28

    /// Seals `plaintext`; `context` is authenticated with it and must be given again to open.
    package static func seal(
        _ plaintext: [UInt8],
        key: [UInt8],
        context: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        guard key.count == keyByteCount else { throw .keyLengthInvalid }
        guard plaintext.count <= messageBytesMax, context.count <= messageBytesMax else {
            throw .libraryFailed
        }
        let nonce = randomBytes(nonceByteCount)
        let cipher = try CipherContext()
        var ciphertext = [UInt8](repeating: 0, count: plaintext.count)
        var tag = [UInt8](repeating: 0, count: tagByteCount)
        var length: Int32 = 0
        // SAFETY: the array arguments live for each call; GCM writes as many octets as it reads and 16
        // for the tag, and the buffers have just that.
        guard
            unsafe EVP_EncryptInit_ex2(cipher.pointer, EVP_aes_256_gcm(), key, nonce, nil) == 1,
            unsafe EVP_EncryptUpdate(cipher.pointer, nil, &length, context, Int32(context.count))
                == 1,
            unsafe EVP_EncryptUpdate(
                cipher.pointer,
                &ciphertext,
                &length,
                plaintext,
                Int32(plaintext.count)
            ) == 1,
            unsafe EVP_EncryptFinal_ex(cipher.pointer, &tag, &length) == 1,
            unsafe weir_gcm_get_tag(cipher.pointer, &tag, Int32(tagByteCount)) == 1
        else { throw .libraryFailed }
        return nonce + ciphertext + tag
    }

    /// Opens what `seal` made with the same key and context.
    package static func open(
        _ sealed: [UInt8],
        key: [UInt8],
        context: [UInt8]
    ) throws(CryptographyError) -> [UInt8] {
        guard key.count == keyByteCount else { throw .keyLengthInvalid }
        guard sealed.count >= overheadByteCount, sealed.count <= messageBytesMax,
            context.count <= messageBytesMax
        else { throw .openFailed }
        let nonce = Array(sealed.prefix(nonceByteCount))
        let tag = Array(sealed.suffix(tagByteCount))
        let ciphertext = Array(sealed.dropFirst(nonceByteCount).dropLast(tagByteCount))
        let cipher = try CipherContext()
        var plaintext = [UInt8](repeating: 0, count: ciphertext.count)
        var unused = [UInt8](repeating: 0, count: tagByteCount)
        var length: Int32 = 0
        // SAFETY: the array arguments live for each call; GCM writes as many octets as it reads, and
        // the final call writes none.
        guard
            unsafe EVP_DecryptInit_ex2(cipher.pointer, EVP_aes_256_gcm(), key, nonce, nil) == 1,
            unsafe EVP_DecryptUpdate(cipher.pointer, nil, &length, context, Int32(context.count))
                == 1,
            unsafe EVP_DecryptUpdate(
                cipher.pointer,
                &plaintext,
                &length,
                ciphertext,
                Int32(ciphertext.count)
            ) == 1,
            unsafe weir_gcm_set_tag(cipher.pointer, tag, Int32(tagByteCount)) == 1,
            unsafe EVP_DecryptFinal_ex(cipher.pointer, &unused, &length) == 1
        else {
            // What was decrypted is either nonsense or a secret that nobody may have.
            erase(&plaintext)
            ERR_clear_error()
            throw .openFailed
        }
        return plaintext
    }
}

/// An `EVP_CIPHER_CTX`, freed with this value.
// SAFETY: the pointer is set once, is freed in deinit only, and does not leave the file's calls.
@safe private struct CipherContext: ~Copyable {
    let pointer: OpaquePointer

    init() throws(CryptographyError) {
        // SAFETY: the new context is ours and freed in deinit.
        guard let pointer = unsafe EVP_CIPHER_CTX_new() else { throw .libraryFailed }
        unsafe self.pointer = pointer
    }

    deinit {
        // SAFETY: the context is ours.
        unsafe EVP_CIPHER_CTX_free(pointer)
    }
}
