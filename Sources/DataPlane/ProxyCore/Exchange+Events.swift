internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// What happens to an exchange from outside, and what it does when things go wrong.
extension Exchange {
    // MARK: Events

    /// The client's socket can do something.
    func clientReady(_ client: Client) {
        if phase == .receiving {
            guard let served else { return }
            return receive(client, served)
        }
        // A tunnel's client may have ended, and so have we, with octets of it still to be read.
        if client.isBroken, phase != .tunnelling || client.hasFailed {
            return abandon()
        }
        if client.canWrite { pumpResponse(client, origin) }
        if client.canRead, self.client === client, let origin {
            pumpRequest(client, origin)
        }
    }

    /// The endpoint's socket can do something.
    func originReady(_ origin: Origin) {
        guard let client else { return }
        if phase == .connecting {
            if let errno = origin.connectError() {
                worker.metrics.add(.upstreamConnectFailures)
                return originFailed(ExchangeError.connect(errno))
            }
            guard origin.canWrite else { return }
            endpoint?.connected()
            guard origin.greet() else {
                return originFailed(ExchangeError(.connectionTerminated, .upstream))
            }
            return forward(client, origin)
        }
        if requestSent < requestBody.ready || !requestBody.isComplete {
            pumpRequest(client, origin)
            guard self.origin === origin else { return }
        }
        pumpResponse(client, origin)
    }

    /// The turn that was left to others comes back.
    func resume(_ client: Client) {
        if let origin { pumpRequest(client, origin) }
        if self.client === client { pumpResponse(client, origin) }
    }

    /// Sets when the whole exchange must be over.
    func limit(_ client: Client, toNanoseconds nanoseconds: UInt64) {
        totalDeadline = started.advanced(by: nanoseconds)
        client.setDeadline(totalDeadline)
    }

    /// The client's deadline has passed: the head or content is late, the client does not read, or the
    /// exchange takes longer than its route allows.
    func clientDeadlinePassed() {
        if totalDeadline <= worker.loop.now {
            let failure = ExchangeError(.httpResponseTimeout, .upstream)
            if isRequestSent { origin?.timedOut() }
            if phase == .forwarding, isRequestSent, let plan = upstream?.tryPlan {
                noteOutcome(plan, hasFailed: true)
            }
            if phase == .connecting && origin != nil || phase == .forwarding && isRequestSent {
                noteFailure(failure, isReused: false)
            }
            return fail(failure)
        }
        clientIsTooSlow()
    }

    /// The client does not go on in time, and nobody waits for it any longer.
    func clientIsTooSlow() {
        guard let client else { return }
        switch phase {
        case .receiving: answerToTimeout(client)
        case .forwarding where !requestBody.isComplete:
            fail(ExchangeError(.connectionReadTimeout, .downstream))
        case .delivering, .tunnelling:
            fail(ExchangeError(.connectionWriteTimeout, .downstream))
        default: abandon()
        }
    }

    /// RFC 9110 §15.5.9: a client that began a request and does not go on is told so.
    private func answerToTimeout(_ client: Client) {
        if client.buffer.isEmpty { return abandon() }
        started = worker.loop.now
        isClientPersistent = false
        answer(status: 408, headBytes: client.buffer.count)
    }

    /// The endpoint's deadline has passed.
    func originDeadlinePassed(_ origin: Origin) {
        // It has said all that the client can take: that one's own deadline counts.
        if phase.isRelaying, responseBody.ready > 0 || (pipe?.count ?? 0) > 0 {
            return origin.setDeadline(after: origin.upstream.limits.idle)
        }
        if phase == .tunnelling { return endTunnel() }
        origin.timedOut()
        switch phase {
        case .connecting:
            worker.metrics.add(.upstreamConnectFailures)
            originFailed(ExchangeError(.connectionTimeout, .upstream, retry: .always))
        case .forwarding:
            originFailed(ExchangeError(.httpResponseTimeout, .upstream))
        default:
            originFailed(ExchangeError(.connectionReadTimeout, .upstream))
        }
    }

    // MARK: Failures

