internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import HTTPSemantics
internal import Telemetry
internal import Upstreams

/// How a request is tried again, and when none is sent at all.
///
///     selected ─▶ (circuit) ─▶ try ──fails: no connection, no response, a status──▶ budget ─▶ another endpoint ─▶ try
///                                                                                     └─ the same: a pause ─▶ try
///
/// A request is sent again only as long as all that was sent of it is still there: in the client's buffer, and before
/// that in what the effort keeps. Its method must be idempotent (RFC 9110 §9.2.2) unless nothing has been sent; what the
/// client has of a response, be it an interim one, ends all tries. The last one's outcome is the client's.
extension Exchange {
    /// What is kept besides the one try.
    func makeEffort() -> Effort {
        if let effort { return effort }
        let made = Effort(self)
        effort = made
        return made
    }

    // MARK: Before a try

    /// Whether the upstream's settings let a request be tried at all; where not, it has been answered.
    func mayTry(_ upstream: UpstreamPool) -> Bool {
        upstream.tryPlan.map(begins) ?? true
    }

    /// Counts a request that is tried for the first time; `false` where it must not be, and then it has been answered.
    private func begins(with plan: TryPlan) -> Bool {
        let now = worker.loop.now.nanoseconds
        if plan.retry != nil, !isCopy {
            plan.tries.budget.countRequest(worker: worker.index, now: now)
        }
        limitTry(plan)
        return passesCircuit(plan)
    }

    /// Whether the circuit lets the request go; where not, it has been answered.
    private func passesCircuit(_ plan: TryPlan) -> Bool {
        guard let circuit = plan.circuit, effort?.isTrial != true else { return true }
        switch plan.tries.breaker.admit(at: worker.loop.now.nanoseconds) {
        case .passes: return true
        case .isTrial:
            makeEffort().tries(for: plan.tries.breaker)
            return true
        case .isRefused(let nanoseconds):
            worker.metrics.add(.circuitRefusals)
            makeEffort().retryAfterSeconds = max(1, nanoseconds.dividedUp(by: 1_000_000_000))
            fail(ExchangeError(.destinationUnavailable, .upstream), status: circuit.status)
            return false
        }
    }

    /// Sets when the try that begins now must have brought a response.
    func limitTry(_ plan: TryPlan) {
        if plan.tryNanoseconds < .max {
            tryDeadline = worker.loop.now.advanced(by: plan.tryNanoseconds)
        }
    }

    /// The same where the client has sent more of the request: what it took for that does not count.
    @inline(__always)
    func limitTryAnew() {
        if tryDeadline != .never, let plan = upstream?.tryPlan { limitTry(plan) }
    }

    /// Sets when the endpoint must have done something, in the time that its try has.
    @inline(__always)
    func setDeadline(of origin: Origin, after nanoseconds: UInt64) {
        let deadline = worker.loop.now.advanced(by: nanoseconds)
        worker.setDeadline(of: origin.registration, at: min(deadline, tryDeadline))
    }

    /// The same where no response has begun; afterwards its content has a limit of its own.
    @inline(__always)
    func awaitOrigin(_ origin: Origin, for nanoseconds: UInt64) {
        if phase == .forwarding { setDeadline(of: origin, after: nanoseconds) }
    }

    // MARK: After a try

    /// Counts how a try has ended, for the circuit breaker.
    ///
    /// - Parameters:
    ///   - plan: The upstream's.
    ///   - hasFailed: Whether there was no connection, no response or a 5xx.
    ///   - isAmending: Whether it has been counted as a success.
    func noteOutcome(_ plan: TryPlan, hasFailed: Bool, isAmending: Bool = false) {
        guard let circuit = plan.circuit else { return }
        let change = plan.tries.breaker.record(
            hasFailed: hasFailed,
            isAmending: isAmending,
            since: started.nanoseconds,
            isTrial: effort?.takeTrial() ?? false,
            worker: worker.index,
            now: worker.loop.now.nanoseconds,
            circuit
        )
        guard let change, let upstream else { return }
        if change == .opened { worker.metrics.add(.circuitOpenings) }
        worker.link?.circuitChanged(upstream.upstream.name, change)
    }

    /// Tries again after a failure, where the settings say so.
    ///
    /// - Parameter failure: Of the endpoint; there is no connection to it any more.
    /// - Returns: Whether it does.
    func triesAgain(after failure: ExchangeError) -> Bool {
        guard failure.side == .upstream, phase != .tunnelling else { return false }
        guard let plan = upstream?.tryPlan else { return goesElsewhere(nil) }
        // Its head has been counted: half a response is none.
        let isHalf = phase == .delivering
        if !isHalf || response.status < 500 {
            noteOutcome(plan, hasFailed: true, isAmending: isHalf)
        }
        guard let retry = plan.retry else { return plan.letsRetry && goesElsewhere(plan) }
        return allows(retry, failure) && triesAgain(plan, retry)
    }

