internal import COpenSSL

/// The first error of this thread that the TLS code itself queued, else the first of any part, else 0; none is left.
func takeTLSError() -> UInt {
    var first: UInt = 0
    while true {
        let code = ERR_get_error()
        if code == 0 { return first }
        if first == 0 { first = code }
        if weir_err_library(code) == ERR_LIB_SSL {
            ERR_clear_error()
            return code
        }
    }
}

/// What an error of OpenSSL means for a session.
///
/// - Parameters:
///   - code: Of `takeTLSError`.
///   - ssl: The session.
/// - Returns: The error.
@unsafe
func describeTLSError(_ code: UInt, _ ssl: OpaquePointer) -> TLSError {
    guard code != 0, weir_err_reason(code) != ERR_R_MALLOC_FAILURE else {
        return .libraryFailed
    }
    // Reasons are numbered per part of the library; those below are of its TLS part.
    guard weir_err_library(code) == ERR_LIB_SSL else {
        return .peerFault(reason: reasonText(code))
    }
    let reason = weir_err_reason(code)
    switch reason {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        // SAFETY: the caller's session.
        return .certificateRefused(certificateFault(unsafe SSL_get_verify_result(ssl)))
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return .certificateMissing
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return .protocolNotNegotiated
    case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255):
        // OpenSSL numbers the peer's alerts from this offset.
        let number = UInt8(truncatingIfNeeded: reason - SSL_AD_REASON_OFFSET)
        return .alertReceived(TLSAlert(number: number))
    default:
        return .peerFault(reason: reasonText(code))
    }
}

/// The application protocol of a session, or nil.
///
/// - Parameter ssl: The session.
/// - Returns: Its name.
@unsafe
func selectedProtocol(_ ssl: OpaquePointer) -> String? {
    var start: UnsafePointer<UInt8>?
    var length: UInt32 = 0
    // SAFETY: the name is borrowed from the session and copied at once.
    unsafe SSL_get0_alpn_selected(ssl, &start, &length)
    guard let start = unsafe start, length > 0 else { return nil }
    return unsafe String(
        decoding: UnsafeBufferPointer(start: start, count: Int(length)),
        as: UTF8.self
    )
}

private func reasonText(_ code: UInt) -> String {
    // SAFETY: the text is a constant of the library.
    guard let text = unsafe ERR_reason_error_string(code) else {
        return "reason \(weir_err_reason(code))"
    }
    return unsafe String(cString: text)
}

private func certificateFault(_ result: Int) -> CertificateFault {
    switch Int32(truncatingIfNeeded: result) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return .expired
    case X509_V_ERR_CERT_NOT_YET_VALID: return .notYetValid
    case X509_V_ERR_CERT_REVOKED: return .revoked
    case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: return .nameMismatch
    case X509_V_ERR_INVALID_PURPOSE: return .purposeNotAllowed
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return .signatureInvalid
    case X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return .untrusted
    default:
        // SAFETY: the text is a constant of the library.
        let text = unsafe X509_verify_cert_error_string(result)
        let reason = unsafe text.map { unsafe String(cString: $0) } ?? "unknown"
        return .other(code: result, reason: reason)
    }
}
