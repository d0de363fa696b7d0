package import Cryptography
package import FleetModel

/// What a secret of the vault is.
package enum SecretKind: String, Hashable, Sendable, CaseIterable {
    /// A certificate's key in PKCS#8 DER; the public part is its chain.
    case certificate
    /// Nothing: a bundle of authorities, all of which is public, kept beside the certificates.
    case authority
    /// What session tickets are sealed with, 64 octets; the public part is its name and when it was made.
    case ticketKey
    /// Under which sticky cookies stand for endpoints, 32 octets; the public part is random.
    case affinityKey
    /// The key of an account at an authority, PKCS#8 DER; the public part is its thumbprint.
    case acmeAccount
    /// The key of a certificate that was ordered, PKCS#8 DER; the public part is the request, PKCS#10 DER.
    case acmeRequest
    /// What an operator keeps under a name; the public part is the name and 16 random octets, so that the digest
    /// changes with the secret and tells nothing of it.
    case named

    /// Whether it is a certificate or authorities, of which operators are told.
    package var isListed: Bool { self == .certificate || self == .authority }
}

/// A secret with its public part, by whose digest it is known.
package struct VaultSecret: Equatable, Sendable {
    /// What it is.
    package let kind: SecretKind
    /// SHA-256 of the public part.
    package let digest: Digest
    /// What anybody may know, kept in the clear.
    package let publicContent: [UInt8]
    /// What nobody may know, kept sealed.
    package let content: SecretBytes

    /// A secret under the digest of its public part.
    package init(kind: SecretKind, publicContent: [UInt8], content: SecretBytes) {
        (self.kind, self.publicContent, self.content) = (kind, publicContent, content)
        digest = Digest(hashing: publicContent)
    }
}

extension VaultSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Kind and digest.
    package var description: String { "\(kind.rawValue) secret \(digest)" }

    /// As `description`.
    package var debugDescription: String { description }

    /// Without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// What is known of a secret without opening it.
package struct VaultEntry: Hashable, Sendable {
    /// What it is.
    package let kind: SecretKind
    /// SHA-256 of the public part.
    package let digest: Digest
    /// What anybody may know.
    package let publicContent: [UInt8]
    /// When it was stored first, in milliseconds since 1970-01-01 UTC.
    package let createdMilliseconds: Int64
    /// When it was stored last, in milliseconds since 1970-01-01 UTC.
    package let storedMilliseconds: Int64
}
