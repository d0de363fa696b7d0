internal import Bytes
internal import EventLoop
internal import FleetModel
internal import HTTPSemantics
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A connection of a tcp or tls-passthrough listener and the one to an endpoint that it goes on in, octet for octet.
///
///     connecting ──stands──▶ relaying ──both sides have ended, or it rests too long──▶ closed
///       │  ▲ └─fails, others are left─┐                      │ one side fails
///       │  └──────────────────────────┘                      └──▶ what the other side still has to say ──▶ reset
///       └──no endpoint is left──▶ closed
///
/// One side's end of octets is passed on as ours (FIN), and the other side goes on. What has failed is reset on the
/// other side too, so that nobody takes a part for the whole. A client that has got all of the endpoint's octets and
/// sends on is read from for a while, so that no reset overtakes them. Confined to its worker's loop.
final class TCPRelay: PortConnection {
    let upstream: UpstreamPool
    private let share: ListeningPort.ClientShare
    let addresses: ClientAddresses
    /// The client's side.
    private var socket: StreamSocket
    private var origin: RelayOrigin?
    private(set) var endpoint: EndpointPool?
    /// What is counted at the endpoint.
    private var placement = Placement()
    /// Endpoints that could not be connected to.
    private var tried: [EndpointPool] = []
    /// From the client to the endpoint.
    private var outbound = RelayFlow()
    /// From the endpoint to the client.
    private var inbound = RelayFlow()
    private var isRelaying = false
    /// While octets of the client are read and dropped: how many more.
    private var lingerOctetsLeft: Int?
    /// When octets last moved, or could have.
    private var movedAt: LoopInstant
    private let started: LoopInstant
    private let version: UInt64
    /// What the ClientHello asked for, on a tls-passthrough listener.
    private let serverName: [UInt8]
    private var failure: ExchangeError?

    init(
        _ port: ListeningPort,
        to upstream: UpstreamPool,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ addresses: ClientAddresses,
        serverName: [UInt8]
    ) {
        self.serverName = serverName
        (self.upstream, self.share, self.addresses) = (upstream, share, addresses)
        socket = StreamSocket(owning: descriptor, isConnected: true)
        started = port.worker.loop.now
        movedAt = started
        version = port.tables.version
        super.init(port)
    }