    /// The client's octets are no request that can be read one way only.
    func refuse(_ violation: HTTP1Error) {
        guard let client else { return }
        started = worker.loop.now
        isClientPersistent = false
        error = ExchangeError(.httpRequestError, .downstream)
        requestBody.reset()
        answer(status: violation.requestStatus, headBytes: client.buffer.count)
    }

    /// The path has no one meaning: what a peer could read differently ends the connection.
    func refuse(path headBytes: Int) {
        isClientPersistent = false
        error = ExchangeError(.httpRequestError, .downstream)
        answer(status: 400, headBytes: headBytes)
    }

    /// The node has too much to do: refuses the request before anything is done for it.
    func shed(headBytes: Int) {
        error = ExchangeError(.proxyInternalResponse, .local)
        answer(status: 503, headBytes: headBytes)
    }

    /// The connection to the endpoint has failed: sends the request again where that is safe.
    func originFailed(_ failure: ExchangeError) {
        if phase == .connecting, failure.errno != nil {
            if failure.errno == .wouldBlock ? connectsInAMoment() : connectsElsewhere() { return }
        }
        let isReused = origin?.isReused ?? false
        if failure.retry == .unprocessed { refusalCount += 1 }
        noteFailure(failure, isReused: isReused)
        if phase == .connecting { noteNoConnection(failure) }
        // A connection that has ended meanwhile says nothing about the endpoint.
        if !isReused || failure.retry == .never { noteAnswer(isFailure: true) }
        closeOrigin()
        let mayRepeat =
            isSafeToRepeat(failure, isReused: isReused) && isRequestRetained
            && (phase == .forwarding || phase == .connecting) && responseBuffer.isEmpty
            && fitsAgain
        guard mayRepeat, let client else {
            if !triesAgain(after: failure) { fail(failure) }
            return
        }
        requestSent = 0
        if let effort { rewind(client, effort) }
        worker.metrics.add(.upstreamRetries)
        if let upstream, let endpoint, !upstream.takesTurns {
            upstream.stay(&placement, at: endpoint, now: worker.loop.now.nanoseconds)
        }
        connect()
    }

    /// Tries another address of the endpoint, where its name has one: the endpoint has not failed then.
    private func connectsElsewhere() -> Bool {
        guard let upstream, let endpoint, endpoint.hasOtherAddress(at: worker.loop.now),
            totalDeadline > worker.loop.now
        else { return false }
        let effort = makeEffort()
        guard effort.addresses < Limits.addressAttempts else { return false }
        effort.addresses += 1
        closeOrigin()
        if !upstream.takesTurns {
            upstream.stay(&placement, at: endpoint, now: worker.loop.now.nanoseconds)
        }
        connect()
        return true
    }

    /// Nobody takes connections off a unix socket as fast as they come: tries again for as long as one may take.
    private func connectsInAMoment() -> Bool {
        guard let upstream else { return false }
        let effort = makeEffort()
        let now = worker.loop.now
        if effort.connectDeadline == .never {
            effort.connectDeadline = now.advanced(by: upstream.limits.connect)
        }
        guard now < min(effort.connectDeadline, totalDeadline) else { return false }
        closeOrigin()
        effort.pause(nanoseconds: Limits.fullSocketPauseNanoseconds)
        return true
    }

    /// Whether the endpoint refuses the request time and again.
    var isTurnedAway: Bool {
        guard refusalCount > Limits.unprocessedRetriesBeforeOthers else { return false }
        if refusalCount > Limits.unprocessedRetries { return true }
        guard let upstream, upstream.tryPlan?.retry != nil else { return false }
        return upstream.mayReachOther(than: effort?.tried ?? [], endpoint)
    }

    /// Whether the request may be sent again after a failure; notes that it is.
    private func isSafeToRepeat(_ failure: ExchangeError, isReused: Bool) -> Bool {
        if failure.retry == .unprocessed {
            // A connection that ends turns away all that is under way, and the next one may be about to.
            return !isTurnedAway
        }
        guard failure.retry == .ifConnectionReused, isReused, request.method.isIdempotent,
            !isRetried, upstream?.tryPlan?.retry?.conditions.contains(.reset) != true
        else { return false }
        isRetried = true
        return true
    }

