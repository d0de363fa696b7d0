package import Cryptography
package import FleetModel

/// Where the fleet's configuration and members are kept: the one source of truth.
///
/// Every change is one transaction that holds its audit row too, and is durable when the call returns.
/// SQLite is the embedded engine; the operations are compare-and-put on the head, so that an engine
/// with leases and election can take its place.
package protocol ConfigStore: Sendable {
    // MARK: Cluster

    /// Identity and epoch.
    func cluster() async throws(StoreError) -> StoredCluster

    /// Remembers the admin token by its digest, with an audit row unless it is the same.
    func setAdminTokenDigest(_ digest: [UInt8], note: ChangeNote) async throws(StoreError)

    /// The secret of this name, opened; nil if there is none.
    func secret(_ name: String) async throws(StoreError) -> [UInt8]?

    /// Stores those of the secrets that are missing, all in one transaction, and returns what is stored
    /// under each name: two servers that start at once come to the same keys.
    func secretsOrNew(
        _ secrets: [String: [UInt8]],
        note: ChangeNote
    ) async throws(StoreError) -> [String: [UInt8]]

    /// Puts secrets in the place of others, and revokes the tokens that nobody has used, because they name what goes;
    /// all in one transaction.
    ///
    /// - Parameters:
    ///   - moves: The name to be of each secret, by the name that it has.
    ///   - note: Who and why.
    /// - Returns: How many tokens were revoked; nil if one of the secrets is not there, and nothing was done.
    /// - Throws: A failure of the machine; nothing is done then.
    func replaceAuthority(
        _ moves: [String: String],
        note: ChangeNote
    ) async throws(StoreError) -> Int?

    // MARK: Vault

    /// Stores secrets under their digests, all in one transaction, with an audit row for each new one.
    ///
    /// One that is stored already stays as it is, unless it is damaged, and counts as stored now.
    ///
    /// - Parameters:
    ///   - secrets: What to store.
    ///   - note: Who and why.
    /// - Returns: The digests of those that were not there, or were damaged.
    /// - Throws: `secretTooLong`, or a failure of the machine; nothing is stored then.
    @discardableResult
    func putSecrets(
        _ secrets: [VaultSecret],
        note: ChangeNote
    ) async throws(StoreError) -> Set<Digest>

    /// The secret of this digest, opened; nil if there is none.
    ///
    /// - Throws: `masterKeyWrong`, `secretDamaged`, or a failure of the machine.
    func vaultSecret(_ digest: Digest) async throws(StoreError) -> VaultSecret?

    /// What is known of the secret of this digest without opening it; nil if there is none.
    func vaultEntry(_ digest: Digest) async throws(StoreError) -> VaultEntry?

    /// What is known of all secrets without opening them, by digest.
    func vaultEntries() async throws(StoreError) -> [VaultEntry]

    /// Forgets secrets that nothing needs, with an audit row for each.
    ///
    /// - Parameters:
    ///   - needed: Digests to keep: what versions, which can be rolled back to, name.
    ///   - moment: Those stored at this moment or later are kept too, in milliseconds since 1970-01-01 UTC:
    ///     the configuration that will name them may be on its way.
    ///   - note: Who and why.
    /// - Returns: What was forgotten.
    /// - Throws: A failure of the machine; nothing is forgotten then.
    func collectSecrets(
        keeping needed: Set<Digest>,
        storedBefore moment: Int64,
        note: ChangeNote
    ) async throws(StoreError) -> [Digest]

    /// The secrets of a kind, opened, the first stored first.
    func vaultSecrets(_ kind: SecretKind) async throws(StoreError) -> [VaultSecret]
    /// Stores one secret and forgets others, in one transaction, with an audit row for each.
    func replaceSecrets(
        adding secret: VaultSecret,
        forgetting digests: [Digest],
        note: ChangeNote
    ) async throws(StoreError)
    /// Which material the certificates have that the control plane makes itself.
    func issuedMaterial() async throws(StoreError) -> [IssuedKey: IssuedMaterial]
    /// Remembers which material such a certificate has, and stores it if it is new, in one transaction.
    ///
    /// The audit says `certificate.issue` for new material, `certificate.serve` otherwise.
    func setIssued(
        _ key: IssuedKey,
        _ material: IssuedMaterial,
        adding secret: VaultSecret?,
        note: ChangeNote
    ) async throws(StoreError)
    /// Accounts and orders at authorities, by the digest of what they are for.
    func acmeRecords() async throws(StoreError) -> [Digest: ACMERecord]
    /// Remembers one, stores its key if that is new, and forgets the key that it had if that is another, in one
    /// transaction.
    func setACME(
        _ id: Digest,
        _ record: ACMERecord,
        adding secret: VaultSecret?,
        note: ChangeNote
    ) async throws(StoreError)

    // MARK: Named secrets

    /// Keeps a secret under a name, in place of the one that it had, with an audit row unless it is the same.
    ///
    /// - Parameters:
    ///   - name: As configurations have it.
    ///   - content: The secret.
    ///   - note: Who; the message is the digest.
    /// - Returns: What is known of it, and whether it is another than before.
    /// - Throws: `secretTooLong`, or a failure of the machine.
    func setNamedSecret(
        _ name: String,
        _ content: SecretBytes,
        note: ChangeNote
    ) async throws(StoreError) -> (secret: NamedSecret, isChanged: Bool)

    /// What is known of all named secrets, by name.
    func namedSecrets() async throws(StoreError) -> [NamedSecret]

    /// The secret of this name, opened; nil if there is none.
    func namedSecret(_ name: String) async throws(StoreError) -> SecretBytes?

    /// Forgets the secret of this name.
    ///
    /// - Throws: `secretUnknown`, or a failure of the machine.
    func removeNamedSecret(_ name: String, note: ChangeNote) async throws(StoreError)

    // MARK: Versions

    /// The newest version; nil before the first.
    func head() async throws(StoreError) -> StoredVersion?

    /// The version with this number; nil if there is none.
    func version(_ number: UInt64) async throws(StoreError) -> StoredVersion?

    /// Versions below `before` (nil: from the head), newest first.
    func versions(before: UInt64?, limit: Int) async throws(StoreError) -> [StoredVersion]

    /// The manifest of a version; nil if there is no such version.
    func manifest(of number: UInt64) async throws(StoreError) -> Manifest?

    /// The manifest that some version has; nil if none has this digest.
    func manifest(digest: Digest) async throws(StoreError) -> Manifest?

    /// The contents with these digests; those that are not stored are left out.
    func blobs(_ digests: [Digest]) async throws(StoreError) -> [Digest: [UInt8]]

    /// The contents with these digests from the first on, until they have `bytesMax` octets or more, or one
    /// is not stored; so at least one if the first is stored.
    func leadingBlobs(
        _ digests: [Digest],
        bytesMax: Int
    ) async throws(StoreError) -> [[UInt8]]

    /// The resources of a version in manifest order; nil if there is no such version.
    func resources(of number: UInt64) async throws(StoreError) -> [Resource]?

    /// Makes these resources the head.
    ///
    /// - Parameters:
    ///   - manifest: What the version consists of.
    ///   - resources: Contents; those that the store has may be left out.
    ///   - expected: The head that the change was based on, 0 for none; nil does not compare.
    ///   - note: Who and why.
    ///   - signer: Signs the new version.
    /// - Returns: The new version, or why there is none. A head that is not the expected one is a
    ///   conflict even if it has the same content.
    /// - Throws: `contentMissing`, or a failure of the machine; the head is then as before.
    func apply(
        _ manifest: Manifest,
        resources: [Resource],
        expected: UInt64?,
        note: ChangeNote,
        signer: any ManifestSigner
    ) async throws(StoreError) -> ApplyOutcome

    /// Makes the content of an older version the head, as a new version.
    ///
    /// - Parameters:
    ///   - number: The version whose content it is; nil is the one before the head.
    ///   - expected: As for `apply`.
    ///   - note: Who and why; an empty message is filled in.
    ///   - signer: Signs the new version.
    /// - Returns: As `apply`.
    /// - Throws: `versionUnknown`, or a failure of the machine.
    func rollback(
        to number: UInt64?,
        expected: UInt64?,
        note: ChangeNote,
        signer: any ManifestSigner
    ) async throws(StoreError) -> ApplyOutcome

    // MARK: Adjustments

    /// What operators want of endpoints beside the configuration.
    ///
    /// A version that changes or removes an endpoint ends its adjustments within `apply` or `rollback`.
    func adjustments() async throws(StoreError) -> StoredAdjustments

    /// Changes the adjustments of an endpoint, with an audit row.
    ///
    /// - Parameters:
    ///   - endpoint: Which one.
    ///   - change: What is done.
    ///   - isDiscovered: Whether a node knows the endpoint, though the head does not name it.
    ///   - note: Who and why; an empty message is filled in.
    /// - Returns: All adjustments from now on; of the generation before if nothing changed, but for `reset`.
    /// - Throws: `upstreamUnknown`, `endpointUnknown`, `adjustmentsFull`, or a failure of the machine.
    func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        isDiscovered: Bool,
        note: ChangeNote
    ) async throws(StoreError) -> StoredAdjustments

    /// Ends the adjustments whose time is over, with an audit row for each.
    ///
    /// - Returns: All from now on.
    func endExpiredAdjustments() async throws(StoreError) -> StoredAdjustments

    /// Signs the head for the present epoch, if it was signed for an older one only.
    func signHead(_ signer: any ManifestSigner) async throws(StoreError)

    // MARK: Audit

    /// Entries below `before` (nil: from the newest), newest first.
    func audit(before: Int64?, limit: Int) async throws(StoreError) -> [AuditEntry]

    // MARK: Tokens

    /// Remembers a token by its digest.
    func createToken(
        digest: Digest,
        labels: [String: String],
        expiresMilliseconds: Int64,
        note: ChangeNote
    ) async throws(StoreError) -> StoredToken

    /// All tokens, newest first.
    func tokens() async throws(StoreError) -> [StoredToken]

    /// Makes a token useless; false if there is none with this id. Nodes that joined with it stay.
    func revokeToken(_ id: String, note: ChangeNote) async throws(StoreError) -> Bool

    // MARK: Nodes

    /// Whether `join` with these would be accepted now; changes nothing.
    func checkJoin(
        tokenDigest: Digest,
        name: String,
        labels: [String: String],
        publicKeyDigest: Digest
    ) async throws(StoreError)

    /// Uses the token up and registers the node, in one transaction.
    ///
    /// A node whose answer was lost may come again with the same token, name and key.
    ///
    /// - Parameters:
    ///   - tokenDigest: SHA-256 of the token's random octets.
    ///   - name: The node's name, which must be free.
    ///   - labels: The node's labels; the token's must be among them.
    ///   - certificate: What was issued to it.
    ///   - note: The audit row; its author is the node.
    /// - Returns: The node.
    /// - Throws: A token or node case of `StoreError`, or a failure of the machine.
    func join(
        tokenDigest: Digest,
        name: String,
        labels: [String: String],
        certificate: StoredCertificate,
        note: ChangeNote
    ) async throws(StoreError) -> StoredNode

    /// Remembers a renewed certificate; older ones stay valid until they end.
    func renewed(node: String, certificate: StoredCertificate) async throws(StoreError)

    /// All nodes by name, revoked ones too.
    func nodes() async throws(StoreError) -> [StoredNode]

    /// The node of this name; nil if there is none.
    func node(_ name: String) async throws(StoreError) -> StoredNode?

    /// Remembers whether the operator wants the node drained.
    func setDraining(
        _ isDraining: Bool,
        node: String,
        note: ChangeNote
    ) async throws(StoreError)

    /// Refuses the node and all its certificates from now on; its name stays taken.
    func revoke(node: String, note: ChangeNote) async throws(StoreError)

    /// Forgets the node; its certificates are refused from now on, its name is free.
    func remove(node: String, note: ChangeNote) async throws(StoreError)

    /// Remembers when nodes were last seen, in milliseconds since 1970-01-01 UTC; no audit row.
    func noteSeen(_ moments: [String: Int64]) async throws(StoreError)

    /// Whether the certificate with this SHA-256 was revoked, by itself or with its node.
    func isRevoked(certificate fingerprint: Digest) async throws(StoreError) -> Bool

    /// Fingerprints of revoked certificates that have not ended yet, or ended minutes ago.
    func revokedCertificates() async throws(StoreError) -> Set<Digest>
}
