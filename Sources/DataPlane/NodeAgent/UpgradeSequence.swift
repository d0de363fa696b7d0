/// What an operator asks of a running node: to be replaced.
package struct UpgradeOrder: Equatable, Sendable {
    /// The program to start.
    package let program: String
    /// What `proxy-node` is called with after its name.
    package let arguments: [String]
    /// How long all of it may take.
    package let timeout: Duration

    package init(program: String, arguments: [String], timeout: Duration) {
        (self.program, self.arguments, self.timeout) = (program, arguments, timeout)
    }
}

/// How a process has another one take its place, and goes on as before if that fails at any step.
///
///     idle ──requested──▶ settling ──settled──▶ gathering ──gathered──▶ starting ──launched──▶ awaiting
///                                                                                                 │ tookOver
///      ┌──────────────── serving ── going ◀──steppedBack── steppingBack ◀──ready── giving ◀───────┘
///      ▼
///     gone                 every state but gone: ──failed──▶ idle
///
/// Until `going` the old process serves alone; from then on the new one does. In `steppingBack` and `going` nobody
/// accepts for some milliseconds, and what comes waits in the queues.
package struct UpgradeSequence: ~Copyable {
    /// What the caller is to do, in the order given.
    package enum Action: Equatable, Sendable {
        /// Wait until what is served is what is stored, then call `settled`.
        case settle
        /// Collect what is to be handed over, then call `gathered`.
        case gather
        /// Start the program, then call `launched`.
        case launch(UpgradeOrder)
        /// Accept nothing and leave the session, then call `steppedBack`.
        case stepBack
        /// Tell the new process that nobody else accepts.
        case sayGo
        /// Accept again, and have a session again.
        case returnToService
        /// End the new process, if it has not ended.
        case endSuccessor
        /// Go for good; the new process serves what it was handed, but for these listeners.
        case retire(except: [String])
        /// Tell whoever asked that it failed.
        case reportFailure(String)
    }

    private enum State {
        case idle
        case settling(UpgradeOrder)
        case gathering(UpgradeOrder)
        case starting
        case awaiting(process: Int32)
        case giving
        case steppingBack(except: [String])
        case going(except: [String])
        case gone
    }

    private var state = State.idle

    package init() {}

    /// Whether an upgrade is under way.
    package var isBusy: Bool { if case .idle = state { false } else { true } }

    /// Whether what the node serves must stay as it is, because it is being handed over.
    package var isFrozen: Bool {
        switch state {
        case .idle, .settling, .gone: false
        case .gathering, .starting, .awaiting, .giving, .steppingBack, .going: true
        }
    }

    /// Whether the new process has taken over.
    package var isGone: Bool { if case .gone = state { true } else { false } }

    // MARK: Events

    /// An operator wants an upgrade; call it only when none is under way.
    package mutating func requested(_ order: UpgradeOrder) -> [Action] {
        precondition(!isBusy, "an upgrade is under way")
        state = .settling(order)
        return [.settle]
    }

    /// What is served is what is stored, and nothing is about to change that.
    package mutating func settled() -> [Action] {
        guard case .settling(let order) = state else { return [] }
        state = .gathering(order)
        return [.gather]
    }

    /// What is to be handed over is at hand.
    package mutating func gathered() -> [Action] {
        guard case .gathering(let order) = state else { return [] }
        state = .starting
        return [.launch(order)]
    }

    /// The program runs.
    package mutating func launched(process: Int32) {
        guard case .starting = state else { return }
        state = .awaiting(process: process)
    }

    /// A process asks to take over.
    ///
    /// - Parameters:
    ///   - process: Which.
    ///   - version: That of its messages.
    /// - Returns: Why it may not, or `nil`.
    package mutating func tookOver(process: Int32, version: String) -> String? {
        guard case .awaiting(process) = state else {
            return "it is not the process that was started to take over"
        }
        guard version == HandoverMessage.version else {
            return "the new build speaks version \(version) of the hand-over, and this one "
                + "version \(HandoverMessage.version): restart the node instead"
        }
        state = .giving
        return nil
    }

    /// The new process would serve now.
    ///
    /// - Parameter exceptions: Listeners that it was handed and does not serve.
    /// - Returns: What to do.
    package mutating func ready(except exceptions: [String]) -> [Action] {
        guard case .giving = state else { return [] }
        state = .steppingBack(except: exceptions)
        return [.stepBack]
    }

    /// Nothing is accepted here any more.
    package mutating func steppedBack() -> [Action] {
        guard case .steppingBack(let exceptions) = state else { return [] }
        state = .going(except: exceptions)
        return [.sayGo]
    }

    /// The new process accepts.
    package mutating func serving() -> [Action] {
        guard case .going(let exceptions) = state else { return [] }
        state = .gone
        return [.retire(except: exceptions)]
    }

    /// It comes to nothing: a step failed, the new process has ended, time is up, or this process is to end.
    package mutating func failed(_ reason: String) -> [Action] {
        let report = Action.reportFailure(reason)
        switch state {
        case .idle, .gone:
            return []
        case .settling, .gathering, .starting:
            state = .idle
            return [report]
        case .awaiting, .giving:
            state = .idle
            return [.endSuccessor, report]
        case .steppingBack, .going:
            state = .idle
            return [.endSuccessor, .returnToService, report]
        }
    }
}
