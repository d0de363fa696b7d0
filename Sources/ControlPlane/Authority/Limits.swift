/// Lifetimes and limits of what the authority issues; each names its unit and its reason.
///
/// What nodes send, and so what a token may ask of them, is limited by `FleetProtocol.Limits`.
package enum AuthorityLimits {
    /// Validity of the cluster's CA certificate, in days: ten years, longer than a fleet's machines.
    package static let authorityDays = 3653
    /// Validity of a server certificate, in days.
    ///
    /// Issued at each start and never stored, so this bounds how long a server may run; 825 days is the
    /// longest that common TLS clients accept.
    package static let serverDays = 825
    /// Validity of a node's certificate, in hours; renewed over the session at half of it.
    package static let nodeHours = 24
    /// Validity of a self-signed certificate, in days: no longer than a public authority gives, so that its
    /// change is nothing rare.
    package static let selfSignedDays = 90
    /// How long before now a validity begins, in minutes: clocks of machines differ.
    package static let clockSkewMinutes = 5
    /// Longest time to live of a join token, in seconds: 30 days.
    package static let tokenSecondsMax: Int64 = 30 * 86_400
}
