/// Limits of the ACME client; each names its unit, its reason and what happens at the limit.
package enum ACMELimits {
    /// Longest answer of a directory's server, in octets: chains have some ten thousand; a longer one fails.
    package static let answerBytesMax = 1 << 20
    /// Names of one order: what a certificate may have at public authorities; more are refused.
    package static let hostsMax = 100
    /// Longest token of a challenge, in octets: authorities use 43 (RFC 8555 §8.3 asks for 128 bits at least).
    static let tokenBytesMax = 256
    /// Times that a request is repeated because its nonce was refused (RFC 8555 §6.5); then the order fails.
    static let nonceRepeatsMax = 5
    /// Times that an order is looked at while its state does not change; then it fails, and is tried again later.
    static let pollsMax = 60
    /// Shortest and longest time between two looks, in seconds, whatever Retry-After says.
    static let pollSecondsMin: Int64 = 1
    static let pollSecondsMax: Int64 = 60
    /// How long one request may take, in seconds.
    package static let requestSeconds: Int64 = 30
    /// First and longest time before a failed order is tried again, in seconds: public authorities allow five
    /// failures an hour and name.
    package static let retrySecondsMin: Int64 = 900
    package static let retrySecondsMax: Int64 = 86_400
}
