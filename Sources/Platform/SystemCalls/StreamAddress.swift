internal import CLinux

/// Where a stream socket can connect to.
package enum StreamAddress: Hashable, Sendable {
    /// An address of the Internet.
    case internet(SocketAddress)
    /// The unix socket at an absolute path (unix(7)).
    case local(path: String)
}

/// socket(2) and connect(2) without blocking: a descriptor whose connection is under way or established.
package func connectStream(to address: StreamAddress) throws(SystemCallError) -> FileDescriptor {
    switch address {
    case .internet(let address): return try connectStream(to: address)
    case .local(let path): return try connectLocal(path)
    }
}

/// A unix socket connects at once or not at all: with a full backlog it is `wouldBlock`.
private func connectLocal(_ path: String) throws(SystemCallError) -> FileDescriptor {
    let socket = FileDescriptor(owning: try check("socket") { weir_local_socket() })
    let octets = Array(path.utf8).map { CChar(bitPattern: $0) }
    // SAFETY: the octets live for the call, which copies at most `count` of them.
    try check("connect") {
        unsafe octets.withUnsafeBufferPointer { path in
            unsafe weir_connect_local(socket.number, path.baseAddress, path.count)
        }
    }
    return socket
}
