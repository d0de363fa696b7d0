internal import FleetModel
internal import TLSLibrary

/// One worker's side of TLS to an upstream: a context for each set of protocols that it may offer.
///
/// Confined to its worker's loop.
final class UpstreamConnectors {
    /// What it was made of.
    let plan: ConnectorPlan
    private let http1: TLSConnector
    private let http2: TLSConnector
    private let both: TLSConnector

    /// Makes the contexts that the upstream's protocol needs.
    init(_ plan: ConnectorPlan) throws(TLSError) {
        self.plan = plan
        func connector(_ protocols: [String]) throws(TLSError) -> TLSConnector {
            var options = plan.options
            options.protocols = protocols
            return try TLSConnector(options)
        }
        switch plan.transport {
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

/// What an upstream's side of TLS is made of: connections that were made with an equal one are as good.
struct ConnectorPlan: Hashable, Sendable {
    let options: TLSConnectorOptions
    let transport: UpstreamProtocol
    /// Tells one state of the system's authorities from another; 0 where they are not asked.
    let storeStamp: Int64
}

/// Which protocols an endpoint may choose from.
enum ProtocolOffer {
    case http1
    case http2
    case either
}
