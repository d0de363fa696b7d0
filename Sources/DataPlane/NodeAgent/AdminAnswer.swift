internal import FleetModel
internal import ProxyCore
internal import SnapshotCompiler
internal import Telemetry

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

extension NodeProcess {
    /// Answers a path of the admin address.
    func answer(_ path: String) -> AdminAnswer {
        switch path {
        case "/healthz": return AdminAnswer(200, "ok\n")
        case "/readyz":
            guard let unreadiness else { return AdminAnswer(200, "ready\n") }
            return AdminAnswer(503, "not ready: \(unreadiness)\n")
        case "/metrics":
            refreshGauges()
            let text =
                PrometheusText.render(server.metrics.snapshot())
                + PrometheusText.certificates(agent?.material.ends ?? [:])
            return AdminAnswer(200, text, type: PrometheusText.contentType)
        case "/config": return configurationAnswer
        default: return AdminAnswer(404, "try /metrics, /healthz, /readyz or /config\n")
        }
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
