internal import COpenSSL

/// What a listener's TLS sessions have in common.
package struct TLSEdgeOptions: Sendable {
    /// The names and certificates of one host.
    package struct Host: Sendable {
        /// In lower case; `*.example.com` stands for one label in front.
        package var names: [String]
        /// Chains for these names, each with a key of another kind; the client's abilities choose.
        package var identities: [TLSIdentity]

        /// Joins names and certificates.
        package init(names: [String], identities: [TLSIdentity]) {
            (self.names, self.identities) = (names, identities)
        }
    }

    /// The lowest version that is spoken.
    package enum Version: Sendable {
        /// TLS 1.2 (RFC 5246), with forward secrecy and AEAD alone.
        case tls12
        /// TLS 1.3 (RFC 8446).
        case tls13
    }

    /// Hosts in order; the last one answers an unknown or missing name.
    package var hosts: [Host]
    /// Whether an unknown or missing name is refused.
    package var isStrict: Bool
    /// The lowest version that is spoken.
    package var minimumVersion: Version
    /// Application protocols by preference; a client that offers others alone is refused (RFC 7301 §3.2).
    package var protocols: [String]
    /// What is asked of clients.
    package var clientAuthentication: TLSClientAuthentication
    /// Octets that say which sessions may be resumed here: those of the same scope and host.
    package var scope: [UInt8]
    /// What is shown to those who speak `acme-tls/1` alone and want proof of a host (RFC 8737), by its name in lower
    /// case.
    package var challenges: [String: TLSIdentity] = [:]

    /// Names hosts and what is spoken with their clients.
    package init(
        hosts: [Host],
        isStrict: Bool = false,
        minimumVersion: Version = .tls12,
        protocols: [String] = [],
        clientAuthentication: TLSClientAuthentication = .none,
        scope: [UInt8] = []
    ) {
        (self.hosts, self.isStrict, self.minimumVersion) = (hosts, isStrict, minimumVersion)
        (self.protocols, self.clientAuthentication) = (protocols, clientAuthentication)
        self.scope = scope
    }
}

/// The protocol in which hosts are proved (RFC 8737 §4).
package let acmeProtocol = "acme-tls/1"

