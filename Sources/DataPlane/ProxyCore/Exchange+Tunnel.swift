internal import Bytes
internal import EventLoop
internal import HTTP1
internal import HTTPSemantics
internal import Telemetry
internal import Transport
internal import Upstreams

/// What becomes of an exchange that switches protocols (RFC 9110 §7.8): WebSocket and others.
///
///     forwarding ──101──▶ tunnelling ──both sides have ended, or it rests too long──▶ closed
///
/// Octets go both ways as they are, through the same two buffers. The end of one side's octets is passed on as the
/// end of ours (FIN), and the other side goes on.
extension Exchange {
    /// Writes what the endpoint is asked for on this connection alone: another protocol, and trailer fields.
    ///
    /// `h2c` is left out: who speaks HTTP/2 in clear text begins with it (RFC 9113 §3.1 withdrew the upgrade).
    func appendConnectionOptions(_ octets: Span<UInt8>, to head: inout Buffer) {
        if !protocolsAsked.isEmpty { protocolsAsked = [] }
        let options = request.fields.facts.connection
        guard request.version == .http11, options.contains(.upgrade) || options.contains(.te)
        else { return }
        if options.contains(.upgrade) { appendProtocols(octets, to: &head) }
        appendConnection(takesTrailers: options.contains(.te) && takesTrailers(octets), to: &head)
    }

    private func appendProtocols(_ octets: Span<UInt8>, to head: inout Buffer) {
        let lines = request.fields.lines
        for index in 0..<lines.count where lines[index].name == .upgrade {
            var list = ElementList(lines[index].valueRange)
            while let element = list.next(octets) {
                guard isProtocol(octets, element) else { continue }
                if !protocolsAsked.isEmpty { protocolsAsked += [0x2C, 0x20] }
                protocolsAsked.append(copying: octets.extracting(element))
            }
        }
        guard !protocolsAsked.isEmpty else { return }
        head.append("upgrade: " as StaticString)
        head.append(protocolsAsked)
        head.append("\r\n" as StaticString)
    }

    /// Whether the client says that it takes trailer fields (RFC 9110 §10.1.4).
    private func takesTrailers(_ octets: Span<UInt8>) -> Bool {
        let lines = request.fields.lines
        for index in 0..<lines.count where lines[index].name == .te {
            var list = ElementList(lines[index].valueRange)
            while let element = list.next(octets) {
                if octets.matches("trailers", in: element) { return true }
            }
        }
        return false
    }

    private func appendConnection(takesTrailers: Bool, to head: inout Buffer) {
        switch (!protocolsAsked.isEmpty, takesTrailers) {
        case (false, false): return
        case (true, false): head.append("connection: upgrade\r\n" as StaticString)
        case (false, true): head.append("te: trailers\r\nconnection: te\r\n" as StaticString)
        case (true, true):
            head.append("te: trailers\r\nconnection: te, upgrade\r\n" as StaticString)
        }
    }

    /// `protocol-name ["/" protocol-version]`, one that can go on.
    private func isProtocol(_ octets: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let slash = octets.firstIndex(
            of: UInt8(ascii: "/"),
            from: range.lowerBound,
            to: range.upperBound
        )
        let name = range.lowerBound..<slash
        let version = min(slash + 1, range.upperBound)..<range.upperBound
        return !name.isEmpty && !octets.matches("h2c", in: name)
            && OctetSet.token.firstIndexOutside(octets, name) == name.upperBound
            && OctetSet.token.firstIndexOutside(octets, version) == version.upperBound
    }

    /// The endpoint has switched protocols: relays its 101 and opens the tunnel.
    ///
    /// - Returns: Whether there is something to go on with.
    func beginTunnel(_ origin: Origin, headBytes: Int) -> Bool {
        guard let client, let served, requestBody.isComplete,
            requestSent == requestBody.ready,
            response.fields.facts.connection.contains(.upgrade),
            let upgrade = upgradeLine, wasAsked(for: upgrade)
        else {
            originFailed(ExchangeError(.httpUpgradeFailed, .upstream))
            return false
        }
        worker.scratch.clear()
        responseBuffer.withReadable { octets in
            composeSwitchingHead(octets, upgrade, served.tables, into: &worker.scratch)
        }
        responseBuffer.consume(headBytes)
        dropSentRequest(client)
        status = 101
        noteSuccess()
        phase = .tunnelling
        worker.metrics.add(.tunnelsOpen)
        isClientPersistent = false
        totalDeadline = .never
        client.clearDeadline()
        requestBody.begin(.untilClose, isChunkedOut: false)
        responseBody.begin(.untilClose, isChunkedOut: false)
        guard advanceRequest(client, served.listener), advanceResponse() else {
            return false
        }
        worker.prependScratch(to: &responseBuffer)
        responseHeadBytes += worker.scratch.count
        responseBody.prepended(worker.scratch.count)
        origin.setDeadline(after: origin.upstream.limits.idle)
        pumpRequest(client, origin)
        return self.origin === origin
    }

    private var upgradeLine: FieldLine? {
        response.fields.lines.first { $0.name == .upgrade && $0.valueCount > 0 }
    }

    /// Whether the endpoint was asked for every protocol that it names (RFC 9110 §7.8).
    private func wasAsked(for upgrade: FieldLine) -> Bool {
        responseBuffer.withReadable { octets in
            var chosen = ElementList(upgrade.valueRange)
            while let element = chosen.next(octets) {
                guard wasAsked(for: octets.extracting(element)) else { return false }
            }
            return true
        }
    }

    private func wasAsked(for name: Span<UInt8>) -> Bool {
        let protocols = protocolsAsked
        let asked = protocols.span
        var list = ElementList(0..<asked.count)
        while let element = list.next(asked) {
            if !element.isEmpty, asked.extracting(element).equalsIgnoringCase(name) { return true }
        }
        return false
    }

    /// The client of a tunnel has sent its last octets, which the endpoint has.
    func tunnelRequestEnded(_ origin: Origin) {
        origin.finishWriting()
        if responseBody.isComplete, responseBody.ready == 0 { endTunnel() }
    }

    /// The endpoint has sent its last octets, which the client has.
    func tunnelResponseEnded(_ client: Client) {
        client.finishWriting()
        if requestBody.isComplete, requestSent == requestBody.ready { endTunnel() }
    }

    /// Both sides have ended, or nothing has moved for too long: closes both connections.
    func endTunnel() {
        guard let client else { return }
        closeOrigin()
        log(isCut: false)
        end()
        client.close(isReset: false)
    }

    /// Gives back the blocks of a tunnel in which nothing is on its way.
    func restTunnel(_ client: Client) {
        guard phase == .tunnelling else { return }
        if client.buffer.isEmpty { worker.reclaim(&client.buffer) }
        if responseBuffer.isEmpty { worker.reclaim(&responseBuffer) }
    }
}
