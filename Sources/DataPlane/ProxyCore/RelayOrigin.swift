internal import EventLoop
internal import SystemCalls
internal import Telemetry
internal import Transport
internal import Upstreams

/// A relay's connection to an endpoint.
///
/// Confined to its worker's loop.
final class RelayOrigin: EventHandler {
    private unowned let relay: TCPRelay
    private let worker: Worker
    private let upstream: UpstreamPool
    private let endpoint: EndpointPool
    private let address: StreamAddress
    var socket: StreamSocket
    private var registration = Registration.none

    /// Begins to connect.
    ///
    /// Both counts have been raised for it, and fall with `close`, or here on failure.
    init(
        _ relay: TCPRelay,
        _ upstream: UpstreamPool,
        _ endpoint: EndpointPool,
        _ address: StreamAddress
    ) throws(SystemCallError) {
        (self.relay, worker) = (relay, relay.worker)
        (self.upstream, self.endpoint, self.address) = (upstream, endpoint, address)
        do throws(SystemCallError) {
            socket = StreamSocket(owning: try connectStream(to: address), isConnected: false)
            registration = try worker.loop.register(self, descriptor: socket.number)
        } catch {
            upstream.closed(endpoint, relay.worker)
            throw error
        }
        worker.metrics.add(.upstreamConnectionsOpen)
    }

    func ready(_ readiness: Readiness) {
        socket.note(readiness)
        relay.originReady(self)
    }

    /// It could not be made: the endpoint's other addresses are taken for a while.
    func avoidAddress() {
        endpoint.avoid(address, at: worker.loop.now)
    }

    /// Closes at once.
    func close(isReset: Bool) {
        guard registration != .none else { return }
        if isReset { socket.resetOnClose() }
        worker.loop.unregister(registration)
        registration = .none
        socket.close()
        worker.metrics.subtract(.upstreamConnectionsOpen)
        upstream.closed(endpoint, worker)
    }
}
