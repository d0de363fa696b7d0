internal import EventLoop
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Transport
internal import Upstreams

/// One worker's listening socket of a listener.
///
///     accepting ──descriptors run out──▶ paused ──a moment──▶ accepting
///         └──beginClosing()──▶ closing ──handshakes under way are accepted──▶ closed ──drain timeout──▶ gone
///
/// Closing a socket of a SO_REUSEPORT group resets what waits in its queue. So it first turns new
/// connections away, accepts those whose handshake had begun, and then closes. What it had accepted may go on
/// until the drain timeout, and is then cut off. Where another process has the same socket, nothing of that is
/// needed: `ListeningPort+Handover`. Confined to its worker's loop.
final class ListeningPort: EventHandler {
    let worker: Worker
    let name: String
    /// What its connections are served; that of its removal, once it closes.
    private(set) var served: ServedTables
    /// Open connections of the listener over all workers.
    let count: ConnectionCount
    /// The same by client.
    let clients: ClientCounts
    var socket: FileDescriptor?
    var registration = Registration.none
    var isClosing = false
    private var isPaused = false
    /// Whether another process may take over what waits in the queue, and nothing is accepted here meanwhile.
    var isHeld = false
    /// While it closes: the first and the last moment for the socket to go.
    private var closingTime: (first: LoopInstant, last: LoopInstant)?

    init(
        worker: Worker,
        name: String,
        tables: WorkerTables,
        table: ListenerTable,
        count: ConnectionCount,
        clients: ClientCounts,
        socket: consuming FileDescriptor
    ) {
        self.worker = worker
        self.name = name
        served = ServedTables(tables, table)
        self.count = count
        self.clients = clients
        self.socket = consume socket
    }

    /// Goes over to another version.
    func serve(_ tables: WorkerTables, _ table: ListenerTable) {
        served = ServedTables(tables, table)
    }

    /// The version that its connections are served.
    var tables: WorkerTables { served.tables }
    /// The listener's part of it.
    var table: ListenerTable { served.listener }

    /// Begins to accept.
    func open() throws(SystemCallError) {
        guard let number = socket?.number else { return }
        registration = try worker.loop.registerLevelTriggered(self, descriptor: number)
        // What is accepted inherits it.
        setNoDelay(number)
        try listen(number, backlog: Limits.listenBacklog)
    }

    func ready(_ readiness: Readiness) {
        resume()
    }

    /// Accepts a share of what waits, and of the rest in the next tick.
    ///
    /// The loop comes back to the socket once it has seen to all other descriptors that are ready. Where those are
    /// thousands, whoever waits to be accepted would wait for many such rounds.
    func resume() {
        if case .mayHoldMore = acceptSome(Limits.acceptsPerTick) {
            worker.resumeLater(registration)
        }
    }

    func deadlinePassed() {
        if isClosing { return socket == nil ? endConnections() : finishClosing() }
        if !isHeld { acceptAgain() }
    }

    /// Goes back to the loop after a pause.
    func acceptAgain() {
        isPaused = false
        worker.loop.unregister(registration)
        guard let number = socket?.number else { return }
        do throws(SystemCallError) {
            registration = try worker.loop.registerLevelTriggered(self, descriptor: number)
        } catch {
            registration = .none
            pause()
        }
    }

    /// What is known of the queue after a few connections of it were accepted.
    private enum Queue {
        case mayHoldMore
        case isEmpty
        /// Descriptors or memory have run out.
        case cannotBeAccepted
    }

    /// Accepts up to `limit` connections.
    private func acceptSome(_ limit: Int) -> Queue {
        guard let number = socket?.number else { return .isEmpty }
        for _ in 0..<limit {
            switch accept(number) {
            case .accepted(let descriptor, let peer):
                accepted(FileDescriptor(owning: descriptor), peer)
            case .wouldBlock:
                return .isEmpty
            case .failed:
                if worker.makeRoomForDescriptors() { continue }
                pause()
                return .cannotBeAccepted
            }
        }
        return .mayHoldMore
    }

    private func accepted(_ descriptor: consuming FileDescriptor, _ peer: SocketAddress) {
        worker.metrics.add(.connectionsAccepted)
        guard count.add() || worker.makeRoom(at: self) && count.add() else {
            worker.metrics.add(.connectionsRefused)
            return
        }
        worker.clientOpened()
        if worker.clientCount > Limits.clientsUnbounded {
            setUnsentMax(descriptor.number, octets: Limits.unsentBytesMax)
        }
        guard table.readsProxyHeader(from: peer) else {
            return admit(descriptor, ClientAddresses(source: peer, toldDestination: nil))
        }
        let isRequired = table.requiresProxyHeader
        let reader = ProxyHeaderReader(self, descriptor, peer, isRequired: isRequired)
        do throws(SystemCallError) {
            try reader.open(for: table.headerNanoseconds)
        } catch {
            refuse(.none)
        }
    }

    /// Takes a connection up once it is known whose it is.
    ///
    /// - Parameters:
    ///   - descriptor: Its socket, in no loop.
    ///   - addresses: Whose it is.
    func admit(_ descriptor: consuming FileDescriptor, _ addresses: ClientAddresses) {
        guard let share = countClient(addresses.source) else { return refuse(.none) }
        if let edge = table.edge { return greet(edge, share, descriptor, addresses) }
        if table.hasRequests {
            let socket = StreamSocket(owning: descriptor, isConnected: true)
            return take(socket, share, addresses, nil)
        }
        if let index = table.relayUpstream {
            return relay(descriptor, share, addresses, to: index, serverName: [])
        }
        do throws(SystemCallError) {
            let reader = ServerNameReader(self, share, descriptor, addresses)
            try reader.open(for: table.handshakeNanoseconds)
        } catch {
            refuse(share)
        }
    }

