internal import EventLoop
internal import SystemCalls
internal import TLSHello
internal import Upstreams

/// A connection of a tls-passthrough listener whose ClientHello is still to come.
///
///     waiting ──a name that is known──▶ the port relays the connection, as if nobody had looked
///        │ └──another name, or none──▶ unrecognized_name ──▶ closed
///        └──no ClientHello, late──▶ closed
///
/// Confined to its worker's loop.
final class ServerNameReader: PeekedConnection {
    private let addresses: ClientAddresses

    /// A fatal alert unrecognized_name in a record (RFC 8446 §6, RFC 6066 §3).
    private static let unrecognizedName: [UInt8] = [21, 3, 3, 0, 2, 2, 112]

    init(
        _ port: ListeningPort,
        _ share: ListeningPort.ClientShare,
        _ descriptor: consuming FileDescriptor,
        _ addresses: ClientAddresses
    ) {
        self.addresses = addresses
        super.init(port, share, descriptor)
    }

    override var octetsMax: Int { ClientHelloLimits.bytesMax }

    override func read(_ octets: Span<UInt8>) -> Bool {
        do throws(ClientHelloError) {
            guard let hello = try ClientHello.read(octets) else { return false }
            if let name = hello.serverName, let index = port.table.upstream(for: name) {
                handOn(name, to: index)
            } else {
                refuseName(octetCount: octets.count)
            }
        } catch {
            refuse()
        }
        return true
    }

    private func handOn(_ name: String, to index: Int) {
        guard let descriptor = leave() else { return }
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
}
