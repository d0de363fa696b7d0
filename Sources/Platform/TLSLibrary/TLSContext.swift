internal import COpenSSL

/// A certificate chain and its private key.
package struct TLSIdentity: Hashable, Sendable {
    /// The chain in DER, the leaf first.
    package let chain: [[UInt8]]
    /// The leaf's private key in DER (PKCS#8); secret.
    package let privateKey: [UInt8]

    /// Joins a chain and its key.
    package init(chain: [[UInt8]], privateKey: [UInt8]) {
        (self.chain, self.privateKey) = (chain, privateKey)
    }
}

/// Whom a client believes; the system's authorities are never used.
package enum TLSTrust: Sendable {
    /// The chain must end in one of these CA certificates (DER).
    case authorities([[UInt8]])
    /// The chain as sent must end in a CA certificate whose DER has one of these SHA-256 (32 octets each).
    case pinnedAuthorities([[UInt8]])

    /// The chain as sent must end in the CA certificate whose DER has this SHA-256 (32 octets).
    package static func pinnedAuthority(_ digest: [UInt8]) -> TLSTrust {
        .pinnedAuthorities([digest])
    }
}

/// What a client's sessions have in common.
package struct TLSClientOptions: Sendable {
    /// Sent as SNI, and the dNSName that the server's certificate must carry; no wildcard matches it.
    package var serverName: String
    /// Whom to believe.
    package var trust: TLSTrust
    /// Application protocols by preference, of which the server must take one; empty: no ALPN.
    package var protocols: [String]
    /// The client's own certificate, if it has one.
    package var identity: TLSIdentity?

    /// Names the server, whom to believe, and what to speak.
    package init(
        serverName: String,
        trust: TLSTrust,
        protocols: [String],
        identity: TLSIdentity? = nil
    ) {
        (self.serverName, self.trust) = (serverName, trust)
        (self.protocols, self.identity) = (protocols, identity)
    }
}

/// What a server asks of its clients.
package enum TLSClientAuthentication: Sendable {
    /// No certificate.
    case none
    /// A certificate is verified against these authorities and CRLs (DER) if one is sent.
    case optional([[UInt8]], revocationLists: [[UInt8]] = [])
    /// A certificate that these authorities issued and no CRL of theirs revokes is required (DER).
    case required([[UInt8]], revocationLists: [[UInt8]] = [])
}

/// What a server's sessions have in common.
package struct TLSServerOptions: Sendable {
    /// The server's certificate.
    package var identity: TLSIdentity
    /// Application protocols by preference, of which the client must offer one; empty: no ALPN.
    package var protocols: [String]
    /// What is asked of clients.
    package var clientAuthentication: TLSClientAuthentication

    /// Names the server's certificate, what it speaks, and what it asks of clients.
    package init(
        identity: TLSIdentity,
        protocols: [String],
        clientAuthentication: TLSClientAuthentication = .none
    ) {
        self.identity = identity
        self.protocols = protocols
        self.clientAuthentication = clientAuthentication
    }
}

