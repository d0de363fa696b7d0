internal import Bytes
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls

/// How a request is understood and how its head is written for the endpoint.
extension Exchange {
    /// Settles the path that counts for matching and for the endpoint (RFC 3986 §6.2.2).
    ///
    /// - Returns: `false` when the path has no one meaning.
    func normalise() -> Bool {
        guard let client, request.form != .asterisk else { return true }
        let range = request.path.indices
        return client.buffer.withReadable { octets in
            isPathNormalised = PathNormaliser.isNormal(octets, range)
            if isPathNormalised { return true }
            guard let path = PathNormaliser.normalise(octets, range) else { return false }
            normalisedPath = path
            return true
        }
    }

    /// Puts the head that the endpoint gets in the place of the client's, and goes on to an endpoint.
    ///
    ///     | headroom | client's head | content |  ─▶  | headroom | endpoint's head | content |
    func writeRequestHead(headBytes: Int) {
        guard let client, let listener else { return }
        worker.scratch.clear()
        client.buffer.withReadable { octets in
            composeRequestHead(octets, headBytes: headBytes, client)
        }
        client.buffer.consume(headBytes)
        guard advanceRequest(client, listener) else { return }
        worker.prependScratch(to: &client.buffer)
        requestBody.prepended(worker.scratch.count)
        requestSent = 0
        isRequestRetained = true
        selectEndpoint()
    }

    private func composeRequestHead(
        _ octets: Span<UInt8>,
        headBytes: Int,
        _ client: ClientConnection
    ) {
        writeRequestLine(octets)
        let isTrusted = client.isTrusted
        let lines = request.fields.lines
        var runStart = -1
        for index in 0..<lines.count {
            let line = lines[index]
            if reachesEndpoint(line, isTrusted: isTrusted) {
                if runStart < 0 { runStart = Int(line.nameOffset) }
            } else if runStart >= 0 {
                worker.scratch.append(octets.extracting(runStart..<Int(line.nameOffset)))
                runStart = -1
            }
        }
        if runStart >= 0 {
            // The head ends in an empty line, which comes after ours.
            worker.scratch.append(octets.extracting(runStart..<headBytes - 2))
        }
        if request.framing == .chunked {
            worker.scratch.append("transfer-encoding: chunked\r\n" as StaticString)
        }
        appendForwarding(octets, client, isTrusted: isTrusted)
        worker.scratch.append("\r\n" as StaticString)
    }

    /// RFC 9112 §3.2.2: an origin server gets the origin-form, and a Host that agrees with the target.
    private func writeRequestLine(_ octets: Span<UInt8>) {
        worker.scratch.append(octets.extracting(request.methodRange.indices))
        worker.scratch.append(UInt8(ascii: " "))
        if isPathNormalised {
            if request.path.isEmpty { worker.scratch.append(UInt8(ascii: "/")) }
            worker.scratch.append(octets.extracting(request.path.indices))
        } else {
            worker.scratch.append(normalisedPath)
        }
        if request.hasQuery {
            worker.scratch.append(UInt8(ascii: "?"))
            worker.scratch.append(octets.extracting(request.query.indices))
        }
        worker.scratch.append(" HTTP/1.1\r\nhost: " as StaticString)
        worker.scratch.append(octets.extracting(request.authorityRange.indices))
        worker.scratch.append("\r\n" as StaticString)
    }

    /// Whether a field line goes on to the endpoint as it is.
    ///
    /// What only a proxy may say is dropped unless the peer is a trusted one.
    @inline(__always)
    private func reachesEndpoint(_ line: FieldLine, isTrusted: Bool) -> Bool {
        if line.isHopByHop { return false }
        switch line.name {
        case .host, .transferEncoding: return false
        case .xForwardedFor, .forwarded, .xRequestID: return false
        case .xForwardedProto, .xForwardedHost, .xForwardedPort, .xForwardedPrefix, .xRealIP:
            return isTrusted
        default: return true
        }
    }

