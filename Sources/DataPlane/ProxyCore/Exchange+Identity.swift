internal import Bytes
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls

extension ClientAddress {
    /// The address of a socket's end.
    init(_ address: SocketAddress) {
        let (high, low) = address.mapped
        self.init(high: high, low: low)
    }
}

/// Whether a request's trace context goes on.
enum TraceContext {
    /// Nobody has asked.
    case unknown
    case passes, ends
}

/// Who asks: decided once for each request, and the same for conditions, texts, the log and the endpoint.
///
///     client ─▶ hop ─▶ … ─▶ hop ─▶ peer ─▶ us         X-Forwarded-For: anything, client, hop, …, hop
///               └──── trusted ────────┘
///
/// The peer is who a PROXY header names, where one came. If it is trusted, X-Forwarded-For tells whom it asks for, read
/// from the right: the first address that is not trusted is the client's, and what stands before it is that client's
/// own word. So the walk also ends before what is no address.
extension Exchange {
    /// Settles who asks.
    @inline(__always)
    func identifyClient(_ client: Client, _ listener: ListenerTable) {
        isPeerTrusted = listener.trusts(client.peer)
        if isPeerTrusted { walkHops(client, listener) }
    }

    /// The address of whom a client's request has come from.
    func clientAddress(_ client: Client) -> ClientAddress {
        hops.last ?? ClientAddress(client.peer)
    }

    /// Whether the client came over TLS, as far as we or a trusted peer can tell.
    var isClientHTTPS: Bool { isHTTPSTold ?? (client?.security != nil) }

    /// Withdraws fields that a proxy alone may send, where conditions of routes ask for such: no route is taken for what a
    /// client says of itself.
    @inline(__always)
    func disbelieveFields(_ client: Client, _ served: ServedTables) {
        let guarded = served.listener.guardedFields
        let isTrusted = isPeerTrusted
        let hasForwarding = guarded.hasForwarding && !isTrusted
        let hasOthers = guarded.hasOthers && served.hasPrivateFields(isTrusted: isTrusted)
        guard hasForwarding || hasOthers else { return }
        client.buffer.withReadable { octets in
            request.disbelieve { line in
                hasForwarding && line.name.isOfForwarding && line.name != .xRequestID
                    || hasOthers && served.isPrivate(octets, line.nameRange, isTrusted: isTrusted)
            }
        }
    }

    private func walkHops(_ client: Client, _ listener: ListenerTable) {
        client.buffer.withReadable { octets in
            let lines = request.fields.lines
            for number in lines.indices.reversed() where lines[number].name == .xForwardedFor {
                guard walk(octets, lines[number].valueRange, listener) else { break }
            }
            isHTTPSTold = toldScheme(octets)
        }
        if let address = hops.last { note.client = note.add(address) }
    }

    /// Walks over the elements of one line; `false` when the client was found.
    private func walk(
        _ octets: Span<UInt8>,
        _ value: Range<Int>,
        _ listener: ListenerTable
    ) -> Bool {
        var end = value.upperBound
        while end > value.lowerBound {
            var start = end
            while start > value.lowerBound, octets[start - 1] != UInt8(ascii: ",") { start -= 1 }
            var element = start..<end
            while let first = element.first, octets[first] <= 0x20 { element.removeFirst() }
            while let last = element.last, octets[last] <= 0x20 { element.removeLast() }
            // RFC 9110 §5.6.1: an empty element counts for nothing.
            if !element.isEmpty {
                guard hops.count < Limits.hops,
                    let address = ClientAddress.hop(octets, element)
                else { return false }
                hops.append(address)
                guard listener.trusts(address) else { return false }
            }
            end = start - 1
        }
        return true
    }

    /// What a trusted peer says in the one X-Forwarded-Proto that it may send.
    private func toldScheme(_ octets: Span<UInt8>) -> Bool? {
        let lines = request.fields.lines
        var told: Bool?
        for number in lines.indices where lines[number].name == .xForwardedProto {
            guard told == nil else { return nil }
            let value = octets.extracting(lines[number].valueRange)
            if value.matches("https") {
                told = true
            } else if value.matches("http") {
                told = false
            } else {
                return nil
            }
        }
        return told
    }

    /// Makes ready for the next request.
    func forgetHops() {
        hops.removeAll(keepingCapacity: true)
        (isPeerTrusted, isHTTPSTold) = (false, nil)
    }