/// What sessions of one side share: certificates, trust, protocols. Immutable once made.
///
/// Confined to one thread, as its sessions are.
// SAFETY: the pointer is set once, counted by OpenSSL, and lent for single calls only.
@safe package final class TLSContext {
    /// Which side its sessions play.
    package enum Side: Hashable, Sendable {
        /// The side that sends the ClientHello.
        case client
        /// The side that answers it.
        case server
    }

    /// Which side the sessions play.
    package let side: Side
    let pointer: OpaquePointer
    let serverName: String?
    let needsProtocol: Bool

    /// A context for client sessions.
    package init(client options: TLSClientOptions) throws(TLSError) {
        side = .client
        serverName = options.serverName
        needsProtocol = !options.protocols.isEmpty
        // SAFETY: the new context's only reference becomes this object's.
        guard let pointer = unsafe SSL_CTX_new(TLS_client_method()) else { throw .libraryFailed }
        unsafe self.pointer = pointer
        try prepare()
        try expect(serverName: options.serverName)
        switch options.trust {
        case .authorities(let authorities):
            try trust(authorities, announce: false)
        case .pinnedAuthorities(let digests):
            guard !digests.isEmpty, digests.allSatisfy({ $0.count == 32 }) else {
                throw .configurationInvalid(.pin)
            }
            let octets = digests.flatMap(\.self)
            // SAFETY: 32 octets for each of the digests are copied out of the array, which has as many.
            guard unsafe weir_ssl_ctx_set_pinned_authorities(pointer, octets, digests.count) == 1
            else { throw .libraryFailed }
        }
        // SAFETY: the context is ours; no callback of ours is set here.
        unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        if let identity = options.identity {
            try use(identity)
        }
        let protocols = try Self.wireFormat(options.protocols)
        if !protocols.isEmpty {
            // SAFETY: OpenSSL copies the list. This call answers 0 for success.
            guard unsafe SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0
            else { throw .libraryFailed }
        }
    }

    /// A context for server sessions.
    package init(server options: TLSServerOptions) throws(TLSError) {
        side = .server
        serverName = nil
        needsProtocol = !options.protocols.isEmpty
        // SAFETY: the new context's only reference becomes this object's.
        guard let pointer = unsafe SSL_CTX_new(TLS_server_method()) else { throw .libraryFailed }
        unsafe self.pointer = pointer
        try prepare()
        try use(options.identity)
        try demand(options.clientAuthentication)
        try select(options.protocols)
    }

    /// A context for sessions with clients of a host at the edge.
    ///
    /// What is spoken is Mozilla's intermediate profile: forward secrecy and AEAD alone. Its order of ciphers counts, but
    /// a client that wants ChaCha20 most, as it has no AES in hardware, gets that.
    ///
    /// - Parameters:
    ///   - host: Whose certificates.
    ///   - options: The listener's.
    ///   - edge: Called back by sessions.
    /// - Throws: `configurationInvalid` when a certificate, key or name is unusable.
    @unsafe
    init(
        host: TLSEdgeOptions.Host,
        _ options: TLSEdgeOptions,
        _ edge: weir_edge
    ) throws(TLSError) {
        side = .server
        serverName = nil
        needsProtocol = false
        // SAFETY: the new context's only reference becomes this object's; the callbacks are copied.
        guard let pointer = unsafe SSL_CTX_new(TLS_server_method()) else { throw .libraryFailed }
        unsafe self.pointer = pointer
        let version = options.minimumVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
        let hasGroups = Self.groups.contains {
            unsafe weir_ssl_ctx_set_groups(pointer, $0) == 1
        }
        ERR_clear_error()
        var callbacks = unsafe edge
        guard hasGroups, unsafe weir_ssl_ctx_minimum_version(pointer, version) == 1,
            unsafe SSL_CTX_set_cipher_list(pointer, Self.ciphers) == 1,
            unsafe SSL_CTX_set_ciphersuites(pointer, Self.suites) == 1,
            unsafe weir_ssl_ctx_set_edge(pointer, &callbacks) == 1
        else { throw .libraryFailed }
        unsafe weir_ssl_ctx_set_edge_options(pointer)
        unsafe weir_ssl_ctx_no_session_cache(pointer)
        unsafe weir_ssl_ctx_set_modes(pointer)
        guard !host.identities.isEmpty else { throw .configurationInvalid(.certificate) }
        for identity in host.identities { try use(identity) }
        try demand(options.clientAuthentication)
        try select(options.protocols)
    }

    /// A context for connections to other servers, whose names come with each of them.
    ///
    /// - Parameter options: Whom to believe, and what to speak.
    /// - Throws: `configurationInvalid` when a certificate, key or CRL is unusable.
    init(connector options: TLSConnectorOptions) throws(TLSError) {
        side = .client
        serverName = nil
        needsProtocol = false
        // SAFETY: the new context's only reference becomes this object's.
        guard let pointer = unsafe SSL_CTX_new(TLS_client_method()) else { throw .libraryFailed }
        unsafe self.pointer = pointer
        let hasGroups = Self.groups.contains {
            unsafe weir_ssl_ctx_set_groups(pointer, $0) == 1
        }
        ERR_clear_error()
        // SAFETY: the context is ours.
        guard hasGroups, unsafe weir_ssl_ctx_set_client_options(pointer) == 1,
            unsafe SSL_CTX_set_cipher_list(pointer, Self.ciphers) == 1,
            unsafe SSL_CTX_set_ciphersuites(pointer, Self.suites) == 1
        else { throw .libraryFailed }
        unsafe weir_ssl_ctx_set_modes(pointer)
        switch options.trust {
        case .nobody:
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        case .system:
            guard unsafe SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                throw .libraryFailed
            }
            // What is not there is no error yet: then nobody is believed.
            ERR_clear_error()
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        case .authorities(let authorities, let revocationLists):
            try trust(authorities, announce: false)
            try heed(revocationLists)
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        }
        if let identity = options.identity { try use(identity) }
        let protocols = try Self.wireFormat(options.protocols)
        guard !protocols.isEmpty else { return }
        // SAFETY: OpenSSL copies the list. This call answers 0 for success.
        guard unsafe SSL_CTX_set_alpn_protos(pointer, protocols, UInt32(protocols.count)) == 0
        else { throw .libraryFailed }
    }

    /// The hybrid post-quantum group stands first where the library has it (OpenSSL 3.5).
    private static let groups = ["X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384"]
    /// Of TLS 1.3, AES-128 first: the key schedule's SHA-256 is in most processors, SHA-384 in few, and takes a seventh of
    /// a resumed handshake.
    private static let suites = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ].joined(separator: ":")
    /// Of TLS 1.2.
    private static let ciphers = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    deinit {
        // SAFETY: the reference is ours; sessions hold their own.
        unsafe SSL_CTX_free(pointer)
    }

    /// TLS 1.3 alone, no resumption: a fleet session is authenticated anew each time.
    private func prepare() throws(TLSError) {
        // SAFETY: the context is ours.
        guard unsafe weir_ssl_ctx_only_tls13(pointer) == 1,
            unsafe SSL_CTX_set_num_tickets(pointer, 0) == 1
        else { throw .libraryFailed }
        unsafe weir_ssl_ctx_no_session_cache(pointer)
        unsafe weir_ssl_ctx_set_modes(pointer)
    }

    /// What is asked of clients.
    private func demand(_ authentication: TLSClientAuthentication) throws(TLSError) {
        // SAFETY: the context is ours; no callback of ours is set here.
        switch authentication {
        case .none:
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_NONE, nil)
        case .optional(let authorities, let revocationLists):
            try trust(authorities, announce: true)
            try heed(revocationLists)
            unsafe SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER, nil)
        case .required(let authorities, let revocationLists):
            try trust(authorities, announce: true)
            try heed(revocationLists)
            let mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            unsafe SSL_CTX_set_verify(pointer, mode, nil)
        }
    }

    /// The protocols that a server takes, by preference.
    private func select(_ names: [String]) throws(TLSError) {
        let protocols = try Self.wireFormat(names)
        guard !protocols.isEmpty else { return }
        let length = UInt32(protocols.count)
        // SAFETY: the shim copies the list into the context.
        guard unsafe weir_ssl_ctx_set_alpn_selection(pointer, protocols, length) == 1 else {
            throw .libraryFailed
        }
    }

    /// The leaf's subject alternative names must hold the name itself.
    private func expect(serverName name: String) throws(TLSError) {
        guard !name.isEmpty, !name.utf8.contains(0), name.utf8.count <= 255 else {
            throw .configurationInvalid(.serverName)
        }
        // SAFETY: the parameters are borrowed from the context; OpenSSL copies the name.
        guard let parameters = unsafe SSL_CTX_get0_param(pointer) else { throw .libraryFailed }
        let flags = UInt32(X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
        unsafe X509_VERIFY_PARAM_set_hostflags(parameters, flags)
        guard unsafe X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 else {
            throw .configurationInvalid(.serverName)
        }
    }

    private func trust(_ authorities: [[UInt8]], announce: Bool) throws(TLSError) {
        // SAFETY: the store is borrowed from the context; it takes references of its own.
        guard !authorities.isEmpty, let store = unsafe SSL_CTX_get_cert_store(pointer) else {
            throw .configurationInvalid(.authority)
        }
        for der in authorities {
            guard let certificate = DecodedCertificate(der: der),
                unsafe X509_STORE_add_cert(store, certificate.pointer) == 1
            else {
                ERR_clear_error()
                throw .configurationInvalid(.authority)
            }
            // A server names its authorities, so that clients can choose a certificate.
            if announce, unsafe SSL_CTX_add_client_CA(pointer, certificate.pointer) != 1 {
                throw .libraryFailed
            }
        }
    }

    /// What CRLs revoke is not believed.
    private func heed(_ revocationLists: [[UInt8]]) throws(TLSError) {
        guard !revocationLists.isEmpty else { return }
        for der in revocationLists {
            // SAFETY: OpenSSL reads at most `count` octets of the array, which outlives the call.
            guard
                unsafe weir_ssl_ctx_add_revocation_list(pointer, der, der.count) == 1
            else {
                ERR_clear_error()
                throw .configurationInvalid(.revocationList)
            }
        }
        // SAFETY: the context is ours.
        unsafe weir_ssl_ctx_check_revocation(pointer)
    }

    private func use(_ identity: TLSIdentity) throws(TLSError) {
        guard let leafDER = identity.chain.first, let leaf = DecodedCertificate(der: leafDER) else {
            throw .configurationInvalid(.certificate)
        }
        // SAFETY: OpenSSL takes references of its own to certificates and key.
        guard unsafe SSL_CTX_use_certificate(pointer, leaf.pointer) == 1 else {
            ERR_clear_error()
            throw .configurationInvalid(.certificate)
        }
        for der in identity.chain.dropFirst() {
            guard let certificate = DecodedCertificate(der: der),
                unsafe weir_ssl_ctx_add_chain(pointer, certificate.pointer) == 1
            else {
                ERR_clear_error()
                throw .configurationInvalid(.certificate)
            }
        }
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the key is freed below,
        // the context has its own reference.
        let key = unsafe identity.privateKey.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_AutoPrivateKey(nil, &cursor, buffer.count)
        }
        defer { unsafe EVP_PKEY_free(key) }
        guard unsafe key != nil, unsafe SSL_CTX_use_PrivateKey(pointer, key) == 1,
            unsafe SSL_CTX_check_private_key(pointer) == 1
        else {
            ERR_clear_error()
            throw .configurationInvalid(.privateKey)
        }
    }

    /// Each name with its length in front (RFC 7301 §3.1).
    private static func wireFormat(_ protocols: [String]) throws(TLSError) -> [UInt8] {
        var list: [UInt8] = []
        for name in protocols {
            let octets = Array(name.utf8)
            guard let length = UInt8(exactly: octets.count), length > 0 else {
                throw .configurationInvalid(.protocolName)
            }
            list.append(length)
            list.append(contentsOf: octets)
        }
        return list
    }
}

/// An `X509`, freed with this value.
// SAFETY: the pointer is set once, is freed in deinit only, and is lent for single calls only.
@safe private struct DecodedCertificate: ~Copyable {
    let pointer: OpaquePointer

    init?(der: [UInt8]) {
        // SAFETY: OpenSSL reads at most `count` octets and moves our cursor; the array outlives it.
        let decoded = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_X509(nil, &cursor, buffer.count)
        }
        guard let pointer = unsafe decoded else {
            ERR_clear_error()
            return nil
        }
        unsafe self.pointer = pointer
    }

    deinit {
        // SAFETY: the reference is ours.
        unsafe X509_free(pointer)
    }
}