    /// Joins the loop and begins to connect.
    func open() throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: socket.number)
        connect()
    }

    // MARK: Connect

    /// Begins a connection to the endpoint whose turn it is, or to another one where that fails.
    private func connect() {
        while let endpoint = nextEndpoint() {
            self.endpoint = endpoint
            tried.append(endpoint)
            do throws(ExchangeError) {
                origin = try connect(to: endpoint)
                return setDeadline(after: upstream.limits.connect)
            } catch {
                failure = error
            }
        }
        end(failure ?? upstream.refusal)
    }

    /// Whose turn it is among those that have not failed yet; `nil` when there is none, or enough have.
    ///
    /// One whose name has another address has not failed yet.
    private func nextEndpoint() -> EndpointPool? {
        if tried.count < Limits.relayAttempts, let endpoint, hasOtherAddress { return endpoint }
        leaveEndpoint()
        guard tried.count < Limits.relayAttempts else { return nil }
        if upstream.affinity?.hashes == true {
            // Octets have no field, cookie or path: it is the address that counts.
            let address = ClientAddress(addresses.source)
            placement.key = HashedKey(high: address.high, low: address.low)
        }
        let chosen = upstream.choose(&placement, now: worker.loop.now.nanoseconds, avoiding: tried)
        guard let chosen, tried.contains(where: { $0 === chosen }) else { return chosen }
        leaveEndpoint()
        return nil
    }

    /// Whether the endpoint's name has an address that has not failed of late, where others have.
    private var hasOtherAddress: Bool {
        guard failure?.kind != .connectionLimitReached else { return false }
        return endpoint?.hasOtherAddress(at: worker.loop.now) ?? false
    }

    /// The endpoint is not used any more.
    private func leaveEndpoint() {
        upstream.leave(&placement, endpoint, now: worker.loop.now.nanoseconds)
    }

    private func connect(to endpoint: EndpointPool) throws(ExchangeError) -> RelayOrigin {
        guard let address = endpoint.address(at: worker.loop.now) else {
            throw ExchangeError(.dnsError, .upstream)
        }
        guard upstream.admit(to: endpoint, worker) else {
            throw ExchangeError(.connectionLimitReached, .upstream)
        }
        do throws(SystemCallError) {
            let made = try RelayOrigin(self, upstream, endpoint, address)
            worker.metrics.add(.upstreamConnectionsOpened)
            return made
        } catch {
            if error.errno == .tooManyOpenFiles, worker.makeRoomForDescriptors() {
                return try connect(to: endpoint)
            }
            worker.metrics.add(.upstreamConnectFailures)
            endpoint.avoid(address, at: worker.loop.now)
            let failure = ExchangeError.connect(error.errno)
            upstream.noteNoConnection(to: endpoint, failure, worker)
            throw failure
        }
    }

    /// The connection that is being made has failed: tries another endpoint.
    private func connectFailed(_ error: ExchangeError) {
        worker.metrics.add(.upstreamConnectFailures)
        origin?.avoidAddress()
        if let endpoint { upstream.noteNoConnection(to: endpoint, error, worker) }
        failure = error
        if !hasOtherAddress {
            if upstream.watchesOutcomes, let endpoint {
                upstream.noteFailure(at: endpoint, worker) { error.kind.rawValue }
            }
            placement.answered(isFailure: true, now: worker.loop.now.nanoseconds)
        }
        origin?.close(isReset: false)
        origin = nil
        connect()
    }

    /// The connection stands.
    private func begin() {
        isRelaying = true
        endpoint?.connected()
        if upstream.watchesOutcomes, let endpoint { upstream.noteSuccess(at: endpoint, worker) }
        placement.answered(isFailure: false, now: worker.loop.now.nanoseconds)
        failure = nil
        tried = []
        worker.metrics.add(.tunnelsOpen)
        moved()
        pump()
    }

    /// Writes the PROXY header, where the upstream wants one; `false` when it did not leave whole.
    private func greet(_ origin: RelayOrigin) -> Bool {
        let header = upstream.proxyHeader(
            from: addresses.source,
            to: addresses.destination(socket.number)
        )
        if header.isEmpty { return true }
        // A new connection has room for it.
        guard case .octets(header.count) = origin.socket.send(header.span) else { return false }
        worker.metrics.add(.upstreamSentBytes, UInt64(header.count))
        return true
    }

    // MARK: Events

    override func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if isRelaying { return pump() }
        if lingerOctetsLeft != nil { return linger() }
        // Whom nobody waits for any more is not connected for.
        if socket.hasFailed { end(ExchangeError(.connectionTerminated, .downstream)) }
    }

    /// The endpoint's socket can do something.
    func originReady(_ origin: RelayOrigin) {
        if isRelaying { return pump() }
        if let errno = origin.socket.connectError() {
            return connectFailed(ExchangeError.connect(errno))
        }
        guard origin.socket.canWrite else { return }
        guard greet(origin) else {
            return connectFailed(ExchangeError(.connectionTerminated, .upstream))
        }
        begin()
    }

    override func resume() {
        if isRelaying { pump() }
    }

    override func deadlinePassed() {
        if lingerOctetsLeft != nil { return close() }
        if isRelaying { return end(stalled) }
        connectFailed(ExchangeError(.connectionTimeout, .upstream, retry: .always))
    }

    /// Since when the client has said nothing, if it never has.
    override var emptySince: LoopInstant? {
        isRelaying && outbound.receivedBytes == 0 ? movedAt : nil
    }

    override func cutOff() {
        if lingerOctetsLeft != nil { return close() }
        end(failure ?? (isRelaying ? ExchangeError(.connectionTerminated, .local) : nil))
    }

    /// What is wrong with a relay that rests: a side does not take what there is for it.
    private var stalled: ExchangeError? {
        if inbound.isHolding { return ExchangeError(.connectionWriteTimeout, .downstream) }
        return outbound.isHolding ? ExchangeError(.connectionWriteTimeout, .upstream) : nil
    }

    // MARK: Relay

    private func pump() {
        guard let origin else { return }
        let before = outbound.movedBytes &+ inbound.movedBytes
        let isOutboundBusy = settle(
            outbound.pump(from: &socket, to: &origin.socket, worker),
            isOutbound: true
        )
        let isInboundBusy = settle(
            inbound.pump(from: &origin.socket, to: &socket, worker),
            isOutbound: false
        )
        count()
        if outbound.isFinished, inbound.isFinished { return end(failure) }
        // Nothing is read any more that would show it.
        if outbound.isFinished, socket.hasFailed { return end(Self.terminated(.downstream)) }
        if inbound.isFinished, origin.socket.hasFailed { return end(Self.terminated(.upstream)) }
        if isOutboundBusy || isInboundBusy { worker.resumeLater(registration) }
        if outbound.movedBytes &+ inbound.movedBytes != before { moved() }
    }

    private func moved() {
        movedAt = worker.loop.now
        setDeadline(after: upstream.limits.idle)
    }

    /// Takes up what a flow came to.
    ///
    /// - Returns: Whether it has more to do at once.
    private func settle(_ outcome: RelayFlow.Outcome, isOutbound: Bool) -> Bool {
        switch outcome {
        case .waits: return false
        case .isBusy: return true
        case .sourceFailed:
            // Neither does it take what the other side says.
            failure = failure ?? Self.terminated(isOutbound ? .downstream : .upstream)
            outbound.abandon(worker)
            inbound.abandon(worker)
            return false
        case .sinkFailed:
            failure = failure ?? Self.terminated(isOutbound ? .upstream : .downstream)
            // What it said before is read to its end, which is an error.
            if isOutbound {
                outbound.abandon(worker)
                origin?.socket.expectEnd()
            } else {
                inbound.abandon(worker)
                socket.expectEnd()
            }
            return true
        }
    }

    private static func terminated(_ side: ExchangeError.Side) -> ExchangeError {
        ExchangeError(.connectionTerminated, side)
    }

    // MARK: Count and log

    private var counted: (received: UInt64, toOrigin: UInt64, fromOrigin: UInt64, sent: UInt64) =
        (0, 0, 0, 0)

    /// Brings the worker's numbers of octets up to date.
    private func count() {
        let now = (
            received: outbound.receivedBytes, toOrigin: outbound.sentBytes,
            fromOrigin: inbound.receivedBytes, sent: inbound.sentBytes
        )
        // Each only grows.
        worker.metrics.add(.receivedBytes, now.received &- counted.received)
        worker.metrics.add(.upstreamSentBytes, now.toOrigin &- counted.toOrigin)
        worker.metrics.add(.upstreamReceivedBytes, now.fromOrigin &- counted.fromOrigin)
        worker.metrics.add(.sentBytes, now.sent &- counted.sent)
        counted = now
    }

    // MARK: End

    /// Closes both connections.
    ///
    /// - Parameter failure: What went wrong; then a side that has not got all of the other's octets is reset.
    private func end(_ failure: ExchangeError?) {
        guard registration != .none, lingerOctetsLeft == nil else { return }
        count()
        log(failure)
        let mayReset = isRelaying && failure != nil
        if isRelaying { worker.metrics.subtract(.tunnelsOpen) }
        isRelaying = false
        leaveEndpoint()
        outbound.abandon(worker)
        inbound.abandon(worker)
        origin?.close(isReset: mayReset && outbound.isCut)
        origin = nil
        if mayReset, inbound.isCut { socket.resetOnClose() }
        guard mayReset, !inbound.isCut, !socket.hasEnded else { return close() }
        lingerOctetsLeft = Limits.lingerOctets
        setDeadline(after: Limits.lingerNanoseconds)
        linger()
    }

    /// Reads and drops what the client still sends: it has been told that nothing follows (FIN).
    private func linger() {
        var buffer = worker.lend(.medium, headroom: 0)
        while socket.canRead {
            buffer.clear()
            guard case .octets(let count) = socket.receive(into: &buffer, reserve: 0) else { break }
            let left = (lingerOctetsLeft ?? 0) - count
            lingerOctetsLeft = max(left, 0)
            if left < 0 { break }
        }
        worker.reclaim(&buffer)
        if socket.hasEnded || lingerOctetsLeft == 0 { close() }
    }

    private func close() {
        worker.loop.unregister(registration)
        registration = .none
        socket.close()
        port.connectionClosed(share)
        worker.clientClosed()
    }

    private func log(_ failure: ExchangeError?) {
        let nanoseconds = worker.loop.now.nanoseconds(since: started)
        if let failure { worker.metrics.countError(failure.kind) }
        upstream.record(nanoseconds: nanoseconds, failed: failure?.side == .upstream)
        guard let log = port.tables.accessLog else { return }
        var record = AccessRecord()
        let now = realtimeNanoseconds()
        record.unixNanoseconds = now > nanoseconds ? now - nanoseconds : 0
        record.durationNanoseconds = nanoseconds
        record.contentBytes = inbound.sentBytes
        record.version = version
        (record.scheme, record.protocolName) = ("tcp", serverName.isEmpty ? "TCP" : "TLS")
        record.error = failure?.kind
        let client = ClientAddress(addresses.source).text
        let (upstreamLabel, endpointLabel) = (upstream.label, endpoint?.label ?? [])
        let (nothing, host): ([UInt8], [UInt8]) = ([], serverName)
        log.append(
            record,
            client: client.span,
            method: nothing.span,
            host: host.span,
            path: nothing.span,
            route: nothing.span,
            upstream: upstreamLabel.span,
            endpoint: endpointLabel.span,
            requestID: nothing.span,
            referer: nothing.span,
            userAgent: nothing.span
        )
    }
}

extension RelayFlow {
    /// Grows whenever an octet moves.
    fileprivate var movedBytes: UInt64 { receivedBytes &+ sentBytes }  // far from 2^64
}
