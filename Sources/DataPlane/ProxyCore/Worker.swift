internal import Bytes
internal import Disclosure
internal import EventLoop
internal import FleetModel
internal import HTTP1
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Upstreams

/// One thread of the data plane with everything that it owns: loop, ports, connections, pools, tables.
///
/// Nothing here is shared with another worker but counts and metrics. Confined to its loop.
final class Worker: EventHandler {
    let index: Int
    let loop: EventLoop
    private let pool = BufferPool()
    let metrics: MetricsShard
    /// Where a head is written before it takes its place in a buffer.
    ///
    /// Every octet of a head may become three, where a path lacked escapes; the rest adds a few lines.
    var scratch = Buffer(capacity: BlockSize.giant.rawValue)
    /// Where a value is written before it is escaped into a head; memory that is used again.
    var valueOctets: [UInt8] = []
    /// Where the first octets of a request are read, before it is known how many there are.
    var inbound = Buffer(capacity: BlockSize.large.rawValue)
    /// Where TLS gathers what is to be written; made with the first connection that has any.
    lazy var workspace = TLSWorkspace(recordCount: Limits.recordsGathered)
    /// What is being served.
    private(set) var tables: WorkerTables?
    private(set) var isDraining = false
    private(set) var clientCount = 0
    private var pools: [String: UpstreamPool] = [:]
    /// Its sockets; more than one of a listener only if it was handed more of them than there are workers.
    var ports: [ListeningPort] = []
    /// Whether new ports wait for `openHeldPorts` before they accept.
    var holdsNewPorts = false
    private var closingPorts: [ListeningPort] = []
    private var spares: [Exchange] = []
    private var pipes: [SplicePipe] = []
    /// The fewest pipes that lay there since the last look: so many were not needed.
    private var pipesUnused = 0
    var registration = Registration.none
    /// Clients whose ClientHello waits to be answered.
    var handshakes = HandshakeQueue<TLSAcceptor>()
    /// What of the overload settings it goes by; `nil` before there are any.
    var watched: Overload?
    var shedder: LoadShedder?
    var isMemoryShort = false
    /// Whether some new requests are refused.
    var isShedding = false
    /// All workers of the node, in their order; set before they run.
    var colleagues: [Handover<Worker>] = []
    /// Makes identifiers of requests.
    var requestIDs = RequestIDSource()
    /// Under which sticky cookies stand for endpoints.
    private(set) var affinityKey: [UInt8]
    private var dateText: [UInt8] = []
    private var dateSeconds: UInt64 = 0
    private var dateReadAt = LoopInstant.never
    /// Reads of all that it serves in the tick that began at that moment.
    private var readsInTick = 0
    private var readsAt = LoopInstant.never
    /// The copies of requests that it has.
    var mirrors = MirrorLoad()
    /// When room may be looked for again, by what lacked it: the last time was in vain.
    var vainSearches: [ObjectIdentifier: LoopInstant] = [:]
    /// How long connections of a listener that was removed may go on.
    let drainTimeout: Duration
    private let freeTables: (WorkerTables) -> Void
    /// Where it tells what it has seen of endpoints; set before it runs.
    var link: MonitorLink?
    private var onDrained: (() -> Void)?

    /// Bounds of what origins send.
    static let responseLimits = HTTP1Limits(
        fieldSectionBytesMax: Limits.responseFieldSectionBytes,
        fieldLinesMax: Limits.responseFieldLines
    )

    /// Makes a worker that does not run yet.
    ///
    /// - Parameters:
    ///   - index: Its number among the workers.
    ///   - metrics: Its shard.
    ///   - affinityKey: Under which sticky cookies stand for endpoints; the same for all workers.
    ///   - drainTimeout: How long connections of a listener that was removed may go on.
    ///   - freeTables: Takes tables that nobody uses any more to where they are freed.
    /// - Throws: `SystemCallError` when descriptors have run out.
    init(
        index: Int,
        metrics: MetricsShard,
        affinityKey: [UInt8],
        drainTimeout: Duration,
        freeTables: @escaping (WorkerTables) -> Void
    ) throws(SystemCallError) {
        self.index = index
        self.metrics = metrics
        self.affinityKey = affinityKey
        self.drainTimeout = drainTimeout
        self.freeTables = freeTables
        loop = try EventLoop()
    }

