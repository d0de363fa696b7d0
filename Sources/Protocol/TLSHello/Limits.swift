/// Bounds of a ClientHello.
package enum ClientHelloLimits {
    /// Octets of all records that it takes up, and of the message in them.
    ///
    /// Those of clients with post-quantum keys have some two thousand, and what is longer is made to be looked at again and
    /// again: the connection is closed.
    package static let bytesMax = 16 * 1024
}
