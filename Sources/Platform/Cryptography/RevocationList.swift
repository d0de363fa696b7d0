internal import COpenSSL

/// The fields of a certificate revocation list (RFC 5280 §5) that decide whether it can be used.
package struct RevocationList: Hashable, Sendable {
    /// The whole list.
    package let der: [UInt8]
    /// The issuer as RFC 2253 writes it, cut to some hundred octets; for people.
    package let issuer: String
    /// When it was made, in seconds since 1970-01-01 UTC.
    package let thisUpdateSeconds: Int64
    /// When the next one is due, in seconds since 1970-01-01 UTC; nil if it does not say.
    package let nextUpdateSeconds: Int64?
    /// Whether it is the whole list of its issuer's own certificates, revoked for any reason.
    package let isComplete: Bool

    /// Reads one list; the whole input must be used.
    package init(der: [UInt8]) throws(CryptographyError) {
        self.der = der
        guard let list = X509List(der: der) else { throw .revocationListInvalid }
        defer { ERR_clear_error() }
        // SAFETY: name and times are borrowed from the list, which lives to the end of the call.
        issuer = unsafe nameText(X509_CRL_get_issuer(list.pointer))
        // SAFETY: the list lives to the end of the call.
        isComplete = unsafe weir_crl_is_complete(list.pointer) == 1
        var seconds: Int64 = 0
        guard
            unsafe weir_asn1_time_seconds(X509_CRL_get0_lastUpdate(list.pointer), &seconds) == 1
        else { throw .revocationListInvalid }
        thisUpdateSeconds = seconds
        if let next = unsafe X509_CRL_get0_nextUpdate(list.pointer) {
            guard unsafe weir_asn1_time_seconds(next, &seconds) == 1 else {
                throw .revocationListInvalid
            }
            nextUpdateSeconds = seconds
        } else {
            nextUpdateSeconds = nil
        }
    }

    /// Whether the authority has the list's issuer as its name and has signed the list.
    package func isIssued(by authority: CertificateDetails) -> Bool {
        guard let list = X509List(der: der),
            let certificate = X509Certificate(der: authority.certificate.der)
        else { return false }
        defer { ERR_clear_error() }
        // SAFETY: list and certificate live to the end of the call; names and key are borrowed.
        let name = unsafe X509_get_subject_name(certificate.pointer)
        guard unsafe X509_NAME_cmp(name, X509_CRL_get_issuer(list.pointer)) == 0,
            let key = unsafe X509_get0_pubkey(certificate.pointer)
        else { return false }
        return unsafe X509_CRL_verify(list.pointer, key) == 1
    }
}

/// An `X509_CRL`, freed with this value.
// SAFETY: the pointer is set once, is freed in deinit only, and does not leave the file's calls.
@safe private struct X509List: ~Copyable {
    let pointer: OpaquePointer

    init?(der: [UInt8]) {
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the array outlives it.
        let (pointer, used) = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            let pointer = unsafe d2i_X509_CRL(nil, &cursor, buffer.count)
            guard let start = buffer.baseAddress, let end = unsafe cursor else {
                return unsafe (pointer, 0)
            }
            return unsafe (pointer, end - start)
        }
        guard let pointer = unsafe pointer, used == der.count else {
            unsafe X509_CRL_free(pointer)
            ERR_clear_error()
            return nil
        }
        unsafe self.pointer = pointer
    }

    deinit {
        // SAFETY: the reference is ours.
        unsafe X509_CRL_free(pointer)
    }
}
