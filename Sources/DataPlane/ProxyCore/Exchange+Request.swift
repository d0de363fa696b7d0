internal import Bytes
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls

/// How a request is understood and how its head is written for the endpoint.
extension Exchange {
    /// Settles the path that counts for matching and for the endpoint (RFC 3986 §6.2.2).
    ///
    /// - Returns: `false` when the path has no one meaning.
    func normalise(_ client: Client, _ rules: PathRules) -> Bool {
        guard request.form != .asterisk else { return true }
        let range = request.path.indices
        return client.buffer.withReadable { octets in
            isPathNormalised = PathNormaliser.isNormal(octets, range, rules: rules)
            if isPathNormalised { return true }
            guard let path = PathNormaliser.normalise(octets, range, rules: rules) else {
                return false
            }
            normalisedPath = path
            return true
        }
    }

    /// What is not for any route: methods that a gateway does not carry out, content above the limit, a target of https
    /// that comes without TLS, from others than a proxy that is trusted or that must say for whom it connects, and with
    /// TLS a host that another certificate is meant for (RFC 9110 §7.4).
    func refusal(_ client: Client, _ listener: ListenerTable) -> UInt16? {
        if request.method == .connect || request.method == .trace { return 405 }
        if let security = client.security {
            let isServed = client.buffer.withReadable { octets in
                security.serves(octets.extracting(request.authority.host.indices))
            }
            if !isServed, !request.authorityRange.isEmpty { return 421 }
        } else if client.asksHTTPS || request.form == .absolute && request.isSchemeHTTPS,
            !isPeerTrusted, !listener.requiresProxyHeader
        {
            return 421
        }
        if case .length(let count) = request.framing, count > listener.bodyBytesMax { return 413 }
        return nil
    }

    /// Whether a listener that sends all to https sends this request there: who has come over https to a trusted proxy
    /// would come back for ever.
    var mayRedirectToHTTPS: Bool { !request.asksServer && !isClientHTTPS }

    /// Puts the head that endpoints of the upstream with an index get in the place of the client's, and goes on to one.
    ///
    ///     | headroom | client's head | content |  ─▶  | headroom | endpoint's head | content |
    func writeRequestHead(
        for index: Int,
        headBytes: Int,
        _ client: Client,
        _ served: ServedTables
    ) {
        let upstream = served.tables.pools[index]
        self.upstream = upstream
        if let affinity = upstream.affinity {
            client.buffer.withReadable { consult(affinity, $0, client) }
        }
        worker.scratch.clear()
        let isComposed = client.buffer.withReadable { octets in
            composeRequestHead(
                octets,
                headBytes: headBytes,
                client,
                served,
                upstream,
                into: &worker.scratch
            )
        }
        guard isComposed else { return refuseToWrite(headBytes: headBytes) }
        client.buffer.consume(headBytes)
        offer = upstream.offer(isFramed: request.framing == .chunked)
        if offer == .http2 { requestBody.leavePlain() }
        if let mirror = steps?.mirror { beginCopy(mirror, client, served) }
        if client.framesContent { _ = client.fill() }
        guard advanceRequest(client, served.listener) else { return }
        worker.prependScratch(to: &client.buffer)
        requestBody.prepended(worker.scratch.count)
        requestSent = 0
        isRequestRetained = true
        selectEndpoint(client, upstream)
    }

    private func composeRequestHead(
        _ octets: Span<UInt8>,
        headBytes: Int,
        _ client: Client,
        _ served: ServedTables,
        _ upstream: UpstreamPool,
        into head: inout Buffer
    ) -> Bool {
        let steps = steps
        if let steps, steps.rewrites {
            guard writeRequestLine(octets, upstream, steps, into: &head) else { return false }
        } else {
            writeRequestLine(octets, upstream, into: &head)
        }
        let filter = steps?.request.filter ?? FieldNameFilter()
        let isFiltered = !filter.isEmpty
        let isTrusted = isPeerTrusted
        let hasPrivateFields = served.hasPrivateFields(isTrusted: isTrusted)
        let stickyCookie = upstream.affinity?.stickyCookie
        let lines = request.fields.lines
        var runStart = -1
        for index in 0..<lines.count {
            let line = lines[index]
            let isPrivate =
                hasPrivateFields
                && served.isPrivate(octets, line.nameRange, isTrusted: isTrusted)
            let isDropped =
                isFiltered && filter.mayHold(octets, line.nameRange)
                && drops(line, octets, fromRequest: true)
            let isKept =
                reachesEndpoint(line, octets, isTrusted: isTrusted) && !isPrivate && !isDropped
            let isOurCookie = line.name == .cookie && stickyCookie != nil
            if isKept, !isOurCookie {
                if runStart < 0 { runStart = Int(line.nameOffset) }
                continue
            }
            if runStart >= 0 {
                head.append(octets.extracting(runStart..<Int(line.nameOffset)))
                runStart = -1
            }
            if isKept, let stickyCookie {
                append(line, without: stickyCookie, octets, to: &head)
            }
        }
        if runStart >= 0 {
            // The head ends in an empty line, which comes after ours.
            head.append(octets.extracting(runStart..<headBytes - 2))
        }
        if request.framing == .chunked {
            head.append("transfer-encoding: chunked\r\n" as StaticString)
        }
        if let left = forwardsLeft(octets) {
            head.append("max-forwards: " as StaticString)
            head.append(decimal: UInt64(left - 1))
            head.append("\r\n" as StaticString)
        }
        appendConnectionOptions(octets, to: &head)
        if let security = client.security { head.append(security.certificateLines) }
        if let steps, !expandBounded(steps.request.lines, to: &head) { return false }
        appendForwarding(octets, client, served.tables, to: &head)
        head.append("\r\n" as StaticString)
        return true
    }

