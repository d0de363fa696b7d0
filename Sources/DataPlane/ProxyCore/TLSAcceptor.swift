internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Transport

/// A client's connection during its TLS handshake.
///
///     silent ──ClientHello──▶ queued ──its turn──▶ answered ──complete──▶ the port takes the connection up, with TLS on it
///        │                      │                     └──failed──▶ refused: what still comes is dropped
///        │                      │                                     └──ends, enough, late──▶ closed
///        └──────────────────────┴──late, gone, room is needed──▶ closed
///
/// The answer to the ClientHello is what a handshake costs, so it waits its turn, and what comes later goes on at once.
/// Confined to its worker's loop.
final class TLSAcceptor: PortConnection, WaitsForHandshake {
    private var socket: StreamSocket?
    private let number: Int32
    private let stream: TLSStream
    private let edge: TLSEdge
    private let share: ListeningPort.ClientShare
    private let addresses: ClientAddresses
    private let started: LoopInstant
    /// Once the handshake has failed: how much more is read, so that no reset overtakes the alert.
    private var octetsLeft: Int?
    /// Since when the ClientHello waits to be answered; `never` before it comes.
    private(set) var waitingSince = LoopInstant.never
    private var isAnswered = false

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
        if octetsLeft != nil { return linger() }
        socket?.note(readiness)
        // That octets can be written is no news: the client is the first to say something.
        guard socket?.canRead == true else { return }
        if isAnswered { return goOn() }
        // Who gives up before its turn does not keep a place.
        if socket?.mayEndSoon == true { return cutOff() }
        guard waitingSince == .never else { return }
        waitingSince = worker.loop.now
        worker.answerLater(self)
    }

    /// Whether it waits for its turn; not once it is closed.
    var isWaiting: Bool { registration != .none && !isAnswered }

    /// It is its turn: answers the ClientHello.
    func answer() {
        isAnswered = true
        goOn()
    }

    private func goOn() {
        do throws(TLSError) {
            guard try socket?.handshake() == true else { return }
        } catch {
            worker.metrics.add(.tlsHandshakesFailed)
            octetsLeft = Limits.refusedOctets
            shutdownWrite(number)
            setDeadline(after: Limits.lingerNanoseconds)
            return linger()
        }
        if stream.negotiatedProtocol == acmeProtocol { return proved() }
        handOn()
    }

    /// An authority has seen the certificate that proves a host, and nothing else is spoken here (RFC 8737 §3).
    private func proved() {
        worker.metrics.add(.tlsHandshakes)
        worker.metrics.add(.challengesAnswered)
        octetsLeft = Limits.refusedOctets
        shutdownWrite(number)
        setDeadline(after: Limits.lingerNanoseconds)
        linger()
    }

    private func linger() {
        var octets = [UInt8](repeating: 0, count: Limits.refusedOctets)
        while let left = octetsLeft, left > 0 {
            var span = octets.mutableSpan
            switch receive(number, into: &span) {
            case .count(let count) where count > 0: octetsLeft = left - count
            case .wouldBlock: return
            case .count, .failed: return close()
            }
        }
        close()
    }

    override func deadlinePassed() {
        if octetsLeft != nil { return close() }
        worker.metrics.add(.tlsHandshakesLate)
        close()
    }

    override var emptySince: LoopInstant? { started }

    override func cutOff() {
        if octetsLeft == nil { worker.metrics.add(.tlsHandshakesFailed) }
        close()
    }

    private func handOn() {
        guard let socket = socket.take() else { return }
        worker.metrics.add(.tlsHandshakes)
        if stream.isResumed { worker.metrics.add(.tlsResumptions) }
        worker.metrics.add(stream.version == .tls13 ? .tlsVersion13 : .tlsVersion12)
        let place = registration
        registration = .none
        let security = ClientSecurity(stream, edge, port.table)
        port.take(socket, share, addresses, security, registration: place)
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
