internal import EventLoop
internal import FleetModel
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry
internal import Transport
internal import Upstreams

/// How a connection to an endpoint gets TLS, before it carries anything.
///
///     connecting ──stands──▶ PROXY header ──▶ handshake ──complete──▶ HTTP/1.1, or HTTP/2 by ALPN
///          └─────────────────────┴────────────────┴──failed──▶ the exchanges that wait are told
extension OriginConnection {
    /// Goes on until TLS stands.
    func secure() {
        do throws(ExchangeError) {
            if socket.isPlain {
                if let errno = connectError() { throw ExchangeError.connect(errno) }
                guard socket.canWrite else { return }
                guard greet() else { throw ExchangeError(.connectionTerminated, .upstream) }
                try beginTLS()
            }
            guard try shakeHands() else { return }
            try secured()
        } catch {
            worker.metrics.add(.upstreamConnectFailures)
            if let exchange { return exchange.originFailed(error) }
            session?.connectFailed(error)
        }
    }

    private func beginTLS() throws(ExchangeError) {
        guard let connectors = upstream.connectors else {
            throw ExchangeError(.proxyConfigurationError, .local)
        }
        let connector = connectors.connector(for: offer)
        do throws(TLSError) {
            let stream = try TLSStream(
                connecting: connector,
                to: upstream.server(at: endpoint),
                endpoint.resumption(with: connector),
                worker.workspace,
                descriptor: socket.number
            )
            socket.secure(with: stream, worker.workspace)
        } catch {
            throw ExchangeError(error)
        }
    }

    private func shakeHands() throws(ExchangeError) -> Bool {
        do throws(TLSError) {
            return try socket.handshake()
        } catch {
            throw ExchangeError(error)
        }
    }

    /// TLS stands: what is spoken is known.
    private func secured() throws(ExchangeError) {
        isSecuring = false
        let speaksHTTP2 = socket.session?.negotiatedProtocol == "h2"
        if upstream.isAutomatic { upstream.spoken = speaksHTTP2 ? .http2 : .http1 }
        if let session {
            // RFC 9113 §3.2: nobody speaks HTTP/2 who has not agreed to.
            guard speaksHTTP2 else {
                upstream.spoken = nil
                throw ExchangeError(.tlsProtocolError, .upstream)
            }
            return session.connectionReady()
        }
        guard let exchange else { return }
        guard speaksHTTP2 else { return exchange.originReady(self) }
        self.exchange = nil
        let session = speakHTTP2()
        endpoint.add(session)
        session.connectionReady()
        exchange.move(to: session)
    }
}

extension UpstreamPool {
    /// Whom a connection to an endpoint is to reach.
    func server(at endpoint: EndpointPool) -> TLSServer {
        upstream.server(at: endpoint.endpoint)
    }

    /// Whether what is spoken is chosen with each connection.
    var isAutomatic: Bool { upstream.transport == .auto }
}

extension ExchangeError {
    /// Why TLS to an endpoint failed (RFC 9209 §2.3).
    init(_ error: TLSError) {
        switch error {
        case .certificateRefused, .certificateMissing: self.init(.tlsCertificateError, .upstream)
        case .alertReceived: self.init(.tlsAlertReceived, .upstream)
        case .peerFault, .protocolNotNegotiated: self.init(.tlsProtocolError, .upstream)
        case .socketFailed(let number):
            self.init(.connectionTerminated, .upstream, errno: Errno(rawValue: number))
        case .configurationInvalid: self.init(.proxyConfigurationError, .local)
        case .sessionUnusable, .libraryFailed: self.init(.proxyInternalError, .local)
        }
    }
}
