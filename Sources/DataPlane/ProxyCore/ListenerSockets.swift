package import SystemCalls

/// The listening sockets of one listener on their way from one process to another.
///
/// Confined to one thread at a time.
package final class ListenerSockets {
    /// The listener's name.
    package let name: String
    /// Its address as the configuration has it; port 0 where the system chose.
    package let configured: String
    /// Where the sockets really listen.
    package let actual: SocketAddress
    /// One for each worker of the process that bound them.
    package let sockets: DescriptorBundle

    package init(
        name: String,
        configured: String,
        actual: SocketAddress,
        sockets: DescriptorBundle
    ) {
        (self.name, self.configured) = (name, configured)
        (self.actual, self.sockets) = (actual, sockets)
    }
}
