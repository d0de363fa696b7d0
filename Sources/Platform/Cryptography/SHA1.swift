internal import COpenSSL

/// The SHA-1 digest of `octets` (FIPS 180-4): 20 octets.
///
/// For WebSocket's handshake (RFC 6455 §4.2.2), which is no secret; SHA-1 protects nothing.
package func sha1(_ octets: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 20)
    // SAFETY: OpenSSL reads `count` octets of the one array and writes 20 to the other, during the call only.
    let status = unsafe octets.withUnsafeBufferPointer { source in
        unsafe digest.withUnsafeMutableBufferPointer { target in
            unsafe EVP_Digest(
                source.baseAddress,
                source.count,
                target.baseAddress,
                nil,
                EVP_sha1(),
                nil
            )
        }
    }
    precondition(status == 1, "OpenSSL has no SHA-1")
    return digest
}
