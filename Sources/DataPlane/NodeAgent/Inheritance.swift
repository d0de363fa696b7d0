internal import FleetModel
internal import ProxyCore
internal import SystemCalls

/// What a new process has been handed by the one that it takes over from.
///
/// Confined to one thread at a time.
final class Inheritance {
    /// The connection to the old process.
    fileprivate(set) var channel: FileDescriptor?
    fileprivate(set) var lock: FileDescriptor?
    fileprivate(set) var upgrades: FileDescriptor?
    fileprivate(set) var admin: (configured: String, socket: DescriptorBundle)?
    fileprivate(set) var listeners: [ListenerSockets] = []
    /// Hexadecimal; empty when nothing is served.
    fileprivate(set) var digest = ""

    /// Asks the process that runs in a directory for what it has; blocks.
    ///
    /// - Throws: Why it gives nothing.
    init(from directory: String) throws(NodeError) {
        do throws(SystemCallError) {
            let channel = try LocalSocket.connect(
                folder: directory,
                name: UpgradeDesk.socketName
            )
            LocalSocket.setTimeout(
                channel.number,
                milliseconds: Limits.handoverSilenceMilliseconds
            )
            self.channel = consume channel
        } catch {
            throw NodeError(
                "\(NodeSettings.takeOverOption) is for 'proxy-node upgrade' alone: "
                    + "no node runs in \(directory) (\(error.errno.message))"
            )
        }
        try say(HandoverMessage(.takeOver, [HandoverMessage.version, buildVersion]))
        while try receiveOne() {
            try say(HandoverMessage(.next))
        }
    }

    /// The channel, which the caller owns from now on.
    func takeChannel() -> FileDescriptor? {
        guard let channel = channel.take() else { return nil }
        return channel
    }

    /// The directory's lock, which the caller owns from now on.
    func takeLock() -> FileDescriptor? { lock.take() }

    /// The socket for upgrades, which the caller owns from now on.
    func takeUpgrades() -> FileDescriptor? { upgrades.take() }

    /// The socket of the admin address, if it is configured as before.
    func takeAdmin(_ configured: HostPort) -> FileDescriptor? {
        guard let admin, admin.configured == "\(configured)" else { return nil }
        return admin.socket.takeFirst()
    }

    private func say(_ message: HandoverMessage) throws(NodeError) {
        do throws(SystemCallError) {
            if let number = channel?.number { try LocalSocket.send(number, message.octets) }
        } catch {
            throw NodeError("the node that was to be replaced does not listen any more: \(error)")
        }
    }

    /// Receives one message; `false` after the last one.
    private func receiveOne() throws(NodeError) -> Bool {
        let received: LocalSocket.Received
        do throws(SystemCallError) {
            guard let number = channel?.number else { return false }
            received = try LocalSocket.receive(
                number,
                octetsMax: Limits.upgradeMessageBytesMax
            )
        } catch {
            throw NodeError("the sockets could not be received: \(error)")
        }
        switch received {
        case .wouldBlock: throw NodeError("the node that was to be replaced does not answer")
        case .end: throw NodeError("the node that was to be replaced has ended, or gave up")
        case .message(let octets, let descriptors):
            guard let message = HandoverMessage(octets: octets) else {
                throw NodeError("the node that was to be replaced is of another build: restart it")
            }
            return try keep(message, descriptors)
        }
    }

    private func keep(
        _ message: HandoverMessage,
        _ descriptors: DescriptorBundle
    ) throws(NodeError) -> Bool {
        let fields = message.fields
        switch message.word {
        case .lock: lock = descriptors.takeFirst()
        case .upgrades: upgrades = descriptors.takeFirst()
        case .admin: admin = (fields.first ?? "", descriptors)
        case .listener where fields.count >= 3:
            if let last = listeners.last, last.name == fields[0] {
                last.sockets.add(descriptors)
            } else if let actual = SocketAddress(fields[2]) {
                listeners.append(
                    ListenerSockets(
                        name: fields[0],
                        configured: fields[1],
                        actual: actual,
                        sockets: descriptors
                    )
                )
            }
        case .end:
            digest = fields.first ?? ""
            return false
        case .failed: throw NodeError(fields.first ?? "the old process refused")
        // What a later build hands over as well is nothing that this one could use.
        default: break
        }
        return true
    }
}
