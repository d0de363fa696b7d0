/// Bounds of what a peer may have TLS do.
enum Limits {
    /// Octets of a handshake, of all of its records.
    ///
    /// OpenSSL takes a ClientHello of 128 KiB and a chain of 100 KiB; beyond, the handshake fails.
    static let handshakeBytesMax = 256 * 1024
    /// Octets that bring no content, one after the other: tickets, key updates, padding, the beginning of a record.
    ///
    /// A record has 16 KiB and some; beyond, the connection counts as broken. It is also what one read can cost: some
    /// 2,400 key updates, which OpenSSL itself does not bound.
    static let contentlessBytesMax = 64 * 1024
    /// Seconds for which a client's sessions go on, one from the other, before its certificate is verified anew.
    ///
    /// CRLs and CAs end meanwhile too. A full handshake an hour costs nothing.
    static let clientSessionSecondsMax: Int64 = 3_600
}
