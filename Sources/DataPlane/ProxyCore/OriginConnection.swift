internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A connection to an endpoint: being made, carrying an exchange, or resting in the endpoint's pool.
///
///     connecting ──▶ busy ──rest()──▶ resting ──takeIdle()──▶ busy
///         └────────────┴─────────────────┴──close()──▶ closed
///
/// Confined to its worker's loop.
final class OriginConnection: EventHandler {
    let worker: Worker
    let upstream: UpstreamPool
    let endpoint: EndpointPool
    var socket: StreamSocket
    /// The exchange that it carries; `nil` at rest.
    var exchange: Exchange?
    /// Whether it has carried an exchange before this one.
    private(set) var isReused = false
    private var registration = Registration.none

    /// Begins to connect.
    ///
    /// Both counts have been raised for it, and fall with `close`, or here on failure.
    init(
        worker: Worker,
        _ upstream: UpstreamPool,
        _ endpoint: EndpointPool,
        _ address: SocketAddress
    ) throws(SystemCallError) {
        self.worker = worker
        self.upstream = upstream
        self.endpoint = endpoint
        do throws(SystemCallError) {
            socket = StreamSocket(owning: try connectStream(to: address), isConnected: false)
            registration = try worker.loop.register(self, descriptor: socket.number)
        } catch {
            upstream.count.remove()
            endpoint.count.remove()
            throw error
        }
        worker.metrics.add(.upstreamConnectionsOpen)
    }

    func ready(_ readiness: Readiness) {
        socket.note(readiness)
        if let exchange { return exchange.originReady(self) }
        guard readiness.promisesReading else { return }
        // Nothing is awaited: the endpoint closes, or says what nobody asked for.
        endpoint.forget(self)
        close()
    }

    func deadlinePassed() {
        if let exchange { return exchange.originDeadlinePassed(self) }
        endpoint.forget(self)
        close()
    }

    /// The connection must stand by then.
    func awaitConnection(connectNanoseconds: UInt64) {
        setDeadline(after: connectNanoseconds)
    }

    /// Sets when the endpoint must have done something.
    ///
    /// - Parameter nanoseconds: From now; `.max` for no deadline.
    func setDeadline(after nanoseconds: UInt64) {
        worker.loop.setDeadline(of: registration, at: worker.loop.now.advanced(by: nanoseconds))
    }

    /// The exchange is over and nothing of it is left: waits for another one.
    func rest() {
        isReused = true
        setDeadline(after: upstream.limits.rest)
        endpoint.giveBack(self)
    }

    /// Closes at once; nobody has the connection any more.
    func close() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        socket.close()
        upstream.count.remove()
        endpoint.count.remove()
        worker.metrics.subtract(.upstreamConnectionsOpen)
    }
}