    /// Runs until `stop`.
    func run() {
        registration = loop.register(self)
        keepHouse()
        loop.run()
        tables?.accessLog?.flush()
        letGo()
    }

    /// Lets go of everything that names the worker, so that nothing keeps anything alive.
    private func letGo() {
        loop.removeAllHandlers()
        for pool in pools.values { pool.retire() }
        pools = [:]
        ports = []
        closingPorts = []
        spares = []
        pipes = []
        colleagues = []
        handshakes = HandshakeQueue()
        tables = nil
        onDrained = nil
        link = nil
    }

    /// Ends `run`; connections close with the process or with the worker.
    func stop() {
        loop.stop()
    }

    func deadlinePassed() {
        keepHouse()
    }

    /// Once a second: hands the log on, shows how busy the loop was, and lets go of what is not needed.
    private func keepHouse() {
        tables?.accessLog?.flush()
        metrics.set(.loopLag, loop.takeLongestTick())
        lookAtMemory()
        vainSearches.removeAll(keepingCapacity: true)
        for pool in pools.values where pool.makeRoom() { _ = makeRoom(at: pool) }
        pool.trim()
        pipes.removeFirst(min(pipesUnused, pipes.count))
        pipesUnused = pipes.count
        loop.setDeadline(of: registration, at: loop.now.advanced(by: 1_000_000_000))
    }

    /// The surplus of each endpoint that has any, by what is shared of it.
    var surpluses: [ObjectIdentifier: Int] {
        var found: [ObjectIdentifier: Int] = [:]
        for endpoint in pools.values.flatMap(\.endpoints) where endpoint.surplus != 0 {
            found[ObjectIdentifier(endpoint.state)] = endpoint.surplus
        }
        return found
    }

    // MARK: Versions

    /// A listener's new socket for this worker.
    struct NewPort {
        let name: String
        let count: ConnectionCount
        let clients: ClientCounts
        let descriptor: Int32
    }

    /// Goes over to another version between two ticks.
    ///
    /// - Parameters:
    ///   - next: Built for this worker alone.
    ///   - newPorts: Sockets to listen on; the worker owns their descriptors now.
    ///   - keptPorts: Names of listeners whose sockets stay; others are closed.
    func take(_ next: WorkerTables, newPorts: [NewPort], keptPorts: Set<String>) {
        let previous = tables
        take(affinityKey: next.affinityKey)
        var pools: [String: UpstreamPool] = [:]
        for (row, shared) in next.upstreams.enumerated() {
            let name = shared.upstream.name
            if let kept = self.pools.removeValue(forKey: name) {
                kept.update(to: shared, next.connectors[name], countsTries: next.countsTries)
                kept.wakeAll(self)
                pools[name] = kept
            } else {
                pools[name] = UpstreamPool(
                    shared: shared,
                    next.connectors[name],
                    countsTries: next.countsTries,
                    worker: self
                )
            }
            if let pool = pools[name] {
                pool.rows = next.upstreamRows
                pool.row = row
                next.pools.append(pool)
            }
        }
        for gone in self.pools.values { gone.retire() }
        self.pools = pools
        tables = next
        watch(next.overload)
        for port in ports where !keptPorts.contains(port.name) { close(port) }
        for port in ports {
            guard let table = next.listeners[port.name] else { continue }
            if port.table.hasRequests, !table.hasRequests {
                relay(port, next, table)
            } else {
                serve(port, next, table)
            }
        }
        for new in newPorts { open(new, next) }
        moveMirrors()
        if let previous { retire(previous) }
    }

    /// Goes over to other certificates and keys; connections for which others were believed end.
    func take(_ contexts: EdgeContexts) {
        tables?.challengeFiles = contexts.challengeFiles
        take(affinityKey: contexts.affinityKey)
        var changed: Set<String> = []
        for (name, table) in tables?.listeners ?? [:] {
            guard let edge = contexts.edges[name] else { continue }
            if let old = table.edge, old.scope != edge.scope { changed.insert(name) }
            table.edge = edge
        }
        for port in ports where changed.contains(port.name) { drainClients(of: port) }
        for (name, pool) in pools {
            if let connectors = contexts.connectors[name] { pool.update(to: connectors) }
        }
    }

