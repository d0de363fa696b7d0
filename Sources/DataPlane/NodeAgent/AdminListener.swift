internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry

/// The node's admin address: `/metrics`, `/healthz`, `/readyz`, `/config` over plain HTTP/1.1, to be read only.
///
/// Confined to the process's loop.
final class AdminListener: EventHandler {
    /// Where it listens.
    let address: SocketAddress
    unowned let node: NodeProcess
    private var socket: FileDescriptor?
    private var registration = Registration.none
    private var connections: [ObjectIdentifier: AdminConnection] = [:]

    /// Binds the address and listens.
    ///
    /// - Throws: `NodeError` when the address is none of this machine, or taken.
    init(_ place: HostPort, node: NodeProcess) throws(NodeError) {
        self.node = node
        guard
            let wanted = SocketAddress(
                address: place.host == "localhost" ? "127.0.0.1" : place.host,
                port: UInt16(clamping: place.port)
            )
        else {
            throw NodeError("--admin \(place): name an IP address, such as 127.0.0.1:\(place.port)")
        }
        do throws(SystemCallError) {
            let socket = try bindStreamSocket(wanted, reusePort: false)
            try listen(socket.number, backlog: Limits.adminBacklog)
            address = try localAddress(socket.number)
            self.socket = consume socket
            registration = .none
        } catch {
            throw NodeError(
                "cannot listen on the admin address \(place): \(error.errno.message); "
                    + "choose another one with --admin"
            )
        }
        do throws(SystemCallError) {
            if let number = socket?.number {
                registration = try node.loop.registerLevelTriggered(self, descriptor: number)
            }
        } catch {
            throw NodeError("cannot watch the admin address: \(error)")
        }
        if !address.isLoopback {
            node.log.write(
                .warning,
                "admin.exposed",
                [
                    "address": "\(address)",
                    "why": "everybody who reaches it can read the configuration",
                ]
            )
        }
    }

    func ready(_ readiness: Readiness) {
        guard let number = socket?.number else { return }
        for _ in 0..<Limits.adminAcceptsPerTick {
            guard case .accepted(let descriptor, _) = accept(number) else { return }
            let connected = FileDescriptor(owning: descriptor)
            guard connections.count < Limits.adminConnectionsMax else { continue }
            let connection = AdminConnection(connected, listener: self)
            if connection.open() { connections[ObjectIdentifier(connection)] = connection }
        }
    }

    func closed(_ connection: AdminConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    /// Closes the listening socket and all connections.
    func close() {
        node.loop.unregister(registration)
        registration = .none
        socket = nil
        for connection in connections.values { connection.close() }
        connections = [:]
    }
}
