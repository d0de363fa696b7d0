internal import EventLoop
internal import SystemCalls

/// A connection of a local process: of `proxy-node upgrade`, or of the one that is to take over.
///
/// Confined to the process's loop.
final class UpgradePeer: EventHandler {
    let process: Int32
    private unowned let desk: UpgradeDesk
    private let loop: EventLoop
    private var socket: FileDescriptor?
    private var registration = Registration.none

    /// Takes a connection over that is non-blocking.
    ///
    /// - Throws: `SystemCallError` when it cannot be watched.
    init(
        _ socket: consuming FileDescriptor,
        process: Int32,
        desk: UpgradeDesk,
        loop: EventLoop
    ) throws(SystemCallError) {
        (self.process, self.desk, self.loop) = (process, desk, loop)
        let number = socket.number
        self.socket = consume socket
        registration = try loop.registerLevelTriggered(self, descriptor: number)
    }

    func ready(_ readiness: Readiness) {
        guard let number = socket?.number else { return }
        do throws(SystemCallError) {
            switch try LocalSocket.receive(number, octetsMax: Limits.upgradeMessageBytesMax) {
            case .message(let octets, _):
                guard let message = HandoverMessage(octets: octets) else { return end() }
                desk.received(message, from: self)
            case .wouldBlock: break
            case .end: end()
            }
        } catch {
            end()
        }
    }

    /// Sends a message; the other end reads each before the next one is due, so there is room for it.
    ///
    /// - Returns: Whether it left.
    @discardableResult
    func send(_ message: HandoverMessage, descriptors: [Int32] = []) -> Bool {
        guard let number = socket?.number else { return false }
        do throws(SystemCallError) {
            try LocalSocket.send(number, message.octets, descriptors: descriptors)
            return true
        } catch {
            return false
        }
    }

    private func end() {
        close()
        desk.ended(self)
    }

    /// Closes the connection without telling the desk.
    func close() {
        guard let number = socket?.number else { return }
        loop.unregister(registration, descriptor: number)
        registration = .none
        socket = nil
    }
}
