internal import Bytes
internal import Disclosure
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// How the heads of responses are written for the client, the endpoint's and our own.
extension Exchange {
    /// Octets of content that the client got, as far as the head has left.
    var contentBytesSent: UInt64 {
        sentBytes > UInt64(responseHeadBytes) ? sentBytes - UInt64(responseHeadBytes) : 0
    }

    // MARK: Of the endpoint

    /// Puts the head that the client gets in the place of the endpoint's.
    func writeResponseHead(_ client: Client, _ origin: Origin, headBytes: Int) {
        guard let served else { return }
        let framing = response.framing(answering: request.method)
        let isMarked = client.framesContent
        let isChunkedOut =
            !isMarked && request.version == .http11
            && (framing == .chunked || framing == .untilClose)
        settlePersistence(client, framing, isChunkedOut: isChunkedOut)
        status = response.status
        worker.scratch.clear()
        responseBuffer.withReadable { octets in
            composeResponseHead(
                octets,
                headBytes: headBytes,
                isChunkedOut: isChunkedOut,
                served.tables,
                into: &worker.scratch
            )
        }
        responseBuffer.consume(headBytes)
        responseBody.begin(
            framing,
            isMarked: origin.framesContent,
            isChunkedOut: isChunkedOut
        )
        // Before the phase changes: where content is broken and nothing has left, the client can be told.
        guard advanceResponse() else { return }
        phase = .delivering
        worker.prependScratch(to: &responseBuffer)
        responseHeadBytes += worker.scratch.count
        responseBody.prepended(worker.scratch.count)
    }

    /// The connection to the client ends with this response when its end cannot be seen otherwise, when
    /// the request is not complete yet, or when the node wants to be rid of it.
    private func settlePersistence(
        _ client: Client,
        _ framing: BodyFraming,
        isChunkedOut: Bool
    ) {
        isEndVisible =
            isChunkedOut || client.framesContent
            || framing != .chunked && framing != .untilClose
        isClientPersistent =
            isClientPersistent && isEndVisible && requestBody.isComplete
            && client.mayPersist
    }

    private func composeResponseHead(
        _ octets: Span<UInt8>,
        headBytes: Int,
        isChunkedOut: Bool,
        _ tables: WorkerTables,
        into head: inout Buffer
    ) {
        appendStatusLine(octets, tables, to: &head)
        var hasDate = false
        let filter = steps?.response.filter ?? FieldNameFilter()
        let isFiltered = !filter.isEmpty
        let lines = response.fields.lines
        var runStart = -1
        var view: PublicView?
        for index in 0..<lines.count {
            let line = lines[index]
            if line.name == .date, !line.isHopByHop { hasDate = true }
            let isDropped =
                isFiltered && filter.mayHold(octets, line.nameRange)
                && drops(line, octets, fromRequest: false)
            let isShown = !isDropped && reachesClient(line, octets, tables)
            let isLooked = isShown && mayName(line, octets, tables)
            if isShown, !isLooked {
                if runStart < 0 { runStart = Int(line.nameOffset) }
                continue
            }
            if runStart >= 0 {
                head.append(octets.extracting(runStart..<Int(line.nameOffset)))
                runStart = -1
            }
            if isLooked { appendWithPublicNames(line, octets, tables, &view, to: &head) }
        }
        if runStart >= 0 {
            head.append(octets.extracting(runStart..<headBytes - 2))
        }
        if isChunkedOut { head.append("transfer-encoding: chunked\r\n" as StaticString) }
        if let steps { appendEdits(steps, to: &head) }
        appendOwnFields(hasDate: hasDate, tables, to: &head)
        head.append("\r\n" as StaticString)
    }

    /// The head of a 101, which keeps no Date and names the protocol that the endpoint chose.
    func composeSwitchingHead(
        _ octets: Span<UInt8>,
        _ upgrade: HTTP1.FieldLine,
        _ tables: WorkerTables,
        into head: inout Buffer
    ) {
        appendStatusLine(octets, tables, to: &head)
        appendLines(octets, tables, to: &head)
        if let steps { appendEdits(steps, to: &head) }
        if placement.setsCookie { appendStickyCookie(to: &head) }
        head.append("connection: upgrade\r\n" as StaticString)
        append(upgrade, octets, to: &head)
        head.append("\r\n" as StaticString)
    }

