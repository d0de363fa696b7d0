/// One version of the configuration, without its content.
package struct VersionAnswer: Sendable, Hashable, Codable {
    /// Its number.
    package var version: UInt64
    /// Its digest: 64 hex digits.
    package var digest: String
    /// Who made it.
    package var author: String
    /// When, by RFC 3339.
    package var time: String
    /// Why.
    package var message: String
    /// The head on which it was made; nothing for the first.
    package var parent: UInt64?

    /// Joins its parts.
    package init(
        version: UInt64,
        digest: String,
        author: String,
        time: String,
        message: String,
        parent: UInt64? = nil
    ) {
        self.version = version
        self.digest = digest
        self.author = author
        self.time = time
        self.message = message
        self.parent = parent
    }
}