    /// Which endpoints of an upstream take requests has changed.
    func take(_ roster: Roster, of upstream: String) {
        guard let pool = pools[upstream] else { return }
        let silent = pool.take(roster)
        if pool.upstream.discovery != nil {
            tables?.publicNames?.take(roster.places, of: upstream)
        }
        pool.wakeAll(self)
        if !silent.isEmpty, pool.tryPlan?.retry != nil { leave(silent) }
    }

    /// Has requests go elsewhere that wait for an answer of endpoints which have fallen silent, as far as `retry` says so.
    ///
    /// - Complexity: O(connections of the worker): for verdicts, not for requests.
    private func leave(_ silent: [EndpointPool]) {
        let waiting = loop.allHandlers.compactMap { ($0 as? Client)?.exchange }
        for exchange in waiting where exchange.endpoint?.isAmong(silent) == true {
            exchange.endpointIsSilent()
        }
    }

    /// Another worker lacks a connection to an upstream.
    func makeRoom(for upstream: String) {
        guard let pool = pools[upstream], !pool.isQueueing else { return }
        for _ in 0..<pool.state.waiting.current where !pool.evict() { return }
    }

    /// A connection to an upstream may be made.
    func connectionCameFree(at upstream: String) {
        pools[upstream]?.wake(self)
    }

    /// Sticky cookies stand for endpoints under this key from now on.
    func take(affinityKey key: [UInt8]) {
        guard !key.isEmpty, key != affinityKey else { return }
        affinityKey = key
        for pool in pools.values { pool.affinityKeyChanged() }
    }

    /// Has tickets made and taken with these keys from now on.
    func take(_ keys: TicketKeys) {
        guard let tables else { return }
        for table in tables.listeners.values { table.edge?.ticketKeys = keys }
    }

    /// A listener goes on; who was let in when it asked something else of clients has to come again.
    private func serve(_ port: ListeningPort, _ next: WorkerTables, _ table: ListenerTable) {
        let scope = port.table.edge?.scope
        port.serve(next, table)
        if let scope, scope != table.edge?.scope { drainClients(of: port) }
    }

    /// A listener relays from now on: connections of HTTP end as those of one that went, and find their routes until then.
    private func relay(_ port: ListeningPort, _ next: WorkerTables, _ table: ListenerTable) {
        ports.removeAll { $0 === port }
        guard let heir = port.succeed(by: next, table) else { return }
        ports.append(heir)
        open(heir)
        drainClients(of: port)
    }

    private func drainClients(of port: ListeningPort) {
        for case let client as ClientConnection in loop.allHandlers where client.port === port {
            client.drain()
        }
    }

    private func open(_ new: NewPort, _ tables: WorkerTables) {
        let socket = FileDescriptor(owning: new.descriptor)
        guard let table = tables.listeners[new.name] else { return }
        let port = ListeningPort(
            worker: self,
            name: new.name,
            tables: tables,
            table: table,
            count: new.count,
            clients: new.clients,
            socket: socket
        )
        ports.append(port)
        if !holdsNewPorts { open(port) }
    }

    func open(_ port: ListeningPort) {
        do throws(SystemCallError) {
            try port.open()
        } catch {
            // The socket is bound, so only memory or descriptors are missing; other workers serve on.
            ports.removeAll { $0 === port }
            metrics.add(.connectionsRefused)
        }
    }

    func close(_ port: ListeningPort) {
        ports.removeAll { $0 === port }
        closingPorts.append(port)
        port.beginClosing()
        drainClients(of: port)
    }

    /// A port that was closing has accepted the last connection.
    func portClosed(_ port: ListeningPort) {
        closingPorts.removeAll { $0 === port }
        checkDrained()
    }

    private func retire(_ tables: WorkerTables) {
        tables.isRetired = true
        tables.accessLog?.flush()
        if tables.useCount == 0 { freeTables(tables) }
    }

