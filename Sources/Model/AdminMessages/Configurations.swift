/// The whole configuration of a version.
package struct ConfigurationAnswer: Sendable, Hashable, Codable {
    /// The version.
    package var version: UInt64
    /// Its digest: 64 hex digits.
    package var digest: String
    /// The document, ready to be applied again.
    package var configuration: JSONValue

    /// Joins its parts.
    package init(
        version: UInt64,
        digest: String,
        configuration: JSONValue
    ) {
        self.version = version
        self.digest = digest
        self.configuration = configuration
    }
}

/// Asks for a new version.
package struct ApplyRequest: Sendable, Hashable, Codable {
    /// The whole configuration: what is absent is removed.
    package var configuration: JSONValue
    /// Why, for the history.
    package var message: String
    /// Who, for the history.
    package var author: String
    /// Whether to check and compare only.
    package var dryRun: Bool

    /// Joins its parts.
    package init(
        configuration: JSONValue,
        message: String,
        author: String,
        dryRun: Bool
    ) {
        self.configuration = configuration
        self.message = message
        self.author = author
        self.dryRun = dryRun
    }
}

/// What an apply or a rollback did, or would do.
package struct ApplyAnswer: Sendable, Hashable, Codable {
    /// The head afterwards.
    package var version: UInt64
    /// The digest of the content that was asked for.
    package var digest: String
    /// Whether it is (for a dry run: would be) a new version.
    package var changed: Bool
    /// What differs from the head before.
    package var changes: [ResourceChange]
    /// What an operator should know, such as certificates that end soon; absent if there is nothing.
    package var warnings: [String]?

    /// Joins its parts.
    package init(
        version: UInt64,
        digest: String,
        changed: Bool,
        changes: [ResourceChange],
        warnings: [String] = []
    ) {
        self.version = version
        self.digest = digest
        self.changed = changed
        self.changes = changes
        self.warnings = warnings.isEmpty ? nil : warnings
    }
}

/// Asks for a new version with the content of an old one.
package struct RollbackRequest: Sendable, Hashable, Codable {
    /// The old one; without, the one before the head.
    package var version: UInt64?
    /// Why, for the history.
    package var message: String
    /// Who, for the history.
    package var author: String

    /// Joins its parts.
    package init(
        version: UInt64? = nil,
        message: String,
        author: String
    ) {
        self.version = version
        self.message = message
        self.author = author
    }
}

/// Asks what applying a configuration would change.
package struct DiffRequest: Sendable, Hashable, Codable {
    /// The configuration.
    package var configuration: JSONValue
    /// The version to compare with; without, the head.
    package var base: UInt64?

    /// Joins its parts.
    package init(
        configuration: JSONValue,
        base: UInt64? = nil
    ) {
        self.configuration = configuration
        self.base = base
    }
}

/// What differs between two configurations.
package struct DiffAnswer: Sendable, Hashable, Codable {
    /// The version that was compared with; 0 for no configuration.
    package var base: UInt64
    /// The differences, in manifest order.
    package var changes: [ResourceChange]

    /// Joins its parts.
    package init(
        base: UInt64,
        changes: [ResourceChange]
    ) {
        self.base = base
        self.changes = changes
    }
}

/// One resource that differs between two configurations.
package struct ResourceChange: Sendable, Hashable, Codable {
    /// What can happen to a resource.
    package enum Kind: String, Sendable, Hashable, Codable {
        case added, removed, changed
        /// Its content is the same, its place in the order is not (routes and tests).
        case moved
    }

    /// The resource kind's word.
    package var kind: String
    /// The resource's name.
    package var name: String
    /// What happened to it.
    package var change: Kind
    /// The fields that differ; of a resource that was added or removed, all of them.
    package var fields: [FieldChange]

    /// Joins its parts.
    package init(
        kind: String,
        name: String,
        change: Kind,
        fields: [FieldChange]
    ) {
        self.kind = kind
        self.name = name
        self.change = change
        self.fields = fields
    }
}

/// One field that differs.
package struct FieldChange: Sendable, Hashable, Codable {
    /// The field's path within the resource, such as `match.path.prefix`.
    package var field: String
    /// The old value; nothing if it was not set.
    package var from: JSONValue?
    /// The new value; nothing if it is not set.
    package var to: JSONValue?

    /// Joins its parts.
    package init(
        field: String,
        from: JSONValue? = nil,
        to: JSONValue? = nil
    ) {
        self.field = field
        self.from = from
        self.to = to
    }
}
