internal import EventLoop
internal import FleetModel
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import Telemetry

/// A new process on its way to take over: it has the old one's sockets, and accepts nothing yet.
///
///     preparing ──serves──▶ ready ──go──▶ opening ──every worker accepts──▶ serving
///         │ cannot serve      │ old process gave up
///         └──▶ ended          └──▶ ended
///
/// If the old process has died instead, this one takes over as soon as it can. Confined to the process's loop.
final class Succession: EventHandler {
    private unowned let node: NodeProcess
    private let inherited: [(name: String, configured: String)]
    private let digest: String
    private var channel: FileDescriptor?
    private var registration = Registration.none
    private var phase = Phase.preparing
    /// Whether the old process has died.
    private var isOrphaned = false
    /// What stands against the version that is to be served.
    private var problem: String?

    private enum Phase {
        case preparing
        case ready
        case opening
        case serving
        case ended
    }

    /// Listens to the old process.
    ///
    /// - Throws: `NodeError` when the connection to it cannot be watched.
    init(_ inheritance: Inheritance, node: NodeProcess) throws(NodeError) {
        self.node = node
        digest = inheritance.digest
        inherited = inheritance.listeners.map { ($0.name, $0.configured) }
        channel = inheritance.takeChannel()
        do throws(SystemCallError) {
            guard let number = channel?.number else { return }
            try setNonBlocking(number)
            registration = try node.loop.registerLevelTriggered(self, descriptor: number)
        } catch {
            throw NodeError("cannot watch the process that is to be replaced: \(error)")
        }
    }

    /// Whether this process serves in the other one's place.
    var hasTakenOver: Bool { phase == .opening || phase == .serving }

    // MARK: Events

    /// Something stands against the version.
    func note(_ problems: [Problem]) {
        problem = problem ?? problems.first?.description
    }

    /// The node serves what it found on its disk, or knows why not.
    func settled() {
        guard phase == .preparing else { return }
        let served = node.served?.digest.hex ?? ""
        guard served == digest || digest.isEmpty else {
            return fail(problem ?? "the new process found another version on the disk")
        }
        phase = .ready
        if isOrphaned { return takeOver() }
        let serves = Set(
            node.served?.share.listeners.map { "\($0.name) \($0.address)" } ?? []
        )
        let exceptions = inherited.filter { !serves.contains("\($0.name) \($0.configured)") }
        say(HandoverMessage(.ready, [buildVersion] + exceptions.map(\.name)))
    }

    /// The node cannot begin.
    func fail(_ reason: String) {
        guard phase == .preparing || phase == .ready else { return }
        say(HandoverMessage(.failed, [reason]))
        phase = .ended
        node.fail(NodeError("cannot take over: \(reason)"))
    }

    func ready(_ readiness: Readiness) {
        guard let number = channel?.number else { return }
        do throws(SystemCallError) {
            switch try LocalSocket.receive(number, octetsMax: Limits.upgradeMessageBytesMax) {
            case .message(let octets, _):
                let message = HandoverMessage(octets: octets)
                if message?.word == .go, phase == .ready { takeOver() }
            case .wouldBlock: break
            case .end: lost()
            }
        } catch {
            lost()
        }
    }

    /// The old process has closed the connection: it has died, for whoever gives up ends this process.
    private func lost() {
        close()
        guard phase == .preparing || phase == .ready else { return }
        node.log.write(.warning, "upgrade.orphaned", ["reason": "the old process has ended"])
        isOrphaned = true
        if phase == .ready { takeOver() }
    }

    // MARK: Taking over

    private func takeOver() {
        phase = .opening
        let mailbox = node.loop.mailbox
        let done = Handover { [weak self] in
            guard let self else { return }
            self.opened()
        }
        node.server.openInherited { mailbox.post { done.value() } }
    }

    private func opened() {
        guard phase == .opening else { return }
        phase = .serving
        say(HandoverMessage(.serving))
        node.succeeded()
    }

    private func say(_ message: HandoverMessage) {
        guard let number = channel?.number else { return }
        // That the old process has died is seen by the end of the connection.
        try? LocalSocket.send(number, message.octets)
    }

    /// Ends the connection to the old process.
    func close() {
        guard let number = channel?.number else { return }
        node.loop.unregister(registration, descriptor: number)
        registration = .none
        channel = nil
    }
}
