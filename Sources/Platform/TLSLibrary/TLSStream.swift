internal import COpenSSL

/// What the TLS streams of one thread share: memory in which what they write is gathered.
///
/// One stream at a time fills it, and whoever called that one empties it before the next. Confined to its thread.
// SAFETY: both blocks are owned alone, freed in deinit, and reached by OpenSSL only while a stream works.
@safe package final class TLSWorkspace {
    let port: UnsafeMutablePointer<weir_tls_port>

    /// Octets of a record's content, at most (RFC 8446 §5.1).
    static let recordBytes = 16_384
    /// Octets that a record may have beside its content (RFC 8446 §5.2, RFC 5246 §6.2.3).
    static let recordOverheadBytes = 256

    /// Has memory for some records.
    ///
    /// - Parameter recordCount: How many of the largest fit.
    package init(recordCount: Int) {
        let capacity = recordCount * (Self.recordBytes + Self.recordOverheadBytes)
        // SAFETY: initialised here, before anybody sees it.
        unsafe port = .allocate(capacity: 1)
        unsafe port.initialize(
            to: weir_tls_port(
                descriptor: -1,
                error: 0,
                is_drained: 0,
                has_ended: 0,
                has_waited: 0,
                input_left: 0,
                output: .allocate(capacity: capacity),
                output_count: 0,
                output_capacity: capacity
            )
        )
    }

    deinit {
        // SAFETY: allocated in init.
        unsafe port.pointee.output.deallocate()
        unsafe port.deallocate()
    }

    /// Octets that were gathered.
    package var outputCount: Int { unsafe port.pointee.output_count }

    /// Lends what was gathered.
    ///
    /// - Parameter body: Gets the octets; nothing of them outlives the call.
    /// - Returns: What `body` returns.
    package func withOutput<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        // SAFETY: the first `output_count` octets are initialised, and no stream works meanwhile.
        let octets = unsafe UnsafeBufferPointer(
            start: port.pointee.output,
            count: port.pointee.output_count
        )
        return unsafe body(Span(_unsafeElements: octets))
    }

    /// Forgets what was gathered.
    package func clear() {
        // SAFETY: no stream works meanwhile.
        unsafe port.pointee.output_count = 0
    }

    /// Whether another record of any size fits.
    var hasRoom: Bool {
        // SAFETY: the port lives as long as the workspace.
        unsafe port.pointee.output_capacity - port.pointee.output_count
            >= Self.recordBytes + Self.recordOverheadBytes
    }

    /// Has the streams' reads go to a socket, for so many octets.
    func attend(to descriptor: Int32, inputBytesMax: Int) {
        // SAFETY: no stream works yet.
        unsafe weir_tls_port_attend(port, descriptor, inputBytesMax)
    }

    /// Octets that may still be read.
    var inputBytesLeft: Int { unsafe port.pointee.input_left }
}

/// A version of TLS.
package enum TLSVersion: Sendable {
    /// RFC 5246.
    case tls12
    /// RFC 8446.
    case tls13
}