    /// The lines of an interim response that go on, with public names; or of one that a page replaces.
    func appendLines(
        _ octets: Span<UInt8>,
        _ tables: WorkerTables,
        to head: inout Buffer,
        where keeps: (HTTP1.FieldLine, Span<UInt8>) -> Bool = { _, _ in true }
    ) {
        let dropped = steps?.response.dropped
        let lines = response.fields.lines
        var view: PublicView?
        for index in 0..<lines.count where reachesClient(lines[index], octets, tables) {
            if let dropped, dropped.contains(octets, lines[index].nameRange) { continue }
            guard keeps(lines[index], octets) else { continue }
            if mayName(lines[index], octets, tables) {
                appendWithPublicNames(lines[index], octets, tables, &view, to: &head)
            } else {
                append(lines[index], octets, to: &head)
            }
        }
    }

    private func append(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>, to head: inout Buffer) {
        head.append(octets.extracting(line.nameRange))
        head.append(": " as StaticString)
        head.append(octets.extracting(line.valueRange))
        head.append("\r\n" as StaticString)
    }

    @inline(__always)
    private func appendStatusLine(
        _ octets: Span<UInt8>,
        _ tables: WorkerTables,
        to head: inout Buffer
    ) {
        head.append("HTTP/1.1 " as StaticString)
        head.append(decimal: UInt64(response.status))
        head.append(UInt8(ascii: " "))
        if PublicNames.isPlain(octets, response.reason.indices)
            || tables.publicNames?.rewritesOthers != true
        {
            head.append(octets.extracting(response.reason.indices))
        } else {
            head.append(StatusPhrase.of(response.status))
        }
        head.append("\r\n" as StaticString)
    }

    /// Whether a field line goes on to the client as it is.
    @inline(__always)
    func reachesClient(
        _ line: HTTP1.FieldLine,
        _ octets: Span<UInt8>,
        _ tables: WorkerTables
    ) -> Bool {
        if line.isHopByHop || line.name == .transferEncoding { return false }
        // RFC 9110 §8.6: where there can be no content, it has no length.
        if line.name == .contentLength, response.status < 200 || response.status == 204 {
            return false
        }
        if line.name == .server { return tables.keepsServer }
        return !tables.hides(octets, line.nameRange)
    }

    /// Whether a line may name what clients need not know; most cannot, which costs one look at the name.
    @inline(__always)
    func mayName(
        _ line: HTTP1.FieldLine,
        _ octets: Span<UInt8>,
        _ tables: WorkerTables
    ) -> Bool {
        if tables.unconcernedFields.contains(line.name) { return false }
        return PublicNames.concerns(line.name, octets, line.valueRange)
    }

    /// A field line in which endpoints have public names, if it may go on so; `view` is made for the first such line.
    private func appendWithPublicNames(
        _ line: HTTP1.FieldLine,
        _ octets: Span<UInt8>,
        _ tables: WorkerTables,
        _ view: inout PublicView?,
        to head: inout Buffer
    ) {
        if line.name == .location, appendPlainLocation(line, octets, tables, to: &head) {
            head.append("\r\n" as StaticString)
            return
        }
        var value: [UInt8] = []
        value.append(copying: octets.extracting(line.valueRange))
        let known = view ?? publicView()
        view = known
        let shown = tables.publicNames?.show(
            line.name,
            value,
            to: known,
            route.flatMap { tables.inversePath(of: $0) }
        )
        switch shown {
        case .nothing: return
        case .replaced(let other):
            // What public names make too long goes: a head has to fit before the content that came with it.
            guard head.count + other.count <= Limits.publicHeadBytesMax else { return }
            value = other
        case .same, nil: break
        }
        head.append(octets.extracting(line.nameRange))
        head.append(": " as StaticString)
        head.append(value)
        head.append("\r\n" as StaticString)
    }

