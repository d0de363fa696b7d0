internal import COpenSSL

/// The algorithm of a key, with its size where the algorithm leaves it open.
package enum KeyKind: Hashable, Sendable, CustomStringConvertible {
    /// RSA with a modulus of so many bits.
    case rsa(bits: Int)
    /// ECDSA on NIST P-256.
    case p256
    /// ECDSA on NIST P-384.
    case p384
    /// ECDSA on NIST P-521.
    case p521
    /// Ed25519 (RFC 8032).
    case ed25519
    /// Any other algorithm or curve, by its name in OpenSSL.
    case other(String)

    /// As people write it: `RSA 2048`, `EC P-256`.
    package var description: String {
        switch self {
        case .rsa(let bits): "RSA \(bits)"
        case .p256: "EC P-256"
        case .p384: "EC P-384"
        case .p521: "EC P-521"
        case .ed25519: "Ed25519"
        case .other(let name): name
        }
    }

    /// Bits of the modulus or of the group; 0 for other algorithms.
    package var bits: Int {
        switch self {
        case .rsa(let bits): bits
        case .p256, .ed25519: 256
        case .p384: 384
        case .p521: 521
        case .other: 0
        }
    }
}

extension EVPKey {
    /// Algorithm and size.
    var kind: KeyKind {
        // SAFETY: the key outlives the call.
        unsafe Self.kind(of: pointer)
    }

    /// Algorithm and size of a key that is borrowed for the call.
    // SAFETY: the caller's key lives as long as the call; names are zero-terminated and copied.
    @safe static func kind(of pointer: OpaquePointer) -> KeyKind {
        switch unsafe EVP_PKEY_get_base_id(pointer) {
        case EVP_PKEY_RSA: return .rsa(bits: Int(unsafe EVP_PKEY_get_bits(pointer)))
        case EVP_PKEY_ED25519: return .ed25519
        case EVP_PKEY_EC: break
        default:
            let name = unsafe EVP_PKEY_get0_type_name(pointer)
            return .other(unsafe name.map { unsafe String(cString: $0) } ?? "an unknown algorithm")
        }
        var octets = [UInt8](repeating: 0, count: 64)
        var length = 0
        // SAFETY: OpenSSL writes at most as many octets as the array has, or the call fails.
        let status = unsafe octets.withUnsafeMutableBytes { buffer in
            let start = unsafe buffer.bindMemory(to: CChar.self)
            return unsafe EVP_PKEY_get_group_name(pointer, start.baseAddress, start.count, &length)
        }
        guard status == 1, length <= octets.count else {
            ERR_clear_error()
            return .other("EC on an unnamed curve")
        }
        switch String(decoding: octets.prefix(length), as: UTF8.self) {
        case "prime256v1", "P-256": return .p256
        case "secp384r1", "P-384": return .p384
        case "secp521r1", "P-521": return .p521
        case let name: return .other("EC \(name)")
        }
    }
}
