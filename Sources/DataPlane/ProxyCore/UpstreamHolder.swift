internal import EventLoop
internal import SystemCalls

/// Whoever holds a connection to an endpoint for a client: that it does so is in the client's hand.
///
/// Confined to its worker's loop.
protocol UpstreamHolder: EventHandler {
    /// Whose it is.
    var peer: SocketAddress { get }

    /// The upstream and the endpoint to which it holds a connection; `nil` without one.
    var held: (upstream: UpstreamPool, endpoint: EndpointPool?)? { get }

    /// Since when it is the client alone that does not go on; `nil` while others are waited for.
    var stalledSince: LoopInstant? { get }

    /// Lets go of the connection, and of the client: others can use what it holds.
    func giveWay()
}

extension Client: UpstreamHolder {
    var held: (upstream: UpstreamPool, endpoint: EndpointPool?)? {
        guard let exchange, exchange.origin != nil, let upstream = exchange.upstream else {
            return nil
        }
        return (upstream, exchange.endpoint)
    }

    func giveWay() {
        exchange?.clientIsTooSlow()
    }
}

extension TCPRelay: UpstreamHolder {
    var peer: SocketAddress { addresses.source }

    var held: (upstream: UpstreamPool, endpoint: EndpointPool?)? { (upstream, endpoint) }

    /// What has begun is between the client and the endpoint: nobody else knows whose turn it is.
    var stalledSince: LoopInstant? { emptySince }

    func giveWay() {
        cutOff()
    }
}
