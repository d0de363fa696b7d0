internal import EventLoop
internal import FleetModel
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import Telemetry

/// Where a running node is asked to be replaced, and what it does for that (`UpgradeSequence`).
///
///     DIR/upgrade.socket   0600; the node's user and root are listened to
///
/// Confined to the process's loop.
final class UpgradeDesk: EventHandler {
    static let socketName = "upgrade.socket"

    private unowned let node: NodeProcess
    private let agent: ControlAgent
    private var socket: FileDescriptor?
    private var registration = Registration.none
    private var peers: [ObjectIdentifier: UpgradePeer] = [:]

    private var sequence = UpgradeSequence()
    /// Whoever asked, if it still waits.
    private var caller: UpgradePeer?
    private var successor: UpgradePeer?
    private var sibling: Sibling?
    private var successorBuild = ""
    /// What is to be sent to the successor, next one first.
    private var estate: [(message: HandoverMessage, descriptors: DescriptorBundle)] = []
    private var handed: [(name: String, address: String)] = []
    private var deadline: LoopTimer?
    private var settleTimer: LoopTimer?

    /// Listens, or goes on with the socket that was handed over.
    ///
    /// - Throws: `NodeError` when the socket cannot be made.
    init(
        node: NodeProcess,
        agent: ControlAgent,
        inherited: consuming FileDescriptor? = nil
    ) throws(NodeError) {
        (self.node, self.agent) = (node, agent)
        if let inherited = consume inherited {
            socket = consume inherited
        } else {
            do throws(SystemCallError) {
                socket = try LocalSocket.listen(
                    folder: agent.directory.path,
                    name: Self.socketName,
                    backlog: Int32(Limits.upgradePeersMax)
                )
            } catch {
                throw NodeError(
                    "cannot make \(agent.directory.path)/\(Self.socketName): \(error.errno.message)"
                )
            }
        }
        deadline = LoopTimer(on: node.loop) { [unowned self] in timedOut() }
        settleTimer = LoopTimer(on: node.loop) { [unowned self] in settle() }
    }

    /// Begins to take requests.
    func open() throws(NodeError) {
        guard let number = socket?.number else { return }
        do throws(SystemCallError) {
            registration = try node.loop.registerLevelTriggered(self, descriptor: number)
        } catch {
            throw NodeError("cannot watch \(Self.socketName): \(error)")
        }
    }

    /// Whether what the node serves must stay as it is, because it is being handed over.
    var isFrozen: Bool { sequence.isFrozen }

    /// The process is to end: whatever is under way comes to nothing.
    func abandon() {
        perform(sequence.failed("the node was told to end"))
    }

    /// Closes everything.
    ///
    /// - Parameter removesSocket: Whether nobody else listens on it.
    func close(removesSocket: Bool) {
        perform(sequence.failed("the node ends"))
        if let number = socket?.number { node.loop.unregister(registration, descriptor: number) }
        if removesSocket, socket != nil {
            // One that stays is replaced at the next start.
            try? removeFile("\(agent.directory.path)/\(Self.socketName)")
        }
        socket = nil
        for peer in peers.values { peer.close() }
        peers = [:]
        deadline?.stop()
        settleTimer?.stop()
    }

    // MARK: Connections