    /// A Location that can be told at a glance; `false` where it cannot, and then nothing is written.
    private func appendPlainLocation(
        _ line: HTTP1.FieldLine,
        _ octets: Span<UInt8>,
        _ tables: WorkerTables,
        to head: inout Buffer
    ) -> Bool {
        guard let names = tables.publicNames, names.rewritesLocations,
            head.count <= Limits.publicHeadBytesMax
        else { return false }
        let inverse = route.flatMap { tables.inversePath(of: $0) }
        let isSecure = isClientHTTPS
        return note.withOctets(of: note.authority) { asked in
            names.appendPlain(
                octets,
                line.valueRange,
                asked: asked,
                isSecure: isSecure,
                inverse,
                after: { head in
                    head.append(octets.extracting(line.nameRange))
                    head.append(": " as StaticString)
                },
                to: &head
            )
        }
    }

    /// What the client asked for, and so may see.
    func publicView() -> PublicView {
        var hosts: [HostIdentity] = []
        if let endpoint, case .name = endpoint.endpoint.address.host {
            for case .internet(let address) in endpoint.addresses {
                let (high, low) = address.mapped
                hosts.append(HostIdentity(.v6(high: high, low: low)))
            }
        }
        return PublicView(
            authority: note.octets(of: note.authority),
            isSecure: isClientHTTPS,
            endpointHosts: hosts
        )
    }

    /// What the proxy itself says in every response.
    private func appendOwnFields(
        hasDate: Bool,
        _ tables: WorkerTables,
        to head: inout Buffer
    ) {
        if !hasDate {
            head.append("date: " as StaticString)
            worker.appendDate(to: &head)
            head.append("\r\n" as StaticString)
        }
        if !tables.serverField.isEmpty {
            head.append("server: " as StaticString)
            head.append(tables.serverField)
            head.append("\r\n" as StaticString)
        }
        if !tables.via.isEmpty {
            let isHTTP2 = origin?.framesContent == true
            head.append(isHTTP2 ? "via: 2 " : "via: 1.1 " as StaticString)
            head.append(tables.via)
            head.append("\r\n" as StaticString)
        }
        appendProxyStatus(tables, to: &head)
        if cohortMark != 0 { appendCohortCookie(tables, to: &head) }
        if placement.setsCookie, origin != nil { appendStickyCookie(to: &head) }
        if client?.framesContent == true { return }
        if !isClientPersistent {
            head.append("connection: close\r\n" as StaticString)
        } else if request.version == .http10 {
            head.append("connection: keep-alive\r\n" as StaticString)
        }
    }

    /// Proxy-Status (RFC 9209); upstreams are named only where the configuration says so.
    private func appendProxyStatus(_ tables: WorkerTables, to head: inout Buffer) {
        if let error, error.side != .downstream, tables.proxyStatus != .off {
            head.append("proxy-status: " as StaticString)
            head.append(tables.pseudonym)
            head.append("; error=" as StaticString)
            head.append(error.kind.rawValue as String)
        } else if tables.proxyStatus == .all, origin != nil {
            head.append("proxy-status: " as StaticString)
            head.append(tables.pseudonym)
            head.append("; received-status=" as StaticString)
            head.append(decimal: UInt64(response.status))
        } else {
            return
        }
        if tables.namesUpstreams, let upstream {
            head.append("; next-hop=\"" as StaticString)
            head.append(upstream.label)
            head.append(UInt8(ascii: "\""))
        }
        head.append("\r\n" as StaticString)
    }

    /// Relays an interim response (RFC 9110 §15.2), which an HTTP/1.0 client does not understand.
    func relayInterim(headBytes: Int) {
        guard request.version == .http11, let tables = served?.tables else {
            responseBuffer.consume(headBytes)
            return
        }
        worker.scratch.clear()
        responseBuffer.withReadable { octets in
            appendStatusLine(octets, tables, to: &worker.scratch)
            appendLines(octets, tables, to: &worker.scratch)
            worker.scratch.append("\r\n" as StaticString)
        }
        responseBuffer.consume(headBytes)
        worker.prependScratch(to: &responseBuffer)
        responseHeadBytes += worker.scratch.count
        responseBody.prepended(worker.scratch.count)
    }

