internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import RegularExpressions
internal import Structures
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// One request and its final response, from its first octet to its log record.
///
/// The map of the data plane.
///
///     receive ─▶ route ─┬─▶ select endpoint ─▶ connect or reuse ─▶ forward ─▶ respond ─▶ deliver ─▶ log
///                       └─▶ answer (redirect, fixed response, error) ────────────────────▶ deliver ─▶ log
///
/// A response that switches protocols opens a tunnel in place of `respond` and what follows (Exchange+Tunnel.swift).
///
/// Each phase is one method, in this order, and hands the work to a leaf: the parser, the route table, the
/// pool, the relays that frame content, the writers of heads. Octets go through one buffer in each
/// direction, the client's for the request and `responseBuffer` for the response: what is read is
/// rewritten in place and written from there, and nothing is read while something waits to be written.
///
/// An exchange keeps the snapshot that it began with. It is used again for other requests and confined
/// to its worker's loop.
final class Exchange {
    let worker: Worker
    /// The client's connection, from `begin` to `end`.
    var client: Client?
    /// The connection to the endpoint, while there is one.
    var origin: Origin?
    /// The snapshot that the exchange began with, and the listener's part of it.
    var served: ServedTables?
    /// The index of the route that was taken.
    var route: Int?
    /// What the route does besides; `nil` for most.
    var steps: RouteSteps?
    /// The upstream and the endpoint that the route led to.
    var upstream: UpstreamPool?
    var endpoint: EndpointPool?
    /// What it does besides one try at once; `nil` for most.
    var effort: Effort?

    /// How the endpoint was chosen, and what is counted there; as it is made where they take turns.
    var placement = Placement()

    /// What the endpoint may be spoken to in.
    var offer = ProtocolOffer.http1

    var phase = Phase.idle
    var request = RequestHead()
    var response = ResponseHead()
    var requestBody = BodyRelay()
    var responseBody = BodyRelay()
    /// Octets of the response that were received or made and not sent yet.
    var responseBuffer = Buffer()
    /// Whether the buffer holds octets behind an interim response that nobody has looked at.
    var hasUndecodedResponse = false
    /// Octets of a local response's content that are not in the buffer yet.
    var localContent: ArraySlice<UInt8> = []
    /// Where long content is on its way, while there is such.
    var pipe: SplicePipe?
    /// Whether no pipe was to be had for this response.
    var isSpliceRefused = false
    /// Of the octets ready in the client's buffer, those that the endpoint has.
    var requestSent = 0
    /// Whether the client's buffer holds the request from its first octet, or from where what the effort keeps ends.
    var isRequestRetained = true
    /// Whether the request was sent again although an endpoint may have looked at it.
    var isRetried = false
    /// The copy of the request that is being made for another upstream, if there is one; only with steps.
    var copy: MirrorClient?
    /// Whether this is what takes such a copy there: nobody waits for the response.
    var isCopy = false
    /// What keeps the client on its side of a split from now on; 0 if nothing does, or the client has it.
    var cohortMark: UInt64 = 0
    /// How often an endpoint has said that it has not.
    var refusalCount = 0
    /// The protocols that the endpoint was asked to switch to, as a list; empty without.
    var protocolsAsked: [UInt8] = []
    /// Whether the client can see where the response ends without the end of the connection.
    var isEndVisible = true
    /// Whether the endpoint has the whole request.
    var isRequestSent = false
    /// Whether the client's connection stays open after the response.
    var isClientPersistent = false
    /// The path that counts: normalised, where the request's own is not.
    var normalisedPath: [UInt8] = []
    var isPathNormalised = true
    /// The groups of the route's regular expression in the path that was kept, where texts of the route name such.
    var captures = Captures()

    /// Whether what the peer says of others is believed.
    var isPeerTrusted = false
    /// Whom the request has come from before the peer, the nearest first; empty where the peer is the client.
    var hops: [ClientAddress] = []
    /// Whether a trusted peer has told that the client came over TLS, or that it did not.
    var isHTTPSTold: Bool?
    var traceContext = TraceContext.unknown

    var started = LoopInstant.never
    var totalDeadline = LoopInstant.never
    /// When the try that is under way must have brought a response.
    var tryDeadline = LoopInstant.never
    var status: UInt16 = 0
    var responseHeadBytes = 0
    var sentBytes: UInt64 = 0
    var error: ExchangeError?
    var note = LogNote()

