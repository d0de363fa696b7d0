internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Transport

/// A client's connection during its TLS handshake.
///
///     waiting ──complete──▶ the port takes the connection up, with TLS on it
///        └──failed, late, room is needed──▶ closed
///
/// Confined to its worker's loop.
final class TLSAcceptor: PortConnection {
    private var socket: StreamSocket?
    private let number: Int32
    private let stream: TLSStream
    private let edge: TLSEdge
    private let share: ListeningPort.ClientShare
    private let addresses: ClientAddresses
    private let started: LoopInstant

    init(
        _ port: ListeningPort,
        _ edge: TLSEdge,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ addresses: ClientAddresses
    ) throws(TLSError) {
        number = descriptor.number
        (self.edge, self.share, self.addresses) = (edge, share, addresses)
        started = port.worker.loop.now
        let workspace = port.worker.workspace
        stream = try TLSStream(accepting: edge, workspace, descriptor: number)
        var socket = StreamSocket(owning: descriptor, isConnected: true)
        socket.secure(with: stream, workspace)
        self.socket = consume socket
        super.init(port)
    }

    /// Joins the loop.
    func open() throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: number)
        setDeadline(after: port.table.handshakeNanoseconds)
    }

    override func ready(_ readiness: Readiness) {
        socket?.note(readiness)
        do throws(TLSError) {
            guard try socket?.handshake() == true else { return }
        } catch {
            worker.metrics.add(.tlsHandshakesFailed)
            return close()
        }
        handOn()
    }

    override func deadlinePassed() {
        worker.metrics.add(.tlsHandshakesLate)
        close()
    }

    override var emptySince: LoopInstant? { started }

    override func cutOff() {
        worker.metrics.add(.tlsHandshakesFailed)
        close()
    }

    private func handOn() {
        guard let socket = socket.take() else { return }
        worker.metrics.add(.tlsHandshakes)
        if stream.isResumed { worker.metrics.add(.tlsResumptions) }
        worker.metrics.add(stream.version == .tls13 ? .tlsVersion13 : .tlsVersion12)
        worker.loop.unregister(registration, descriptor: number)
        registration = .none
        let security = ClientSecurity(stream, edge, port.table)
        port.take(socket, share, addresses, security)
    }

    private func close() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        // What was gathered for the client, such as an alert, has left.
        socket = nil
        port.connectionClosed(share)
        worker.clientClosed()
    }
}
