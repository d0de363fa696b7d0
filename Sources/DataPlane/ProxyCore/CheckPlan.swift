internal import EventLoop
internal import FleetModel
internal import ProxyProtocol
internal import TLSLibrary

/// How the endpoints of an upstream are checked.
///
/// Confined to the monitor's loop.
final class CheckPlan {
    let check: Check
    /// What connections begin with: that the node speaks for itself.
    let proxyHeader: [UInt8]
    /// TLS to the endpoints; `nil` is none.
    let tls: TLS?
    /// Whether HTTP/2 is spoken without being agreed on.
    let prefersHTTP2: Bool
    /// Whether nothing else will do.
    let needsHTTP2: Bool
    private let settings: Settings

    /// What is asked, how often, and how long it may take.
    struct Check: Equatable {
        let probe: HealthCheck.Probe
        /// Nanoseconds from the beginning of a check to that of the next one.
        let interval: UInt64
        /// Nanoseconds that a whole check may take.
        let timeout: UInt64
        /// Which part of the interval is left to chance, in thousandths of a percent.
        let jitter: Int

        /// What an upstream's settings ask for; `nil` where they ask for nothing.
        init?(of upstream: Upstream) {
            guard let health = upstream.health else { return nil }
            (probe, jitter) = (health.probe, health.jitter)
            (interval, timeout) = (health.interval.nanoseconds, health.timeout.nanoseconds)
        }

        /// What finds an endpoint again that was out of reach: a connection, in the time that one for requests has.
        init(reaching upstream: Upstream) {
            (probe, jitter) = (.tcp, 10_000)
            (interval, timeout) = (
                Limits.reachNanoseconds, upstream.timeouts.connect.nanoseconds
            )
        }
    }

    /// TLS to endpoints.
    struct TLS {
        /// `nil` where the settings are of no use.
        let connector: TLSConnector?
    }

    /// What a plan is made of: an equal one is as good.
    struct Settings: Equatable {
        let check: Check
        let transport: UpstreamProtocol
        let proxyProtocol: UpstreamProxyProtocol
        let tls: UpstreamTLS?
        let connector: ConnectorPlan?
    }

    /// Makes a plan, or gives back one that does.
    ///
    /// - Parameters:
    ///   - check: What is asked.
    ///   - upstream: The settings.
    ///   - connector: What TLS to its endpoints is made of.
    ///   - known: A plan from before.
    /// - Returns: The plan.
    static func plan(
        _ check: Check,
        for upstream: Upstream,
        _ connector: ConnectorPlan?,
        or known: CheckPlan?
    ) -> CheckPlan {
        let settings = Settings(
            check: check,
            transport: upstream.transport,
            proxyProtocol: upstream.proxyProtocol,
            tls: upstream.tls,
            connector: connector
        )
        if let known, known.settings == settings { return known }
        return CheckPlan(settings)
    }

    private init(_ settings: Settings) {
        self.settings = settings
        check = settings.check
        switch settings.proxyProtocol {
        case .off: proxyHeader = []
        case .v1: proxyHeader = ProxyHeader.unspecified.encoded(as: .v1)
        case .v2: proxyHeader = ProxyHeader.unspecified.encoded(as: .v2)
        }
        var isGRPC = false
        if case .grpc = check.probe { isGRPC = true }
        var isTCP = false
        if case .tcp = check.probe { isTCP = true }
        prefersHTTP2 = isGRPC || settings.transport == .h2c
        needsHTTP2 = isGRPC || settings.transport == .h2 && !isTCP
        guard settings.tls != nil else {
            tls = nil
            return
        }
        var options = settings.connector?.options
        options?.protocols =
            switch settings.transport {
            case _ where isGRPC: ["h2"]
            case .http1, .h2c: ["http/1.1"]
            case .h2: ["h2"]
            case .auto: ["h2", "http/1.1"]
            }
        do throws(TLSError) {
            tls = TLS(
                connector: try options.map { options throws(TLSError) in
                    try TLSConnector(options)
                }
            )
        } catch {
            // The workers have made theirs of the same; checks fail and say so.
            tls = TLS(connector: nil)
        }
    }

    /// What is said on a connection; `nil` where it is enough that it stands.
    func dialogue(with target: CheckTarget, inHTTP2: Bool) -> CheckDialogue? {
        switch check.probe {
        case .tcp: nil
        case .grpc(let service):
            HTTP2CheckDialogue(service: service, host: target.host, isSecure: tls != nil)
        case .http(let probe) where inHTTP2:
            HTTP2CheckDialogue(probe, host: probe.host ?? target.host, isSecure: tls != nil)
        case .http(let probe): HTTP1CheckDialogue(probe, host: probe.host ?? target.host)
        }
    }
}

extension Upstream {
    /// Whom a connection to an endpoint is to reach.
    func server(at endpoint: Endpoint) -> TLSServer {
        let host = tls?.serverName ?? name(of: endpoint)
        if tls?.serverName == nil, endpoint.address.path != nil { return .anybody }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let text = isBracketed ? String(host.dropFirst().dropLast()) : host
        guard let address = IPAddress(text) else { return .name(host) }
        return .address(address.octets)
    }
}