    /// Answers with the error's status, or cuts the connection when a response is under way.
    ///
    /// - Parameters:
    ///   - failure: What went wrong.
    ///   - status: What is answered in place of the error's own status.
    func fail(_ failure: ExchangeError, status: UInt16? = nil) {
        guard let client, phase != .idle else { return }
        if failure.side == .upstream { noteAnswer(isFailure: true) }
        closeOrigin()
        if error == nil { error = failure }
        guard !phase.isRelaying, !hasPartialInterim else {
            let isEndVisible = phase != .tunnelling && isEndVisible
            log(isCut: true)
            end()
            // A reset takes what is still on its way to the client along: only where its absence would not show.
            return isEndVisible
                ? client.exchangeEnded(persists: false, isLast: false) : client.close(isReset: true)
        }
        worker.reclaim(&responseBuffer)
        responseBody.reset()
        hasUndecodedResponse = false
        if !requestBody.isComplete || failure.side == .downstream { isClientPersistent = false }
        dropSentRequest(client)
        answer(status: status ?? failure.status, headBytes: 0)
    }

    /// Whether an interim response may have left in part, so that nothing else can follow it.
    private var hasPartialInterim: Bool {
        phase == .forwarding && responseBody.ready > 0 && sentBytes > 0
    }

    /// The endpoint has closed its side.
    ///
    /// - Returns: Whether the response may end so.
    func responseEnded() -> Bool {
        if phase.isRelaying, endResponse() { return true }
        let hasBegun = phase == .delivering || !responseBuffer.isEmpty
        originFailed(
            hasBegun
                ? ExchangeError(.httpResponseIncomplete, .upstream)
                : ExchangeError(.connectionTerminated, .upstream, retry: .ifConnectionReused)
        )
        return false
    }

    /// Ends the response's content where the endpoint has ended it; `false` when it may not end so.
    private func endResponse() -> Bool {
        do throws(HTTP1Error) {
            let section = origin?.takeTrailers() ?? []
            worker.makeRoom(for: section.count, in: &responseBuffer)
            return try responseBody.close(
                &responseBuffer,
                trailers: section,
                limits: Worker.responseLimits
            ) { line, octets in keepsTrailer(line, octets) }
        } catch {
            return false
        }
    }

    // MARK: The end before the end

    /// Closes the connection to the endpoint, if there is one.
    func closeOrigin() {
        leaveEndpoint()
        guard let origin else { return }
        origin.exchange = nil
        self.origin = nil
        origin.close()
    }

    /// Nobody waits for the response any more, or it cannot be completed: closes both connections.
    func abandon() {
        guard phase != .idle, let client else { return }
        closeOrigin()
        if started != .never, phase != .receiving { log(isCut: true) }
        // The end of the connection would pass for that of the response.
        let isReset = phase == .delivering && !isEndVisible
        end()
        client.close(isReset: isReset)
    }

    // MARK: Buffers

    /// Drops what the endpoint has of the request from the client's buffer.
    func dropSentRequest(_ client: Client) {
        guard requestBody.ready > 0 else { return }
        if isRequestRetained { isRequestRetained = keepsSent(client) }
        client.buffer.consume(requestBody.ready)
        requestBody.sent(requestBody.ready)
        requestSent = 0
    }

    /// The client has sent its last octets, and the endpoint has those before them.
    ///
    /// - Returns: Whether there is something to go on with.
    func requestEnded(_ client: Client, _ origin: Origin) -> Bool {
        guard closeRequest(client) else { return false }
        guard phase == .tunnelling else { return true }
        tunnelRequestEnded(origin)
        return false
    }

    /// Ends the request's content where the client has ended it; `false` when it may not end so.
    private func closeRequest(_ client: Client) -> Bool {
        let section = client.takeTrailers()
        worker.makeRoom(for: section.count, in: &client.buffer)
        do throws(HTTP1Error) {
            let mayEnd = try requestBody.close(
                &client.buffer,
                trailers: section,
                limits: Limits.translated
            ) { line, octets in
                keepsRequestTrailer(line, octets)
            }
            if mayEnd {
                if copy != nil { gatherCopy(client) }
                return true
            }
        } catch {
            // A trailer section that HTTP/1.1 cannot have: nobody is told half of it.
        }
        abandon()
        return false
    }

