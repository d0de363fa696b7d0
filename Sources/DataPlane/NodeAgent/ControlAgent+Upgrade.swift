internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import SystemCalls

/// The agent's part in an upgrade: one process at a time talks to the control plane as this node.
extension ControlAgent {
    /// Whether a process that starts from the disk now would serve what this one serves.
    var isStored: Bool {
        !isApplying && !(link != nil && isJoining)
            && (served == nil || lastGood == served?.version.head)
    }

    /// Why it would not, if another attempt is not due at once.
    var storeProblem: String? { isApplying ? nil : unstoredReason }

    /// Whether a version is on its way that has not failed yet.
    private var isApplying: Bool { sequence.pending != nil && sequence.standingReport == nil }

    /// Calls `completion` when everything that was to be written so far is on the disk.
    func afterPendingWrites(_ completion: @escaping () -> Void) {
        bench.run({}) { completion() }
    }

    /// Ends the session, so that another process can have it.
    ///
    /// The control plane takes a node for gone only after some seconds without a session.
    func leave() {
        for timer in sessionTimers { timer.cancel() }
        node.isConnected = false
        guard let link else { return }
        self.link = nil
        link.perform(link.session.leave(.shutdown))
        link.abandon()
    }

    /// Ends for good, while the process goes on.
    func retire() {
        stop()
        let others = [retryTimer, storeTimer, materialTimer, adjustmentTimer].compactMap(\.self)
        for timer in sessionTimers + others { timer.stop() }
    }

    private var sessionTimers: [LoopTimer] {
        [
            reconnectTimer, synchroniseTimer, heartbeatTimer, reportTimer, renewalTimer,
            upstreamTimer,
        ]
        .compactMap(\.self)
    }
}