/// A listener's side of TLS on one thread: a context for each host, and the keys of session tickets.
///
/// A context is chosen when the ClientHello is seen and before a session is resumed, so that none goes on with another
/// host, or with other demands on clients, than it began with. Confined to one thread, as its streams are.
// SAFETY: OpenSSL calls back with a pointer to this object only while a stream works, and streams hold it.
@safe package final class TLSEdge {
    /// With what tickets are made and taken.
    package var ticketKeys: TicketKeys
    private var contexts: [TLSContext] = []
    private var scopes: [[UInt8]] = []
    private var names = ServerNames()
    /// The names of each host.
    private var namesOfHosts: [ServerNames] = []
    private let isStrict: Bool
    /// Contexts that prove hosts, by name.
    private var challenges: [String: TLSContext] = [:]
    /// The options' scope: what is asked of clients is the same wherever it is.
    package let scope: [UInt8]

    /// Makes the contexts.
    ///
    /// - Parameters:
    ///   - options: With one host at least.
    ///   - ticketKeys: With what tickets are made and taken.
    /// - Throws: `configurationInvalid` when a certificate, key or name is unusable.
    package init(_ options: TLSEdgeOptions, ticketKeys: TicketKeys = .none) throws(TLSError) {
        (isStrict, scope) = (options.isStrict, options.scope)
        self.ticketKeys = ticketKeys
        guard !options.hosts.isEmpty else { throw .configurationInvalid(.certificate) }
        // SAFETY: the streams that make OpenSSL call hold this object meanwhile.
        let edge = unsafe weir_edge(
            argument: Unmanaged.passUnretained(self).toOpaque(),
            see_hello: seeHello,
            find_ticket_keys: findTicketKeys,
            client_seconds_max: Limits.clientSessionSecondsMax
        )
        for (index, host) in options.hosts.enumerated() {
            contexts.append(try unsafe TLSContext(host: host, options, edge))
            names.add(host.names, for: index)
            var own = ServerNames()
            own.add(host.names, for: index)
            namesOfHosts.append(own)
            scopes.append(try Self.scope(of: host, options))
        }
        for (name, identity) in options.challenges {
            let host = TLSEdgeOptions.Host(names: [name], identities: [identity])
            let proof = TLSEdgeOptions(hosts: [host], protocols: [acmeProtocol])
            // One that is unusable must not take the listener with it: its host is not proved, and that is told.
            challenges[name] = try? unsafe TLSContext(host: host, proof, edge)
        }
    }

    /// Whether a connection that was opened for one name may be asked for another (RFC 9110 §7.4, RFC 9113 §9.1.2).
    ///
    /// It may not where another host's certificates are meant for that name, and not those that the client has seen.
    ///
    /// - Parameters:
    ///   - name: The other one, in lower case and without a final dot.
    ///   - asked: The name of the ClientHello, likewise, or nil.
    /// - Returns: Whether it may.
    package func serves(_ name: String, toConnectionFor asked: String?) -> Bool {
        let host = asked.flatMap { names.find($0) } ?? contexts.count - 1
        guard let wanted = names.find(name), wanted != host else { return true }
        return namesOfHosts[host].find(name) != nil
    }

    /// The context for a session that has not named a host.
    var initialContext: TLSContext { contexts[contexts.count - 1] }

    /// 32 octets for the identifier of a session's context (RFC 5077 has none; OpenSSL compares it at resumption).
    private static func scope(
        of host: TLSEdgeOptions.Host,
        _ options: TLSEdgeOptions
    ) throws(TLSError) -> [UInt8] {
        var octets = options.scope
        for part in host.names + host.identities.flatMap(\.chain).map({ String(describing: $0) }) {
            octets.append(0)
            octets += Array(part.utf8)
        }
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        // SAFETY: SHA-256 writes 32 octets, and both arrays live for the call.
        let status = unsafe EVP_Digest(octets, octets.count, &digest, &length, EVP_sha256(), nil)
        guard status == 1, length == 32 else { throw .libraryFailed }
        return digest
    }

    // MARK: Hello

    /// Chooses the host's context; `false` with an alert when the name is not served.
    fileprivate func choose(_ ssl: OpaquePointer) -> Bool {
        var start: UnsafePointer<UInt8>?
        var length = 0
        var name: String?
        // SAFETY: the extension's data is borrowed for the callback, and read within its length.
        if unsafe SSL_client_hello_get0_ext(ssl, UInt32(TLSEXT_TYPE_server_name), &start, &length)
            == 1
        {
            let data = unsafe UnsafeBufferPointer(start: start, count: length)
            name = unsafe ServerNames.hostName(Span(_unsafeElements: data))
        }
        if let name, let proof = challenges[name], unsafe Self.wantsProof(ssl) {
            unsafe weir_ssl_set_no_tickets(ssl)
            return unsafe SSL_set_SSL_CTX(ssl, proof.pointer) != nil
        }
        let found = name.flatMap { names.find($0) }
        guard let index = found ?? (isStrict ? nil : contexts.count - 1) else { return false }
        // SAFETY: the session takes a reference of its own; the identifier is copied.
        return unsafe SSL_set_SSL_CTX(ssl, contexts[index].pointer) != nil
            && SSL_set_session_id_context(ssl, scopes[index], UInt32(scopes[index].count)) == 1
    }

    /// Whether the client speaks `acme-tls/1` and nothing else (RFC 8737 §3).
    @unsafe
    private static func wantsProof(_ ssl: OpaquePointer) -> Bool {
        var start: UnsafePointer<UInt8>?
        var length = 0
        // SAFETY: the extension's data is borrowed for the callback, and read within its length.
        let type = UInt32(TLSEXT_TYPE_application_layer_protocol_negotiation)
        guard unsafe SSL_client_hello_get0_ext(ssl, type, &start, &length) == 1 else {
            return false
        }
        let name = Array(acmeProtocol.utf8)
        let wanted = [0, UInt8(name.count + 1), UInt8(name.count)] + name
        let offered = unsafe UnsafeBufferPointer(start: start, count: length)
        return unsafe offered.elementsEqual(wanted)
    }

    // MARK: Tickets

    fileprivate func makeTicket(
        _ name: inout MutableSpan<UInt8>,
        _ octets: inout MutableSpan<UInt8>
    ) -> Bool {
        guard let key = ticketKeys.first else { return false }
        for index in key.name.indices { name[index] = key.name[index] }
        for index in key.octets.indices { octets[index] = key.octets[index] }
        return true
    }

    fileprivate func takeTicket(
        _ name: Span<UInt8>,
        _ octets: inout MutableSpan<UInt8>
    ) -> Int32 {
        guard let (key, isFirst) = ticketKeys.find(name) else { return 0 }
        for index in key.octets.indices { octets[index] = key.octets[index] }
        return isFirst ? 1 : 2
    }
}

/// weir_edge.see_hello.
private func seeHello(
    _ argument: UnsafeMutableRawPointer?,
    _ ssl: OpaquePointer?,
    _ alert: UnsafeMutablePointer<Int32>?
) -> Int32 {
    // SAFETY: what OpenSSL gives lives for the callback.
    guard let argument = unsafe argument, let ssl = unsafe ssl else { return 0 }
    // SAFETY: `argument` is the edge, which the stream that is being worked on holds.
    let edge = unsafe Unmanaged<TLSEdge>.fromOpaque(argument).takeUnretainedValue()
    if unsafe edge.choose(ssl) { return 1 }
    // SAFETY: OpenSSL lends a place for the alert.
    unsafe alert?.pointee = Int32(SSL_AD_UNRECOGNIZED_NAME)
    return 0
}

/// weir_edge.find_ticket_keys.
private func findTicketKeys(
    _ argument: UnsafeMutableRawPointer?,
    _ name: UnsafeMutablePointer<UInt8>?,
    _ keys: UnsafeMutablePointer<UInt8>?,
    _ isNew: Int32
) -> Int32 {
    // SAFETY: what OpenSSL gives lives for the callback.
    guard let argument = unsafe argument, let name = unsafe name, let keys = unsafe keys else {
        return -1
    }
    // SAFETY: as above; the two places have 16 and 64 octets.
    let edge = unsafe Unmanaged<TLSEdge>.fromOpaque(argument).takeUnretainedValue()
    var octets = unsafe MutableSpan(_unsafeStart: keys, count: 64)
    if isNew != 0 {
        var made = unsafe MutableSpan(_unsafeStart: name, count: 16)
        return edge.makeTicket(&made, &octets) ? 1 : 0
    }
    return edge.takeTicket(unsafe Span(_unsafeStart: name, count: 16), &octets)
}
