import FleetProtocol
import NIOCore

/// Limits of the fleet's server, beside those of the protocol itself.
enum Limits {
    /// Connections at once; further ones are closed unheard.
    ///
    /// Four times the fleet that one control plane is measured with.
    static let connectionCountMax = 4_096

    /// Connections that are not admitted yet; further ones are closed unheard.
    ///
    /// A handshake takes about a millisecond, so this many are done within half a second. Who has been through TLS
    /// and says nothing counts too: a stranger holds no more than a place here, and for 20 seconds at most.
    static let handshakeCountMax = 512

    /// Sessions admitted per second, and at once; others are told when to come back.
    ///
    /// A fleet of 1,000 that lost its control plane is back within two seconds.
    static let admissionsPerSecond = 500.0
    static let admissionsBurst = 1_000.0

    /// Joins decided per second, and at once; others are refused as unavailable.
    static let joinsPerSecond = 100.0
    static let joinsBurst = 200.0

    /// Seconds between renewals of one node's certificate; one sooner is refused.
    ///
    /// Each is a signature and a durable write. A node renews twice a day, and tries again after five minutes.
    static let renewalSeconds: Int64 = 60

    /// Nodes that are being sent a whole manifest at once; others are told when to ask again.
    static let fullSyncCountMax = 64

    /// Octets given to a connection and not yet taken by its peer; over it, that session is closed.
    ///
    /// Offers wait while a connection is not writable, so only small frames can get it there.
    static let outstandingBytesMax = 4 << 20

    /// Octets read from a connection before others get their turn.
    ///
    /// TLS keeps a buffer as large as what was ever read at once, for each connection: requests for the contents of
    /// 10,000 routes left 300 KiB with each of 1,000 nodes.
    static let readBytesMax = 16 << 10

    /// Octets waiting in the channel at which it stops, and again begins, to be writable.
    static let writeBufferWaterMark = ChannelOptions.Types.WriteBufferWaterMark(
        low: 64 << 10,
        high: 512 << 10
    )

    /// Time for which a connection may take nothing before it is closed.
    static let stallSeconds: Int64 = 30

    /// Time for a TLS handshake and the decision on the certificate.
    static let handshakeSeconds: Int64 = 10

    /// Time given to a peer to take goodbye and close before the socket is closed.
    static let goodbyeMilliseconds: Int64 = 500

    /// Time without a session after which a node is unreachable.
    static let unreachableAfterCloseSeconds: Int64 = 5

    /// Time without a heartbeat after which a node is unreachable.
    static let unreachableAfterSilenceSeconds: Int64 = 30

    /// Seconds between heartbeats and between metrics reports.
    static let heartbeatSeconds: UInt32 = 10
    static let metricsSeconds: UInt32 = 10

    /// Time after which a metrics report says nothing about now.
    static let metricsStaleSeconds: Int64 = 30

    /// Seconds between savings of when nodes were last heard of.
    ///
    /// It is shown for nodes that are away; a minute's precision does for that, and costs one small write.
    static let seenSavingSeconds: Int64 = 60

    /// Lists of material whose digests nodes may ask for: a node that rejected the head serves one before.
    static let materialListsKept = 8
    /// Parts of one list that are kept, each for nodes of the same groups; beyond, all are made again.
    static let materialSharesKept = 256

    /// Pieces of material that wait for a connection; its session is closed above.
    static let materialQueueMax = 2 * FleetProtocol.Limits.materialDigestCountMax

    /// Time for a node with a session to hold what is to be served next; then the others go on without it.
    static let materialHoldSeconds: Int64 = 30

    /// The same for all of them together, however often they begin new sessions.
    static let materialStepSeconds: Int64 = 120

    /// Endpoints of all nodes whose state is kept: above, of further ones only how many there are.
    ///
    /// One takes some 300 octets; 1,000 nodes with 250 endpoints each fit.
    static let reportedEndpointCountMax = 250_000

    /// Upstreams without endpoints of which is kept what a node says of the whole; beyond, nothing of them is.
    static let reportedNoteCountMax = 1_000

    /// Time after which what could not be ended in the store is tried again.
    static let adjustmentRetrySeconds: Int64 = 5

    /// Encoded offers kept: one per base that some node serves.
    static let encodedOfferCountMax = 32

    /// Octets of contents after which a session reads no more of what its node asked for until these are written.
    ///
    /// Four chunks keep a link busy while the next are read; with the last content, one session holds
    /// less than 5 MiB however much its node asks for.
    static let contentBytesAhead = 1 << 20

    /// Octets of encoded chunks kept for nodes that want the same.
    static let chunkCacheBytesMax = 32 << 20

    /// Octets of a chunk that are written at once, so that what TLS keeps for a connection stays small.
    static let writeSliceBytes = 16 << 10
}