/// A TLS session on a socket: reads from it, and gathers what is to be written to it in the thread's workspace.
///
///     handshaking --handshake() is true--> open --shutdown(), or read() is .closed--> closing
///          └────────────── any error ───────┴──▶ failed
///
/// After every call the caller sends what the workspace holds, before any stream is called again. Nothing blocks.
// SAFETY: the pointer is set once, freed in deinit only, and lent for single calls only.
@safe package final class TLSStream {
    private let ssl: OpaquePointer
    /// What OpenSSL reaches while the session works: a listener's side, or where sessions with a server are kept.
    private let owner: AnyObject
    private let workspace: TLSWorkspace
    private let descriptor: Int32
    private var failure: TLSError?
    private(set) package var isOpen = false
    private var isShut = false
    /// Octets that may come before there is content, or the end of the handshake.
    private var inputBytesLeft = Limits.handshakeBytesMax

    /// What a read found.
    package enum ReadResult: Hashable, Sendable {
        /// So many octets of content came; at least 1.
        case content(Int)
        /// Nothing is there now.
        case wouldBlock
        /// The peer sends no more. Without its close_notify that may be a cut.
        case closed(isNotified: Bool)
    }

    /// A session with a client, which has sent and received nothing.
    ///
    /// - Parameters:
    ///   - edge: The listener's side.
    ///   - workspace: The thread's.
    ///   - descriptor: A non-blocking socket, open for as long as the session works.
    /// - Throws: `libraryFailed` when memory has run out.
    package init(
        accepting edge: TLSEdge,
        _ workspace: TLSWorkspace,
        descriptor: Int32
    ) throws(TLSError) {
        // SAFETY: each new object's only reference goes to the session or is freed on the way out;
        // SSL_set_bio takes over the BIO, once for both sides.
        guard let ssl = unsafe SSL_new(edge.initialContext.pointer) else { throw .libraryFailed }
        guard let bio = unsafe weir_tls_bio(workspace.port) else {
            unsafe SSL_free(ssl)
            throw .libraryFailed
        }
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_accept_state(ssl)
        if edge.ticketKeys.isEmpty {
            unsafe weir_ssl_set_no_tickets(ssl)
        }
        unsafe self.ssl = ssl
        (owner, self.workspace, self.descriptor) = (edge, workspace, descriptor)
    }

    /// A session with a server, which has sent and received nothing.
    ///
    /// - Parameters:
    ///   - connector: Our side.
    ///   - server: Whom to reach.
    ///   - resumption: The last session with that server.
    ///   - workspace: The thread's.
    ///   - descriptor: A non-blocking socket, open for as long as the session works.
    /// - Throws: `libraryFailed` when memory has run out, `configurationInvalid` for a name that cannot be asked for.
    package init(
        connecting connector: TLSConnector,
        to server: TLSServer,
        _ resumption: TLSResumption,
        _ workspace: TLSWorkspace,
        descriptor: Int32
    ) throws(TLSError) {
        // SAFETY: as above; OpenSSL copies name and address, and the slot lives as long as `resumption`.
        guard let ssl = unsafe SSL_new(connector.context.pointer) else { throw .libraryFailed }
        guard let bio = unsafe weir_tls_bio(workspace.port) else {
            unsafe SSL_free(ssl)
            throw .libraryFailed
        }
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_connect_state(ssl)
        unsafe self.ssl = ssl
        (owner, self.workspace, self.descriptor) = (resumption, workspace, descriptor)
        guard unsafe weir_ssl_use_slot(ssl, resumption.slot) == 1 else { throw .libraryFailed }
        switch server {
        case .anybody: break
        case .name(let name):
            let flags = UInt32(
                X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
            )
            unsafe SSL_set_hostflags(ssl, flags)
            guard !name.isEmpty, !name.utf8.contains(0),
                unsafe weir_ssl_set_server_name(ssl, name) == 1,
                unsafe SSL_set1_host(ssl, name) == 1
            else { throw .configurationInvalid(.serverName) }
        case .address(let octets):
            guard
                unsafe X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), octets, octets.count) == 1
            else { throw .configurationInvalid(.serverName) }
        }
    }

    deinit {
        // SAFETY: the session is ours and frees its BIO.
        unsafe SSL_free(ssl)
    }

    // MARK: Handshake

    /// Goes on with the handshake.
    ///
    /// - Returns: Whether it is complete; else call again when the socket can be read.
    /// - Throws: Why it failed. An alert may have been gathered.
    package func handshake() throws(TLSError) -> Bool {
        if isOpen { return true }
        guard failure == nil else { throw .sessionUnusable }
        attend()
        ERR_clear_error()
        // SAFETY: the session is ours.
        let status = unsafe SSL_do_handshake(ssl)
        inputBytesLeft = workspace.inputBytesLeft
        guard status == 1 else {
            if case .closed = try outcome(status) {
                throw fail(.peerFault(reason: "closed during the handshake"))
            }
            return false
        }
        isOpen = true
        inputBytesLeft = Limits.contentlessBytesMax
        // What was tried on the way and did not matter.
        ERR_clear_error()
        return true
    }

    /// Turns the workspace to this session.
    private func attend() {
        workspace.attend(to: descriptor, inputBytesMax: inputBytesLeft)
    }

    // MARK: Content

    /// Whether the socket had no more than what was read, so that another read needs another event.
    package var isDrained: Bool {
        // SAFETY: the session is ours.
        unsafe workspace.port.pointee.is_drained == 1 && SSL_has_pending(ssl) == 0
    }

    /// Decrypts content of one record, or a part of it.
    ///
    /// - Parameter buffer: Where to; not empty.
    /// - Returns: What was found.
    /// - Throws: Why the session ended; `sessionUnusable` before the handshake is complete.
    @unsafe
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> ReadResult {
        guard isOpen, failure == nil else { throw .sessionUnusable }
        attend()
        var count = 0
        // SAFETY: OpenSSL writes at most `count` octets and keeps no pointer.
        let status = unsafe SSL_read_ex(ssl, buffer.baseAddress, buffer.count, &count)
        return try outcome(ofReading: count, status)
    }

    /// Looks whether a read would bring content or the end; what TLS says for itself is taken up on the way.
    ///
    /// - Returns: What was found; of content, one octet.
    /// - Throws: As `read`.
    package func look() throws(TLSError) -> ReadResult {
        guard isOpen, failure == nil else { throw .sessionUnusable }
        attend()
        var octet: UInt8 = 0
        var count = 0
        // SAFETY: OpenSSL writes at most one octet and keeps no pointer.
        let status = unsafe SSL_peek_ex(ssl, &octet, 1, &count)
        return try outcome(ofReading: count, status)
    }

    /// Encrypts content, as much as the workspace has room for.
    ///
    /// - Parameter content: What to write.
    /// - Returns: How many octets of it were taken.
    /// - Throws: Why the session ended; `sessionUnusable` before the handshake is complete.
    package func write(_ content: Span<UInt8>) throws(TLSError) -> Int {
        guard isOpen, failure == nil else { throw .sessionUnusable }
        attend()
        var taken = 0
        while taken < content.count, workspace.hasRoom {
            let piece = content.extracting(
                taken..<min(content.count, taken + TLSWorkspace.recordBytes)
            )
            var count = 0
            // SAFETY: OpenSSL reads at most `count` octets; a record fits, so that no write waits with a pointer.
            let status = unsafe piece.withUnsafeBufferPointer { buffer in
                unsafe SSL_write_ex(ssl, buffer.baseAddress, buffer.count, &count)
            }
            guard status == 1 else {
                _ = try outcome(status)
                // The handshake is over, and there is no renegotiation: a write never waits.
                throw fail(.libraryFailed)
            }
            taken += count
        }
        return taken
    }

    /// Says that we send no more (close_notify); reading may go on.
    package func shutdown() {
        // A second time OpenSSL would wait for the peer's, and drop content on the way.
        guard isOpen, failure == nil, !isShut else { return }
        isShut = true
        attend()
        // SAFETY: the session is ours. Whether the peer has closed too, a read finds out.
        if unsafe SSL_shutdown(ssl) < 0 { ERR_clear_error() }
    }

    // MARK: The peer

    /// The application protocol in use, or nil.
    package var negotiatedProtocol: String? {
        // SAFETY: the session is ours.
        unsafe selectedProtocol(ssl)
    }

    /// Whether the session goes on from another one.
    package var isResumed: Bool {
        // SAFETY: the session is ours.
        unsafe SSL_session_reused(ssl) == 1
    }

    /// The name that the client asked for, in the case in which it did, or nil.
    package var serverName: String? {
        // SAFETY: the name is borrowed from the session and copied at once.
        guard let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return nil
        }
        return unsafe String(cString: name)
    }

    /// The version of TLS that is spoken.
    package var version: TLSVersion {
        // SAFETY: the session is ours.
        unsafe SSL_version(ssl) == TLS1_3_VERSION ? .tls13 : .tls12
    }

    /// The peer's certificate in DER, or nil when it showed none; a server has verified a client's.
    package var peerCertificate: [UInt8]? {
        // SAFETY: the certificate is borrowed from the session and copied at once.
        guard let certificate = unsafe SSL_get0_peer_certificate(ssl) else { return nil }
        return unsafe encodeCertificate(certificate)
    }

    /// The subject of the peer's certificate as RFC 4514 writes it, in ASCII; nil without one, and above 4 KiB.
    package var peerSubject: [UInt8]? {
        var octets = [UInt8](repeating: 0, count: 4096)
        // SAFETY: OpenSSL writes at most `count` octets.
        let length = unsafe octets.withUnsafeMutableBytes { buffer in
            unsafe weir_ssl_peer_subject(
                ssl,
                buffer.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(buffer.count)
            )
        }
        guard length >= 0 else { return nil }
        octets.removeLast(octets.count - Int(length))
        return octets
    }

    // MARK: Errors

    private func fail(_ error: TLSError) -> TLSError {
        failure = error
        return error
    }

    /// What a read came to.
    ///
    /// Octets without content are bounded: whoever sends KeyUpdate for ever would be read for ever.
    private func outcome(
        ofReading count: Int,
        _ status: Int32
    ) throws(TLSError) -> ReadResult {
        guard status == 1 else {
            inputBytesLeft = workspace.inputBytesLeft
            return try outcome(status)
        }
        inputBytesLeft = Limits.contentlessBytesMax
        return .content(count)
    }

    /// What a call that did not succeed came to; throws when the session is over.
    ///
    /// OpenSSL's own answer looks into the thread's queue of errors first. Clearing that before every call would cost
    /// more than a head's parsing: it is empty after a handshake and after every failure, and whether a call waits is
    /// told without it.
    private func outcome(_ status: Int32) throws(TLSError) -> ReadResult {
        // SAFETY: the session is ours, and the port lives as long as the workspace.
        if unsafe SSL_want(ssl) == SSL_READING, unsafe workspace.port.pointee.has_waited == 1 {
            return .wouldBlock
        }
        // SAFETY: the session is ours; the error queue is this thread's.
        switch unsafe SSL_get_error(ssl, status) {
        case SSL_ERROR_WANT_READ: return .wouldBlock
        case SSL_ERROR_ZERO_RETURN:
            return .closed(isNotified: unsafe workspace.port.pointee.has_ended == 0)
        case SSL_ERROR_SYSCALL where unsafe workspace.port.pointee.error != 0:
            ERR_clear_error()
            throw fail(.socketFailed(errno: unsafe workspace.port.pointee.error))
        default:
            throw fail(unsafe describeTLSError(takeTLSError(), ssl))
        }
    }
}