    /// An exchange that began with `tables` has ended, or a port that served them.
    func release(_ tables: WorkerTables) {
        tables.useCount -= 1
        guard tables.isRetired else { return }
        // Nobody else hands on what the exchange has recorded there.
        tables.accessLog?.flush()
        if tables.useCount == 0 { freeTables(tables) }
    }

    // MARK: Draining

    /// Closes the ports, and connections as their exchanges end.
    ///
    /// - Parameter completion: Called when no connection is left.
    func drain(_ completion: @escaping () -> Void) {
        beginDraining(completion)
        for port in ports { close(port) }
        checkDrained()
    }

    /// Ends connections with their exchanges from now on.
    func beginDraining(_ completion: @escaping () -> Void) {
        isDraining = true
        onDrained = completion
        for case let client as ClientConnection in loop.allHandlers { client.drain() }
    }

    /// Takes requests again; ports come with the next `take`.
    func undrain() {
        isDraining = false
        onDrained = nil
    }

    func checkDrained() {
        guard isDraining, clientCount == 0, closingPorts.isEmpty, let onDrained else { return }
        self.onDrained = nil
        endMirrors { _ in true }
        onDrained()
    }

    func clientOpened() {
        clientCount += 1
        metrics.add(.connectionsOpen)
    }

    func clientClosed() {
        clientCount -= 1
        metrics.subtract(.connectionsOpen)
        if isDraining { checkDrained() }
    }

    // MARK: Exchanges

    /// An exchange that serves no request.
    func takeExchange() -> Exchange {
        spares.popLast() ?? Exchange(worker: self)
    }

    /// Takes back an exchange that has ended.
    func spare(_ exchange: Exchange) {
        if spares.count < Limits.sparedExchanges { spares.append(exchange) }
    }

    // MARK: Turns

    /// Whether somebody may read once more in this tick, so that many who have much to read do not hold up others.
    ///
    /// - Parameter reads: Which of its reads in one direction it is, from 1.
    /// - Returns: Whether; what is left waits for the next tick.
    @inline(__always)
    func mayRead(_ reads: Int) -> Bool {
        if readsAt != loop.now { (readsAt, readsInTick) = (loop.now, 0) }
        readsInTick += 1  // a tick ends long before 2^63 reads
        return reads <= (readsInTick > Limits.readsPerTickInAll ? 1 : Limits.readsPerTick)
    }

    // MARK: Pipes

    /// An empty pipe, or `nil` when descriptors have run out.
    func takePipe() -> SplicePipe? {
        if let kept = pipes.popLast() {
            pipesUnused = min(pipesUnused, pipes.count)
            return kept
        }
        do throws(SystemCallError) {
            return SplicePipe(try Pipe(bytes: Int32(Limits.pipeBytes)))
        } catch {
            return nil
        }
    }

    /// Takes a pipe back; one that holds octets is closed with them.
    func givePipe(_ pipe: SplicePipe) {
        if pipe.count == 0, pipes.count < Limits.sparedPipes { pipes.append(pipe) }
    }

    // MARK: Parts
    //
    // One call away from whoever holds the worker: through two references, the second one would be counted.

    /// Lends a block as an empty buffer; see `BufferPool.lend`.
    func lend(_ size: BlockSize, headroom: Int) -> Buffer {
        pool.lend(size, headroom: headroom)
    }

    /// Takes the block of a buffer back; see `BufferPool.reclaim`.
    func reclaim(_ buffer: inout Buffer) {
        pool.reclaim(&buffer)
    }

    /// Sets a handler's deadline; see `EventLoop.setDeadline`.
    func setDeadline(of registration: Registration, at instant: LoopInstant) {
        loop.setDeadline(of: registration, at: instant)
    }

    /// Calls `resume` of a handler at the end of this tick; see `EventLoop.resumeLater`.
    func resumeLater(_ registration: Registration) {
        loop.resumeLater(registration)
    }

    /// Counts a request.
    ///
    /// - Parameters:
    ///   - status: That of its response; 0 without one.
    ///   - sentBytes: Octets of the response that the client has.
    ///   - nanoseconds: What it took.
    ///   - isCut: Whether the client did not get the whole response.
    func count(status: UInt16, sentBytes: UInt64, nanoseconds: UInt64, isCut: Bool) {
        metrics.add(isCut ? .requestsAborted : Metric.requests(status: Int(status)))
        metrics.add(.sentBytes, sentBytes)
        metrics.recordDuration(nanoseconds: nanoseconds)
    }

