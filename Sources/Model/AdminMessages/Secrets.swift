/// Brings the value of a named secret.
package struct SecretRequest: Sendable, Hashable, Codable {
    /// The secret itself; no answer has it.
    package var value: String

    /// Takes the value.
    package init(value: String) {
        self.value = value
    }
}

extension SecretRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Nothing of the value.
    package var description: String { "a secret" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A named secret without its value.
package struct SecretAnswer: Sendable, Hashable, Codable {
    /// As configurations have it.
    package var name: String
    /// Another one whenever the value is; it tells nothing of the value.
    package var digest: String
    /// When there was one of this name first, by RFC 3339.
    package var createdAt: String
    /// When it got its value, by RFC 3339.
    package var changedAt: String
    /// Where the head's configuration names it.
    package var uses: [String]

    /// Joins its parts.
    package init(
        name: String,
        digest: String,
        createdAt: String,
        changedAt: String,
        uses: [String]
    ) {
        self.name = name
        self.digest = digest
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.uses = uses
    }
}