    /// Relays a connection as it is.
    ///
    /// - Parameters:
    ///   - descriptor: Its socket, in no loop.
    ///   - share: What it takes of its client's limit.
    ///   - addresses: Whose it is.
    ///   - index: The upstream's.
    ///   - serverName: What its ClientHello asked for, if somebody has looked.
    func relay(
        _ descriptor: consuming FileDescriptor,
        _ share: ClientShare,
        _ addresses: ClientAddresses,
        to index: Int,
        serverName: [UInt8]
    ) {
        let upstream = tables.pools[index]
        let relay = TCPRelay(
            self,
            to: upstream,
            share,
            descriptor,
            addresses,
            serverName: serverName
        )
        do throws(SystemCallError) {
            try relay.open()
        } catch {
            refuse(share)
        }
    }

    /// Begins a TLS handshake, unless the client has begun as many as it may.
    private func greet(
        _ edge: TLSEdge,
        _ share: ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ addresses: ClientAddresses
    ) {
        if let limit = table.handshakesPerSecond {
            let (high, low) = addresses.source.mapped
            let client = ClientCounts.Client(high: high, low: low)
            let second = worker.loop.now.nanoseconds / 1_000_000_000
            guard clients.begin(client, limit: limit, second: second) else {
                worker.metrics.add(.tlsHandshakesLimited)
                return refuse(share)
            }
        }
        do throws(TLSError) {
            let acceptor = try TLSAcceptor(self, edge, share, descriptor, addresses)
            do throws(SystemCallError) {
                try acceptor.open()
            } catch {
                refuse(share)
            }
        } catch {
            refuse(share)
        }
    }

    /// Takes up a connection that carries requests.
    ///
    /// - Parameters:
    ///   - socket: The connection's.
    ///   - share: What it takes of its client's limit.
    ///   - addresses: Whose it is.
    ///   - security: What its TLS handshake has settled, if there was one.
    ///   - registration: Its place in the loop, if it has one.
    func take(
        _ socket: consuming StreamSocket,
        _ share: ClientShare,
        _ addresses: ClientAddresses,
        _ security: ClientSecurity?,
        registration: Registration = .none
    ) {
        let client = ClientConnection(port: self, share, socket, addresses, security)
        do throws(SystemCallError) {
            try client.open(registration)
        } catch {
            refuse(share)
        }
    }

    /// A connection that was accepted cannot be served.
    private func refuse(_ share: ClientShare) {
        worker.metrics.add(.connectionsRefused)
        connectionClosed(share)
        worker.clientClosed()
    }

    /// What a connection takes of its client's limit.
    enum ClientShare {
        /// No limit was set when it was accepted.
        case none
        case one(ClientCounts.Client)
    }

    /// Counts the client's connection; `nil` if it has as many as it may.
    private func countClient(_ peer: SocketAddress) -> ClientShare? {
        guard let limit = table.connectionsPerClientMax else { return ClientShare.none }
        let (high, low) = peer.mapped
        let client = ClientCounts.Client(high: high, low: low)
        return clients.add(client, limit: limit) ? .one(client) : nil
    }

    /// A connection that this port accepted has closed.
    func connectionClosed(_ share: ClientShare) {
        count.remove()
        if case .one(let client) = share { clients.remove(client) }
    }

    /// Without descriptors, a ready socket would keep the loop busy for nothing: leaves the loop for a moment.
    private func pause() {
        guard !isPaused, let number = socket?.number else { return }
        isPaused = true
        worker.loop.unregister(registration, descriptor: number)
        registration = worker.loop.register(self)
        let later = worker.loop.now.advanced(by: Limits.acceptPauseNanoseconds)
        worker.setDeadline(of: registration, at: max(later, closingTime?.first ?? later))
    }

    /// Turns new connections away and closes in a moment.
    func beginClosing() {
        guard !isClosing, let number = socket?.number else { return }
        isClosing = true
        // Connections that are open are served what the listener served when it went.
        tables.useCount += 1
        // Without the filter the socket closes all the same, and may reset what comes in at that moment.
        try? refuseNewConnections(number)
        let first = worker.loop.now.advanced(by: Limits.closingListenerNanoseconds)
        let last = worker.loop.now.advanced(by: Limits.closingListenerNanosecondsMax)
        closingTime = (first, last)
        worker.setDeadline(of: registration, at: first)
    }

    /// Accepts what is left in the queue, and closes the socket.
    private func finishClosing() {
        var queue = Queue.mayHoldMore
        while case .mayHoldMore = queue { queue = acceptSome(Limits.acceptsPerTick) }
        if case .cannotBeAccepted = queue, let closingTime, worker.loop.now < closingTime.last {
            // Exchanges end and free descriptors, and then whoever waits is accepted after all.
            let later = worker.loop.now.advanced(by: Limits.acceptPauseNanoseconds)
            return worker.setDeadline(of: registration, at: later)
        }
        leaveSocket()
        worker.portClosed(self)
    }

    /// Closes the socket; what it has accepted has until the drain timeout.
    func leaveSocket() {
        if let number = socket?.number {
            worker.loop.unregister(registration, descriptor: number)
        }
        socket = nil
        registration = worker.loop.register(self)
        let end = worker.loop.now.advanced(by: worker.drainTimeout.nanoseconds)
        worker.setDeadline(of: registration, at: end)
    }

    private func endConnections() {
        worker.loop.unregister(registration)
        registration = .none
        worker.closeClients { $0 === self }
        worker.endMirrors { $0 === self }
        worker.release(tables)
    }
}
