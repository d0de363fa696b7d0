internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Upstreams

/// One worker's listening socket of a listener.
///
///     accepting ──descriptors run out──▶ paused ──a moment──▶ accepting
///         └──beginClosing()──▶ closing ──handshakes under way are accepted──▶ closed ──drain timeout──▶ gone
///
/// Closing a socket of a SO_REUSEPORT group resets what waits in its queue. So it first turns new
/// connections away, accepts those whose handshake had begun, and then closes. What it had accepted may go on
/// until the drain timeout, and is then cut off. Confined to its worker's loop.
final class ListeningPort: EventHandler {
    let worker: Worker
    let name: String
    /// The version that its connections are served; that of its removal, once it closes.
    private(set) var tables: WorkerTables
    /// The listener's part of it.
    private(set) var table: ListenerTable
    /// Open connections of the listener over all workers.
    private let count: ConnectionCount
    /// The same by client.
    private let clients: ClientCounts
    private var socket: FileDescriptor?
    private var registration = Registration.none
    private(set) var isClosing = false
    private var isPaused = false

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
        self.tables = tables
        self.table = table
        self.count = count
        self.clients = clients
        self.socket = consume socket
    }

    /// Goes over to another version.
    func serve(_ tables: WorkerTables, _ table: ListenerTable) {
        self.tables = tables
        self.table = table
    }

    /// Begins to accept.
    func open() throws(SystemCallError) {
        guard let number = socket?.number else { return }
        registration = try worker.loop.registerLevelTriggered(self, descriptor: number)
        // What is accepted inherits it.
        setNoDelay(number)
        try listen(number, backlog: Limits.listenBacklog)
    }

    func ready(_ readiness: Readiness) {
        acceptSome(Limits.acceptsPerTick)
    }

    func deadlinePassed() {
        if isClosing { return socket == nil ? endConnections() : finishClosing() }
        isPaused = false
        worker.loop.unregister(registration)
        guard let number = socket?.number else { return }
        do throws(SystemCallError) {
            registration = try worker.loop.registerLevelTriggered(self, descriptor: number)
        } catch {
            pause()
        }
    }

    /// Accepts up to `limit` connections; `false` when the queue is empty or nothing can be accepted.
    @discardableResult
    private func acceptSome(_ limit: Int) -> Bool {
        guard let number = socket?.number else { return false }
        for _ in 0..<limit {
            switch accept(number) {
            case .accepted(let descriptor, let peer):
                accepted(FileDescriptor(owning: descriptor), peer)
            case .wouldBlock:
                return false
            case .failed:
                if worker.makeRoom(where: { _ in true }) { continue }
                pause()
                return false
            }
        }
        return true
    }

    private func accepted(_ descriptor: consuming FileDescriptor, _ peer: SocketAddress) {
        worker.metrics.add(.connectionsAccepted)
        guard count.add() || worker.makeRoom(where: { $0.port === self }) && count.add() else {
            worker.metrics.add(.connectionsRefused)
            return
        }
        guard let share = countClient(peer) else {
            count.remove()
            worker.metrics.add(.connectionsRefused)
            return
        }
        let client = ClientConnection(worker: worker, port: self, share, descriptor, peer)
        worker.clientOpened()
        do throws(SystemCallError) {
            try client.open()
        } catch {
            worker.metrics.add(.connectionsRefused)
            connectionClosed(share)
            worker.clientClosed()
        }
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
        guard !isPaused, !isClosing else { return }
        isPaused = true
        worker.loop.unregister(registration)
        registration = worker.loop.register(self)
        let later = worker.loop.now.advanced(by: Limits.acceptPauseNanoseconds)
        worker.loop.setDeadline(of: registration, at: later)
    }

    /// Turns new connections away and closes in a moment.
    func beginClosing() {
        guard !isClosing, let number = socket?.number else { return }
        isClosing = true
        // Connections that are open are served what the listener served when it went.
        tables.useCount += 1
        // Without the filter the socket closes all the same, and may reset what comes in at that moment.
        try? refuseNewConnections(number)
        let later = worker.loop.now.advanced(by: Limits.closingListenerNanoseconds)
        worker.loop.setDeadline(of: registration, at: later)
    }

    private func finishClosing() {
        while acceptSome(Limits.acceptsPerTick) {}
        worker.loop.unregister(registration)
        socket = nil
        registration = worker.loop.register(self)
        let end = worker.loop.now.advanced(by: worker.drainTimeout.nanoseconds)
        worker.loop.setDeadline(of: registration, at: end)
        worker.portClosed(self)
    }

    private func endConnections() {
        worker.loop.unregister(registration)
        registration = .none
        worker.closeClients { $0.port === self }
        worker.release(tables)
    }
}
