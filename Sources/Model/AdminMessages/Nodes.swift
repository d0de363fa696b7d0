/// One node and what it is really serving.
package struct NodeAnswer: Sendable, Hashable, Codable {
    /// Its name.
    package var name: String
    /// joining, syncing, steady, stale, draining, unreachable or revoked.
    package var state: String
    /// The version that it serves.
    package var version: UInt64?
    /// The digest that it serves: 64 hex digits.
    package var digest: String?
    /// The version that it should serve.
    package var desired: UInt64?
    /// Why it does not, if it said so.
    package var error: [ResourceError]?
    /// Its labels.
    package var labels: [String: String]
    /// The version of its program.
    package var build: String
    /// When it was heard of last, by RFC 3339.
    package var seenAt: String?

    /// Joins its parts.
    package init(
        name: String,
        state: String,
        version: UInt64? = nil,
        digest: String? = nil,
        desired: UInt64? = nil,
        error: [ResourceError]? = nil,
        labels: [String: String],
        build: String,
        seenAt: String? = nil
    ) {
        self.name = name
        self.state = state
        self.version = version
        self.digest = digest
        self.desired = desired
        self.error = error
        self.labels = labels
        self.build = build
        self.seenAt = seenAt
    }
}

/// Why a node cannot serve a version: one resource at fault.
package struct ResourceError: Sendable, Hashable, Codable {
    /// The resource kind's word.
    package var kind: String
    /// The resource's name.
    package var name: String
    /// The field's path; empty for the whole of it.
    package var field: String
    /// What is wrong.
    package var message: String

    /// Joins its parts.
    package init(
        kind: String,
        name: String,
        field: String,
        message: String
    ) {
        self.kind = kind
        self.name = name
        self.field = field
        self.message = message
    }
}

/// How far the nodes are with a version.
package struct RolloutAnswer: Sendable, Hashable, Codable {
    /// One node in a rollout.
    package struct Node: Sendable, Hashable, Codable {
        /// How far a node is with a version.
        package enum State: String, Sendable, Hashable, Codable {
            /// It serves the version's digest.
            case applied
            /// It has not answered yet.
            case pending
            /// It cannot serve the version.
            case rejected
            /// Nobody waits for it.
            case excluded
        }

        /// Its name.
        package var name: String
        /// How far it is.
        package var state: State
        /// Why it is excluded: unreachable, draining or revoked.
        package var reason: String?
        /// Why it rejected the version.
        package var errors: [ResourceError]

        /// Joins its parts.
        package init(
            name: String,
            state: State,
            reason: String? = nil,
            errors: [ResourceError]
        ) {
            self.name = name
            self.state = state
            self.reason = reason
            self.errors = errors
        }
    }

    /// The version.
    package var version: UInt64
    /// Its digest: 64 hex digits.
    package var digest: String
    /// The nodes with a session when it was made and those that joined since; all others as excluded.
    package var nodes: [Node]

    /// Joins its parts.
    package init(
        version: UInt64,
        digest: String,
        nodes: [Node]
    ) {
        self.version = version
        self.digest = digest
        self.nodes = nodes
    }
}

/// How the fleet is.
package struct StatusAnswer: Sendable, Hashable, Codable {
    /// How many nodes serve a version.
    package struct VersionCount: Sendable, Hashable, Codable {
        /// The version.
        package var version: UInt64
        /// The number of nodes.
        package var nodes: Int

        /// Joins its parts.
        package init(
            version: UInt64,
            nodes: Int
        ) {
            self.version = version
            self.nodes = nodes
        }
    }

    /// The newest version; nothing before the first.
    package var head: UInt64?
    /// Its digest: 64 hex digits.
    package var digest: String?
    /// The number of nodes in each state.
    package var states: [String: Int]
    /// The number of nodes that serve each version, newest first.
    package var versions: [VersionCount]
    /// The nodes with an error.
    package var rejections: [NodeAnswer]
    /// Requests per second of all nodes, over the last reports.
    package var requestsPerSecond: Double
    /// The share of 5xx among them, from 0 to 1.
    package var errorShare: Double
    /// The median of their durations.
    package var p50Seconds: Double?
    /// The 99th percentile of their durations.
    package var p99Seconds: Double?
    /// What an operator should know, such as certificates that end soon; absent if there is nothing.
    package var warnings: [String]?

    /// Joins its parts.
    package init(
        head: UInt64? = nil,
        digest: String? = nil,
        states: [String: Int],
        versions: [VersionCount],
        rejections: [NodeAnswer],
        requestsPerSecond: Double,
        errorShare: Double,
        p50Seconds: Double? = nil,
        p99Seconds: Double? = nil
    ) {
        self.head = head
        self.digest = digest
        self.states = states
        self.versions = versions
        self.rejections = rejections
        self.requestsPerSecond = requestsPerSecond
        self.errorShare = errorShare
        self.p50Seconds = p50Seconds
        self.p99Seconds = p99Seconds
    }
}
