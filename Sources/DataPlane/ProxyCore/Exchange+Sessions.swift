internal import EventLoop
internal import Telemetry
internal import Upstreams

/// How an exchange takes a connection to an endpoint that rests, or a stream of one that others share.
extension Exchange {
    /// Takes a connection to an endpoint that rests, or another one.
    @inline(__always)
    func reach(_ endpoint: EndpointPool, _ client: Client, _ upstream: UpstreamPool) {
        self.endpoint = endpoint
        if offer != .http2, let resting = endpoint.takeIdle() {
            worker.metrics.add(.upstreamConnectionsReused)
            origin = resting
            resting.exchange = self
            return forward(client, resting)
        }
        connect()
    }

    /// The endpoint has chosen HTTP/2 on the connection that was made for this exchange: others share it from now on.
    func move(to session: OriginSession) {
        guard let client else { return }
        let stream = session.attach(self)
        origin = stream
        forward(client, stream)
    }

    /// Takes a stream of a connection to an endpoint that others share, if there is one with room.
    ///
    /// - Parameter endpoint: The one that was chosen.
    /// - Returns: Whether there was.
    func sharesConnection(to endpoint: EndpointPool) -> Bool {
        guard offer != .http1, let session = endpoint.sessionWithRoom() else { return false }
        worker.metrics.add(.upstreamConnectionsReused)
        attach(to: session)
        return true
    }

    /// Takes a stream of a connection that exchanges share, which may still be being made.
    func attach(to session: OriginSession) {
        guard let client, let upstream else { return }
        let stream = session.attach(self)
        origin = stream
        if session.isConnected { return forward(client, stream) }
        setDeadline(of: stream, after: upstream.limits.connect)
    }
}