    // MARK: The endpoint's part is over

    /// The client does not take what there is: an endpoint that has said everything need not wait for that.
    ///
    /// Clients that open no windows would hold all connections that the endpoint allows.
    func letOriginGo() {
        guard let origin, phase == .delivering, responseBody.isComplete, requestBody.isComplete,
            isRequestSent, pipe == nil
        else { return }
        part(from: origin)
    }

    /// The endpoint has said everything: its connection carries other exchanges, or ends.
    func part(from origin: Origin) {
        noteSuccess()
        leaveEndpoint()
        origin.exchange = nil
        self.origin = nil
        if mayReuse(origin) { origin.rest() } else { origin.close() }
    }

    /// Whether nothing of this exchange is left on the connection (RFC 9112 §9.3).
    private func mayReuse(_ origin: Origin) -> Bool {
        if origin.framesContent { return true }
        return response.isPersistent && phase == .delivering && error == nil
            && requestBody.isComplete
            && requestSent == requestBody.ready && responseBuffer.count == responseBody.ready
            && response.framing(answering: request.method) != .untilClose
            && !worker.isDraining && !origin.isRestless
    }

    // MARK: Our own

    /// Answers out of the configuration.
    func answer(_ fixed: LocalResponse, headBytes: Int) {
        var fields = TextSink(bytesMax: Limits.localFieldBytes)
        var content = TextSink(bytesMax: Limits.localContentBytes)
        var fits = true
        for field in fixed.fields where fits {
            fields.octets += field.name
            fits = expand(field.value, to: &fields)
            fields.octets += [0x0D, 0x0A]
        }
        if fixed.yieldsToPages, let page = steps?.pages?.page(for: fixed.status) {
            fields.octets = Self.withoutType(fields.octets) + page.fields
            fits = fits && expand(page.content, escaping: escaping(of: page.escaping), to: &content)
        } else {
            fits =
                fits && expand(fixed.content, escaping: escaping(of: fixed.escaping), to: &content)
        }
        guard fits else { return refuseToWrite(headBytes: headBytes) }
        answer(
            status: fixed.status,
            fields: fields.octets,
            content: content.octets,
            headBytes: headBytes
        )
    }

    /// Sends the client to where a route says.
    func redirectClient(_ redirect: LocalResponse, headBytes: Int) {
        // HTTP/1.0 without Host says no place, and a URL without a host leads to what follows in it.
        if redirect.namesHost, request.authorityRange.isEmpty {
            return answer(status: 400, headBytes: headBytes)
        }
        answer(redirect, headBytes: headBytes)
    }

    /// What an authority is answered that wants proof of a host (RFC 8555 §8.3); `nil` where no order waits for it, and
    /// then the request is one like others.
    func challengeContent(_ client: Client, _ served: ServedTables) -> [UInt8]? {
        guard request.method == .get || request.method == .head else { return nil }
        let prefix = Self.challengePrefix
        let token = client.buffer.withReadable { octets in
            var token: [UInt8] = []
            if isPathNormalised {
                let path = octets.extracting(request.path.indices)
                guard path.count > prefix.count, path.count <= Limits.challengePathBytes,
                    path.extracting(..<prefix.count).equals(prefix.span)
                else { return token }
                token.append(copying: path.extracting(prefix.count...))
            } else if normalisedPath.starts(with: prefix) {
                token = Array(normalisedPath.dropFirst(prefix.count))
            }
            return token
        }
        return served.tables.challengeFiles[token]
    }

    private static let challengePrefix = Array("/.well-known/acme-challenge/".utf8)

    /// Answers an authority that wants proof of a host.
    func answer(challenge content: [UInt8], headBytes: Int) {
        worker.metrics.add(.challengesAnswered)
        let fields = Array("content-type: application/octet-stream\r\n".utf8)
        answer(status: 200, fields: fields, content: content, headBytes: headBytes)
    }

