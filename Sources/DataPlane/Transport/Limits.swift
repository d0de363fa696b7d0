/// Bounds of sockets with TLS.
enum Limits {
    /// Octets of ciphertext that wait for a socket.
    ///
    /// A write leaves as much as the workspace gathers, five records; above are answers to a peer that does not read
    /// them, such as to its key updates: then the connection counts as broken.
    static let heldBytesMax = 160 * 1024
}
