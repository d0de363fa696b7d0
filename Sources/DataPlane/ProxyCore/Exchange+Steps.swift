internal import Bytes
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import Routing
internal import Telemetry
internal import Upstreams

/// What a route's rewriting and policies make of requests and responses.
extension Exchange {
    /// Answers in place of the route's action, where it is under maintenance.
    func answersForMaintenance(headBytes: Int) -> Bool {
        guard let maintenance = steps?.maintenance else { return false }
        answer(maintenance, headBytes: headBytes)
        return true
    }

    // MARK: Requests

    /// Writes the request line and Host of a request that is rewritten.
    ///
    /// - Returns: `false` where no path comes out that can be sent, or where the query has become too long.
    func writeRequestLine(
        _ octets: Span<UInt8>,
        _ upstream: UpstreamPool,
        _ steps: RouteSteps,
        into head: inout Buffer
    ) -> Bool {
        head.append(octets.extracting(request.methodRange.indices))
        head.append(UInt8(ascii: " "))
        guard appendPath(octets, steps, to: &head), appendQuery(octets, steps, to: &head) else {
            return false
        }
        if steps.host.isEmpty {
            appendHost(octets, upstream, to: &head)
        } else {
            head.append(" HTTP/1.1\r\nhost: " as StaticString)
            head.append(steps.host)
            head.append("\r\n" as StaticString)
        }
        return true
    }

    private func appendPath(
        _ octets: Span<UInt8>,
        _ steps: RouteSteps,
        to head: inout Buffer
    ) -> Bool {
        // OPTIONS of * is about a server, and has no path to rewrite.
        guard let rewriter = steps.pathRewriter, request.form != .asterisk else {
            if !isPathNormalised { return head.append(normalisedPath) }
            if request.path.isEmpty { head.append(UInt8(ascii: "/")) }
            return head.append(octets.extracting(request.path.indices))
        }
        if !isPathNormalised {
            let path = normalisedPath
            return rewriter.append(path.span, to: &head)
        }
        if request.path.isEmpty {
            let root: [UInt8] = [UInt8(ascii: "/")]
            return rewriter.append(root.span, to: &head)
        }
        return rewriter.append(octets.extracting(request.path.indices), to: &head)
    }

    private func appendQuery(
        _ octets: Span<UInt8>,
        _ steps: RouteSteps,
        to head: inout Buffer
    ) -> Bool {
        let query = octets.extracting(request.query.indices)
        guard let editor = steps.queryEditor else {
            guard request.hasQuery else { return true }
            head.append(UInt8(ascii: "?"))
            return head.append(query)
        }
        let hasKept = editor.appendKept(query, to: &head)
        if steps.queryEnd.pieces.isEmpty { return true }
        head.append(hasKept ? UInt8(ascii: "&") : UInt8(ascii: "?"))
        let start = head.count
        for piece in steps.queryEnd.pieces {
            if case .literal(let text) = piece {
                head.append(text)
                continue
            }
            var value = TextSink(worker.takeValueOctets(), bytesMax: Limits.editedBytes)
            value.escaping = .percent
            let fits = expand(piece, to: &value) && head.append(value.octets)
            worker.valueOctets = value.octets
            guard fits, head.count - start <= Limits.editedBytes else { return false }
        }
        return true
    }

    /// Whether the route's policies take a field out, of those that their filter lets through.
    func drops(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>, fromRequest: Bool) -> Bool {
        let dropped = fromRequest ? steps?.request.dropped : steps?.response.dropped
        return dropped?.contains(octets, line.nameRange) ?? false
    }

    /// Appends a text to a head.
    ///
    /// - Returns: `false` where its variables make it too long.
    func expandBounded(_ template: CompiledTemplate, to head: inout Buffer) -> Bool {
        if let text = template.constant { return head.append(text) }
        let start = head.count
        for piece in template.pieces {
            guard expand(piece, to: &head), head.count - start <= Limits.editedBytes else {
                return false
            }
        }
        return true
    }

    /// What the configuration makes of this request, or of its response, cannot be sent to anybody.
    func refuseToWrite(headBytes: Int) {
        error = ExchangeError(.proxyConfigurationError, .local)
        // Nobody was asked: it is no failure of the upstream.
        if endpoint == nil { upstream = nil }
        answer(status: 500, headBytes: headBytes)
    }

    // MARK: Responses

    /// Whether a final response of the endpoint goes on; if not, it has been answered in its place.
    func passes(
        _ steps: RouteSteps,
        _ client: Client,
        _ origin: Origin,
        headBytes: Int
    ) -> Bool {
        if let page = steps.pages?.page(for: response.status) {
            replaceResponse(by: page, client, origin, headBytes: headBytes)
            return false
        }
        guard editsFit(steps) else {
            discardResponse(client, origin, headBytes: headBytes)
            refuseToWrite(headBytes: 0)
            return false
        }
        return true
    }