    // MARK: Heads

    /// Makes room behind what `buffer` holds, if there is hardly any.
    ///
    /// What was passed on leaves room in front: octets move there, unless they are many and the block can still grow.
    ///
    /// - Returns: `false` when the buffer holds as much as a head may have.
    func makeTail(_ buffer: inout Buffer) -> Bool {
        if buffer.writableCount > Limits.tailReserve { return true }
        let larger = BlockSize.allCases.first { $0.rawValue > buffer.blockSize && $0 <= .huge }
        let isMostlyFree = buffer.headroom - Limits.headroom >= buffer.count
        guard let larger, !isMostlyFree else {
            buffer.compact(headroom: Limits.headroom)
            return buffer.writableCount > Limits.tailReserve
        }
        pool.grow(&buffer, to: larger, headroom: Limits.headroom)
        return true
    }

    /// Has room for so many octets behind what `buffer` holds, in a larger block where they do not fit.
    ///
    /// - Parameters:
    ///   - count: At most what is left of the largest block.
    ///   - buffer: Keeps what it holds; without a block it gets one.
    func makeRoom(for count: Int, in buffer: inout Buffer) {
        if buffer.hasBlock, buffer.writableCount >= count + Limits.tailReserve { return }
        let wanted = Limits.headroom + buffer.count + count + Limits.tailReserve
        let size = BlockSize.allCases.first { $0.rawValue >= wanted } ?? .giant
        if buffer.hasBlock {
            pool.grow(&buffer, to: size, headroom: Limits.headroom)
        } else {
            buffer = pool.lend(size, headroom: Limits.headroom)
        }
    }

    /// Copies octets behind what `buffer` holds.
    func append(_ octets: Span<UInt8>, to buffer: inout Buffer) {
        makeRoom(for: octets.count, in: &buffer)
        let fits = buffer.append(octets)
        precondition(fits, "\(octets.count) octets do not fit behind \(buffer.count)")
    }

    /// The empty memory for a value, to be put back.
    func takeValueOctets() -> [UInt8] {
        var octets: [UInt8] = []
        swap(&octets, &valueOctets)
        octets.removeAll(keepingCapacity: true)
        return octets
    }

    /// Puts the head in `scratch` before what `buffer` holds.
    func prependScratch(to buffer: inout Buffer) {
        if !buffer.hasBlock { buffer = pool.lend(.small, headroom: Limits.headroom) }
        if buffer.prepend(scratch) { return }
        let wanted = scratch.count + buffer.count + Limits.tailReserve
        let size = BlockSize.allCases.first { $0.rawValue >= wanted } ?? .giant
        pool.grow(&buffer, to: size, headroom: scratch.count)
        let fits = buffer.prepend(scratch)
        precondition(fits, "a head of \(scratch.count) octets does not fit")
    }

    /// A buffer that holds what is in `scratch`.
    func lendScratch() -> Buffer {
        let size = BlockSize.allCases.first { $0.rawValue >= scratch.count } ?? .giant
        var buffer = pool.lend(size, headroom: 0)
        let fits = scratch.withReadable { buffer.append($0) }
        precondition(fits, "a head of \(scratch.count) octets does not fit")
        return buffer
    }

    /// Appends the date (RFC 9110 §5.6.7).
    func appendDate(to head: inout Buffer) {
        if dateReadAt == .never || loop.now.nanoseconds(since: dateReadAt) > 250_000_000 {
            dateReadAt = loop.now
            let seconds = realtimeNanoseconds() / 1_000_000_000
            if seconds != dateSeconds || dateText.isEmpty {
                dateSeconds = seconds
                dateText = Array(internetDate(unixSeconds: Int64(seconds)).utf8)
            }
        }
        head.append(dateText)
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7).
func internetDate(unixSeconds: Int64) -> String {
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let time = CivilTime(unixSeconds: unixSeconds)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(days[time.weekday]), \(two(time.day)) \(months[time.month - 1]) \(time.year) "
        + "\(two(time.hour)):\(two(time.minute)):\(two(time.second)) GMT"
}