    init(worker: Worker) {
        self.worker = worker
    }

    // MARK: Receive

    /// Begins with the first octets of a request, which are in the client's buffer.
    ///
    /// - Parameters:
    ///   - client: The client.
    ///   - violation: Why the request is refused, where its head could not be read.
    func begin(_ client: Client, refusing violation: HTTP1Error? = nil) {
        let served = client.port.served
        self.client = client
        self.served = served
        served.tables.useCount += 1
        phase = .receiving
        note.clear()
        request.reset()
        if let violation { return refuse(violation) }
        receive(client, served)
    }

    /// Reads on until the head is complete.
    func receive(_ client: Client, _ served: ServedTables) {
        while true {
            do throws(HTTP1Error) {
                let length = try client.buffer.withReadable { octets throws(HTTP1Error) in
                    try request.decode(octets, limits: served.listener.headLimits(client))
                }
                if let length { return received(headBytes: length, client, served) }
            } catch {
                if error == .http2Preface, client.maySpeakHTTP2 {
                    end()
                    return client.speakHTTP2()
                }
                return refuse(error)
            }
            switch client.fill() {
            case .octets: continue
            case .wait: return client.awaitHead()
            case .full: return refuse(.fieldSectionTooLarge)
            case .end: return abandon()
            }
        }
    }

    /// The head is complete: settles what it means and where it goes.
    private func received(headBytes: Int, _ client: Client, _ served: ServedTables) {
        started = worker.loop.now
        client.requestBegan()
        client.clearDeadline()
        identifyClient(client, served.listener)
        // What follows CONNECT may be meant for the tunnel that it does not get, and is no request.
        isClientPersistent =
            request.isPersistent && request.method != .connect && client.mayPersist
        requestBody.begin(
            request.framing,
            isMarked: client.framesContent,
            isChunkedOut: request.framing == .chunked
        )
        if let status = refusal(client, served.listener) {
            return answer(status: status, headBytes: headBytes)
        }
        if worker.isShedding, worker.sheds() { return shed(headBytes: headBytes) }
        guard normalise(client, served.tables.pathRules) else { return refuse(path: headBytes) }
        noteRequest(client, served)
        if !served.tables.challengeFiles.isEmpty, client.security == nil,
            let content = challengeContent(client, served)
        {
            return answer(challenge: content, headBytes: headBytes)
        }
        selectRoute(headBytes: headBytes, client, served)
    }

    // MARK: Route

    private func selectRoute(headBytes: Int, _ client: Client, _ served: ServedTables) {
        if let port = served.listener.redirectPort, mayRedirectToHTTPS {
            return redirect(toPort: port, headBytes: headBytes)
        }
        let isForUs =
            request.asksServer || client.buffer.withReadable { forwardsLeft($0) == 0 }
        if isForUs { return answer(status: 200, headBytes: headBytes) }
        let found = client.buffer.withReadable { octets in
            let path = isPathNormalised ? nil : normalisedPath
            return served.listener.match(
                request,
                octets,
                path: path,
                client: clientAddress(client)
            )
        }
        guard let found else { return answer(status: 404, headBytes: headBytes) }
        route = found.route
        served.tables.routeRows.prefetch(found.route)
        if found.mark != RouteEntry.isNotPlain {
            return writeRequestHead(for: Int(found.mark), headBytes: headBytes, client, served)
        }
        let entry = served.tables.routes[found.route]
        if entry.totalNanoseconds < .max { limit(client, toNanoseconds: entry.totalNanoseconds) }
        if !entry.needs.isEmpty { keep(entry.needs, of: client) }
        if entry.hasSteps {
            steps = served.tables.steps[found.route]
            if answersForMaintenance(headBytes: headBytes) { return }
        }
        switch entry.action {
        case .upstream(let index):
            writeRequestHead(for: Int(index), headBytes: headBytes, client, served)
        case .split(let index):
            let (index, nanoseconds) = chooseSide(of: served.tables.splits[Int(index)], client)
            if nanoseconds < .max { limit(client, toNanoseconds: nanoseconds) }
            writeRequestHead(for: index, headBytes: headBytes, client, served)
        case .respond(let index):
            answer(served.tables.responses[Int(index)], headBytes: headBytes)
        case .redirect(let index):
            redirectClient(served.tables.responses[Int(index)], headBytes: headBytes)
        }
    }

