package import FleetModel

/// What becomes of the versions that a node is offered: at most one is being applied, and the newest waits.
///
///     idle --offered--> preparing --prepared--> activating --activated--> confirming --confirmed--> idle
///                        |  ^  \                  |                          |
///                        |  |   \--failed---------+                          +--reverted--> idle
///                        |  |        |     \
///             retryDue   |  |        |      \--content--> idle, digest quarantined
///                        |  |   environment
///                        |  +--- waiting <--/
///                        +--offered (replaces it)
///
/// It outlives sessions: a node goes on trying to take a port while the control plane is away. Nothing is applied
/// twice at once, so a version that was overtaken while it was prepared is discarded and never served. The same
/// content under a newer number does not overtake it: it is applied and then renumbered.
package struct ApplySequence: ~Copyable {
    /// What the caller is to do, in the order given.
    package enum Action: Sendable, Equatable {
        /// Compile it and find out what stands against it, then call `prepared` or `failed`.
        case prepare(Candidate)
        /// Serve what was prepared, then call `activated` or `failed`.
        case activate(Candidate)
        /// Store it as last good, then call `confirmed` (or `reverted`, if it did harm).
        case confirm(Candidate)
        /// Forget what was prepared: it has been overtaken.
        case discard(Digest)
        /// What is served has a newer number; last good is to say so.
        case renumber(SignedHead)
        /// Tell the control plane: `NodeSession.report`.
        case report(ApplyReport)
        /// Call `retryDue` after this time.
        case retryAfter(Duration)
        case cancelRetry
    }

    /// What is being served.
    package private(set) var active: SignedManifest?
    private var state: State = .idle
    private var next: Next?
    private var quarantine: [(digest: Digest, problems: [Problem])] = []
    private var backoff = Backoff(
        first: .seconds(Limits.retrySecondsMin),
        cap: .seconds(Limits.retrySecondsMax)
    )

    private enum State {
        case idle
        case preparing(Candidate)
        case activating(Candidate)
        case confirming(Candidate, previous: SignedManifest?)
        /// Failed for a reason outside the content; the report is repeated to a new session.
        case waiting(Candidate, ApplyReport)
    }

    private enum Next {
        case candidate(Candidate)
        /// The head is what is being served or applied.
        case settled(SignedHead)

        var digest: Digest {
            switch self {
            case .candidate(let candidate): candidate.digest
            case .settled(let head): head.digest
            }
        }
    }

    /// - Parameter active: What the node serves already, such as last good at the start.
    package init(active: SignedManifest?) {
        self.active = active
    }

    // MARK: State

    /// Digests whose content was rejected, oldest first.
    package var quarantined: [Digest] { quarantine.map(\.digest) }

    /// What is being applied or waits for another attempt.
    package var pending: Candidate? {
        switch state {
        case .idle: nil
        case .preparing(let candidate), .activating(let candidate): candidate
        case .confirming(let candidate, _), .waiting(let candidate, _): candidate
        }
    }

    /// What to report once a new session is established: a failure that still stands.
    package var standingReport: ApplyReport? {
        if case .waiting(_, let report) = state { report } else { nil }
    }

    // MARK: Events of the session

    /// A version arrived, complete and verified.
    package mutating func offered(_ candidate: Candidate) -> [Action] {
        let received = report(candidate, .received)
        if let problems = quarantine.first(where: { $0.digest == candidate.digest })?.problems {
            return [report(candidate, .rejected(.content, problems))]
        }
        switch state {
        case .idle:
            if active?.head.digest == candidate.digest { return settled(candidate.version.head) }
            backoff.reset()
            state = .preparing(candidate)
            return [received, .prepare(candidate)]
        case .waiting(let old, _):
            if old.digest != candidate.digest { backoff.reset() }
            if active?.head.digest == candidate.digest { return settled(candidate.version.head) }
            state = .preparing(candidate)
            return [.cancelRetry, received, .prepare(candidate)]
        case .preparing(let current), .activating(let current), .confirming(let current, _):
            // The same content again, as after a new session: the work goes on, under the newest number.
            next =
                current.digest == candidate.digest
                ? .settled(candidate.version.head) : .candidate(candidate)
            return [received]
        }
    }

    /// A version arrived that is quarantined here.
    package mutating func offeredQuarantined(_ head: SignedHead) -> [Action] {
        let problems = quarantine.first { $0.digest == head.digest }?.problems ?? []
        return [
            .report(
                ApplyReport(
                    subject: Holding(head),
                    outcome: .rejected(.content, problems),
                    active: active.map { Holding($0.head) }
                )
            )
        ]
    }

    /// The control plane's head has the content that is being served.
    package mutating func settled(_ head: SignedHead) -> [Action] {
        switch state {
        case .idle: return renumber(head)
        case .waiting:
            state = .idle
            return [.cancelRetry] + renumber(head)
        case .preparing, .activating, .confirming:
            next = .settled(head)
            return []
        }
    }

    /// The operator wants rejected content to be tried again; the caller then says Hello again.
    package mutating func forgetQuarantine() {
        quarantine = []
    }

    // MARK: Events of applying

    /// The version compiles and nothing stands against it.
    package mutating func prepared() -> [Action] {
        guard case .preparing(let candidate) = state else { return [] }
        if let next, next.digest != candidate.digest {
            state = .idle
            return [.discard(candidate.digest)] + goOn()
        }
        state = .activating(candidate)
        return [report(candidate, .prepared), .activate(candidate)]
    }

    /// Every worker serves the version.
    package mutating func activated() -> [Action] {
        guard case .activating(let candidate) = state else { return [] }
        state = .confirming(candidate, previous: active)
        active = candidate.version
        return [report(candidate, .active), .confirm(candidate)]
    }

    /// The version could not be prepared or activated; what was served before still is.
    ///
    /// `random` is the source of the back-off's jitter.
    package mutating func failed(
        _ cause: ApplyReport.Cause,
        _ problems: [Problem],
        using random: inout some RandomNumberGenerator
    ) -> [Action] {
        var candidate: Candidate
        switch state {
        case .preparing(let current), .activating(let current): candidate = current
        case .idle, .confirming, .waiting: return []
        }
        if case .settled(let head)? = next, let newer = candidate.renumbered(head) {
            // Nothing overtook it: it is tried again, or rejected, under the newest number.
            next = nil
            candidate = newer
        }
        let rejection = makeReport(candidate, .rejected(cause, problems))
        switch cause {
        case .content:
            reject(candidate.digest, problems)
            state = .idle
            return [.report(rejection)] + goOn()
        case .environment where next != nil:
            state = .idle
            return [.report(rejection)] + goOn()
        case .environment:
            state = .waiting(candidate, rejection)
            return [.report(rejection), .retryAfter(backoff.next(using: &random))]
        }
    }

    /// The version is stored as last good, or could not be.
    package mutating func confirmed(lastGoodProblem: String?) -> [Action] {
        guard case .confirming(let candidate, _) = state else { return [] }
        state = .idle
        backoff.reset()
        return [report(candidate, .confirmed(lastGoodProblem: lastGoodProblem))] + goOn()
    }

    /// The version did harm, and the one before is served again.
    package mutating func reverted(_ cause: ApplyReport.Cause, _ problems: [Problem]) -> [Action] {
        guard case .confirming(let candidate, let previous) = state else { return [] }
        state = .idle
        active = previous
        // Whatever the cause: serving it again would do the same harm.
        reject(candidate.digest, problems)
        return [report(candidate, .reverted(cause, problems))] + goOn()
    }

    /// The time set by `retryAfter` has passed.
    package mutating func retryDue() -> [Action] {
        guard case .waiting(let candidate, _) = state else { return [] }
        state = .preparing(candidate)
        return [.prepare(candidate)]
    }

    // MARK: Helpers

    /// Takes up what arrived meanwhile.
    ///
    /// The state is idle.
    private mutating func goOn() -> [Action] {
        switch next.take() {
        case nil: return []
        case .settled(let head)?: return settled(head)
        case .candidate(let candidate)?:
            if quarantine.contains(where: { $0.digest == candidate.digest }) {
                return offered(candidate)
            }
            if active?.head.digest == candidate.digest { return settled(candidate.version.head) }
            backoff.reset()
            state = .preparing(candidate)
            return [.prepare(candidate)]
        }
    }

    private mutating func renumber(_ head: SignedHead) -> [Action] {
        guard let active, active.head.digest == head.digest else { return [] }
        guard !active.head.isSame(as: head),
            let renumbered = SignedManifest(head: head, manifest: active.manifest)
        else { return [] }
        self.active = renumbered
        let subject = Holding(head)
        let report = ApplyReport(subject: subject, outcome: .active, active: subject)
        return [.renumber(head), .report(report)]
    }

    private mutating func reject(_ digest: Digest, _ problems: [Problem]) {
        quarantine.removeAll { $0.digest == digest }
        if quarantine.count == Limits.quarantinedDigestCountMax { quarantine.removeFirst() }
        quarantine.append((digest, problems))
    }

    private func makeReport(
        _ candidate: Candidate,
        _ outcome: ApplyReport.Outcome
    ) -> ApplyReport {
        ApplyReport(
            subject: Holding(candidate.version.head),
            outcome: outcome,
            active: active.map { Holding($0.head) }
        )
    }

    private func report(_ candidate: Candidate, _ outcome: ApplyReport.Outcome) -> Action {
        .report(makeReport(candidate, outcome))
    }
}
