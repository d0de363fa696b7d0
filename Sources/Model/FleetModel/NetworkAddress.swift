/// A host and a port, such as `10.0.0.1:8080`, `[::1]:8080` or `origin.internal:80`; or `unix:/run/app.sock`.
package struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    /// The host.
    package let host: Host
    /// The port; 0 only for a listener, where the system chooses one, and for a path.
    package let port: UInt16

    /// What stands before the port.
    package enum Host: Hashable, Sendable {
        /// An address.
        case ip(IPAddress)
        /// A name to resolve, in lower case, without a final dot.
        case name(String)
        /// The absolute path of a unix socket, which has no port.
        case path(String)
    }

    /// Joins a host and a port.
    package init(host: Host, port: UInt16) {
        (self.host, self.port) = (host, port)
    }

    /// Names the unix socket at a path.
    package init(path: String) {
        self.init(host: .path(path), port: 0)
    }

    /// The path, where a unix socket is meant.
    package var path: String? {
        guard case .path(let path) = host else { return nil }
        return path
    }

    /// The host's text, IPv6 without brackets; or the path.
    package var hostText: String {
        switch host {
        case .ip(let address): address.description
        case .name(let name): name
        case .path(let path): path
        }
    }

    /// `host:port`, `[v6]:port` or `unix:/path`, in canonical form.
    package var description: String {
        switch host {
        case .ip(.v6): "[\(hostText)]:\(port)"
        case .ip(.v4), .name: "\(hostText):\(port)"
        case .path(let path): "unix:\(path)"
        }
    }
}
