/// HMAC with SHA-256 (RFC 2104).
package func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    let blockByteCount = 64
    var block = key.count > blockByteCount ? sha256(key) : key
    defer { erase(&block) }
    block += [UInt8](repeating: 0, count: blockByteCount - block.count)
    var inner = block.map { $0 ^ 0x36 }
    var outer = block.map { $0 ^ 0x5C }
    defer {
        erase(&inner)
        erase(&outer)
    }
    return sha256(outer + sha256(inner + message))
}

/// HKDF with SHA-256 (RFC 5869): a key for one purpose out of a secret that is no key itself.
///
/// - Parameters:
///   - secret: What is secret; as many octets of entropy as the key is to have, at least.
///   - salt: Any octets; they need not be secret.
///   - info: What the key is for, and what it is bound to.
/// - Returns: 32 octets; who has them learns nothing of the secret, nor of keys for other purposes.
package func hkdfSHA256(secret: [UInt8], salt: [UInt8], info: [UInt8]) -> [UInt8] {
    var extracted = hmacSHA256(secret, key: salt)
    defer { erase(&extracted) }
    // One block of output is all that is asked for (§2.3, T(1)).
    return hmacSHA256(info + [1], key: extracted)
}