    /// How often OPTIONS may still be forwarded, us included (RFC 9110 §7.6.2).
    ///
    /// - Returns: The number in Max-Forwards; `nil` for other methods and where there is none.
    func forwardsLeft(_ octets: Span<UInt8>) -> Int? {
        guard request.method == .options else { return nil }
        let line = request.fields.lines.first { $0.name == .maxForwards }
        return line.flatMap { octets.decimal(in: $0.valueRange) }
    }

    /// RFC 9112 §3.2.2: an origin server gets the origin-form, and a Host that agrees with the target.
    ///
    /// A client of HTTP/1.0 that names no host asks for what is behind us: the upstream's name stands in.
    private func writeRequestLine(
        _ octets: Span<UInt8>,
        _ upstream: UpstreamPool,
        into head: inout Buffer
    ) {
        head.append(octets.extracting(request.methodRange.indices))
        head.append(UInt8(ascii: " "))
        if isPathNormalised {
            if request.path.isEmpty { head.append(UInt8(ascii: "/")) }
            head.append(octets.extracting(request.path.indices))
        } else {
            head.append(normalisedPath)
        }
        if request.hasQuery {
            head.append(UInt8(ascii: "?"))
            head.append(octets.extracting(request.query.indices))
        }
        appendHost(octets, upstream, to: &head)
    }

    func appendHost(_ octets: Span<UInt8>, _ upstream: UpstreamPool, to head: inout Buffer) {
        head.append(" HTTP/1.1\r\nhost: " as StaticString)
        if request.authorityRange.isEmpty {
            head.append(upstream.label)
        } else {
            head.append(octets.extracting(request.authorityRange.indices))
        }
        head.append("\r\n" as StaticString)
    }

    /// Whether a field line goes on to the endpoint as it is.
    ///
    /// What only a proxy may say is dropped unless the peer is a trusted one.
    @inline(__always)
    func reachesEndpoint(_ line: FieldLine, _ octets: Span<UInt8>, isTrusted: Bool) -> Bool {
        if line.isHopByHop { return false }
        switch line.name {
        case .host, .transferEncoding: return false
        case .xForwardedFor, .forwarded: return false
        // To a CGI program it is HTTP_PROXY: where to send its own requests (CVE-2016-5385).
        case .proxy: return false
        case .xRequestID: return served?.tables.requestID.isUsual == false
        case .traceparent, .tracestate: return passesTraceContext(octets)
        // RFC 9110 §10.1.1: from HTTP/1.0 it means nothing.
        case .expect: return request.version == .http11
        case .maxForwards: return request.method != .options
        case .xForwardedProto, .xForwardedHost, .xForwardedPort, .xForwardedPrefix, .xRealIP:
            return isTrusted
        default: return true
        }
    }

    /// Whether a field line of a request's trailer section goes on to the endpoint.
    func keepsRequestTrailer(_ line: FieldLine, _ octets: Span<UInt8>) -> Bool {
        // Of a trace is told at the front alone, where it was judged.
        if line.name == .traceparent || line.name == .tracestate { return false }
        guard reachesEndpoint(line, octets, isTrusted: isPeerTrusted), let served else {
            return false
        }
        if let dropped = steps?.request.dropped, dropped.contains(octets, line.nameRange) {
            return false
        }
        return !served.hasPrivateFields(isTrusted: isPeerTrusted)
            || !served.isPrivate(octets, line.nameRange, isTrusted: isPeerTrusted)
    }

    /// Who asks, for whom and how: X-Forwarded-*, Forwarded (RFC 7239) and Via (RFC 9110 §7.6.3).
    private func appendForwarding(
        _ octets: Span<UInt8>,
        _ client: Client,
        _ tables: WorkerTables,
        to head: inout Buffer
    ) {
        let authority = octets.extracting(request.authorityRange.indices)
        if isPeerTrusted {
            appendHops(client, to: &head)
        } else {
            head.append(client.forwardingStart)
        }
        if !authority.isEmpty {
            head.append(";host=\"" as StaticString)
            head.append(authority)
            head.append(UInt8(ascii: "\""))
        }
        if !authority.isEmpty, !isPeerTrusted || !hasField(.xForwardedHost) {
            head.append("\r\nx-forwarded-host: " as StaticString)
            head.append(authority)
        }
        tables.requestID.appendLineStart(to: &head)
        note.appendRequestID(to: &head)
        head.append(via(client, tables))
    }

    private func via(_ client: Client, _ tables: WorkerTables) -> [UInt8] {
        if client.framesContent { return tables.viaFrom2 }
        return request.version == .http11 ? tables.viaFrom11 : tables.viaFrom10
    }
}
