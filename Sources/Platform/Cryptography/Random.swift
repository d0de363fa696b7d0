internal import COpenSSL

/// Octets from OpenSSL's generator, fit for keys and tokens.
///
/// Traps when the generator fails: it is seeded by the kernel, and nothing safe can be done without it.
package func randomBytes(_ count: Int) -> [UInt8] {
    precondition(count >= 0 && count <= 1 << 20, "random octets out of range: \(count)")
    var octets = [UInt8](repeating: 0, count: count)
    // SAFETY: OpenSSL writes exactly `count` octets during the call.
    let status = unsafe octets.withUnsafeMutableBufferPointer { buffer in
        unsafe RAND_bytes(buffer.baseAddress, Int32(buffer.count))
    }
    precondition(status == 1, "the random number generator failed")
    return octets
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
package func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    // SAFETY: both arrays have `left.count` octets and outlive the call.
    return unsafe left.withUnsafeBufferPointer { first in
        unsafe right.withUnsafeBufferPointer { second in
            guard let one = first.baseAddress, let other = second.baseAddress else { return true }
            return unsafe CRYPTO_memcmp(one, other, first.count) == 0
        }
    }
}
