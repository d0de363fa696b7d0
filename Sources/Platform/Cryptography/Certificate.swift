internal import COpenSSL

/// The fields of an X.509 certificate that nodes and servers look at, read once from its DER.
///
/// Reading proves nothing: trust is the TLS library's and the authority's affair.
package struct Certificate: Hashable, Sendable {
    /// The whole certificate.
    package let der: [UInt8]
    /// SHA-256 of `der`, 32 octets.
    package let fingerprint: [UInt8]
    /// The last common name of the subject, or nil.
    package let commonName: String?
    /// First moment of validity, in seconds since 1970-01-01 UTC.
    package let notBeforeSeconds: Int64
    /// Last moment of validity, in seconds since 1970-01-01 UTC.
    package let notAfterSeconds: Int64
    /// The serial number's octets, most significant first.
    package let serial: [UInt8]
    /// Subject alternative names of the kind dNSName.
    package let dnsNames: [String]
    /// Subject alternative names of the kind uniformResourceIdentifier.
    package let uris: [String]
    /// Subject alternative names of the kind iPAddress, 4 or 16 octets each.
    package let addresses: [[UInt8]]

    /// Longest certificate that is read, in octets.
    package static let bytesMax = 64 << 10

    /// Reads one certificate; the whole input must be used.
    package init(der: [UInt8]) throws(CryptographyError) {
        guard der.count <= Self.bytesMax, let certificate = X509Certificate(der: der) else {
            throw .certificateInvalid
        }
        self.der = der
        self.fingerprint = sha256(der)
        self.commonName = certificate.commonName()
        guard let times = certificate.validity() else { throw .certificateInvalid }
        (self.notBeforeSeconds, self.notAfterSeconds) = times
        self.serial = certificate.serial()
        let names = certificate.alternativeNames()
        self.dnsNames = names.dns
        self.uris = names.uris
        self.addresses = names.addresses
    }

    /// Reads every certificate of a PEM text, in order.
    package static func chain(pem: String) throws(CryptographyError) -> [Certificate] {
        var chain: [Certificate] = []
        for der in try PEM.decode(pem, label: "CERTIFICATE") {
            chain.append(try Certificate(der: der))
        }
        return chain
    }

    /// PEM with the label `CERTIFICATE`.
    package var pem: String {
        PEM.encode(der, label: "CERTIFICATE")
    }
}

/// An `X509`, freed with this value.
// SAFETY: the pointer is set once, is freed in deinit only, and is lent for single calls only.
@safe struct X509Certificate: ~Copyable {
    let pointer: OpaquePointer

    init?(der: [UInt8]) {
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the array outlives it.
        let (pointer, used) = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            let pointer = unsafe d2i_X509(nil, &cursor, buffer.count)
            guard let start = buffer.baseAddress, let end = unsafe cursor else {
                return unsafe (pointer, 0)
            }
            return unsafe (pointer, end - start)
        }
        guard let pointer = unsafe pointer, used == der.count else {
            unsafe X509_free(pointer)
            ERR_clear_error()
            return nil
        }
        unsafe self.pointer = pointer
    }

    deinit {
        // SAFETY: the reference is ours.
        unsafe X509_free(pointer)
    }

    borrowing func commonName() -> String? {
        // SAFETY: name, entry and string are borrowed from the certificate, which outlives them; the
        // UTF-8 copy is freed here after its octets were taken.
        let name = unsafe X509_get_subject_name(pointer)
        var index: Int32 = -1
        while true {
            let next = unsafe X509_NAME_get_index_by_NID(name, NID_commonName, index)
            guard next >= 0 else { break }
            index = next
        }
        guard index >= 0, let entry = unsafe X509_NAME_get_entry(name, index),
            let string = unsafe X509_NAME_ENTRY_get_data(entry)
        else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let length = unsafe ASN1_STRING_to_UTF8(&text, string)
        guard length >= 0, let start = unsafe text else {
            ERR_clear_error()
            return nil
        }
        defer { unsafe CRYPTO_free(start, nil, 0) }
        return unsafe String(
            validating: UnsafeBufferPointer(start: start, count: Int(length)),
            as: UTF8.self
        )
    }

    borrowing func validity() -> (Int64, Int64)? {
        var notBefore: Int64 = 0
        var notAfter: Int64 = 0
        // SAFETY: both times are borrowed from the certificate for the call.
        guard unsafe weir_asn1_time_seconds(X509_get0_notBefore(pointer), &notBefore) == 1,
            unsafe weir_asn1_time_seconds(X509_get0_notAfter(pointer), &notAfter) == 1
        else { return nil }
        return (notBefore, notAfter)
    }

    borrowing func serial() -> [UInt8] {
        // SAFETY: the number and its octets are borrowed from the certificate.
        guard let number = unsafe X509_get0_serialNumber(pointer),
            let start = unsafe ASN1_STRING_get0_data(number)
        else { return [] }
        return unsafe Array(
            UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(number)))
        )
    }

    borrowing func alternativeNames() -> (dns: [String], uris: [String], addresses: [[UInt8]]) {
        var dns: [String] = []
        var uris: [String] = []
        var addresses: [[UInt8]] = []
        // SAFETY: the stack is ours until freed here; each name's octets are borrowed from it.
        guard let raw = unsafe X509_get_ext_d2i(pointer, NID_subject_alt_name, nil, nil) else {
            ERR_clear_error()
            return (dns, uris, addresses)
        }
        let names = OpaquePointer(raw)
        defer { unsafe weir_general_names_free(names) }
        for index in 0..<(unsafe weir_general_name_count(names)) {
            var kind: Int32 = 0
            var length: Int32 = 0
            guard let start = unsafe weir_general_name(names, index, &kind, &length), length >= 0
            else { continue }
            let octets = unsafe Array(UnsafeBufferPointer(start: start, count: Int(length)))
            if kind == GEN_IPADD {
                addresses.append(octets)
            } else if !octets.contains(0), let text = String(validating: octets, as: UTF8.self) {
                if kind == GEN_DNS { dns.append(text) } else { uris.append(text) }
            }
        }
        return (dns, uris, addresses)
    }
}
