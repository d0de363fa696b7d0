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
/// The connection is handed on as if it had begun behind the header. Its client is not known and not counted before.
/// Confined to its worker's loop.
final class ProxyHeaderReader: PeekedConnection {
    private let peer: SocketAddress
    private let isRequired: Bool

    init(
        _ port: ListeningPort,
        _ descriptor: consuming FileDescriptor,
        _ peer: SocketAddress,
        isRequired: Bool
    ) {
        (self.peer, self.isRequired) = (peer, isRequired)
        super.init(port, .none, descriptor)
    }

    override var octetsMax: Int { ProxyProtocolLimits.headerBytesMax }

    override func read(_ octets: Span<UInt8>) -> Bool {
        do throws(ProxyProtocolError) {
            switch try ProxyHeader.decode(octets) {
            case .incomplete: return false
            case .absent: if isRequired { refuse() } else { handOn(nil) }
            case .complete(let header, let byteCount): take(header, byteCount: byteCount)
            }
        } catch {
            refuse()
        }
        return true
    }

    /// A client that says nothing has no header; one that has begun a header is too late.
    override func deadlinePassed() {
        var octet: [UInt8] = [0]
        var span = octet.mutableSpan
        if !isRequired, case .wouldBlock = peek(number, into: &span) { return handOn(nil) }
        refuse()
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
        guard let descriptor = leave() else { return }
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