    // MARK: Select endpoint, connect or reuse

    /// The rewritten head stands before the content in the client's buffer: finds someone to send it to.
    func selectEndpoint(_ client: Client, _ upstream: UpstreamPool) {
        if upstream.hasTryPlan, !mayTry(upstream) { return }
        if upstream.isQueueing { return waitInLine(upstream) }
        guard let endpoint = chooseEndpoint(upstream) else {
            return fail(upstream.refusal)
        }
        reach(endpoint, client, upstream)
    }

    /// Makes a connection to the endpoint that was chosen, or shares one.
    func connect() {
        guard let client, let upstream, let endpoint else { return }
        phase = .connecting
        if sharesConnection(to: endpoint) { return }
        guard let address = endpoint.address(at: worker.loop.now) else {
            return originFailed(ExchangeError(.dnsError, .upstream))
        }
        guard upstream.admit(to: endpoint, worker, makesRoom: !isCopy) else {
            // Whoever gave way may have had a part of a connection, and there is room on that.
            if sharesConnection(to: endpoint) { return }
            return lacksConnection(client, upstream, endpoint)
        }
        do throws(SystemCallError) {
            let made = try OriginConnection(
                worker: worker,
                upstream,
                endpoint,
                address,
                offering: offer
            )
            worker.metrics.add(.upstreamConnectionsOpened)
            if offer == .http2 {
                let session = made.speakHTTP2()
                endpoint.add(session)
                return attach(to: session)
            }
            origin = made
            made.exchange = self
            made.proxyHeader = upstream.proxyHeader(for: client)
            setDeadline(of: made, after: upstream.limits.connect)
        } catch {
            if error.errno == .tooManyOpenFiles, !isCopy, worker.makeRoomForDescriptors() {
                return connect()
            }
            worker.metrics.add(.upstreamConnectFailures)
            endpoint.avoid(address, at: worker.loop.now)
            originFailed(ExchangeError.connect(error.errno))
        }
    }

    // MARK: Forward

    /// The connection stands: sends the request and waits for the response.
    func forward(_ client: Client, _ origin: Origin) {
        phase = .forwarding
        response.reset()
        requestSent = 0
        isRequestSent = false
        // Nobody has asked it anything: what it says is no answer to this request.
        if origin.isAhead {
            return originFailed(ExchangeError(.httpProtocolError, .upstream))
        }
        pumpRequest(client, origin)
    }

    /// Moves the request from the client to the endpoint as far as both are ready.
    func pumpRequest(_ client: Client, _ origin: Origin) {
        guard phase == .forwarding || phase.isRelaying else { return }
        defer { restTunnel(client) }
        var reads = 0
        while true {
            if requestSent < requestBody.ready {
                guard sendRequest(client, origin) else { return }
                continue
            }
            if requestBody.isComplete { return requestIsSent(origin) }
            guard client.canRead else { return awaitRequest(client, origin) }
            reads += 1
            guard worker.mayRead(reads) else { return client.continueLater() }
            dropSentRequest(client)
            switch client.fill() {
            case .octets:
                client.contentCame(totalDeadline)
                if phase == .forwarding { limitTryAnew() }
            case .wait, .full: return awaitRequest(client, origin)
            case .end:
                guard requestEnded(client, origin) else { return }
                continue
            }
            guard let served, advanceRequest(client, served.listener) else { return }
            if phase == .tunnelling { origin.setDeadline(after: origin.upstream.limits.idle) }
        }
    }

    /// The client has not sent all of the request: it is not the endpoint that is waited for.
    private func awaitRequest(_ client: Client, _ origin: Origin) {
        if phase == .forwarding { origin.setDeadline(after: .max) }
        client.awaitContent()
    }

    /// The endpoint has the whole request: from now on its answer is awaited.
    private func requestIsSent(_ origin: Origin) {
        guard !isRequestSent, phase != .tunnelling else { return }
        isRequestSent = true
        if origin.framesContent { origin.finishRequest(trailers: requestBody.trailerLines) }
        awaitOrigin(origin, for: origin.upstream.limits.firstByte)
    }

