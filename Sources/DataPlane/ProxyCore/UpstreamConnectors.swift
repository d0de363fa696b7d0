internal import FleetModel
internal import TLSLibrary

/// One worker's side of TLS to an upstream: a context for each set of protocols that it may offer.
///
/// Confined to its worker's loop.
final class UpstreamConnectors {
    private let http1: TLSConnector
    private let http2: TLSConnector
    private let both: TLSConnector

    /// Makes the contexts that the upstream's protocol needs.
    init(_ options: TLSConnectorOptions, _ transport: UpstreamProtocol) throws(TLSError) {
        func connector(_ protocols: [String]) throws(TLSError) -> TLSConnector {
            var options = options
            options.protocols = protocols
            return try TLSConnector(options)
        }
        switch transport {
        case .http1, .h2c:
            http1 = try connector(["http/1.1"])
            (http2, both) = (http1, http1)
        case .h2:
            http2 = try connector(["h2"])
            (http1, both) = (http2, http2)
        case .auto:
            http1 = try connector(["http/1.1"])
            http2 = try connector(["h2"])
            both = try connector(["h2", "http/1.1"])
        }
    }

    /// What offers these protocols.
    func connector(for offer: ProtocolOffer) -> TLSConnector {
        switch offer {
        case .http1: http1
        case .http2: http2
        case .either: both
        }
    }
}

/// Which protocols an endpoint may choose from.
enum ProtocolOffer {
    case http1
    case http2
    case either
}
