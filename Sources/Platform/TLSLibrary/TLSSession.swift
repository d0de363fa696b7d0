internal import COpenSSL

/// One TLS 1.3 connection, without I/O: ciphertext of the peer in, ciphertext for the peer out.
///
///     feed() ──▶ ┌───────────┐ ──▶ read()
///       peer     │ TLSSession│      program
///     drain() ◀──└───────────┘ ◀── write()
///
///     handshaking --handshake() is true--> open --shutdown(), or read() is .closed--> closing
///          └────────────── any error ───────┴──▶ failed: drain() only
///
/// After every call the caller sends what `drain` gives. Nothing blocks: a call that needs octets of the
/// peer says so and is repeated after the next `feed`. Confined to one thread.
// SAFETY: the pointers are set once, freed in deinit only, and lent for single calls only; the session
// owns both memory BIOs.
@safe package final class TLSSession {
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let side: TLSContext.Side
    private let needsProtocol: Bool
    private var failure: TLSError?
    private var isOpen = false

    /// What a read found.
    package enum ReadResult: Hashable, Sendable {
        /// So many octets of content were written to the buffer; there may be more.
        case content(Int)
        /// All that came is read; feed more.
        case needsInput
        /// The peer said that it sends no more (close_notify).
        case closed
    }

    /// A session that has sent and received nothing.
    package init(_ context: TLSContext) throws(TLSError) {
        side = context.side
        needsProtocol = context.needsProtocol
        // SAFETY: each new object's only reference goes to the session or is freed on the way out;
        // SSL_set_bio takes over both BIOs.
        guard let ssl = unsafe SSL_new(context.pointer) else { throw .libraryFailed }
        guard let incoming = unsafe BIO_new(BIO_s_mem()) else {
            unsafe SSL_free(ssl)
            throw .libraryFailed
        }
        guard let outgoing = unsafe BIO_new(BIO_s_mem()) else {
            unsafe BIO_free(incoming)
            unsafe SSL_free(ssl)
            throw .libraryFailed
        }
        unsafe SSL_set_bio(ssl, incoming, outgoing)
        unsafe (self.ssl, self.incoming, self.outgoing) = (ssl, incoming, outgoing)
        switch context.side {
        case .client: unsafe SSL_set_connect_state(ssl)
        case .server: unsafe SSL_set_accept_state(ssl)
        }
        if let name = context.serverName {
            // SAFETY: OpenSSL copies the name.
            guard unsafe weir_ssl_set_server_name(ssl, name) == 1 else {
                throw .configurationInvalid(.serverName)
            }
        }
    }

    deinit {
        // SAFETY: the session is ours and frees its BIOs.
        unsafe SSL_free(ssl)
    }

    // MARK: Ciphertext

    /// Takes all of `ciphertext`, in the pieces in which it came.
    package func feed(_ ciphertext: Span<UInt8>) throws(TLSError) {
        guard failure == nil else { throw .sessionUnusable }
        guard !ciphertext.isEmpty else { return }
        // SAFETY: the BIO copies the octets during the call.
        var taken = 0
        let status = unsafe ciphertext.withUnsafeBufferPointer { buffer in
            unsafe BIO_write_ex(incoming, buffer.baseAddress, buffer.count, &taken)
        }
        guard status == 1, taken == ciphertext.count else { throw fail(.libraryFailed) }
    }

    /// Octets that `drain` would give.
    package var drainableCount: Int {
        // SAFETY: the BIO lives as long as the session.
        unsafe BIO_ctrl_pending(outgoing)
    }

    /// Moves ciphertext for the peer to the front of `buffer`.
    ///
    /// - Parameter buffer: Where to; any length.
    /// - Returns: How many octets; fewer than `buffer` holds means that there are no more.
    package func drain(into buffer: inout MutableSpan<UInt8>) -> Int {
        guard !buffer.isEmpty else { return 0 }
        // SAFETY: the BIO writes at most `count` octets and keeps no pointer.
        var moved = 0
        let status = unsafe buffer.withUnsafeMutableBufferPointer { target in
            unsafe BIO_read_ex(outgoing, target.baseAddress, target.count, &moved)
        }
        return status == 1 ? moved : 0
    }

    /// All ciphertext for the peer.
    package func drain() -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: drainableCount)
        var span = octets.mutableSpan
        let count = drain(into: &span)
        octets.removeLast(octets.count - count)
        return octets
    }

    // MARK: Handshake

    /// Goes on with the handshake.
    ///
    /// - Returns: Whether it is complete; else feed more and call again.
    /// - Throws: Why it failed. An alert may be in `drain`.
    package func handshake() throws(TLSError) -> Bool {
        if isOpen { return true }
        guard failure == nil else { throw .sessionUnusable }
        ERR_clear_error()
        // SAFETY: the session is ours; it works on its memory BIOs only.
        let status = unsafe SSL_do_handshake(ssl)
        guard status == 1 else {
            try check(status)
            return false
        }
        guard !needsProtocol || negotiatedProtocol != nil else {
            throw fail(.protocolNotNegotiated)
        }
        isOpen = true
        return true
    }

    // MARK: Content

    /// Decrypts content to the front of `buffer`.
    ///
    /// - Parameter buffer: Where to; not empty.
    /// - Returns: What was found.
    /// - Throws: Why the session ended; `sessionUnusable` before the handshake is complete.
    package func read(into buffer: inout MutableSpan<UInt8>) throws(TLSError) -> ReadResult {
        guard isOpen, failure == nil, !buffer.isEmpty else { throw .sessionUnusable }
        ERR_clear_error()
        var count = 0
        // SAFETY: OpenSSL writes at most `count` octets and keeps no pointer.
        let status = unsafe buffer.withUnsafeMutableBufferPointer { target in
            unsafe SSL_read_ex(ssl, target.baseAddress, target.count, &count)
        }
        if status == 1 { return .content(count) }
        // SAFETY: the session is ours.
        if unsafe SSL_get_error(ssl, status) == SSL_ERROR_ZERO_RETURN { return .closed }
        try check(status)
        return .needsInput
    }

    /// Encrypts all of `content`; the caller bounds what it writes by `drainableCount`.
    package func write(_ content: Span<UInt8>) throws(TLSError) {
        guard isOpen, failure == nil else { throw .sessionUnusable }
        var written = 0
        while written < content.count {
            ERR_clear_error()
            let rest = content.extracting(written...)
            var count = 0
            // SAFETY: OpenSSL reads at most `count` octets; the memory BIO takes every record whole,
            // so no write waits with a pointer to them.
            let status = unsafe rest.withUnsafeBufferPointer { buffer in
                unsafe SSL_write_ex(ssl, buffer.baseAddress, buffer.count, &count)
            }
            if status != 1 {
                try check(status)
                // A full handshake is over and TLS 1.3 has no renegotiation: a write never waits.
                throw fail(.libraryFailed)
            }
            written += count
        }
    }

    /// Says that we send no more (close_notify); reading may go on.
    package func shutdown() {
        guard isOpen, failure == nil else { return }
        ERR_clear_error()
        // SAFETY: the session is ours. The answer tells whether the peer has closed too, which a read
        // finds out.
        let status = unsafe SSL_shutdown(ssl)
        if status < 0 {
            ERR_clear_error()
        }
    }

    // MARK: The peer

    /// The application protocol in use, or nil.
    package var negotiatedProtocol: String? {
        // SAFETY: the session is ours.
        unsafe selectedProtocol(ssl)
    }

    /// The peer's own certificate in DER, or nil when it sent none.
    package var peerCertificate: [UInt8]? {
        // SAFETY: the certificate is borrowed from the session and encoded at once.
        guard let certificate = unsafe SSL_get0_peer_certificate(ssl) else { return nil }
        return unsafe encodeCertificate(certificate)
    }

    /// The verified chain in DER, from the peer's own certificate to the authority.
    package var verifiedChain: [[UInt8]] {
        // SAFETY: the chain is borrowed from the session and encoded at once.
        let chain = unsafe SSL_get0_verified_chain(ssl)
        var octets: [[UInt8]] = []
        for index in 0..<(unsafe weir_x509_chain_count(chain)) {
            if let certificate = unsafe weir_x509_chain_at(chain, index),
                let der = unsafe encodeCertificate(certificate)
            {
                octets.append(der)
            }
        }
        return octets
    }

    // MARK: Errors

    private func fail(_ error: TLSError) -> TLSError {
        failure = error
        return error
    }

    /// Returns when OpenSSL waits for octets of the peer; throws what else it says.
    private func check(_ status: Int32) throws(TLSError) {
        // SAFETY: the session is ours; the error queue is this thread's.
        switch unsafe SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ:
            return
        case SSL_ERROR_ZERO_RETURN:
            throw fail(.peerFault(reason: "closed during the handshake"))
        default:
            throw fail(unsafe describeTLSError(takeTLSError(), ssl))
        }
    }
}

/// A certificate in DER; nil when OpenSSL cannot write it.
@unsafe
func encodeCertificate(_ certificate: OpaquePointer) -> [UInt8]? {
    // SAFETY: the first call asks for the length; the second writes that many octets and moves
    // its own cursor only.
    let length = unsafe i2d_X509(certificate, nil)
    guard length > 0 else { return nil }
    var octets = [UInt8](repeating: 0, count: Int(length))
    let written = unsafe octets.withUnsafeMutableBufferPointer { buffer in
        var cursor = buffer.baseAddress
        return unsafe i2d_X509(certificate, &cursor)
    }
    return written == length ? octets : nil
}
