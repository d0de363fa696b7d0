/// Bounds of the node's agent, each with its reason.
package enum Limits {
    /// How long a connection to the control plane may take, TLS included.
    static let connectSeconds: Int64 = 10
    /// First and longest time between two attempts to reach the control plane: a restart of it goes unnoticed
    /// for this long at most, and a thousand waiting nodes make some hundred attempts a second.
    package static let reconnectMilliseconds: Int64 = 250
    package static let reconnectSecondsMax: Int64 = 4
    /// The same after an answer that another attempt hardly changes: the node is unknown there.
    package static let refusedSeconds: Int64 = 30
    /// How long `ready` waits for the control plane's first answer when there is nothing to serve yet.
    static let firstAnswerSeconds: Int64 = 5
    /// Octets for the control plane that wait for its socket; above, the session is given up.
    ///
    /// A report has some hundred kilobytes at most.
    static let outgoingBytesMax = 4 << 20
    /// Octets that may wait when a metrics report is due; above, it is left out and counted in the next one.
    static let reportBacklogBytesMax = 64 << 10
    /// Endpoints that have series of their own in `/metrics`: half a megabyte; of others only the number is told.
    static let endpointSeriesMax = 1_000
    /// Reads of one connection in one tick; then others get their turn.
    static let readsPerTick = 16
    /// Longest token file: a token has 93 octets.
    static let tokenFileBytesMax = 4096
    /// Longest identity file: a key, three certificates, the facts of the cluster.
    static let identityBytesMax = 64 << 10
    /// How long before a version that could not be stored is stored again: disks fill and empty slowly.
    static let storeRetrySeconds: Int64 = 10
    /// How long before another attempt when a certificate was not renewed.
    static let renewalRetrySeconds: Int64 = 300
    /// Milliseconds over which nodes spread their requests for certificates of another authority: the control
    /// plane makes hundreds a second, and nobody waits for them.
    static let renewalSpreadMilliseconds: Int64 = 2_000
    /// How long a version waits for its certificates and keys before it counts as failed for now: the control plane
    /// sends them at once, and many in a second or two.
    static let materialWaitSeconds: Int64 = 10
    /// Longest file of material: as much as the shelf can hold of small certificates, and far above any fleet's.
    static let materialFileBytesMax = 256 << 20

    /// Longest file of what operators want of endpoints: one frame and its checksum.
    static let adjustmentFileBytesMax = (1 << 20) + 64
    /// Milliseconds between two reports on upstreams: a storm of checks that fail makes ten a second.
    static let upstreamReportMilliseconds: Int64 = 100

    /// First and longest time before listeners that could not be opened after a drain are tried again.
    static let undrainRetrySeconds: Int64 = 1
    static let undrainRetrySecondsMax: Int64 = 30

    /// Octets above the least that were resident from which on free memory goes back to the system: what a small burst
    /// leaves is soon needed again.
    static let freeBytesKept = 8 << 20
    /// Most looks at the memory, one each ten seconds, that are passed over when giving back brought little.
    static let memoryPassesMax = 16

    /// Connections to the admin address; more are closed at once.
    static let adminConnectionsMax = 128
    /// How long an admin connection may rest or stall.
    static let adminIdleSeconds: Int64 = 30
    /// Connections accepted on the admin address in one tick.
    static let adminAcceptsPerTick = 16
    /// How long a full descriptor table keeps the admin address, and the socket for upgrades, from accepting.
    static let acceptPauseNanoseconds: UInt64 = 50_000_000
    /// The queue of admin connections that nobody has accepted.
    static let adminBacklog: Int32 = 128

    /// Longest message of an upgrade: the arguments of a process.
    ///
    /// The system sends some 200 kB in one piece.
    static let upgradeMessageBytesMax = 128 << 10
    /// Listeners that `proxy-node upgrade` names; of more it says how many there are.
    static let upgradeListenersNamed = 100
    /// Local connections for upgrades; more are closed at once.
    static let upgradePeersMax = 16
    /// Descriptors that one message of a hand-over carries; the system allows 253.
    static let handoverDescriptorsMax = 128
    /// How often it is looked whether what is served has been stored, before an upgrade.
    static let upgradeSettleMilliseconds: Int64 = 20
    /// How long nobody may accept, between the old process and the new one, which has all that it needs by then.
    static let changeOverMilliseconds: Int64 = 5000
    /// How long the new process waits for the next message of the old one, whose loop is never busy for so long.
    static let handoverSilenceMilliseconds = 10_000
    /// How long a local process may take for an upgrade when it does not say: a large version compiles in seconds.
    package static let upgradeSecondsDefault: Double = 60
}
