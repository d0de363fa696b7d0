internal import EventLoop
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SystemCalls
internal import Telemetry

/// How one process of a node takes the place of another.
///
///     old: serves ──────────────────────── steps back ─ retires: finishes exchanges ──▶ ends
///     new:          starts ─ has the sockets ─ ready ──── serves ────────────────────────────▶
extension NodeProcess {
    // MARK: The new process

    /// Takes over from the process that runs in the node's directory.
    ///
    /// - Throws: Why it cannot; the other process goes on.
    func takeOver(_ fleet: FleetSettings) throws(NodeError) {
        let inheritance = try Inheritance(from: fleet.directory)
        let succession = try Succession(inheritance, node: self)
        self.succession = succession
        leavesSession = true
        admin = try AdminListener(
            settings.admin,
            inherited: inheritance.takeAdmin(settings.admin),
            node: self
        )
        keepHouse()
        let agent = try ControlAgent(fleet, node: self, lock: inheritance.takeLock())
        self.agent = agent
        upgrades = try UpgradeDesk(
            node: self,
            agent: agent,
            inherited: inheritance.takeUpgrades()
        )
        watchUpstreams()
        server.inherit(inheritance.listeners)
        try agent.start()
        // There is nothing on the disk to be served.
        if agent.sequence.pending == nil { succession.settled() }
    }

    /// It accepts what comes, and nobody else does.
    func succeeded() {
        do throws(NodeError) {
            try admin?.open()
            try upgrades?.open()
        } catch {
            // It serves, and that is not undone because nobody can look at it.
            log.write(.error, "upgrade.incomplete", ["reason": error.description])
        }
        log.write(.notice, "node.took_over", ["build": buildVersion])
        leavesSession = false
        agent?.connect()
        announce()
    }

    // MARK: The old process

    /// Whether what the node serves must stay as it is, because it is being handed over.
    var isFrozen: Bool { upgrades?.isFrozen == true }

    /// Ends the session: another process is about to have one.
    func leaveSession() {
        leavesSession = true
        agent?.leave()
    }

    /// Has a session again, because the other process does not.
    func returnToSession() {
        leavesSession = false
        agent?.connect()
    }

    /// Does what was put off.
    func thaw() {
        let waiting = frozen
        frozen = []
        for action in waiting { action() }
    }

    /// Leaves everything to the process that has taken over, lets exchanges end, and ends.
    ///
    /// - Parameter listeners: Those that the other process serves.
    func retire(leaving listeners: Set<String>) {
        (hasRetired, isStopping, isDraining) = (true, true, true)
        frozen = []
        upgrades?.close(removesSocket: false)
        upgrades = nil
        admin?.retire()
        agent?.retire()
        // The directory's lock goes with it: from now on the other process alone has it.
        agent = nil
        undrainTimer?.cancel()
        log.write(.notice, "node.draining", ["deadline": drainText])
        drainTimer?.set(after: settings.drainTimeout)
        let mailbox = loop.mailbox
        let done = Handover { [weak self] in
            guard let self else { return }
            self.drained()
        }
        server.releaseListeners(listeners) { mailbox.post { done.value() } }
    }
}
