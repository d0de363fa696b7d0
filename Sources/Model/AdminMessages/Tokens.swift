/// Asks for a join token.
package struct TokenRequest: Sendable, Hashable, Codable {
    /// How long it can be used.
    package var ttlSeconds: Int
    /// Labels that the node must have.
    package var labels: [String: String]

    /// Joins its parts.
    package init(
        ttlSeconds: Int,
        labels: [String: String]
    ) {
        self.ttlSeconds = ttlSeconds
        self.labels = labels
    }
}

/// A join token; the only answer that holds its text.
package struct NewTokenAnswer: Sendable, Hashable, Codable {
    /// Names it in lists.
    package var id: String
    /// The text for the node: `weir1.SECRET.FINGERPRINT`.
    package var token: String
    /// Until when it can be used, by RFC 3339.
    package var expiresAt: String
    /// Labels that the node must have.
    package var labels: [String: String]

    /// Joins its parts.
    package init(
        id: String,
        token: String,
        expiresAt: String,
        labels: [String: String]
    ) {
        self.id = id
        self.token = token
        self.expiresAt = expiresAt
        self.labels = labels
    }
}

/// A join token without its secret.
package struct TokenAnswer: Sendable, Hashable, Codable {
    /// Names it.
    package var id: String
    /// Labels that the node must have.
    package var labels: [String: String]
    /// When it was made, by RFC 3339.
    package var createdAt: String
    /// Until when it can be used, by RFC 3339.
    package var expiresAt: String
    /// usable, used, expired or revoked.
    package var state: String
    /// The node that used it.
    package var usedBy: String?

    /// Joins its parts.
    package init(
        id: String,
        labels: [String: String],
        createdAt: String,
        expiresAt: String,
        state: String,
        usedBy: String? = nil
    ) {
        self.id = id
        self.labels = labels
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.state = state
        self.usedBy = usedBy
    }
}