    /// Writes once to the endpoint; `false` when it takes no more for now.
    private func sendRequest(_ client: Client, _ origin: Origin) -> Bool {
        guard origin.canWrite else {
            awaitOrigin(origin, for: origin.upstream.limits.idle)
            return false
        }
        let isLast = requestBody.isComplete && !requestBody.hasTrailerLines
        let outcome = client.buffer.withReadable { octets in
            origin.send(octets.extracting(requestSent..<requestBody.ready), isLast: isLast)
        }
        switch outcome {
        case .octets(let count):
            requestSent += count
            if requestSent == requestBody.ready { return true }
            awaitOrigin(origin, for: origin.upstream.limits.idle)
            return false
        case .failed:
            // It may have answered before it closed: what can be read says whether, and if not, that it failed.
            origin.expectEnd()
            client.continueLater()
            return false
        }
    }

    // MARK: Respond

    /// Moves the response from the endpoint, if it comes from one, to the client as far as both are ready.
    func pumpResponse(_ client: Client, _ origin: Origin?) {
        var reads = 0
        while true {
            if responseBody.ready > 0 {
                guard deliver(client) else { return }
                continue
            }
            if phase == .delivering, responseBody.isComplete, localContent.isEmpty, pipe == nil {
                return finish(client, origin)
            }
            if phase == .tunnelling {
                restTunnel(client)
                if responseBody.isComplete { return tunnelResponseEnded(client) }
            }
            if !localContent.isEmpty {
                refillLocalContent()
                continue
            }
            guard takeFromOrigin(client, origin, &reads) else { return }
        }
    }

    /// Takes more of the response from the endpoint; `false` when there is nothing more to do for now.
    private func takeFromOrigin(_ client: Client, _ origin: Origin?, _ reads: inout Int) -> Bool {
        guard let origin, phase != .connecting else { return false }
        if hasUndecodedResponse { return decodeResponse(client, origin) }
        let splices = splicesResponse
        guard splices || origin.canRead else { return false }
        reads += 1
        guard worker.mayRead(reads) else {
            client.continueLater()
            return false
        }
        return splices ? spliceResponse(client, origin) : receiveResponse(client, origin)
    }

    /// Reads once from the endpoint; `false` when there is nothing more to do for now.
    private func receiveResponse(_ client: Client, _ origin: Origin) -> Bool {
        guard origin.framesContent || makeRoomForResponse() else {
            originFailed(ExchangeError(.httpResponseHeaderSectionSize, .upstream))
            return false
        }
        switch origin.receive(into: &responseBuffer) {
        case .octets:
            if phase == .forwarding { return decodeResponse(client, origin) }
            origin.setDeadline(after: origin.upstream.limits.idle)
            return advanceResponse()
        case .wouldBlock:
            return false
        case .end:
            return responseEnded()
        case .failed(let errno):
            originFailed(
                ExchangeError(
                    .connectionTerminated,
                    .upstream,
                    retry: .ifConnectionReused,
                    errno: errno
                )
            )
            return false
        }
    }

    /// Reads response heads, interim ones too, and takes the final one up.
    private func decodeResponse(_ client: Client, _ origin: Origin) -> Bool {
        hasUndecodedResponse = false
        while phase == .forwarding {
            var headBytes: Int?
            do throws(HTTP1Error) {
                headBytes = try responseBuffer.withReadable { octets throws(HTTP1Error) in
                    try response.decode(octets, limits: Worker.responseLimits)
                }
            } catch {
                let isSize = error == .fieldSectionTooLarge || error == .fieldLinesTooMany
                originFailed(
                    ExchangeError(
                        isSize ? .httpResponseHeaderSectionSize : .httpProtocolError,
                        .upstream
                    )
                )
                return false
            }
            guard let headBytes else { return true }
            if response.status >= 200 || response.status == 101 {
                noteStatus()
                if upstream?.hasTryPlan == true, triesAgain(origin, headBytes: headBytes) {
                    return false
                }
            }
            if response.status == 101 { return beginTunnel(origin, headBytes: headBytes) }
            if response.isInterim {
                relayInterim(headBytes: headBytes)
                // What follows it waits until it has left, and is looked at before more is read.
                hasUndecodedResponse = responseBuffer.count > responseBody.ready
                if responseBody.ready > 0 { return true }
            } else if let steps, !passes(steps, client, origin, headBytes: headBytes) {
                return false
            } else {
                writeResponseHead(client, origin, headBytes: headBytes)
                if !responseBody.isComplete {
                    origin.setDeadline(after: origin.upstream.limits.idle)
                }
            }
        }
        return true
    }

