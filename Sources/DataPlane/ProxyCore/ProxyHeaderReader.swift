internal import EventLoop
internal import ProxyProtocol
internal import SystemCalls
internal import Telemetry

/// A connection whose PROXY header is still to come.
///
///     waiting ──header──▶ its octets are taken off ──▶ the port takes the connection up
///        │ └──none, and none has to be──────────────▶
///        └──broken, missing, late──▶ closed
///
/// Octets are looked at and left in the kernel until the header is whole, so that the connection is handed on as if it
/// had begun behind it. Confined to its worker's loop.
final class ProxyHeaderReader: PortConnection {
    private var descriptor: FileDescriptor?
    private let number: Int32
    private let peer: SocketAddress
    private let isRequired: Bool
    private let started: LoopInstant

    init(
        _ port: ListeningPort,
        _ descriptor: consuming FileDescriptor,
        _ peer: SocketAddress,
        isRequired: Bool
    ) {
        number = descriptor.number
        self.descriptor = consume descriptor
        (self.peer, self.isRequired) = (peer, isRequired)
        started = port.worker.loop.now
        super.init(port)
    }

    /// Joins the loop.
    func open() throws(SystemCallError) {
        registration = try worker.loop.register(self, descriptor: number)
        setDeadline(after: port.table.headerNanoseconds)
    }

    override func ready(_ readiness: Readiness) {
        guard readiness.promisesReading else { return }
        var octets = [UInt8](repeating: 0, count: ProxyProtocolLimits.headerBytesMax)
        var span = octets.mutableSpan
        guard case .count(let count) = peek(number, into: &span), count > 0 else {
            // An end that is not there yet comes with another event.
            return readiness.endIsNear ? refuse() : ()
        }
        do throws(ProxyProtocolError) {
            switch try ProxyHeader.decode(octets.span.extracting(first: count)) {
            case .incomplete: if readiness.endIsNear { refuse() }
            case .absent: if isRequired { refuse() } else { handOn(nil) }
            case .complete(let header, let byteCount): take(header, byteCount: byteCount)
            }
        } catch {
            refuse()
        }
    }

    /// A client that says nothing has no header; one that has begun a header is too late.
    override func deadlinePassed() {
        var octet: [UInt8] = [0]
        var span = octet.mutableSpan
        if !isRequired, case .wouldBlock = peek(number, into: &span) { return handOn(nil) }
        refuse()
    }

    override var emptySince: LoopInstant? { started }

    override func cutOff() {
        close()
    }

    /// Takes the header's octets off the connection.
    private func take(_ header: ProxyHeader, byteCount: Int) {
        var octets = [UInt8](repeating: 0, count: byteCount)
        var span = octets.mutableSpan
        // They are there: a look has just shown them.
        guard case .count(byteCount) = receive(number, into: &span) else { return refuse() }
        worker.metrics.add(.receivedBytes, UInt64(byteCount))
        handOn(header)
    }

    private func handOn(_ header: ProxyHeader?) {
        guard let descriptor = descriptor.take() else { return }
        worker.loop.unregister(registration, descriptor: number)
        registration = .none
        guard case .addresses(let source, let destination)? = header else {
            return port.admit(descriptor, ClientAddresses(source: peer, toldDestination: nil))
        }
        port.admit(
            descriptor,
            ClientAddresses(
                source: SocketAddress(source),
                toldDestination: SocketAddress(destination)
            )
        )
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
        port.connectionClosed(.none)
        worker.clientClosed()
    }
}

extension SocketAddress {
    fileprivate init(_ address: ProxyAddress) {
        self.init(
            high: address.high,
            low: address.low,
            isIPv6: address.isIPv6,
            port: address.port
        )
    }
}
