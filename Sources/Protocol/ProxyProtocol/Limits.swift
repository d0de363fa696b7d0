/// Bounds of the headers that a peer may send.
package enum ProxyProtocolLimits {
    /// Longest header of version 1, in octets with its CRLF.
    ///
    /// The specification's (§2.1).
    package static let lineBytesMax = 107
    /// Longest header of version 2, in octets with all that its length counts.
    ///
    /// Addresses take 216 at most, and what load balancers add takes a few hundred; the format would allow 64 KiB.
    package static let headerBytesMax = 4096
}
