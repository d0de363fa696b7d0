/// One record of who did what.
package struct AuditAnswer: Sendable, Hashable, Codable {
    /// Counts up.
    package var id: UInt64
    /// When, by RFC 3339.
    package var time: String
    /// Who.
    package var actor: String
    /// What was done, such as `apply` or `node.revoke`.
    package var action: String
    /// To what: a version, a node, a token.
    package var target: String
    /// More, for people.
    package var detail: String
    /// The request that did it, as in the server's log and in errors; nothing if no request did.
    package var requestID: String?

    /// Joins its parts.
    package init(
        id: UInt64,
        time: String,
        actor: String,
        action: String,
        target: String,
        detail: String,
        requestID: String? = nil
    ) {
        self.id = id
        self.time = time
        self.actor = actor
        self.action = action
        self.target = target
        self.detail = detail
        self.requestID = requestID
    }
}

/// What the control plane is.
package struct ServerAnswer: Sendable, Hashable, Codable {
    /// The version of its program.
    package var build: String
    /// The cluster's id: 32 hex digits.
    package var cluster: String
    /// Counts up with every restore.
    package var epoch: UInt64

    /// Joins its parts.
    package init(
        build: String,
        cluster: String,
        epoch: UInt64
    ) {
        self.build = build
        self.cluster = cluster
        self.epoch = epoch
    }
}
