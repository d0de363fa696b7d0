internal import Bytes
internal import HTTP1

/// Bounds of the data plane, each with its reason; what a listener or an upstream sets is in its settings.
enum Limits {
    /// Octets left free before what is received: room for the lines that a forwarded head gains, and for
    /// a chunk header.
    static let headroom = 1024
    /// Octets left free behind what is received: room for the end of a chunk and of a message.
    static let tailReserve = 16
    /// Connections accepted at once, so that a flood of them does not hold up the exchanges: about as long as a tick's
    /// exchanges take.
    static let acceptsPerTick = 128
    /// For how long a tick answers those that begin a TLS handshake, at least one of them: requests that come meanwhile
    /// wait no longer, and it is a few handshakes, beside which looking for events costs nothing.
    static let handshakesPerTickNanoseconds: UInt64 = 1_000_000
    /// How long a full descriptor table keeps a listening socket from accepting: long enough for
    /// connections to end, short enough to go unnoticed.
    static let acceptPauseNanoseconds: UInt64 = 50_000_000
    /// How long a connection must have carried nothing to be closed for others: what came with it has been read by then.
    static let emptyNanosecondsMin: UInt64 = 100_000_000
    /// How long a client must not have gone on with its exchange for that to be ended for others: longer than it takes
    /// to give what is there to one that reads.
    static let stalledNanosecondsMin: UInt64 = 20_000_000
    /// How long after a look for such connections in vain the next one is at the least: each costs as much as there are
    /// connections.
    static let vainSearchNanoseconds: UInt64 = 20_000_000
    /// So many times as long as such a look has taken it is until the next one, so that they never take more than a
    /// thirtieth of a loop's time.
    static let vainSearchShare: UInt64 = 30
    /// Content that is still to come from which on it goes through a pipe: below, copying costs less than the calls.
    static let spliceBytesMin = 64 * 1024
    /// What a pipe is asked to hold; the system gives a user without privileges 64 MiB in all, and then smaller ones.
    static let pipeBytes = 256 * 1024
    /// Pipes that are kept for other exchanges, two descriptors each, until they have not been needed for a second.
    static let sparedPipes = 32
    /// Reads of a relay in a row that filled the largest block, from which on octets go through a pipe: so many wait then
    /// that a pipe moves more in one call.
    static let fullReadsBeforeSplice = 4
    /// What is kept of a request that has left its client's buffer, in case it has to be sent again, in octets: longer ones
    /// are not tried again.
    ///
    /// As much as most requests with content have, and little beside what a client's connection may hold.
    static let replayBytes = 64 * 1024
    /// The middle of the first pause before a request is sent to the same endpoint again; it doubles each time.
    ///
    /// As long as a process takes to begin listening, and too short for a client to notice.
    static let retryPauseNanoseconds: UInt64 = 25_000_000
    /// How long after other workers were asked for a connection they are asked again; each asking wakes all of them.
    static let askNanoseconds: UInt64 = 5_000_000
    /// Endpoints that are tried for one connection of a tcp listener: where so many fail, others are likely to.
    static let relayAttempts = 4
    /// Further endpoints that are tried for a request which got no connection, where `retry` does not say how many: one
    /// more than the one that has just gone.
    static let connectAttempts = 2
    /// Addresses of one endpoint that are tried for a request beyond the first: both families, and a machine that is down.
    static let addressAttempts = 3
    /// How long an address to which no connection could be had is passed over while the endpoint has others: as long as a
    /// machine takes to come back at the least, and at most one connection in that time is tried in vain.
    static let avoidedAddressNanoseconds: UInt64 = 10_000_000_000
    /// Records that are encrypted before they are written, and what a slow client's connection may hold of them: a
    /// response's block and its framing.
    static let recordsGathered = 5
    /// How long a version waits for what names lead to that nobody has looked up yet.
    ///
    /// A server that has lost a question is asked again within it. Then the version is served without.
    static let firstAnswersNanoseconds: UInt64 = 3_000_000_000
    /// How long the process's own keys of session tickets are used for new ones, and then as long for old ones.
    static let ticketKeyNanoseconds: UInt64 = 3_600_000_000_000
    /// Reads in one direction of one exchange in one tick; then others get their turn.
    static let readsPerTick = 16
    /// Reads of all exchanges in one tick from which on each has one in a direction: of the largest blocks they are
    /// 16 MiB, which take some 10 ms, and whoever asks for little waits for no more.
    static let readsPerTickInAll = 256
    /// What a request's first read is given room for, at most: what remains of the largest block but those for heads.
    static let firstReadOctetsMax = 63 * 1024 - tailReserve
    /// What may wait in the system for a client that takes no more, where there are many: a pipe's worth, whatever is
    /// under way beside it.
    ///
    /// Without a bound the system keeps up to 4 MiB for each. A thousand clients that do not read reach its limit for all
    /// connections, where it drops what comes for anybody.
    static let unsentBytesMax: Int32 = 256 * 1024
    /// Connections of a worker for which the system may keep what it likes: long responses cost a fifth less CPU time
    /// so, and these few hold half a gibibyte at most.
    static let clientsUnbounded = 128
    /// The queue of connections that the kernel has established and nobody has accepted.
    static let listenBacklog: Int32 = 4096
    /// How long a peer may neither take nor give an octet in the middle of a message.
    static let stallNanoseconds: UInt64 = 60_000_000_000
    /// How long content of a request may be awaited before its rate counts (`timeouts.minimumBodyRate`).
    static let contentGraceNanoseconds: UInt64 = 5_000_000_000
    /// How long octets of a client are read and dropped after a response that it did not wait for, so
    /// that a reset does not overtake the response (RFC 9112 §9.6).
    static let lingerNanoseconds: UInt64 = 2_000_000_000
    /// How many of them.
    static let lingerOctets = 1 << 20
    /// How long a stream of HTTP/2 stays open for the rest of a request that was answered before its end; then it is
    /// reset (RFC 9113 §8.1).
    ///
    /// Longer than what a client had sent is on its way, short enough to keep an upload that nobody wants from going on.
    static let streamLingerNanoseconds: UInt64 = 250_000_000
    /// How much of it is dropped before that.
    static let streamLingerBytes = 64 * 1024
    /// How many octets are read and dropped of a client whose TLS handshake has failed, for as long and for the same
    /// reason: about a flight of it.
    static let refusedOctets = 16 * 1024
    /// Addresses of X-Forwarded-For that are walked over in one request: more proxies than any request passes.
    ///
    /// What stands before them is not believed.
    static let hops = 64
    /// Longest path that is looked at for an authority's challenge, in octets: tokens have 512 at most.
    static let challengePathBytes = 1024
    /// How long a client whose connection is to end may send requests, when it does not answer to PING: some round trips.
    static let goAwayNanoseconds: UInt64 = 1_000_000_000
    /// Response heads from origins: larger ones are answered with 502.
    static let responseFieldSectionBytes = 64 * 1024
    /// Field lines of a response head.
    static let responseFieldLines = 256
    /// Octets of the fields of a response out of the configuration, its variables expanded; above,
    /// the answer is 500.
    ///
    /// Clients take no more.
    static let localFieldBytes = 64 * 1024
    /// Octets of the content of such a response, or of an error page, its variables expanded; above, the answer is 500.
    static let localContentBytes = 4 << 20
    /// Octets that a route's policies, or its rewriting of the query, write into one head, their variables expanded;
    /// above, the answer is 500.
    ///
    /// What configurations may write is less; a client's query may stand in it several times.
    static let editedBytes = 48 << 10
    /// Heads that this node has written itself and reads again to translate them: as they were read, with what was added.
    static let translated = HTTP1Limits(
        fieldSectionBytesMax: BlockSize.giant.rawValue,
        fieldLinesMax: 20_000,
        requestTargetBytesMax: BlockSize.giant.rawValue
    )
    /// Field lines and octets that a request of HTTP/2 gains when it is written as HTTP/1.1 has it: Host, framing, Connection.
    static let translationLines = 5
    static let translationBytes = 256
    /// What may wait to be written of one HTTP/2 connection before its streams have to wait: one write's worth.
    static let sessionOutputBytes = 64 * 1024
    /// Octets of content after which a stream that shares its turn lets others write: about a frame.
    static let turnBytes = 8 * 1024
    /// Flow-control window of each stream, in octets; with its framing it fits in a block for the longest head.
    ///
    /// Over a round trip of 80 ms one stream carries 9 Mbit/s.
    static let streamWindowBytes = 96 * 1024
    /// Flow-control window of a client's HTTP/2 connection: the most content that its streams hold together.
    static let sessionWindowBytes = 256 * 1024
    /// Streams that are opened on one connection to an endpoint, whatever it allows; then there is another connection.
    static let originStreams = 128
    /// Flow-control window of a connection to an endpoint: all that its streams may hold.
    ///
    /// They belong to different clients: one that takes nothing must not stop the others.
    static let originWindowBytes = originStreams * streamWindowBytes
    /// How long nothing is read of a connection of which two requests in a row were refused with Retry-After: far below
    /// what they were told, and some hundred times what a refusal takes.
    static let putOffNanoseconds: UInt64 = 20_000_000
    /// How long a request waits for room in the queue of a unix socket before it looks again.
    static let fullSocketPauseNanoseconds: UInt64 = 5_000_000
    /// How often a request is sent again that an endpoint says it has not looked at: on the way to an endpoint that ends
    /// its connections after so many requests several may turn it away; one that refuses it again then has failed.
    static let unprocessedRetries = 4
    /// The same where `retry` may ask another endpoint.
    static let unprocessedRetriesBeforeOthers = 2
    /// How long a peer may leave our SETTINGS unacknowledged (RFC 9113 §6.5.3), and an origin a field section open.
    static let settingsNanoseconds: UInt64 = 10_000_000_000
    /// The longest request of which a copy goes to a mirror, in octets with its head; longer ones are not copied.
    ///
    /// It is held whole until it is on its way.
    static let mirrorRequestBytes = 1 << 20
    /// Octets of all such copies of a worker; what comes on top is not copied.
    ///
    /// As much as a few thousand ordinary requests have, and little beside what their clients' connections take.
    static let mirrorBytesInAll = 32 << 20
    /// Such copies of a worker that are on their way; others are not sent.
    ///
    /// A mirror that answers in 50 ms gets 5,000 requests per second of each worker so, and one that does not answer
    /// holds no more connections than these.
    static let mirrors = 256
    /// How long a copy may be on its way, whatever the mirror's upstream allows.
    static let mirrorNanoseconds: UInt64 = 30_000_000_000
    /// Octets of the response to a copy that are read and thrown away, so that its connection can be used again; above,
    /// another connection costs less.
    static let mirrorResponseBytes = 1 << 20
    /// Exchanges kept for use again, per worker.
    static let sparedExchanges = 256
    /// How long a listening socket that is going away lets no new connection in before it closes, so
    /// that those under way are accepted: a round trip around the world, and less than the second after which a client
    /// that got no answer tries again.
    static let closingListenerNanoseconds: UInt64 = 500_000_000
    /// How long such a socket waits for descriptors when they have run out while its queue is not empty: an
    /// exchange or two, and then what waits is reset after all.
    static let closingListenerNanosecondsMax: UInt64 = 5_000_000_000
    /// Checks of endpoints that a node makes at a time; others wait until one has ended.
    ///
    /// A thousand endpoints that do not answer are checked once in the time that one check may take, and hold a descriptor
    /// each meanwhile.
    static let checksAtOnce = 1024
    /// How far apart the first checks of an upstream's endpoints begin, on average: a thousand take two seconds.
    static let firstCheckNanoseconds: UInt64 = 2_000_000
    /// How soon after workers were told of endpoints they are told again: soon enough to go unnoticed, and however many
    /// endpoints come and go, workers make their tables of them fifty times a second at most.
    static let publishNanoseconds: UInt64 = 20_000_000
    /// How often an endpoint that was out of reach is connected to: soon enough to find it again before clients notice
    /// that it lacks, and five failures in a row, which eject, come within the 3 s in which that is wanted.
    static let reachNanoseconds: UInt64 = 500_000_000
    /// How often it is looked at which share of an endpoint's requests went well.
    static let successRateNanoseconds: UInt64 = 1_000_000_000
    /// Octets of a response's head up to the end of a line with public names.
    ///
    /// With what comes as it is (64 KiB), what policies add (48 KiB) and content that came along (128 KiB), it is below the
    /// largest block. A line that would exceed it is left out.
    static let publicHeadBytesMax = 192 << 10
}
