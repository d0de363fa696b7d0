package import FleetModel

/// A secret that configurations name, without its value.
package struct NamedSecret: Hashable, Sendable {
    /// As configurations have it.
    package let name: String
    /// Of its record in the vault: it changes whenever the value does, and tells nothing of it.
    package let digest: Digest
    /// When there was one of this name first, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// When it got its value, in milliseconds since 1970-01-01 UTC.
    package let changedMilliseconds: Int64
}