    /// For whom a trusted peer asks: X-Forwarded-For, X-Forwarded-Proto, and the same in Forwarded (RFC 7239).
    ///
    /// Both tell of addresses that were believed, and of no other: the first one is the client's. What came in Forwarded
    /// does not go on, as proxies that write X-Forwarded-For alone pass on what clients put into the other.
    func appendHops(_ client: Client, to head: inout Buffer) {
        head.append("x-forwarded-for: " as StaticString)
        for hop in hops.reversed() {
            head.append(hop.text)
            head.append(", " as StaticString)
        }
        head.append(client.peerText)
        if !hasField(.xForwardedProto) {
            head.append("\r\nx-forwarded-proto: " as StaticString)
            head.append(client.scheme)
        }
        head.append("\r\nforwarded: " as StaticString)
        guard let first = hops.last else {
            head.append(isClientHTTPS ? "proto=https;" : "proto=http;" as StaticString)
            return appendForwarded(ClientAddress(client.peer), to: &head)
        }
        if let isHTTPSTold {
            head.append(isHTTPSTold ? "proto=https;" : "proto=http;" as StaticString)
        }
        appendForwarded(first, to: &head)
        for hop in hops.dropLast().reversed() {
            head.append(", " as StaticString)
            appendForwarded(hop, to: &head)
        }
        head.append(", " as StaticString)
        head.append(client.forwardedElement)
    }

    private func appendForwarded(_ hop: ClientAddress, to head: inout Buffer) {
        head.append(hop.isIPv4 ? "for=" : "for=\"[" as StaticString)
        head.append(hop.text)
        if !hop.isIPv4 { head.append("]\"" as StaticString) }
    }

    /// Whether the request has a field.
    func hasField(_ name: FieldName) -> Bool {
        request.fields.lines.contains { $0.name == name }
    }

    // MARK: What identifies the request

    /// Keeps what the response and the log will need of the head, before other octets take its place; what of it nobody
    /// is to believe is marked then.
    func noteRequest(_ client: Client, _ served: ServedTables) {
        let isLogged = served.tables.accessLog != nil
        let isAccepted = served.tables.requestID.accepts(isTrusted: isPeerTrusted)
        client.buffer.withReadable { octets in
            if served.tables.publicNames != nil {
                note.authority = note.add(octets.extracting(request.authorityRange.indices))
            }
            if isLogged {
                note.method = note.add(octets.extracting(request.methodRange.indices))
                note.host = note.add(octets.extracting(request.authority.host.indices))
                note.path = note.add(octets.extracting(request.path.indices))
                let lines = request.fields.lines
                for index in 0..<lines.count {
                    switch lines[index].name {
                    case .referer:
                        note.referer = note.add(octets.extracting(lines[index].valueRange))
                    case .userAgent:
                        note.userAgent = note.add(octets.extracting(lines[index].valueRange))
                    default: continue
                    }
                }
            }
            if isAccepted { takeIdentifier(octets, served.tables.requestID) }
        }
        if case .none = note.requestID {
            let (high, low) = worker.requestIDs.next()
            note.requestID = .made(high, low)
        }
        disbelieveFields(client, served)
    }

    /// Takes over the identifier that came, where there is one: two are none.
    private func takeIdentifier(_ octets: Span<UInt8>, _ rules: RequestIDRules) {
        let lines = request.fields.lines
        var found: Range<Int>?
        for index in 0..<lines.count where rules.isField(lines[index], octets) {
            guard found == nil else { return }
            found = lines[index].valueRange
        }
        guard let found, RequestIdentifier.mayPass(octets.extracting(found)) else { return }
        note.requestID = .written(note.add(octets.extracting(found)))
    }

    /// Whether traceparent and tracestate go on, as they are (W3C Trace Context §3).
    ///
    /// Both or neither: what cannot be read, or comes twice, makes whoever is next begin another trace, which the state
    /// does not belong to. Without a trace, none is begun here.
    func passesTraceContext(_ octets: Span<UInt8>) -> Bool {
        if traceContext == .unknown { traceContext = judgeTrace(octets) ? .passes : .ends }
        return traceContext == .passes
    }

    private func judgeTrace(_ octets: Span<UInt8>) -> Bool {
        guard served?.tables.propagatesTrace == true else { return false }
        let lines = request.fields.lines
        var parent: Range<Int>?
        for index in 0..<lines.count where lines[index].name == .traceparent {
            guard parent == nil, !lines[index].isHopByHop else { return false }
            parent = lines[index].valueRange
        }
        return parent.map { TraceParent.isValid(octets, $0) } ?? false
    }
}