    /// Asks another endpoint where the one that was chosen could not be connected to, and no setting says what to do then.
    private func goesElsewhere(_ plan: TryPlan?) -> Bool {
        guard isForFree, mayTryAgain(attempts: Limits.connectAttempts) else { return false }
        tryAgain(plan)
        return true
    }

    /// Its checks say that the endpoint does not answer: asks another one, where the settings say so, or waits on.
    func endpointIsSilent() {
        guard phase == .forwarding, let upstream, let plan = upstream.tryPlan,
            let retry = plan.retry, request.method.isIdempotent,
            !retry.conditions.isDisjoint(with: [.reset, .timeout]),
            upstream.mayReachOther(than: effort?.tried ?? [], endpoint),
            mayTryAgain(plan, retry)
        else { return }
        noteOutcome(plan, hasFailed: true)
        noteAnswer(isFailure: true)
        closeOrigin()
        tryAgain(plan)
    }

    private func allows(_ retry: Retry, _ failure: ExchangeError) -> Bool {
        let isTimeout = failure.kind == .httpResponseTimeout || failure.kind == .connectionTimeout
        if isTimeout, retry.conditions.contains(.timeout) {
            return phase == .connecting || request.method.isIdempotent
        }
        if phase == .connecting { return retry.conditions.contains(.connect) }
        let isReset =
            failure.kind == .connectionTerminated || failure.kind == .httpResponseIncomplete
        return isReset && retry.conditions.contains(.reset)
            && (request.method.isIdempotent || hasSentNothing || failure.retry == .unprocessed)
    }

    private var hasSentNothing: Bool {
        requestSent == 0 && isRequestRetained && effort?.sentBefore.isEmpty ?? true
    }

    /// Counts the response whose head has come, and tries again where its status asks for that.
    ///
    /// - Parameters:
    ///   - origin: Where the response comes from.
    ///   - headBytes: The head's length.
    /// - Returns: Whether it does; the response is gone then.
    func triesAgain(_ origin: Origin, headBytes: Int) -> Bool {
        guard let plan = upstream?.tryPlan else { return false }
        noteOutcome(plan, hasFailed: response.status >= 500)
        tryDeadline = .never
        guard let retry = plan.retry, retry.statuses.contains(Int(response.status)),
            request.method.isIdempotent, mayTryAgain(plan, retry)
        else {
            // This response is the client's: nothing is kept for another try.
            isRequestRetained = false
            effort?.sentBefore = []
            return false
        }
        leave(origin, headBytes: headBytes)
        tryAgain(plan)
        return true
    }

    private func triesAgain(_ plan: TryPlan, _ retry: Retry) -> Bool {
        guard mayTryAgain(plan, retry) else { return false }
        tryAgain(plan)
        return true
    }

    /// Whether all of the request is there, and the settings, the budget and the circuit allow another try, which is
    /// counted then.
    private func mayTryAgain(_ plan: TryPlan, _ retry: Retry) -> Bool {
        guard mayTryAgain(attempts: retry.attempts), plan.letsRetry else { return false }
        if isForFree { return true }
        let now = worker.loop.now.nanoseconds
        guard plan.tries.budget.take(worker: worker.index, now: now, share: retry.budget) else {
            worker.metrics.add(.upstreamRetriesLimited)
            return false
        }
        return true
    }

    /// Whether all of the request is there, and there is time and a try left for it.
    private func mayTryAgain(attempts: Int) -> Bool {
        !isCopy && isRequestRetained && (phase == .connecting || phase == .forwarding)
            && responseHeadBytes == 0 && effort?.retries ?? 0 < attempts
            && totalDeadline > worker.loop.now && fitsAgain
    }

    /// Whether the try had no connection and another endpoint may have one: nobody has more to do for it.
    private var isForFree: Bool {
        phase == .connecting && upstream?.mayReachOther(than: effort?.tried ?? [], endpoint) == true
    }

    /// Whether what was sent before goes before what the client's buffer holds.
    var fitsAgain: Bool {
        guard let before = effort?.sentBefore.count, before > 0, let client else { return true }
        return before + client.buffer.count + Limits.tailReserve <= BlockSize.giant.rawValue
    }

    /// Lets go of a response whose head has come: its connection rests if all of it is there.
    private func leave(_ origin: Origin, headBytes: Int) {
        let framing = response.framing(answering: request.method)
        var isWhole = framing.isEmpty && responseBuffer.count == headBytes
        if case .length(let count) = framing { isWhole = responseBuffer.count - headBytes == count }
        guard isWhole, response.isPersistent, requestBody.isComplete,
            requestSent == requestBody.ready, !origin.framesContent, !worker.isDraining,
            !origin.isRestless
        else { return closeOrigin() }
        leaveEndpoint()
        origin.exchange = nil
        self.origin = nil
        origin.rest()
    }

