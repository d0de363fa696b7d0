internal import COpenSSL

/// What has to be known of a certificate before it is served, or trusted: more than `Certificate` reads.
package struct CertificateDetails: Hashable, Sendable {
    /// DER, names, serial number and validity.
    package let certificate: Certificate
    /// The subject as RFC 2253 writes it, cut to some hundred octets; for people.
    package let subject: String
    /// The issuer, likewise.
    package let issuer: String
    /// Algorithm and size of the public key.
    package let key: KeyKind
    /// The public key as `SubjectPublicKeyInfo` in DER; empty if OpenSSL cannot read it.
    package let publicKeyDER: [UInt8]
    /// The digest within the signature, if it is one with which signatures have been forged: `MD5`, `SHA-1`.
    package let weakDigest: String?
    /// Whether its own key has signed it.
    package let isSelfSigned: Bool
    /// Whether the basic constraints make it a CA.
    package let isAuthority: Bool
    /// Whether a TLS server may use it: the extended key usage says so, or says nothing.
    package let allowsServers: Bool
    /// Whether its key may sign handshakes: the key usage says so, or says nothing.
    package let allowsSignatures: Bool
    /// Whether it tells from where its issuer's certificate can be fetched.
    package let namesIssuerLocation: Bool
    /// Whether it tells that its issuer's certificate was itself issued by another authority.
    package let saysIssuerIsIssued: Bool

    /// Reads one certificate; the whole input must be used.
    package init(der: [UInt8]) throws(CryptographyError) {
        certificate = try Certificate(der: der)
        guard let decoded = X509Certificate(der: der) else { throw .certificateInvalid }
        defer { ERR_clear_error() }
        // SAFETY: names and keys are borrowed from the certificate, which lives to the end of the call.
        let flags = unsafe X509_get_extension_flags(decoded.pointer)
        // An extension that does not decode, or stands there twice: what it was to restrict is unknown.
        guard flags & UInt32(EXFLAG_INVALID) == 0 else { throw .certificateInvalid }
        subject = unsafe nameText(X509_get_subject_name(decoded.pointer))
        issuer = unsafe nameText(X509_get_issuer_name(decoded.pointer))
        if let key = unsafe X509_get0_pubkey(decoded.pointer) {
            self.key = EVPKey.kind(of: key)
            publicKeyDER = unsafe try encodeDER { cursor in unsafe i2d_PUBKEY(key, cursor) }
            isSelfSigned = unsafe X509_self_signed(decoded.pointer, 1) == 1
        } else {
            (self.key, publicKeyDER, isSelfSigned) = (.other("an unknown algorithm"), [], false)
        }
        weakDigest =
            switch unsafe weir_signature_digest(decoded.pointer) {
            case NID_md2: "MD2"
            case NID_md4: "MD4"
            case NID_md5: "MD5"
            case NID_sha1: "SHA-1"
            default: nil
            }
        // SAFETY: as above; each call reads the certificate and keeps nothing.
        isAuthority = flags & UInt32(EXFLAG_CA) != 0
        let purposes = unsafe X509_get_extended_key_usage(decoded.pointer)
        allowsServers = purposes & UInt32(XKU_SSL_SERVER) != 0
        let usage = unsafe X509_get_key_usage(decoded.pointer)
        allowsSignatures = usage & UInt32(KU_DIGITAL_SIGNATURE) != 0
        namesIssuerLocation = unsafe weir_names_issuer_location(decoded.pointer) == 1
        saysIssuerIsIssued = unsafe weir_issuer_is_issued(decoded.pointer) == 1
    }

    /// Whether `issuer` is named as the issuer, may issue, and its key has signed this certificate.
    package func isIssued(by issuer: CertificateDetails) -> Bool {
        guard let subject = X509Certificate(der: certificate.der),
            let authority = X509Certificate(der: issuer.certificate.der)
        else { return false }
        defer { ERR_clear_error() }
        // SAFETY: both certificates live to the end of the call, and the key is borrowed from one.
        guard unsafe X509_check_issued(authority.pointer, subject.pointer) == X509_V_OK,
            let key = unsafe X509_get0_pubkey(authority.pointer)
        else { return false }
        return unsafe X509_verify(subject.pointer, key) == 1
    }
}

/// Why a path of certificates does not hold together.
package struct PathFailure: Hashable, Sendable {
    /// Which certificate, counted from the leaf, 0.
    package let position: Int
    /// OpenSSL's words.
    package let reason: String
}

/// Verifies a path as a TLS client does that trusts its last certificate.
///
/// Signatures, validity, path lengths, name constraints, purposes: everything but whether the last one
/// deserves the trust.
///
/// - Parameters:
///   - path: The leaf first, each certificate issued by the next.
///   - seconds: The moment, in seconds since 1970-01-01 UTC.
/// - Returns: The first failure, or nil.
package func verifyPath(_ path: [CertificateDetails], atSeconds seconds: Int64) -> PathFailure? {
    let octets = path.flatMap(\.certificate.der)
    let lengths = path.map { $0.certificate.der.count }
    var position: Int32 = 0
    // SAFETY: the lengths add up to the octets; both arrays outlive the call, which keeps neither. The
    // text is a constant of OpenSSL's.
    let code = unsafe weir_verify_path(octets, lengths, Int32(path.count), seconds, &position)
    guard code != X509_V_OK else { return nil }
    let reason = unsafe String(cString: X509_verify_cert_error_string(Int(code)))
    return PathFailure(position: min(max(Int(position), 0), max(path.count - 1, 0)), reason: reason)
}

/// A name as RFC 2253 writes it, cut.
// SAFETY: the caller's name lives as long as the call.
@safe func nameText(_ name: OpaquePointer?) -> String {
    guard let name = unsafe name else { return "" }
    var text = [UInt8](repeating: 0, count: 240)
    // SAFETY: the shim writes at most as many octets as the array has.
    let length = unsafe text.withUnsafeMutableBytes { buffer in
        let start = unsafe buffer.bindMemory(to: CChar.self)
        return unsafe weir_name_text(name, start.baseAddress, Int32(start.count))
    }
    return String(decoding: text.prefix(max(0, Int(length))), as: UTF8.self)
}