    /// Who asks, for whom and how: X-Forwarded-*, Forwarded (RFC 7239) and Via (RFC 9110 §7.6.3).
    private func appendForwarding(
        _ octets: Span<UInt8>,
        _ client: ClientConnection,
        isTrusted: Bool
    ) {
        worker.scratch.append("x-forwarded-for: " as StaticString)
        if isTrusted { appendValues(of: .xForwardedFor, octets) }
        worker.scratch.append(client.peerText)
        if !isTrusted || !hasField(.xForwardedProto) {
            worker.scratch.append("\r\nx-forwarded-proto: http" as StaticString)
        }
        if !isTrusted || !hasField(.xForwardedHost) {
            worker.scratch.append("\r\nx-forwarded-host: " as StaticString)
            worker.scratch.append(octets.extracting(request.authorityRange.indices))
        }
        worker.scratch.append("\r\nforwarded: " as StaticString)
        if isTrusted { appendValues(of: .forwarded, octets) }
        if client.peer.isIPv6 {
            worker.scratch.append("for=\"[" as StaticString)
            worker.scratch.append(client.peerText)
            worker.scratch.append("]\"" as StaticString)
        } else {
            worker.scratch.append("for=" as StaticString)
            worker.scratch.append(client.peerText)
        }
        if !request.authorityRange.isEmpty {
            worker.scratch.append(";host=\"" as StaticString)
            worker.scratch.append(octets.extracting(request.authorityRange.indices))
            worker.scratch.append(UInt8(ascii: "\""))
        }
        worker.scratch.append(";proto=http\r\n" as StaticString)
        worker.scratch.append("x-request-id: " as StaticString)
        note.with(note.requestID) { worker.scratch.append($0) }
        worker.scratch.append("\r\n" as StaticString)
        if let tables, !tables.via.isEmpty {
            worker.scratch.append(
                request.version == .http11 ? "via: 1.1 " as StaticString : "via: 1.0 "
            )
            worker.scratch.append(tables.via)
            worker.scratch.append("\r\n" as StaticString)
        }
    }

    private func hasField(_ name: FieldName) -> Bool {
        request.fields.lines.contains { $0.name == name }
    }

    /// The values of all lines with a name, each with a comma behind it, to be added to.
    private func appendValues(of name: FieldName, _ octets: Span<UInt8>) {
        let lines = request.fields.lines
        for index in 0..<lines.count where lines[index].name == name {
            guard lines[index].valueCount > 0 else { continue }
            worker.scratch.append(octets.extracting(lines[index].valueRange))
            worker.scratch.append(", " as StaticString)
        }
    }

    /// Keeps what the response and the log will need of the head, before other octets take its place.
    func noteRequest() {
        guard let client, let tables else { return }
        let isLogged = tables.accessLog != nil
        let isTrusted = client.isTrusted
        client.buffer.withReadable { octets in
            if tables.publicNames != nil {
                note.authority = note.add(octets.extracting(request.authorityRange.indices))
            }
            if isLogged {
                note.method = note.add(octets.extracting(request.methodRange.indices))
                note.host = note.add(octets.extracting(request.authority.host.indices))
                note.path = note.add(octets.extracting(request.path.indices))
            }
            guard isLogged || isTrusted else { return }
            let lines = request.fields.lines
            for index in 0..<lines.count {
                let value = octets.extracting(lines[index].valueRange)
                switch lines[index].name {
                case .referer where isLogged: note.referer = note.add(value)
                case .userAgent where isLogged: note.userAgent = note.add(value)
                case .xRequestID where isTrusted && isIdentifier(value):
                    note.requestID = note.add(value)
                default: continue
                }
            }
        }
        if note.requestID.isEmpty { note.requestID = note.add(identifier: worker.requestIDs.next()) }
    }

    /// Whether a trusted peer's identifier can go on: visible ASCII, and not too long.
    private func isIdentifier(_ value: Span<UInt8>) -> Bool {
        guard (1...128).contains(value.count) else { return false }
        for index in value.indices where !(0x21...0x7E).contains(value[index]) { return false }
        return true
    }
}
