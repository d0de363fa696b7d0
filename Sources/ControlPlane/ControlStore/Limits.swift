/// Limits of the store; each names its unit, its reason and what happens at the limit.
package enum StoreLimits {
    /// Longest author's name, in octets; longer ones are cut.
    package static let authorBytesMax = 256
    /// Longest message of a change, in octets; longer ones are cut.
    package static let messageBytesMax = 4096
    /// Most rows of one page of versions or audit entries; larger pages are made smaller.
    package static let pageRowsMax = 1000
    /// Concurrent readers: as many as there are sources of reads (admin API, fleet, checks); more wait.
    static let readerCountMax = 4
    /// How long a certificate is remembered after its end, in seconds.
    ///
    /// A revoked one must be refused for as long as anybody takes it, and clocks may differ, or be set back,
    /// by as much as validity begins before now.
    static let endedCertificateSeconds: Int64 = 300
    /// How long a connection waits for another process (a backup) before the call fails, in seconds.
    static let busySecondsMax = 5.0
    /// Largest database that is checked page by page when it is opened, in octets.
    ///
    /// The check reads every page. A larger one is opened unchecked, so that a restart stays within
    /// seconds; damage is then found when it is read.
    static let checkedBytesMax = 256 << 20
    /// Entries of a manifest that is read back: far above any fleet's; more means damage.
    static let manifestEntriesMax = 1 << 22
    /// Manifests that are kept decoded: the head, what is compared with it, and what nodes that are behind serve,
    /// as bases of deltas; about 100 octets for each resource.
    static let cachedManifestsMax = 16
    /// Adjustments of endpoints that are in force; more are refused.
    ///
    /// Who adjusts more wants another configuration. As many that a version has ended are kept for older nodes; the
    /// oldest of these is forgotten.
    package static let adjustmentsMax = 1_024
    /// How long an adjustment that a version has ended is kept for nodes that serve the version before, in
    /// milliseconds: a node that rejects a version for longer has other troubles.
    static let endedAdjustmentMilliseconds: Int64 = 86_400_000
    /// Longest secret of the vault, in octets: the largest RSA key that is accepted has 5 KiB; longer ones are
    /// refused.
    package static let secretBytesMax = 64 << 10
    /// Longest public part of a secret, in octets: as much as a text of certificates may hold; longer ones are
    /// refused.
    package static let secretPublicBytesMax = 1 << 20
}