    // MARK: Deliver

    /// Writes once to the client; `false` when it takes no more for now.
    private func deliver(_ client: Client) -> Bool {
        guard client.canWrite else {
            client.awaitWriting(totalDeadline)
            letOriginGo()
            return false
        }
        let ready = responseBody.ready
        let isLast =
            responseBody.isComplete && phase == .delivering && localContent.isEmpty
            && !responseBody.hasTrailerLines
        let outcome = responseBuffer.withReadable { octets in
            client.send(octets.extracting(0..<ready), isLast: isLast)
        }
        switch outcome {
        case .octets(let count):
            responseBuffer.consume(count)
            responseBody.sent(count)
            guard clientTook(client, count, of: ready) else {
                letOriginGo()
                return false
            }
            return true
        case .failed:
            abandon()
            return false
        }
    }

    /// Notes how much of what was written to the client it has taken; `false` when it takes no more for now.
    func clientTook(_ client: Client, _ count: Int, of written: Int) -> Bool {
        sentBytes += UInt64(count)
        guard count == written else {
            client.awaitWriting(totalDeadline)
            return false
        }
        client.octetsTaken(totalDeadline)
        return true
    }

    /// The response is with the client: settles what becomes of both connections.
    private func finish(_ client: Client, _ origin: Origin?) {
        if client.framesContent { client.finishResponse(trailers: responseBody.trailerLines) }
        if let origin { part(from: origin) }
        log(isCut: false)
        let persists = isClientPersistent && requestBody.isComplete && error?.side != .downstream
        if requestSent > 0 || requestBody.ready > 0 { client.buffer.consume(requestBody.ready) }
        let isLast = !request.isPersistent && requestBody.isComplete && error == nil
        end()
        client.exchangeEnded(persists: persists, isLast: isLast)
    }

    // MARK: Log

    /// Counts and records the exchange.
    ///
    /// - Parameter isCut: Whether the client did not get the whole response.
    func log(isCut: Bool) {
        let nanoseconds = worker.loop.now.nanoseconds(since: started)
        if isCopy { return logCopy(nanoseconds, isCut: isCut) }
        worker.count(status: status, sentBytes: sentBytes, nanoseconds: nanoseconds, isCut: isCut)
        if let error { worker.metrics.countError(error.kind) }
        let hasFailed = status >= 500 || isCut
        upstream?.record(nanoseconds: nanoseconds, failed: hasFailed)
        served?.tables.record(self, nanoseconds: nanoseconds, failed: hasFailed)
    }

    /// Makes the exchange ready for another request and gives it back.
    func end() {
        if phase == .tunnelling { worker.metrics.subtract(.tunnelsOpen) }
        phase = .idle
        leaveEndpoint()
        placement.setsCookie = false
        worker.reclaim(&responseBuffer)
        client?.exchange = nil
        client = nil
        origin = nil
        if let served { worker.release(served.tables) }
        served = nil
        route = nil
        if steps != nil {
            forgetCopy()
            steps = nil
        }
        isCopy = false
        upstream = nil
        endpoint = nil
        if let effort {
            effort.end()
            self.effort = nil
        }
        tryDeadline = .never
        if !localContent.isEmpty { localContent = [] }
        if let pipe {
            worker.givePipe(pipe)
            self.pipe = nil
        }
        isSpliceRefused = false
        requestBody.reset()
        responseBody.reset()
        requestSent = 0
        hasUndecodedResponse = false
        isRequestRetained = true
        isRetried = false
        refusalCount = 0
        isEndVisible = true
        cohortMark = 0
        if !protocolsAsked.isEmpty { protocolsAsked = [] }
        isPathNormalised = true
        if isPeerTrusted { forgetHops() }
        traceContext = .unknown
        totalDeadline = .never
        status = 0
        responseHeadBytes = 0
        sentBytes = 0
        error = nil
        worker.spare(self)
    }
}