    func ready(_ readiness: Readiness) {
        guard let number = socket?.number else { return }
        while true {
            switch accept(number) {
            case .accepted(let descriptor, _): admit(FileDescriptor(owning: descriptor))
            case .wouldBlock: return
            case .failed(let errno):
                node.log.write(.warning, "upgrade.unheard", ["reason": errno.message])
                return pause(number)
            }
        }
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

    private func admit(_ connection: consuming FileDescriptor) {
        do throws(SystemCallError) {
            let peer = try LocalSocket.peer(of: connection.number)
            guard peer.user == effectiveUserID() || peer.user == 0,
                peers.count < Limits.upgradePeersMax
            else {
                return node.log.write(.warning, "upgrade.stranger", ["user": "\(peer.user)"])
            }
            let admitted = try UpgradePeer(
                connection,
                process: peer.process,
                desk: self,
                loop: node.loop
            )
            peers[ObjectIdentifier(admitted)] = admitted
        } catch {
            node.log.write(.warning, "upgrade.unheard", ["reason": "\(error)"])
        }
    }

    func received(_ message: HandoverMessage, from peer: UpgradePeer) {
        switch message.word {
        case .upgrade: requested(message, by: peer)
        case .takeOver: tookOver(message, peer)
        case .next where peer === successor: sendNext()
        case .ready where peer === successor:
            successorBuild = message.fields.first ?? ""
            perform(sequence.ready(except: Array(message.fields.dropFirst())))
        case .serving where peer === successor: perform(sequence.serving())
        case .failed where peer === successor:
            perform(sequence.failed(message.fields.first ?? "the new process gave up"))
        default: drop(peer)
        }
    }

    /// The other end has closed a connection.
    func ended(_ peer: UpgradePeer) {
        peers[ObjectIdentifier(peer)] = nil
        // The upgrade goes on without whoever asked; the log says what came of it.
        if peer === caller { caller = nil }
        if peer === successor {
            perform(sequence.failed("the new process ended before it served; its log says why"))
        }
    }

    private func drop(_ peer: UpgradePeer) {
        peer.close()
        ended(peer)
    }

    // MARK: Events

    private func requested(_ message: HandoverMessage, by peer: UpgradePeer) {
        guard message.fields.count >= 3, message.fields[0] == HandoverMessage.version,
            let milliseconds = Int64(message.fields[2]), milliseconds > 0
        else {
            let reason = "the running node is of another build: restart it"
            peer.send(HandoverMessage(.failed, [reason]))
            return drop(peer)
        }
        if sequence.isBusy {
            peer.send(HandoverMessage(.busy))
            return drop(peer)
        }
        guard !node.isStopping else {
            peer.send(HandoverMessage(.failed, ["the node is about to end"]))
            return drop(peer)
        }
        let given = Array(message.fields.dropFirst(3))
        let order = UpgradeOrder(
            program: message.fields[1],
            arguments: given.isEmpty ? node.settings.arguments : given,
            timeout: .milliseconds(milliseconds)
        )
        caller = peer
        deadline?.set(after: order.timeout)
        node.log.write(.notice, "upgrade.begun", ["program": order.program])
        perform(sequence.requested(order))
    }

    private func tookOver(_ message: HandoverMessage, _ peer: UpgradePeer) {
        let version = message.fields.first ?? ""
        if let refusal = sequence.tookOver(process: peer.process, version: version) {
            peer.send(HandoverMessage(.failed, [refusal]))
            let isOurs = peer.process == sibling?.number
            drop(peer)
            if isOurs { perform(sequence.failed(refusal)) }
            return
        }
        successor = peer
        sendNext()
    }

    private func sendNext() {
        guard !estate.isEmpty else { return }
        let (message, descriptors) = estate.removeFirst()
        if successor?.send(message, descriptors: descriptors.lent) != true {
            perform(sequence.failed("the sockets could not be sent to the new process"))
        }
    }

    private func timedOut() {
        perform(sequence.failed("it took too long; --timeout allows for more"))
    }

    fileprivate func siblingEnded() {
        perform(sequence.failed("the new process ended before it served; its log says why"))
    }

    // MARK: Actions

    private func perform(_ actions: [UpgradeSequence.Action]) {
        for action in actions {
            switch action {
            case .settle: settle()
            case .gather: gather()
            case .launch(let order): launch(order)
            case .stepBack: stepBack()
            case .sayGo:
                if successor?.send(HandoverMessage(.go)) != true {
                    perform(sequence.failed("the new process does not answer"))
                }
            case .returnToService:
                node.server.resumeListeners()
                node.returnToSession()
            case .endSuccessor: sibling?.kill()
            case .retire(let exceptions): retire(except: exceptions)
            case .reportFailure(let reason): reportFailure(reason)
            }
        }
    }

    /// The new process starts from the disk: what is there must be what is served.
    private func settle() {
        if agent.isStored {
            return agent.afterPendingWrites { [weak self] in
                guard let self else { return }
                // Meanwhile a version may have come.
                if self.agent.isStored {
                    self.perform(self.sequence.settled())
                } else {
                    self.settle()
                }
            }
        }
        if let reason = agent.storeProblem {
            return perform(
                sequence.failed("what is served could not be stored for the new process: \(reason)")
            )
        }
        settleTimer?.set(after: .milliseconds(Limits.upgradeSettleMilliseconds))
    }

    private func gather() {
        let mailbox = node.loop.mailbox
        let done = Handover {
            [weak self] (listeners: ProxyServer.DuplicatedListeners) in
            self?.gathered(listeners)
        }
        node.server.duplicateListeners { listeners in
            mailbox.post { done.value(listeners.value) }
        }
    }

    private func gathered(_ listeners: ProxyServer.DuplicatedListeners) {
        do throws(SystemCallError) {
            let listeners = try listeners.get().sorted { $0.name < $1.name }
            handed = listeners.map { ($0.name, "\($0.actual)") }
            estate = try makeEstate(listeners)
        } catch {
            return perform(sequence.failed("the sockets cannot be handed over: \(error)"))
        }
        perform(sequence.gathered())
    }

    private func makeEstate(
        _ listeners: [ListenerSockets]
    ) throws(SystemCallError) -> [(message: HandoverMessage, descriptors: DescriptorBundle)] {
        var estate: [(message: HandoverMessage, descriptors: DescriptorBundle)] = []
        func add(_ word: HandoverMessage.Word, _ fields: [String], _ descriptors: [Int32]) {
            let bundle = DescriptorBundle(owning: descriptors)
            estate.append((HandoverMessage(word, fields), bundle))
        }
        add(.lock, [], [try agent.directory.duplicateLock().release()])
        if let number = socket?.number { add(.upgrades, [], [try duplicate(number).release()]) }
        if let admin = node.admin, let copy = try admin.duplicateSocket() {
            add(.admin, ["\(node.settings.admin)"], [copy.release()])
        }
        for listener in listeners {
            let fields = [listener.name, listener.configured, "\(listener.actual)"]
            var sockets = listener.sockets.take()[...]
            while !sockets.isEmpty {
                add(.listener, fields, Array(sockets.prefix(Limits.handoverDescriptorsMax)))
                sockets = sockets.dropFirst(Limits.handoverDescriptorsMax)
            }
        }
        add(.end, [node.served?.digest.hex ?? ""], [])
        return estate
    }

    private func launch(_ order: UpgradeOrder) {
        do throws(SystemCallError) {
            let process = try SiblingProcess(
                order.program,
                arguments: [order.program] + order.arguments + [NodeSettings.takeOverOption]
            )
            let number = process.number
            sibling = try Sibling(process, desk: self, loop: node.loop)
            sequence.launched(process: number)
            caller?.send(HandoverMessage(.started, ["\(number)"]))
        } catch {
            let isFirst = processID() == 1
            perform(
                sequence.failed(
                    isFirst
                        ? "the node is the first process of its container and cannot be replaced in it: "
                            + "replace the container"
                        : "cannot start \(order.program): \(error.errno.message)"
                )
            )
        }
    }

    private func stepBack() {
        // Nobody accepts until the new process does, which takes it some milliseconds, or never happens.
        deadline?.set(after: .milliseconds(Limits.changeOverMilliseconds))
        node.leaveSession()
        let mailbox = node.loop.mailbox
        let done = Handover { [weak self] in
            guard let self else { return }
            self.perform(self.sequence.steppedBack())
        }
        node.server.holdListeners { mailbox.post { done.value() } }
    }

    private func retire(except exceptions: [String]) {
        deadline?.cancel()
        let number = sibling?.number ?? 0
        let names = handed.map(\.name).filter { !exceptions.contains($0) }
        var fields = ["\(processID())", "\(number)", successorBuild, "\(names.count)"]
        for listener in handed.prefix(Limits.upgradeListenersNamed)
        where !exceptions.contains(listener.name) {
            fields += [listener.name, listener.address]
        }
        node.log.write(.notice, "upgrade.done", ["process": "\(number)", "build": successorBuild])
        notifyServiceManager("MAINPID=\(number)")
        caller?.send(HandoverMessage(.done, fields))
        caller = nil
        successor = nil
        sibling?.stop()
        sibling = nil
        estate = []
        node.retire(leaving: Set(names))
    }

    private func reportFailure(_ reason: String) {
        deadline?.cancel()
        settleTimer?.cancel()
        node.log.write(.error, "upgrade.failed", ["reason": reason])
        if let caller {
            caller.send(HandoverMessage(.failed, [reason]))
            self.caller = nil
            drop(caller)
        }
        if let successor {
            self.successor = nil
            drop(successor)
        }
        sibling?.stop()
        sibling = nil
        estate = []
        node.thaw()
    }
}

/// The process that was started, for as long as it has not taken over.
private final class Sibling: EventHandler {
    private let process: SiblingProcess
    private unowned let desk: UpgradeDesk
    private let loop: EventLoop
    private var registration = Registration.none

    var number: Int32 { process.number }

    init(
        _ process: consuming SiblingProcess,
        desk: UpgradeDesk,
        loop: EventLoop
    ) throws(SystemCallError) {
        self.process = process
        (self.desk, self.loop) = (desk, loop)
        registration = try loop.registerLevelTriggered(self, descriptor: self.process.watchNumber)
    }

    func ready(_ readiness: Readiness) { desk.siblingEnded() }

    func kill() { process.kill() }

    /// Watches it no longer.
    func stop() {
        loop.unregister(registration, descriptor: process.watchNumber)
        registration = .none
    }
}