    private func tryAgain(_ plan: TryPlan?) {
        guard let client, let upstream else { return }
        let effort = makeEffort()
        effort.retries += 1
        effort.addresses = 0
        effort.connectDeadline = .never
        if let endpoint { effort.tried.append(endpoint) }
        worker.metrics.add(.upstreamRetries)
        rewind(client, effort)
        if let plan { limitTry(plan) }
        phase = .connecting
        let other = chooseEndpoint(upstream, avoiding: effort.tried)
        guard let other, !effort.tried.contains(where: { $0 === other }) else {
            leaveEndpoint()
            tryDeadline = .never
            return effort.pause(nanoseconds: pauseNanoseconds(before: effort.retries))
        }
        reach(other, client, upstream)
    }

    /// Has the request begin anew, and nothing be left of a response.
    func rewind(_ client: Client, _ effort: Effort) {
        worker.reclaim(&responseBuffer)
        responseBody.reset()
        hasUndecodedResponse = false
        if !effort.sentBefore.isEmpty {
            worker.scratch.clear()
            worker.scratch.append(effort.sentBefore)
            worker.prependScratch(to: &client.buffer)
            requestBody.prepended(effort.sentBefore.count)
            effort.sentBefore = []
        }
        requestSent = 0
    }

    /// How long the endpoint, which is the only one, has to come back: 25 ms, then twice as long each time, and half as
    /// much more or less by chance.
    private func pauseNanoseconds(before retry: Int) -> UInt64 {
        let middle = Limits.retryPauseNanoseconds << UInt64(min(max(retry - 1, 0), 10))
        return middle / 2 + worker.requestIDs.next().0 % (middle + 1)
    }

    /// The pause before another try is over.
    func pauseEnded() {
        guard let client, let upstream, let effort else { return }
        if let plan = upstream.tryPlan, !passesCircuit(plan) { return }
        guard let other = chooseEndpoint(upstream, avoiding: effort.tried) else {
            return fail(upstream.refusal)
        }
        if let plan = upstream.tryPlan { limitTry(plan) }
        reach(other, client, upstream)
    }

    /// Keeps what was sent of the request and leaves the client's buffer, in case it has to be sent again.
    ///
    /// - Returns: Whether all that was sent is still there.
    func keepsSent(_ client: Client) -> Bool {
        guard phase == .forwarding, upstream?.tryPlan?.retry != nil, !isCopy else { return false }
        let effort = makeEffort()
        let count = requestBody.ready
        guard effort.sentBefore.count + count <= Limits.replayBytes else {
            effort.sentBefore = []
            return false
        }
        client.buffer.withReadable {
            effort.sentBefore.append(copying: $0.extracting(first: count))
        }
        return true
    }

    // MARK: Waiting for a connection

    /// No connection can be made to the endpoint that was chosen: takes another one that has room, or waits.
    func lacksConnection(_ client: Client, _ upstream: UpstreamPool, _ endpoint: EndpointPool) {
        leaveEndpoint()
        let tried = effort?.tried ?? []
        if !upstream.count.isFull, let other = upstream.endpointWithRoom(besides: endpoint, tried) {
            if !upstream.takesTurns {
                upstream.stay(&placement, at: other, now: worker.loop.now.nanoseconds)
            }
            return reach(other, client, upstream)
        }
        waitInLine(upstream)
    }

    /// Waits until a connection comes free.
    func waitInLine(_ upstream: UpstreamPool) {
        phase = .connecting
        if let effort, effort.isInLine(of: upstream) { return upstream.putBack(effort) }
        guard !isCopy, upstream.givesPlace(at: worker.loop.now) else {
            if !isCopy { worker.metrics.add(.upstreamQueueFull) }
            return fail(ExchangeError(.connectionLimitReached, .upstream))
        }
        upstream.append(makeEffort(), worker)
    }

    /// It is its turn in line.
    func connectionMayBeFree() {
        guard let client, let upstream, phase == .connecting, origin == nil else { return }
        if let plan = upstream.tryPlan {
            // Who is refused leaves the connection to the next one.
            guard passesCircuit(plan) else { return upstream.wake(worker) }
            limitTry(plan)
        }
        guard let endpoint = chooseEndpoint(upstream, avoiding: effort?.tried ?? []) else {
            return fail(upstream.refusal)
        }
        reach(endpoint, client, upstream)
    }

    /// No connection has come free in time.
    func waitedInVain() {
        fail(ExchangeError(.connectionLimitReached, .upstream))
    }
}

extension UInt64 {
    /// The quotient, rounded up.
    fileprivate func dividedUp(by divisor: UInt64) -> UInt64 {
        self / divisor + (self % divisor > 0 ? 1 : 0)
    }
}