    /// Frames what has come of the request's content; `false` when it is broken or too much.
    func advanceRequest(_ client: Client, _ listener: ListenerTable) -> Bool {
        if requestBody.isComplete { return true }
        do throws(HTTP1Error) {
            try requestBody.advance(&client.buffer, limits: listener.limits) { line, octets in
                keepsRequestTrailer(line, octets)
            }
        } catch {
            self.error = ExchangeError(.httpRequestError, .downstream)
            isClientPersistent = false
            failRequestContent(status: error.requestStatus)
            return false
        }
        guard phase == .tunnelling || requestBody.contentBytes <= UInt64(listener.bodyBytesMax)
        else {
            isClientPersistent = false
            failRequestContent(status: 413)
            return false
        }
        // What is whole leaves in one piece.
        if client.framesContent, client.isAtEnd, !requestBody.isComplete, phase != .tunnelling {
            return closeRequest(client)
        }
        if copy != nil { gatherCopy(client) }
        return true
    }

    /// The content of the request is at fault: the endpoint never gets its end.
    private func failRequestContent(status: UInt16) {
        closeOrigin()
        guard phase != .delivering, !hasPartialInterim, let client else { return abandon() }
        worker.reclaim(&responseBuffer)
        responseBody.reset()
        hasUndecodedResponse = false
        // Nothing of the request is read any more: all that is in the buffer goes.
        requestBody.reset()
        requestSent = 0
        answer(status: status, headBytes: client.buffer.count)
    }

    /// Whether a trailer field of the endpoint goes on to the client: as a field line does, but never rewritten.
    private func keepsTrailer(_ line: HTTP1.FieldLine, _ octets: Span<UInt8>) -> Bool {
        guard let tables = served?.tables else { return false }
        if let dropped = steps?.response.dropped, dropped.contains(octets, line.nameRange) {
            return false
        }
        guard reachesClient(line, octets, tables) else { return false }
        if tables.unconcernedFields.contains(line.name) { return true }
        guard let names = tables.publicNames else { return true }
        return names.mayPass(line.name, octets, line.valueRange) { publicView() }
    }

    /// Frames what has come of the response's content; `false` when it is broken.
    func advanceResponse() -> Bool {
        if origin?.framesContent != true, responseBody.advancePlain(&responseBuffer) { return true }
        do throws(HTTP1Error) {
            try responseBody.advance(
                &responseBuffer,
                limits: Worker.responseLimits
            ) { line, octets in keepsTrailer(line, octets) }
            // What is whole leaves in one piece.
            if let origin, origin.framesContent, origin.isAtEnd, !responseBody.isComplete {
                return endResponse()
            }
            return true
        } catch {
            originFailed(ExchangeError(.httpResponseTransferCoding, .upstream))
            return false
        }
    }

    /// Has a block in the response's buffer with room to read into; `false` when a head is too large.
    func makeRoomForResponse() -> Bool {
        if !responseBuffer.hasBlock {
            let isLong = phase == .delivering && responseIsLong
            responseBuffer = worker.lend(
                isLong ? .large : .medium,
                headroom: Limits.headroom
            )
            return true
        }
        if responseBuffer.isEmpty {
            if phase == .delivering, responseIsLong,
                responseBuffer.blockSize < BlockSize.large.rawValue
            {
                worker.reclaim(&responseBuffer)
                responseBuffer = worker.lend(.large, headroom: Limits.headroom)
            } else {
                responseBuffer.clear(headroom: Limits.headroom)
            }
            return true
        }
        return worker.makeTail(&responseBuffer)
    }

    /// Whether so much content is on its way that larger reads pay.
    private var responseIsLong: Bool {
        guard let length = response.fields.facts.contentLength else {
            return responseBody.contentBytes > UInt64(BlockSize.medium.rawValue)
        }
        return length > BlockSize.medium.rawValue
    }

    /// Puts the next piece of a local response's content into the buffer.
    func refillLocalContent() {
        responseBuffer.clear()
        let count = min(localContent.count, responseBuffer.writableCount)
        let piece = Array(localContent.prefix(count))
        responseBuffer.append(piece.span)
        responseBody.prepended(count)
        localContent = localContent.dropFirst(count)
    }
}
