import FleetMessages
import FleetModel
import FleetProtocol
import NIOCore

/// What the server knows of one node: each fact by itself, as it was reported.
struct NodeEntry {
    let name: String
    let id: [UInt8]
    private(set) var labels: [String: String]
    /// What the node's token asks for.
    let tokenLabels: [String: String]
    var build = ""
    /// Whether the operator wants it drained.
    var drainIsWanted: Bool
    var isRevoked: Bool
    /// The session, while there is one.
    var connection: FleetConnection?
    /// When the last session closed, or when this process began to know of the node.
    var absentSince: NIODeadline
    /// When the session was last heard of.
    var heardAt: NIODeadline
    var seenAtMilliseconds: Int64?
    /// When it last asked for a certificate.
    var renewalAskedAt: NIODeadline?
    /// Whether it had a session with this process.
    var wasHeard = false
    /// Whether the store does not know yet when it was heard of.
    var isSeenUnsaved = false

    var active: Holding?
    var sent: Holding?
    var prepared: Holding?
    var failed: Holding?
    var problems: [Problem] = []
    var cause: ApplyReport.Cause?
    var lastGoodProblem: String?
    var heartbeat = WireHeartbeat()
    var isDraining = false
    var traffic: TrafficSummary?
    /// What it said of its material in this session.
    var material = NodeMaterial()
    /// Which challenges it answers, as it said in this session; 0 for none.
    var challenges: UInt64 = 0
    /// Whom it believes, and whose certificate it has, as it said last.
    var trust = NodeTrust()
    /// What it said of adjustments in this session; nil before.
    var adjusted: WireAdjustmentsStatus?
    /// How it sees its upstreams, as it said last.
    var upstreams = NodeUpstreams()
    /// When it was last told which there is.
    var materialSentAt: NIODeadline?

    init(_ record: NodeRecord, now: NIODeadline) {
        (name, id) = (record.name, record.id)
        (labels, tokenLabels) = (record.labels, record.tokenLabels)
        drainIsWanted = record.isDraining
        isRevoked = record.isRevoked
        seenAtMilliseconds = record.seenAtMilliseconds
        absentSince = now
        heardAt = now
    }

    /// Takes over what a Hello says.
    ///
    /// A node may be started with other labels than it joined with, but for those that its token asks for.
    mutating func greeted(_ hello: WireHello) {
        labels = hello.labels.merging(tokenLabels) { _, joined in joined }
        build = hello.build
        active = Holding(hello.active)
        isDraining = hello.draining
        prepared = nil
    }

    /// Takes over what became of a version.
    mutating func applied(_ report: ApplyReport) {
        active = report.active
        switch report.outcome {
        case .received: break
        case .prepared: prepared = report.subject
        case .active:
            clearFailure()
        case .confirmed(let problem):
            clearFailure()
            lastGoodProblem = problem
        case .rejected(let cause, let problems), .reverted(let cause, let problems):
            failed = report.subject
            self.cause = cause
            self.problems = problems
        }
    }

    private mutating func clearFailure() {
        failed = nil
        cause = nil
        problems = []
    }

    /// The one word that sums the node up.
    func state(head: Holding?, now: NIODeadline) -> NodeStatus.State {
        if isRevoked { return .revoked }
        if connection == nil {
            if now - absentSince > .seconds(Limits.unreachableAfterCloseSeconds) {
                return .unreachable
            }
            if !wasHeard { return .joining }
        } else if now - heardAt > .seconds(Limits.unreachableAfterSilenceSeconds) {
            return .unreachable
        }
        if drainIsWanted || isDraining { return .draining }
        guard let head else { return active == nil ? .steady : .syncing }
        if active?.digest == head.digest { return .steady }
        return failed?.digest == head.digest ? .stale : .syncing
    }

    /// All facts, for the admin API.
    func status(head: Holding?, now: NIODeadline) -> NodeStatus {
        let isFresh =
            traffic.map { summary in
                now - NIODeadline.uptimeNanoseconds(summary.receivedNanoseconds)
                    <= .seconds(Limits.metricsStaleSeconds)
            } ?? false
        return NodeStatus(
            name: name,
            state: state(head: head, now: now),
            labels: labels,
            build: build,
            active: active,
            desired: isRevoked ? nil : head,
            sent: sent,
            prepared: prepared,
            problems: problems,
            failed: failed,
            cause: cause,
            lastGoodProblem: lastGoodProblem,
            seenAtMilliseconds: seenAtMilliseconds,
            connectionCount: heartbeat.connections,
            loopLagMicroseconds: heartbeat.loopLagMicroseconds,
            memoryBytes: heartbeat.memoryBytes,
            isConnected: connection != nil,
            traffic: isFresh ? TrafficRates(CollectionOfOne(traffic).compactMap(\.self)) : .init(),
            material: material,
            challenges: challenges,
            trust: trust
        )
    }

    /// How far `version` has come on the node.
    func rollout(of version: Holding, head: Holding?, now: NIODeadline) -> RolloutStatus.Node {
        let nodeState = state(head: head, now: now)
        let rolloutState: RolloutStatus.State
        // Such a node takes no traffic, whatever it has: it is listed, and nobody waits for it.
        if [.revoked, .unreachable, .draining].contains(nodeState) {
            rolloutState = .excluded
        } else if active?.digest == version.digest {
            rolloutState = .applied
        } else if let failed, failed.digest == version.digest {
            rolloutState = .rejected
        } else if let active, (active.epoch, active.version) > (version.epoch, version.version) {
            rolloutState = .applied
        } else {
            rolloutState = .pending
        }
        let hasFailed = rolloutState == .rejected
        return RolloutStatus.Node(
            name: name,
            state: rolloutState,
            nodeState: nodeState,
            active: active,
            problems: hasFailed ? problems : [],
            cause: hasFailed ? cause : nil
        )
    }
}
