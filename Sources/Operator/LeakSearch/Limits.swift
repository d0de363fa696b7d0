internal import NIOCore

/// Limits of a search for leaks; each names its unit, its reason and what happens at the limit.
package enum LeakSearchLimits {
    /// Most requests unless the operator says otherwise: a second or two for a fleet, and no load.
    package static let requestsDefault = 500
    /// How many links away from the routes' paths it looks, unless the operator says otherwise.
    package static let depthDefault = 2
    /// Octets of an answer that are read: error pages and stack traces are shorter; the rest is left.
    static let answerBytesMax = 256 * 1024
    /// Octets of content that are looked at: what names the inside stands early, and the search stays quick.
    static let contentBytesMax = 64 * 1024
    /// Longest time for one request: an origin that is slow is not what is looked for; counted as failed.
    static let exchangeDuration = Duration.seconds(10)
    /// Longest time for a connection: listeners are near.
    static let connectDuration = TimeAmount.seconds(5)
    /// Octets of a target that many origins find too long, and listeners by default do not.
    static let longTargetBytes = 12 * 1024
    /// Characters of what was found that are shown.
    static let excerptCountMax = 80
}
