/// A host and a port, such as `10.0.0.1:8080`, `[::1]:8080` or `origin.internal:80`.
package struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host.
    package let host: Host
    /// The port; 0 only for a listener, where the system chooses one.
    package let port: UInt16

    /// What stands before the port.
    package enum Host: Hashable, Sendable {
        /// An address.
        case ip(IPAddress)
        /// A name to resolve, in lower case, without a final dot.
        case name(String)
    }

    /// Joins a host and a port.
    package init(host: Host, port: UInt16) {
        (self.host, self.port) = (host, port)
    }

    /// The host's text, IPv6 without brackets.
    package var hostText: String {
        switch host {
        case .ip(let address): address.description
        case .name(let name): name
        }
    }

    /// `host:port` or `[v6]:port`, in canonical form.
    package var description: String {
        if case .ip(.v6) = host { return "[\(hostText)]:\(port)" }
        return "\(hostText):\(port)"
    }
}
