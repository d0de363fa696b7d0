internal import FleetModel
internal import ProxyCore
internal import SnapshotCompiler
internal import Telemetry
internal import Upstreams

/// What the admin address says to one request.
struct AdminAnswer {
    let status: UInt16
    let type: String
    let octets: [UInt8]

    init(_ status: UInt16, _ text: String, type: String = "text/plain; charset=utf-8") {
        (self.status, self.type) = (status, type)
        octets = Array(text.utf8)
    }

    /// The reason phrase.
    var phrase: String {
        switch status {
        case 200: "OK"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 503: "Service Unavailable"
        default: "Bad Request"
        }
    }
}

extension AdminAnswer {
    /// How the node sees its upstreams, as JSON.
    init(_ statuses: [UpstreamStatus]) {
        let upstreams = statuses.map { upstream in
            ConfigurationNode.map([
                ("name", .quoted(upstream.name)), ("note", .quoted(upstream.remark)),
                ("endpoints", ConfigurationNode(.list(upstream.endpoints.map(Self.node)))),
            ])
        }
        let tree = ConfigurationNode.map([("upstreams", ConfigurationNode(.list(upstreams)))])
        let text = String(decoding: JSONWriter.indented(tree), as: UTF8.self) + "\n"
        self.init(200, text, type: "application/json")
    }

    /// The metrics of a node, in Prometheus' format.
    init(metrics text: String) {
        self.init(200, text, type: PrometheusText.contentType)
    }

    /// The metrics of the first endpoints, in the order of the upstreams' names.
    static func endpointMetrics(_ statuses: [UpstreamStatus]) -> String {
        let all = statuses.lazy.flatMap { upstream in
            zip(upstream.endpoints, upstream.tallies).lazy.map { (upstream.name, $0, $1) }
        }
        let shown = all.prefix(Limits.endpointSeriesMax).map { name, endpoint, tally in
            EndpointNumbers(
                upstream: name,
                address: endpoint.address.description,
                isAvailable: endpoint.availability == .available,
                connections: endpoint.connections,
                requests: endpoint.requests,
                successes: tally.successes,
                failures: tally.failures
            )
        }
        let count = statuses.reduce(0) { $0 + $1.endpoints.count }
        return PrometheusText.endpoints(Array(shown), omitted: count - shown.count)
    }

    private static func node(_ endpoint: EndpointStatus) -> ConfigurationNode {
        .map([
            ("address", .quoted(endpoint.address.description)),
            ("state", .quoted(endpoint.availability.word)),
            ("reason", .quoted(endpoint.reason)),
            ("sinceUnixSeconds", .seconds(endpoint.sinceUnixNanoseconds)),
            (
                "checkedUnixSeconds",
                endpoint.lastCheck.map { .seconds($0.unixNanoseconds) } ?? .null
            ),
            ("check", endpoint.lastCheck.map { .quoted($0.words) } ?? .null),
            ("weight", .number(Int64(endpoint.weight))),
            ("connections", .number(Int64(endpoint.connections))),
            ("requests", .number(Int64(endpoint.requests))),
            ("discovered", ConfigurationNode("\(endpoint.isDiscovered)", style: .boolean)),
        ])
    }
}

extension ConfigurationNode {
    fileprivate static let null = ConfigurationNode("null", style: .null)

    fileprivate static func quoted(_ text: String) -> ConfigurationNode {
        ConfigurationNode(text, style: .quoted)
    }

    fileprivate static func seconds(_ nanoseconds: UInt64) -> ConfigurationNode {
        let milliseconds = nanoseconds / 1_000_000
        let digits = "\(milliseconds % 1_000 + 1_000)".dropFirst()
        return ConfigurationNode("\(milliseconds / 1_000).\(digits)", style: .number)
    }

    fileprivate static func number(_ number: Int64) -> ConfigurationNode {
        ConfigurationNode("\(number)", style: .number)
    }
}

extension Availability {
    /// As `proxyctl upstreams` has it.
    fileprivate var word: String {
        switch self {
        case .available: "healthy"
        case .unresolved: "unresolved"
        case .unhealthy: "unhealthy"
        case .ejected: "ejected"
        case .drained: "drained"
        case .disabled: "disabled"
        }
    }
}

extension NodeProcess {
    /// Answers a path of the admin address.
    func answer(_ path: String) -> AdminAnswer {
        switch path {
        case "/healthz": return AdminAnswer(200, "ok\n")
        case "/readyz":
            guard let unreadiness else { return AdminAnswer(200, "ready\n") }
            return AdminAnswer(503, "not ready: \(unreadiness)\n")
        case "/metrics": return AdminAnswer(metrics: metricsText)
        case "/config": return configurationAnswer
        default: return AdminAnswer(404, "try /metrics, /healthz, /readyz, /config or /upstreams\n")
        }
    }

    /// Whether its metrics tell of each endpoint.
    var tellsOfEndpoints: Bool { served?.share.metrics.perEndpoint ?? false }

    /// All metrics but those of endpoints.
    var metricsText: String {
        refreshGauges()
        return PrometheusText.render(server.metrics.snapshot())
            + PrometheusText.certificates(agent?.material.ends ?? [:])
    }

    private var configurationAnswer: AdminAnswer {
        let json = "application/json"
        guard let served else {
            return AdminAnswer(503, #"{"error": "no version is served"}"# + "\n", type: json)
        }
        // Names need no escapes.
        let listeners = served.share.listeners.map { "\"\($0.name)\"" }
        let text = """
            {
              "version": \(served.version),
              "epoch": \(served.epoch),
              "digest": "\(served.digest.hex)",
              "listeners": [\(listeners.joined(separator: ", "))],
              "configuration": \(served.configuration.documentJSON)
            }

            """
        return AdminAnswer(200, text, type: json)
    }
}
