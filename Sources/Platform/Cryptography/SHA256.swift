internal import COpenSSL

/// Octets of a SHA-256 digest.
package let sha256ByteCount = 32

/// The SHA-256 digest of `octets` (FIPS 180-4), without allocation.
///
/// - Complexity: O(`octets.count`).
package func sha256(_ octets: Span<UInt8>) -> InlineArray<32, UInt8> {
    var hasher = SHA256Hasher()
    hasher.update(octets)
    return hasher.finish()
}

/// The SHA-256 digest of `octets`, as 32 octets.
package func sha256(_ octets: [UInt8]) -> [UInt8] {
    let digest = sha256(octets.span)
    return digest.indices.map { digest[$0] }
}

/// An incremental SHA-256: feed octets in any pieces, then finish once.
// SAFETY: the pointer is set once, is freed in deinit only, and does not leave the file's calls.
@safe package struct SHA256Hasher: ~Copyable {
    private let context: OpaquePointer

    /// A hasher that was fed nothing.
    package init() {
        // SAFETY: a fresh context is owned by this value and freed in deinit; SHA-256 is a part of
        // every provider that OpenSSL can start with, so failing here is lack of memory.
        guard let context = unsafe EVP_MD_CTX_new(),
            unsafe EVP_DigestInit_ex2(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("OpenSSL has no SHA-256") }
        unsafe self.context = context
    }

    deinit {
        // SAFETY: the context is ours and nothing uses it after deinit.
        unsafe EVP_MD_CTX_free(context)
    }

    /// Feeds octets.
    package mutating func update(_ octets: Span<UInt8>) {
        // SAFETY: OpenSSL reads `count` octets from the span's storage during the call only.
        let status = unsafe octets.withUnsafeBufferPointer { buffer in
            unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
        }
        precondition(status == 1, "EVP_DigestUpdate failed")
    }

    /// Feeds octets.
    package mutating func update(_ octets: [UInt8]) {
        update(octets.span)
    }

    /// The digest of all that was fed.
    package consuming func finish() -> InlineArray<32, UInt8> {
        var octets = InlineArray<32, UInt8>(repeating: 0)
        var span = octets.mutableSpan
        // SAFETY: SHA-256 writes 32 octets, which is what the buffer has.
        let status = unsafe span.withUnsafeMutableBufferPointer { buffer in
            unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
        }
        precondition(status == 1, "EVP_DigestFinal_ex failed")
        return octets
    }
}