    /// Appends the lines that the route's policies add to a response, which fit.
    func appendEdits(_ steps: RouteSteps, to head: inout Buffer) {
        _ = expandBounded(responseLines(steps), to: &head)
    }

    /// RFC 6797 §7.2: without TLS no response says that there must be TLS.
    private func responseLines(_ steps: RouteSteps) -> CompiledTemplate {
        isClientHTTPS ? steps.response.lines : steps.response.clearLines
    }

    /// Whether what is added to a response is short enough; what has no variables was checked with the configuration.
    private func editsFit(_ steps: RouteSteps) -> Bool {
        let lines = responseLines(steps)
        if lines.constant != nil { return true }
        worker.scratch.clear()
        return expandBounded(lines, to: &worker.scratch)
    }

    /// Fields of one of our own responses, as the route's policies have them.
    ///
    /// - Returns: `nil` where they are too long.
    func edit(_ fields: [UInt8], _ steps: RouteSteps) -> [UInt8]? {
        var sink = TextSink(bytesMax: fields.count + Limits.editedBytes)
        let lines = fields.span
        var start = 0
        while start < lines.count {
            let end = lines.firstIndex(of: 0x0A, from: start, to: lines.count)
            let name = start..<lines.firstIndex(of: UInt8(ascii: ":"), from: start, to: end)
            let isDropped = steps.response.dropped?.contains(lines, name) ?? false
            let next = min(end + 1, lines.count)
            if !isDropped { _ = sink.take(lines.extracting(start..<next)) }
            start = next
        }
        return expand(responseLines(steps), to: &sink) ? sink.octets : nil
    }

    // MARK: Error pages

    /// A page's content for this exchange; `nil` where its variables make it too long.
    func text(of page: ErrorPages.Page) -> [UInt8]? {
        var sink = TextSink(bytesMax: Limits.localContentBytes)
        let escaping = escaping(of: page.escaping)
        return expand(page.content, escaping: escaping, to: &sink) ? sink.octets : nil
    }

    /// What becomes of values in content whose own type asks for `escaping`: the type that goes out counts.
    func escaping(of escaping: TextSink.Escaping) -> TextSink.Escaping {
        steps?.response.escaping ?? escaping
    }

    /// Answers with a page in the place of the endpoint's response, of which only fields remain that are not about its
    /// content.
    private func replaceResponse(
        by page: ErrorPages.Page,
        _ client: Client,
        _ origin: Origin,
        headBytes: Int
    ) {
        var fields: [UInt8] = []
        if let tables = served?.tables {
            worker.scratch.clear()
            responseBuffer.withReadable { octets in
                appendLines(octets, tables, to: &worker.scratch) { !isAboutContent($0, $1) }
            }
            worker.scratch.withReadable { fields.append(copying: $0) }
        }
        let status = response.status
        discardResponse(client, origin, headBytes: headBytes)
        guard let content = text(of: page) else { return refuseToWrite(headBytes: 0) }
        answer(status: status, fields: fields + page.fields, content: content, headBytes: 0)
    }

    /// Whether a field describes the content that is replaced, or selects it (RFC 9110 §8, §14.3; RFC 9530).
    private func isAboutContent(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>) -> Bool {
        switch line.name {
        case .date, .etag, .lastModified, .acceptRanges, .link, .refresh: return true
        default: break
        }
        let name = octets.extracting(line.nameRange)
        return name.count >= 8 && octets.matches("content-", in: line.nameRange.prefix(8))
            || name.matches("digest") || name.matches("repr-digest")
    }

    /// Passes over the endpoint's response; its connection goes on if all of it is there already.
    private func discardResponse(_ client: Client, _ origin: Origin, headBytes: Int) {
        responseBuffer.consume(headBytes)
        responseBody.begin(
            response.framing(answering: request.method),
            isMarked: origin.framesContent,
            isChunkedOut: false
        )
        var isWhole = responseBody.isComplete || origin.framesContent && origin.isAtEnd
        if !isWhole {
            do throws(HTTP1Error) {
                try responseBody.advance(&responseBuffer, limits: Worker.responseLimits) { _, _ in
                    false
                }
                isWhole = responseBody.isComplete
            } catch {
                isWhole = false
            }
        }
        responseBuffer.consume(responseBody.ready)
        responseBody.sent(responseBody.ready)
        if isWhole, isRequestSent, responseBuffer.isEmpty {
            phase = .delivering
            part(from: origin)
        } else {
            closeOrigin()
        }
        worker.reclaim(&responseBuffer)
        responseBody.reset()
        hasUndecodedResponse = false
        dropSentRequest(client)
    }

    /// Lines of a response without its Content-Type.
    static func withoutType(_ fields: [UInt8]) -> [UInt8] {
        let lines = fields.split(separator: 0x0A, omittingEmptySubsequences: true)
        let start = Array("content-type:".utf8)
        return lines.filter { !$0.starts(with: start) }.flatMap { $0 + [0x0A] }
    }
}
