internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import Telemetry

/// The node's admin address: `/metrics`, `/healthz`, `/readyz`, `/config`, `/upstreams` over plain HTTP/1.1, to be read only.
///
/// Confined to the process's loop.
final class AdminListener: EventHandler {
    /// Where it listens.
    let address: SocketAddress
    unowned let node: NodeProcess
    private var socket: FileDescriptor?
    private var registration = Registration.none
    private var connections: [ObjectIdentifier: AdminConnection] = [:]
    /// Whether another process has taken over: connections close with their next answer.
    private(set) var isRetired = false

    /// Binds the address and listens.
    ///
    /// - Parameters:
    ///   - place: The address.
    ///   - inherited: The socket, if another process handed it over.
    ///   - node: Whose address it is.
    /// - Throws: `NodeError` when the address is none of this machine, or taken.
    init(
        _ place: HostPort,
        inherited: consuming FileDescriptor? = nil,
        node: NodeProcess
    ) throws(NodeError) {
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
            let socket: FileDescriptor
            if let inherited = consume inherited {
                socket = inherited
            } else {
                socket = try bindStreamSocket(wanted, reusePort: false)
                try listen(socket.number, backlog: Limits.adminBacklog)
            }
            address = try localAddress(socket.number)
            self.socket = consume socket
        } catch {
            throw NodeError(
                "cannot listen on the admin address \(place): \(error.errno.message); "
                    + "choose another one with --admin"
            )
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

    /// Begins to accept.
    func open() throws(NodeError) {
        do throws(SystemCallError) {
            guard let number = socket?.number else { return }
            registration = try node.loop.registerLevelTriggered(self, descriptor: number)
        } catch {
            throw NodeError("cannot watch the admin address: \(error)")
        }
    }

    /// Another descriptor of the socket, for the process that takes over.
    func duplicateSocket() throws(SystemCallError) -> FileDescriptor? {
        guard let number = socket?.number else { return nil }
        return try duplicate(number)
    }

    func ready(_ readiness: Readiness) {
        guard let number = socket?.number else { return }
        for _ in 0..<Limits.adminAcceptsPerTick {
            switch accept(number) {
            case .accepted(let descriptor, _): admit(FileDescriptor(owning: descriptor))
            case .wouldBlock: return
            case .failed: return pause(number)
            }
        }
    }

    private func admit(_ connected: consuming FileDescriptor) {
        guard connections.count < Limits.adminConnectionsMax else { return }
        let connection = AdminConnection(connected, listener: self)
        if connection.open() { connections[ObjectIdentifier(connection)] = connection }
    }

    private func pause(_ number: Int32) {
        registration = node.loop.pauseAccepting(
            registration,
            self,
            descriptor: number,
            nanoseconds: Limits.acceptPauseNanoseconds
        )
    }

    func deadlinePassed() {
        guard let number = socket?.number else { return }
        registration = node.loop.acceptAgain(
            registration,
            self,
            descriptor: number,
            nanoseconds: Limits.acceptPauseNanoseconds
        )
    }

    func closed(_ connection: AdminConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    /// Leaves the socket to another process; connections that are open get one more answer.
    func retire() {
        isRetired = true
        if let number = socket?.number { node.loop.unregister(registration, descriptor: number) }
        registration = .none
        socket = nil
    }

    /// Closes the listening socket and all connections.
    func close() {
        retire()
        for connection in connections.values { connection.close() }
        connections = [:]
    }
}
