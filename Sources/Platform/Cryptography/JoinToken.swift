/// What a node is given to join a cluster once: `weir1.<secret>.<SHA-256 of the CA certificate>`.
///
/// The secret admits the node; the fingerprint tells the node, before it sends the secret, that it
/// speaks to that cluster and no other. Both are 32 octets in base64url without padding.
package struct JoinToken: Hashable, Sendable {
    /// 32 random octets; secret.
    package let secret: [UInt8]
    /// SHA-256 of the CA certificate's DER.
    package let authorityFingerprint: [UInt8]

    /// Octets of each part.
    private static let partByteCount = 32
    private static let prefix = "weir1"
    /// Longest text with white space around it that is looked at, in octets; a token has 93.
    private static let textBytesMax = 256

    /// A new token for the cluster with this CA certificate.
    package init(authorityFingerprint: [UInt8]) {
        precondition(authorityFingerprint.count == Self.partByteCount, "not a SHA-256 digest")
        secret = randomBytes(Self.partByteCount)
        self.authorityFingerprint = authorityFingerprint
    }

    /// Reads a token's text; white space around it, as an editor leaves it in a file, is skipped.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.textBytesMax else { return nil }
        var rest = Substring(text)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        let fields = rest.split(separator: ".", omittingEmptySubsequences: false)
        guard fields.count == 3, fields[0] == Self.prefix,
            let secret = decodeBase64URL(fields[1]), secret.count == Self.partByteCount,
            let fingerprint = decodeBase64URL(fields[2]), fingerprint.count == Self.partByteCount
        else { return nil }
        self.secret = secret
        authorityFingerprint = fingerprint
    }

    /// The text; secret.
    package var text: String {
        let parts = [
            Self.prefix, encodeBase64URL(secret), encodeBase64URL(authorityFingerprint),
        ]
        return parts.joined(separator: ".")
    }

    /// SHA-256 of the secret: what the control plane stores.
    package var digest: [UInt8] {
        sha256(secret)
    }
}
