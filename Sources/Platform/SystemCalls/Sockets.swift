internal import CLinux
internal import Glibc

/// socket(2), SO_REUSEADDR, SO_REUSEPORT where asked, bind(2): a bound stream socket that does not listen yet.
///
/// An IPv6 socket is v6-only.
package func bindStreamSocket(
    _ address: SocketAddress,
    reusePort: Bool
) throws(SystemCallError) -> FileDescriptor {
    var system = address.system
    // SAFETY: the structure lives for the calls.
    let number = try check("socket") { unsafe weir_stream_socket(&system) }
    let socket = FileDescriptor(owning: number)
    try check("setsockopt") { weir_set_option(number, SOL_SOCKET, SO_REUSEADDR, 1) }
    if reusePort {
        try check("setsockopt") { weir_set_option(number, SOL_SOCKET, SO_REUSEPORT, 1) }
    }
    if address.isIPv6 {
        try check("setsockopt") { weir_set_option(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
    }
    try check("bind") { unsafe weir_bind(number, &system) }
    return socket
}

/// listen(2).
package func listen(_ descriptor: Int32, backlog: Int32) throws(SystemCallError) {
    try check("listen") { Glibc.listen(descriptor, backlog) }
}

/// getsockname(2).
package func localAddress(_ descriptor: Int32) throws(SystemCallError) -> SocketAddress {
    var address = weir_address()
    // SAFETY: the structure lives for the call.
    try check("getsockname") { unsafe weir_local_address(descriptor, &address) }
    return SocketAddress(address)
}

/// What accept4(2) came to.
package enum AcceptResult: Sendable {
    case accepted(Int32, SocketAddress)
    case wouldBlock
    case failed(Errno)
}

/// accept4(2): the next connection, non-blocking and close-on-exec.
///
/// The caller owns the descriptor.
package func accept(_ descriptor: Int32) -> AcceptResult {
    var peer = weir_address()
    while true {
        // SAFETY: the structure lives for the call.
        let number = unsafe weir_accept(descriptor, &peer)
        if number >= 0 { return .accepted(number, SocketAddress(peer)) }
        switch Errno.last {
        case .wouldBlock: return .wouldBlock
        case .interrupted, .connectionAborted: continue
        case let failure: return .failed(failure)
        }
    }
}

/// socket(2) and connect(2) without blocking: a descriptor whose connection is under way or established.
package func connectStream(to address: SocketAddress) throws(SystemCallError) -> FileDescriptor {
    var system = address.system
    // SAFETY: the structure lives for the calls.
    let number = try check("socket") { unsafe weir_stream_socket(&system) }
    let socket = FileDescriptor(owning: number)
    setNoDelay(number)
    if unsafe weir_connect(number, &system) < 0 {
        let failure = Errno.last
        guard failure == .inProgress || failure == .interrupted else {
            throw SystemCallError(call: "connect", errno: failure)
        }
    }
    return socket
}

/// SO_ERROR: why a connection failed, or `nil`.
///
/// Clears it.
package func pendingError(_ descriptor: Int32) -> Errno? {
    let code = weir_socket_error(descriptor)
    if code == 0 { return nil }
    return code > 0 ? Errno(rawValue: code) : Errno.last
}

/// TCP_NODELAY.
///
/// A socket that has gone away meanwhile is found by the next read.
package func setNoDelay(_ descriptor: Int32) {
    _ = weir_set_option(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
}

/// TCP_NOTSENT_LOWAT: how much may wait in the system for a peer that takes no more.
package func setUnsentMax(_ descriptor: Int32, octets: Int32) {
    _ = weir_set_option(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, octets)
}

/// SO_KEEPALIVE after `idleSeconds`, so that a peer that vanished without a word is noticed.
package func setKeepAlive(_ descriptor: Int32, idleSeconds: Int32) {
    _ = weir_set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
    _ = weir_set_option(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, idleSeconds)
}

/// SO_RCVBUF, in octets; tests make windows small with it.
package func setReceiveBuffer(_ descriptor: Int32, octets: Int32) {
    _ = weir_set_option(descriptor, SOL_SOCKET, SO_RCVBUF, octets)
}

/// SO_LINGER with zero seconds: close(2) then resets the connection and drops what is unsent.
package func setResetOnClose(_ descriptor: Int32) {
    var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
    // SAFETY: the structure lives for the call and its size is given.
    _ = unsafe setsockopt(
        descriptor,
        SOL_SOCKET,
        SO_LINGER,
        &linger,
        socklen_t(MemoryLayout<Glibc.linger>.size)
    )
}

/// shutdown(2) for writing: sends FIN after what is queued.
package func shutdownWrite(_ descriptor: Int32) {
    _ = Glibc.shutdown(descriptor, Int32(SHUT_WR))
}

/// shutdown(2) for reading.
///
/// On a listening socket: no connection comes in any more.
package func shutdownRead(_ descriptor: Int32) {
    _ = Glibc.shutdown(descriptor, Int32(SHUT_RD))
}

/// SO_ATTACH_FILTER: drops segments that begin a connection to this listening socket.
///
/// Handshakes that have begun go on, so that what they lead to can be accepted before the socket closes.
package func refuseNewConnections(_ descriptor: Int32) throws(SystemCallError) {
    try check("setsockopt") { weir_refuse_new_connections(descriptor) }
}

/// Whether there is a route to an address, for a host's own use: nothing is sent.
///
/// - Parameter address: Its port is of no importance but must not be 0.
/// - Returns: Whether one of our addresses could send to it.
package func hasRoute(to address: SocketAddress) -> Bool {
    var system = address.system
    // SAFETY: the structure lives for the call.
    return unsafe weir_has_route(&system) == 1
}
