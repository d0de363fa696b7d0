internal import FleetModel
internal import ProxyProtocol
internal import SystemCalls

/// What endpoints of an upstream with `proxyProtocol` are told of a client.
extension UpstreamPool {
    /// The header with which a connection for an exchange begins; empty where the upstream wants none.
    func proxyHeader(for client: Client?) -> [UInt8] {
        client.map { proxyHeader(from: $0.peer, to: $0.destination) } ?? []
    }

    /// The header with which a connection begins; empty where the upstream wants none.
    ///
    /// - Parameters:
    ///   - source: The client's end.
    ///   - destination: Where it connected to; `nil` where that cannot be told.
    /// - Returns: Its octets.
    func proxyHeader(
        from source: SocketAddress,
        to destination: @autoclosure () -> SocketAddress?
    ) -> [UInt8] {
        let version: ProxyProtocolVersion
        switch upstream.proxyProtocol {
        case .off: return []
        case .v1: version = .v1
        case .v2: version = .v2
        }
        guard let destination = destination() else {
            return ProxyHeader.unspecified.encoded(as: version)
        }
        let header = ProxyHeader.addresses(
            source: ProxyAddress(source),
            destination: ProxyAddress(destination)
        )
        return header.encoded(as: version)
    }
}

extension ClientAddresses {
    /// Where the client connected to, as it was told or as the socket has it.
    ///
    /// - Parameter number: The client's socket.
    /// - Returns: The address, or `nil` when the socket is gone.
    func destination(_ number: Int32) -> SocketAddress? {
        if let toldDestination { return toldDestination }
        do throws(SystemCallError) {
            return try localAddress(number)
        } catch {
            return nil
        }
    }
}

extension ProxyAddress {
    fileprivate init(_ address: SocketAddress) {
        let (high, low) = address.mapped
        if address.isIPv6 {
            self.init(high: high, low: low, port: address.port)
        } else {
            self.init(v4: UInt32(truncatingIfNeeded: low), port: address.port)
        }
    }
}
