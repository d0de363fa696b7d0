/// Why a context could not be made, or a session cannot go on.
///
/// After any error of a session, what `drain` still gives (the alert) may be sent, and nothing else.
package enum TLSError: Error, Hashable, Sendable {
    /// The context's own certificate, key, authority, pin, name or protocol list is unusable.
    case configurationInvalid(ConfigurationFault)
    /// We refused the peer's certificate.
    case certificateRefused(CertificateFault)
    /// The peer, a client, sent no certificate and one is required.
    case certificateMissing
    /// The peers have no application protocol in common, or the peer named none (RFC 7301 §3.2).
    case protocolNotNegotiated
    /// The peer ended the session with this alert (RFC 8446 §6.2).
    case alertReceived(TLSAlert)
    /// The peer broke the protocol, or speaks no version or cipher that we do; OpenSSL's reason.
    case peerFault(reason: String)
    /// The socket failed, with this error number.
    case socketFailed(errno: Int32)
    /// The session failed before, or was used out of order.
    case sessionUnusable
    /// OpenSSL failed on our side: out of memory.
    case libraryFailed
}

/// What is wrong with the parts of a context.
package enum ConfigurationFault: Hashable, Sendable {
    /// The certificate chain is empty or not DER, or the key length or signature is too weak.
    case certificate
    /// The private key is not one, or not the certificate's.
    case privateKey
    /// There is no authority, or one is not a certificate in DER.
    case authority
    /// A CRL is not one.
    case revocationList
    /// A pin is not 32 octets.
    case pin
    /// A server name is empty or holds a zero octet.
    case serverName
    /// A protocol name is empty or longer than 255 octets.
    case protocolName
}

/// Why verification refused a certificate (the checks of RFC 5280 §6 and RFC 6125).
package enum CertificateFault: Hashable, Sendable {
    /// It does not end in an authority that we trust, or in the pinned one.
    case untrusted
    /// Its validity is over.
    case expired
    /// Its validity has not begun.
    case notYetValid
    /// It is not for the name that we expect.
    case nameMismatch
    /// It may not be used for this side of TLS.
    case purposeNotAllowed
    /// A signature in its chain is wrong.
    case signatureInvalid
    /// A CRL of its issuer revokes it.
    case revoked
    /// Another reason, as OpenSSL numbers and words them.
    case other(code: Int, reason: String)
}

/// An alert of RFC 8446 §6, by its number.
package struct TLSAlert: Hashable, Sendable, CustomStringConvertible {
    /// AlertDescription.
    package let number: UInt8

    /// The alert with this number.
    package init(number: UInt8) {
        self.number = number
    }

    /// The name of RFC 8446, or the number.
    package var description: String {
        switch number {
        case 10: "unexpected_message"
        case 20: "bad_record_mac"
        case 22: "record_overflow"
        case 40: "handshake_failure"
        case 42: "bad_certificate"
        case 43: "unsupported_certificate"
        case 44: "certificate_revoked"
        case 45: "certificate_expired"
        case 46: "certificate_unknown"
        case 47: "illegal_parameter"
        case 48: "unknown_ca"
        case 49: "access_denied"
        case 50: "decode_error"
        case 51: "decrypt_error"
        case 70: "protocol_version"
        case 71: "insufficient_security"
        case 80: "internal_error"
        case 86: "inappropriate_fallback"
        case 109: "missing_extension"
        case 110: "unsupported_extension"
        case 112: "unrecognized_name"
        case 115: "unknown_psk_identity"
        case 116: "certificate_required"
        case 120: "no_application_protocol"
        default: "alert \(number)"
        }
    }
}
