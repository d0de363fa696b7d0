/// An upstream as the fleet sees it.
package struct UpstreamAnswer: Sendable, Hashable, Codable {
    /// What a node says of the whole of it.
    package struct Note: Sendable, Hashable, Codable {
        /// The node's name.
        package var node: String
        /// Panic, an open circuit, a name that does not resolve.
        package var note: String

        /// Joins both.
        package init(node: String, note: String) {
            (self.node, self.note) = (node, note)
        }
    }

    /// Its name.
    package var name: String
    /// Those of the configuration in its order, then those that were discovered.
    package var endpoints: [EndpointAnswer]
    /// What nodes say of the whole of it.
    package var notes: [Note]

    /// Joins its parts.
    package init(name: String, endpoints: [EndpointAnswer], notes: [Note]) {
        (self.name, self.endpoints, self.notes) = (name, endpoints, notes)
    }
}

/// An endpoint as the fleet sees it.
package struct EndpointAnswer: Sendable, Hashable, Codable {
    /// `host:port` or `unix:/path`.
    package var address: String
    /// Whether it came from DNS.
    package var discovered: Bool
    /// What most nodes say: healthy, unhealthy, ejected, drained, disabled, unresolved or unknown.
    package var state: String
    /// Why, as a node that says so has it.
    package var reason: String?
    /// Since when, by RFC 3339: of the nodes that say so, the first.
    package var since: String?
    /// When it was last checked, by RFC 3339.
    package var checkedAt: String?
    /// What came of that.
    package var check: String?
    /// Where nodes differ: `unhealthy on n2 only`; absent where they agree.
    package var disagreement: String?
    /// The configuration's weight; absent for one that was discovered.
    package var configuredWeight: Int?
    /// The largest weight that a node gives it now.
    package var weight: Int
    /// Open connections of all nodes.
    package var connections: UInt64
    /// Requests that are under way on all nodes.
    package var requests: UInt64
    /// What operators want of it.
    package var adjustments: [AdjustmentAnswer]
    /// What each node says.
    package var nodes: [EndpointNode]

    /// Joins its parts.
    package init(
        address: String,
        discovered: Bool,
        state: String,
        reason: String? = nil,
        since: String? = nil,
        checkedAt: String? = nil,
        check: String? = nil,
        disagreement: String? = nil,
        configuredWeight: Int? = nil,
        weight: Int,
        connections: UInt64,
        requests: UInt64,
        adjustments: [AdjustmentAnswer],
        nodes: [EndpointNode]
    ) {
        (self.address, self.discovered, self.state) = (address, discovered, state)
        (self.reason, self.since) = (reason, since)
        (self.checkedAt, self.check) = (checkedAt, check)
        self.disagreement = disagreement
        (self.configuredWeight, self.weight) = (configuredWeight, weight)
        (self.connections, self.requests) = (connections, requests)
        (self.adjustments, self.nodes) = (adjustments, nodes)
    }
}

/// How one node sees an endpoint.
package struct EndpointNode: Sendable, Hashable, Codable {
    /// The node's name.
    package var node: String
    /// As of the endpoint.
    package var state: String
    /// Why; absent if there is nothing to say.
    package var reason: String?
    /// Since when, by RFC 3339.
    package var since: String?
    /// When the node checked it last, by RFC 3339.
    package var checkedAt: String?
    /// What came of that.
    package var check: String?
    /// The weight that the node gives it.
    package var weight: Int
    /// Its open connections.
    package var connections: UInt64
    /// Requests that are under way there.
    package var requests: UInt64
    /// Whether the node has no session, so that it may be otherwise by now.
    package var stale: Bool

    /// Joins its parts.
    package init(
        node: String,
        state: String,
        reason: String? = nil,
        since: String? = nil,
        checkedAt: String? = nil,
        check: String? = nil,
        weight: Int,
        connections: UInt64,
        requests: UInt64,
        stale: Bool
    ) {
        (self.node, self.state, self.reason, self.since) = (node, state, reason, since)
        (self.checkedAt, self.check, self.weight) = (checkedAt, check, weight)
        (self.connections, self.requests, self.stale) = (connections, requests, stale)
    }
}

/// What an operator wants of an endpoint, beside the configuration.
package struct AdjustmentAnswer: Sendable, Hashable, Codable {
    /// The upstream.
    package var upstream: String
    /// The endpoint's address.
    package var endpoint: String
    /// drain, disable or weight.
    package var action: String
    /// The weight, with that action.
    package var weight: Int?
    /// When it ends by itself, by RFC 3339; absent for never.
    package var until: String?
    /// Who wants it.
    package var author: String
    /// Since when, by RFC 3339.
    package var time: String

    /// Joins its parts.
    package init(
        upstream: String,
        endpoint: String,
        action: String,
        weight: Int? = nil,
        until: String? = nil,
        author: String,
        time: String
    ) {
        (self.upstream, self.endpoint) = (upstream, endpoint)
        (self.action, self.weight, self.until) = (action, weight, until)
        (self.author, self.time) = (author, time)
    }
}

/// All adjustments, and which nodes keep to them.
package struct AdjustmentsAnswer: Sendable, Hashable, Codable {
    /// One node.
    package struct Node: Sendable, Hashable, Codable {
        /// Its name.
        package var name: String
        /// Whether it keeps to them; excluded if it has no session.
        package var state: RolloutAnswer.Node.State
        /// Why it is excluded: unreachable or revoked.
        package var reason: String?
        /// Why it could not store them for its next start.
        package var problem: String?

        /// Joins its parts.
        package init(
            name: String,
            state: RolloutAnswer.Node.State,
            reason: String? = nil,
            problem: String? = nil
        ) {
            (self.name, self.state, self.reason, self.problem) = (name, state, reason, problem)
        }
    }

    /// Rises with each change.
    package var generation: UInt64
    /// Those that are in force.
    package var adjustments: [AdjustmentAnswer]
    /// All nodes.
    package var nodes: [Node]
    /// What the operator should know of the change; absent if there is nothing.
    package var warnings: [String]?

    /// Joins its parts.
    package init(
        generation: UInt64,
        adjustments: [AdjustmentAnswer],
        nodes: [Node],
        warnings: [String]? = nil
    ) {
        (self.generation, self.adjustments) = (generation, adjustments)
        (self.nodes, self.warnings) = (nodes, warnings)
    }
}

/// Asks for a change of the adjustments of an endpoint.
package struct AdjustmentRequest: Sendable, Hashable, Codable {
    /// The endpoint's address.
    package var endpoint: String
    /// The weight, with that action alone.
    package var weight: Int?
    /// After how many seconds it ends by itself; absent for never.
    package var forSeconds: Int?
    /// Who wants it.
    package var author: String?
    /// Why.
    package var message: String?

    /// Joins its parts.
    package init(
        endpoint: String,
        weight: Int? = nil,
        forSeconds: Int? = nil,
        author: String? = nil,
        message: String? = nil
    ) {
        (self.endpoint, self.weight, self.forSeconds) = (endpoint, weight, forSeconds)
        (self.author, self.message) = (author, message)
    }
}
