internal import EventLoop
internal import SystemCalls
internal import TLSHello
internal import Telemetry
internal import Upstreams

/// A connection of a tls-passthrough listener whose ClientHello is still to come.
///
///     waiting ──a name that is known──▶ the port relays the connection, as if nobody had looked
///        │ └──another name, or none──▶ unrecognized_name ──▶ closed
///        └──no ClientHello, late──▶ closed
///
/// Octets are looked at and left in the kernel. Confined to its worker's loop.
final class ServerNameReader: PortConnection {
    private var descriptor: FileDescriptor?
    private let number: Int32
    private let share: ListeningPort.ClientShare
    private let addresses: ClientAddresses
    private let started: LoopInstant

    /// A fatal alert unrecognized_name in a record (RFC 8446 §6, RFC 6066 §3).
    private static let unrecognizedName: [UInt8] = [21, 3, 3, 0, 2, 2, 112]

    init(
        _ port: ListeningPort,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ addresses: ClientAddresses
    ) {
        number = descriptor.number
        self.descriptor = consume descriptor
        (self.share, self.addresses) = (share, addresses)
        started = port.worker.loop.now
        super.init(port)
    }

    /// Joins the loop.
    func open() throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: number)
        setDeadline(after: port.table.handshakeNanoseconds)
    }

    override func ready(_ readiness: Readiness) {
        guard readiness.promisesReading else { return }
        var octets = [UInt8](repeating: 0, count: ClientHelloLimits.bytesMax)
        var span = octets.mutableSpan
        guard case .count(let count) = peek(number, into: &span), count > 0 else {
            // An end that is not there yet comes with another event.
            return readiness.endIsNear ? refuse() : ()
        }
        do throws(ClientHelloError) {
            guard let hello = try ClientHello.read(octets.span.extracting(first: count)) else {
                return readiness.endIsNear ? refuse() : ()
            }
            guard let name = hello.serverName, let index = port.table.upstream(for: name) else {
                return refuseName(octetCount: count)
            }
            handOn(name, to: index)
        } catch {
            refuse()
        }
    }

    override func deadlinePassed() {
        refuse()
    }

    override var emptySince: LoopInstant? { started }

    override func cutOff() {
        close()
    }

    private func handOn(_ name: String, to index: Int) {
        guard let descriptor = descriptor.take() else { return }
        worker.loop.unregister(registration, descriptor: number)
        registration = .none
        port.relay(descriptor, share, addresses, to: index, serverName: Array(name.utf8))
    }

    /// Says why nothing follows.
    private func refuseName(octetCount: Int) {
        // What is left unread would have the close overtake the alert with a reset.
        var octets = [UInt8](repeating: 0, count: octetCount)
        var span = octets.mutableSpan
        _ = receive(number, into: &span)
        let alert = Self.unrecognizedName
        _ = send(number, alert.span)
        shutdownWrite(number)
        refuse()
    }

    private func refuse() {
        worker.metrics.add(.connectionsRefused)
        close()
    }

    private func close() {
        guard registration != .none else { return }
        worker.loop.unregister(registration)
        registration = .none
        descriptor = nil
        port.connectionClosed(share)
        worker.clientClosed()
    }
}
