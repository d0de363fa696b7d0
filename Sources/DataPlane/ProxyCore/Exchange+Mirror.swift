internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import Telemetry
internal import Upstreams

/// How copies of requests are made, and how they go to another upstream (`mirror` of a route).
///
///     client ──▶ exchange ──────────────────▶ endpoint
///                   └─▶ MirrorClient ─▶ another exchange ──▶ endpoint of the mirror
///
/// The other exchange begins where this one was when its head had been written: it selects an endpoint, forwards and
/// reads the response. Whatever becomes of it, this one does not notice.
extension Exchange {
    // MARK: Of the client

    /// Begins a copy, if the request is one of the share; its head as it goes on is in the worker's scratch.
    func beginCopy(_ mirror: Mirror, _ client: Client, _ served: ServedTables) {
        // What asks for another protocol is no request that could be repeated; one side of a split may be the mirror.
        let upstream = served.tables.pools[mirror.upstream]
        guard protocolsAsked.isEmpty, upstream !== self.upstream,
            mirror.takes(worker.requestIDs.next().0)
        else { return }
        var head: [UInt8] = []
        worker.scratch.withReadable { head.append(copying: $0) }
        if case .length(let count) = request.framing, count > Limits.mirrorRequestBytes - head.count
        {
            return worker.metrics.add(.mirrorsTooLong)
        }
        guard worker.mayMirror(bytes: head.count) else {
            return worker.metrics.add(.mirrorsLimited)
        }
        let made = MirrorClient(
            of: client,
            self,
            to: upstream,
            head: head,
            isChunked: requestBody.isChunkedOut
        )
        copy = made
        worker.mirrorGrew(by: head.count)
        if requestBody.isComplete { startCopy(made) }
    }

    /// Adds what has just become ready of the request's content.
    func gatherCopy(_ client: Client) {
        guard let copy else { return }
        let count = requestBody.ready
        guard count <= Limits.mirrorRequestBytes - copy.bytes else {
            worker.metrics.add(.mirrorsTooLong)
            return forgetCopy()
        }
        guard worker.mayMirror(bytes: count) else {
            worker.metrics.add(.mirrorsLimited)
            return forgetCopy()
        }
        client.buffer.withReadable { copy.append($0.extracting(first: count)) }
        worker.mirrorGrew(by: count)
        if requestBody.isComplete { startCopy(copy) }
    }

    private func startCopy(_ copy: MirrorClient) {
        self.copy = nil
        if requestBody.hasTrailerLines { copy.trailers = requestBody.trailerLines + [0x0D, 0x0A] }
        // Trailer fields may be what no table must have.
        copy.carriesSecrets = client?.carriesSecrets ?? true
        worker.startMirror(copy)
    }

    /// The request is not copied after all.
    func forgetCopy() {
        guard let copy else { return }
        self.copy = nil
        worker.mirrorForgotten(copy)
    }

    // MARK: Of the copy

    /// Begins with a copy, which is whole.
    func begin(_ copy: MirrorClient) {
        let served = copy.port.served
        (client, self.served) = (copy, served)
        served.tables.useCount += 1
        (isCopy, isPeerTrusted, isClientPersistent) = (true, copy.isPeerTrusted, false)
        phase = .connecting
        started = worker.loop.now
        note.clear()
        request.reset()
        let head = copy.head
        worker.scratch.clear()
        worker.scratch.append(head)
        // The head was written from what had been read: if it cannot be read again, nobody is sent it.
        guard (try? request.decode(head.span, limits: Limits.translated)) == head.count else {
            return abandon()
        }
        let upstream = copy.upstream
        self.upstream = upstream
        if let affinity = upstream.affinity { consult(affinity, head.span, copy) }
        let total = upstream.upstream.timeouts.total?.nanoseconds ?? .max
        limit(copy, toNanoseconds: min(total, Limits.mirrorNanoseconds))
        requestBody.begin(
            request.framing,
            isMarked: copy.framesContent,
            isChunkedOut: request.framing == .chunked
        )
        offer = upstream.offer(isFramed: request.framing == .chunked)
        if offer == .http2 { requestBody.leavePlain() }
        if !requestBody.isComplete { _ = copy.fill() }
        guard advanceRequest(copy, served.listener) else { return }
        worker.prependScratch(to: &copy.buffer)
        requestBody.prepended(worker.scratch.count)
        (requestSent, isRequestRetained) = (0, true)
        selectEndpoint(copy, upstream)
    }

    /// Counts a copy that has come to its end; it has no record, as no client has asked for it.
    func logCopy(_ nanoseconds: UInt64, isCut: Bool) {
        let hasEnough = (client as? MirrorClient)?.hasEnough ?? false
        let isWhole = error == nil && (!isCut || hasEnough)
        worker.metrics.add(isWhole ? .mirrorsComplete : .mirrorsFailed)
        upstream?.record(nanoseconds: nanoseconds, failed: status >= 500 || !isWhole)
    }

    /// Goes over to the version that the copy's port serves now, so that it keeps no other from being freed.
    func moveCopy() {
        guard let client, let served, served !== client.port.served else { return }
        let next = client.port.served
        next.tables.useCount += 1
        self.served = next
        worker.release(served.tables)
    }
}

/// A route's mirror as the request path needs it.
struct Mirror {
    /// The upstream's index.
    let upstream: Int
    /// In thousandths of a percent.
    private let share: UInt64

    /// `nil` where nothing is to be copied.
    init?(_ mirroring: Mirroring?, upstreamIndices indices: [String: Int]) {
        guard let mirroring, mirroring.share > 0, let index = indices[mirroring.upstream] else {
            return nil
        }
        (upstream, share) = (index, UInt64(mirroring.share))
    }

    /// Whether a request is one of the share.
    ///
    /// - Parameter number: Random, of 64 bits.
    /// - Returns: Whether it is copied.
    func takes(_ number: UInt64) -> Bool { number % 100_000 < share }
}
