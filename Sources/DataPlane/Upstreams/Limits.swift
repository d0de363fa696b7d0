/// Bounds of what is kept of endpoints, each with its reason.
enum Limits {
    /// Seconds over which the share of an endpoint's successes is looked at: enough requests to tell, and soon enough.
    static let successRateSeconds = 10
    /// Requests within them below which the share tells nothing: one failure of fewer would weigh above 5 %.
    static let successRateRequestsMin: UInt64 = 20
    /// Octets of an answer of the gRPC health protocol: one number, and what servers may add to it.
    static let healthAnswerBytes = 1024
}
