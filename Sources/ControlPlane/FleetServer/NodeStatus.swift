package import FleetModel
package import FleetProtocol

/// What is known of a node at one instant.
package struct NodeStatus: Sendable, Equatable {
    /// The one word that sums a node up.
    package enum State: String, Sendable, CaseIterable {
        /// It joined and has not said what it has.
        case joining
        /// It is being sent the head, or applies it.
        case syncing
        /// It serves the head.
        case steady
        /// It rejected the head and serves something else.
        case stale
        case draining
        /// No heartbeat for 30 seconds, or no session for 5.
        case unreachable
        case revoked
    }

    package let name: String
    package let state: State
    package let labels: [String: String]
    package let build: String
    /// What it serves.
    package let active: Holding?
    /// The head, as far as it concerns this node.
    package let desired: Holding?
    /// What it was last sent or told that it has.
    package let sent: Holding?
    /// What it has compiled and could serve.
    package let prepared: Holding?
    /// Why it does not serve `failed`.
    package let problems: [Problem]
    /// The version that it rejected or took back, and why, as long as nothing newer became active.
    package let failed: Holding?
    /// Whether it tries again by itself.
    package let cause: ApplyReport.Cause?
    /// Why it could not store what it serves for its next start; `nil` when it could.
    package let lastGoodProblem: String?
    /// When it was last heard of, in milliseconds since 1970; `nil` if never by this process.
    package let seenAtMilliseconds: Int64?
    package let connectionCount: UInt64
    package let loopLagMicroseconds: UInt64
    package let memoryBytes: UInt64
    /// Whether it has a session now.
    package let isConnected: Bool
    /// Exchanges per second and share of errors in its last report.
    package let traffic: TrafficRates
    /// What it said of its certificates and keys; of a node without a session, when it last had one.
    package var material = NodeMaterial()
    /// The generation of challenges that it answers; 0 for none.
    package var challenges: UInt64 = 0
    /// Whom it believes, and whose certificate it has, as it said last.
    package var trust = NodeTrust()
}

/// Traffic of a node or of the fleet.
package struct TrafficRates: Sendable, Equatable {
    package var requestsPerSecond: Double = 0
    /// Answers with status 5xx, as a share of all, from 0 to 1.
    package var errorShare: Double = 0
    /// Seconds; `nil` without any request.
    package var p50Seconds: Double?
    package var p99Seconds: Double?

    package init() {}
}

/// The fleet on one screen.
package struct FleetStatus: Sendable, Equatable {
    package let head: Holding?
    package let nodeCount: Int
    /// Without states that no node is in.
    package let countByState: [NodeStatus.State: Int]
    /// How many nodes serve which version; 0 is none.
    package let countByVersion: [UInt64: Int]
    /// Names of nodes with an open session that serve something else than the head.
    package let drifting: [String]
    package let rejections: [NodeStatus]
    package let traffic: TrafficRates
}

/// How far a version has come in the fleet.
package struct RolloutStatus: Sendable, Equatable {
    /// How far a version has come on one node.
    package enum State: String, Sendable {
        /// It serves the version, or a newer one.
        case applied
        case pending
        case rejected
        /// Unreachable, draining or revoked: not waited for.
        case excluded
    }

    /// One node's part.
    package struct Node: Sendable, Equatable {
        package let name: String
        package let state: State
        package let nodeState: NodeStatus.State
        package let active: Holding?
        package let problems: [Problem]
        package let cause: ApplyReport.Cause?
    }

    package let version: Holding
    package let nodes: [Node]

    /// Whether no node is pending.
    package var isDecided: Bool { !nodes.contains { $0.state == .pending } }
}

/// Why a command was not carried out.
package enum FleetCommandError: Error, Sendable, Equatable {
    case nodeUnknown(String)
    case nodeRevoked(String)
    case versionUnknown(UInt64)
    /// The store refused; details are in the log.
    case storeFailed(String)
}
