import NIOCore

/// Limits of the admin API; each names its unit, its reason and what happens at the limit.
package enum AdminLimits {
    /// Nodes that a refusal names; more are counted.
    static let namesShownMax = 20

    /// Longest body of a request that carries a configuration, in octets: twice the largest document that
    /// FleetModel reads, for indentation; 413 above.
    package static let configurationBytesMax = 32 << 20
    /// Longest body of a request that carries a certificate, in octets: two PEM texts of 1 MiB, whose line
    /// ends take two octets each in JSON; 413 above.
    package static let certificateBytesMax = 3 << 20
    /// Longest value of a named secret, in octets; 400 above.
    ///
    /// Keys and passwords have hundreds.
    package static let secretBytesMax = 16 << 10
    /// Longest body of any other request, in octets; 413 above.
    package static let bodyBytesMax = 64 << 10
    /// Entries of a page of versions or audit rows when `limit` is not given.
    package static let pageRowsDefault = 50
    /// Most entries of a page; 400 above.
    package static let pageRowsMax = 1_000
    /// Fields listed in one difference; of resources beyond, only kind, name and change are told.
    ///
    /// A first apply adds every field of every resource; nobody reads more, and JSON of it costs seconds.
    package static let differenceFieldsMax = 2_000
    /// Configurations that wait to be checked, or are; 503 above.
    ///
    /// Each may hold some hundred megabytes.
    package static let checksMax = 8
    /// Connections at once; more wait in the backlog.
    ///
    /// Operators and their scripts need dozens.
    package static let connectionsMax = 256
    /// A connection without a request, or with one that does not go on, is closed after this time.
    static let idleTime = TimeAmount.seconds(60)
    /// A request's body must be complete after this time; the connection is closed then.
    ///
    /// 32 MiB take this long at 9 Mbit/s.
    static let bodyTime = TimeAmount.seconds(30)
    /// After a refusal that leaves a body unread, the connection is closed after this time: long enough for
    /// the answer to arrive before the reset.
    static let lingerTime = TimeAmount.seconds(1)
    /// Requests that are under way when the server stops have this time to end.
    static let stopDuration = Duration.seconds(3)
    /// Longest field of a request's header, and longest header, in octets; 400 above.
    package static let headerBytesMax = 16 << 10
    /// Most header fields; 400 above.
    package static let headerFieldsMax = 64
    /// Longest author of a change that a request names, in octets; 400 above.
    package static let authorBytesMax = 256
    /// Longest message of a change, in octets; 400 above.
    package static let messageBytesMax = 4_096
    /// Time to live of a join token when a request does not say, in seconds.
    package static let tokenSecondsDefault = 3_600
    /// Rows of nodes in an answer about upstreams; above, only nodes that differ from the others have one.
    static let upstreamNodeRowsMax = 100_000
    /// Log lines that wait for stderr; more are dropped and counted.
    static let logLinesMax = 4_096
    /// Lines of one event within `logWindowSeconds`; more are counted, and told with the next one.
    static let logRepeatsMax = 50
    /// Length of that window.
    static let logWindowSeconds: UInt64 = 10
}