    /// Sends the client to the same place under https (RFC 9110 §15.4.9).
    func redirect(toPort port: Int, headBytes: Int) {
        guard let client else { return }
        // HTTP/1.0 without Host says no place.
        guard !request.authorityRange.isEmpty else {
            return answer(status: 400, headBytes: headBytes)
        }
        var fields = Array("location: https://".utf8)
        client.buffer.withReadable { octets in
            fields.append(copying: octets.extracting(request.authority.host.indices))
            if port != 443 { fields += Array(":\(port)".utf8) }
            if !isPathNormalised {
                fields += normalisedPath
            } else if request.path.isEmpty {
                fields.append(UInt8(ascii: "/"))
            } else {
                fields.append(copying: octets.extracting(request.path.indices))
            }
            if request.hasQuery {
                fields.append(UInt8(ascii: "?"))
                fields.append(copying: octets.extracting(request.query.indices))
            }
        }
        fields += [0x0D, 0x0A]
        answer(status: 308, fields: fields, content: [], headBytes: headBytes)
    }

    /// Answers with a status and a short text that names it.
    func answer(status: UInt16, headBytes: Int) {
        let plain = PlainAnswer.of(status)
        var fields = status == 405 || status == 200 ? PlainAnswer.allow : []
        if status == 503 || effort?.retryAfterSeconds ?? 0 > 0, let error,
            error.side != .downstream
        {
            // It is worth another try, but not at once.
            client?.isRefused = true
            fields += PlainAnswer.retryAfter(seconds: max(1, effort?.retryAfterSeconds ?? 1))
        }
        var content = plain.content
        if let page = steps?.pages?.page(for: status), let text = text(of: page) {
            fields += page.fields
            content = text
        } else {
            fields += plain.fields
        }
        answer(status: status, fields: fields, content: content, headBytes: headBytes)
    }

    /// Answers with these fields and this content, and with what the route's policies make of the fields.
    func answer(status: UInt16, fields: [UInt8], content: [UInt8], headBytes: Int) {
        guard let client, let served else { return }
        var fields = fields
        if let steps, !steps.response.isEmpty {
            guard let edited = edit(fields, steps) else {
                // What could not be written is not tried again for the answer that says so.
                forgetCopy()
                self.steps = nil
                return refuseToWrite(headBytes: headBytes)
            }
            fields = edited
        }
        client.buffer.consume(headBytes)
        let isWellFormed = error == nil || error?.kind == .proxyInternalResponse
        if !requestBody.isComplete, isWellFormed, status != 413 {
            // Content that has come along is passed over, so that the connection can go on.
            guard dropContent(client, served.listener) else { return }
        }
        self.status = status
        isClientPersistent = isClientPersistent && requestBody.isComplete && client.mayPersist
        let hasContent = status != 204 && status != 304 && status >= 200
        worker.scratch.clear()
        worker.scratch.append(PlainAnswer.of(status).statusLine)
        worker.scratch.append(fields)
        if hasContent {
            worker.scratch.append("content-length: " as StaticString)
            worker.scratch.append(decimal: UInt64(content.count))
            worker.scratch.append("\r\n" as StaticString)
        }
        appendOwnFields(hasDate: false, served.tables, to: &worker.scratch)
        worker.scratch.append("\r\n" as StaticString)
        responseBuffer = worker.lendScratch()
        responseHeadBytes += worker.scratch.count
        responseBody.reset()
        responseBody.prepended(worker.scratch.count)
        if hasContent, request.method != .head {
            addLocalContent(content)
        }
        phase = .delivering
        pumpResponse(client, origin)
    }

    /// Puts content behind the head where it fits, so that both leave together; else it follows in pieces.
    private func addLocalContent(_ content: [UInt8]) {
        if responseBuffer.append(content) {
            responseBody.prepended(content.count)
        } else {
            localContent = content[...]
        }
    }

    /// Passes over content that nobody wants and that is there already; `false` when it is broken, and
    /// then an answer has gone out.
    private func dropContent(_ client: Client, _ listener: ListenerTable) -> Bool {
        do throws(HTTP1Error) {
            try requestBody.advance(&client.buffer, limits: listener.limits) { _, _ in false }
        } catch {
            refuse(error)
            return false
        }
        dropSentRequest(client)
        return true
    }
}
