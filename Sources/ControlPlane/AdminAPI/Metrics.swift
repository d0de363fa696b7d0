import AdminMessages
import Certificates
import ControlStore
import Credentials
import FleetModel
import FleetProtocol
import FleetServer
import HTTPTypes
import Synchronization

/// Counts answers by the class of their status.
final class RequestCounters: Sendable {
    private let counts = Mutex([UInt64](repeating: 0, count: 5))

    /// Counts one answer.
    func count(status: Int) {
        guard (1...5).contains(status / 100) else { return }
        counts.withLock { $0[status / 100 - 1] += 1 }
    }

    /// The counts of 1xx to 5xx.
    var byClass: [UInt64] { counts.withLock { $0 } }
}

/// The metrics of the control plane, each declared once.
package enum ControlMetric: String, CaseIterable, Sendable {
    case info = "weir_control_info"
    case epoch = "weir_control_epoch"
    case headVersion = "weir_control_head_version"
    case nodes = "weir_control_nodes"
    case driftingNodes = "weir_control_drifting_nodes"
    case rejectingNodes = "weir_control_rejecting_nodes"
    case endpoints = "weir_control_endpoints"
    case disputedEndpoints = "weir_control_disputed_endpoints"
    case adjustments = "weir_control_adjustments"
    case certificateEnds = "weir_certificate_not_after_seconds"
    case orders = "weir_acme_orders_total"
    case orderFailures = "weir_acme_order_failures"
    case adminRequests = "weir_control_admin_requests_total"

    /// `gauge` or `counter`.
    package var type: String { self == .adminRequests || self == .orders ? "counter" : "gauge" }

    /// What it means, in one line.
    package var help: String {
        switch self {
        case .info: "Always 1; its labels say the build and the cluster."
        case .epoch: "Epoch of the cluster; rises with every restore."
        case .headVersion: "Newest version of the configuration; 0 before the first."
        case .nodes: "Nodes by state."
        case .driftingNodes: "Nodes with a session that serve something else than the head."
        case .rejectingNodes: "Nodes that could not apply the version that they were offered."
        case .endpoints: "Endpoints of the head's upstreams by the state that most nodes see."
        case .disputedEndpoints: "Endpoints whose state some nodes see otherwise than others."
        case .adjustments:
            "Drains, disables and weights of endpoints that operators have put in force."
        case .certificateEnds:
            "When a certificate of the head that nodes are given ends, in seconds since 1970-01-01 UTC."
        case .orders:
            "Orders at certificate authorities that ended since the process began, by what came of them."
        case .orderFailures:
            "Orders in a row that failed for an acme certificate; 0 when the last one succeeded."
        case .adminRequests: "Answers of the admin API by class of status."
        }
    }
}

extension AdminService {
    /// The Prometheus text format, version 0.0.4.
    func metrics(_ request: AdminRequest) async throws -> AdminAnswer {
        let server = try await server()
        let status = try await fleet.status()
        let certificates = try await credentials.headCertificates()
        let ended = await credentials.endedOrders()
        let upstreams = try await upstreamSums()
        var text = ""
        for metric in ControlMetric.allCases {
            text += "# HELP \(metric.rawValue) \(metric.help)\n"
            text += "# TYPE \(metric.rawValue) \(metric.type)\n"
            let samples: [(labels: String, value: UInt64)] =
                switch metric {
                case .info: [("{build=\"\(server.build)\",cluster=\"\(server.cluster)\"}", 1)]
                case .epoch: [("", server.epoch)]
                case .headVersion: [("", status.head?.version ?? 0)]
                case .nodes:
                    NodeStatus.State.allCases.map { state in
                        let count = status.countByState[state] ?? 0
                        return ("{state=\"\(state.rawValue)\"}", UInt64(count))
                    }
                case .driftingNodes: [("", UInt64(status.drifting.count))]
                case .rejectingNodes: [("", UInt64(status.rejections.count))]
                case .endpoints:
                    EndpointStatus.Availability.allCases.map { state in
                        ("{state=\"\(state.rawValue)\"}", upstreams.countByState[state] ?? 0)
                    }
                case .disputedEndpoints: [("", upstreams.disputed)]
                case .adjustments: [("", upstreams.adjustments)]
                case .certificateEnds:
                    // Names of certificates have no character that a label would have to escape.
                    certificates.filter(\.isNeeded).compactMap { certificate in
                        certificate.facts.map { facts in
                            (
                                "{certificate=\"\(certificate.name)\"}",
                                UInt64(clamping: facts.notAfterSeconds)
                            )
                        }
                    }
                case .orders:
                    [("{result=\"issued\"}", ended.issued), ("{result=\"failed\"}", ended.failed)]
                case .orderFailures:
                    certificates.compactMap { certificate in
                        certificate.order.map {
                            ("{certificate=\"\(certificate.name)\"}", UInt64(clamping: $0.failures))
                        }
                    }
                case .adminRequests:
                    requests.byClass.enumerated().map { index, count in
                        ("{status_class=\"\(index + 1)xx\"}", count)
                    }
                }
            for sample in samples { text += "\(metric.rawValue)\(sample.labels) \(sample.value)\n" }
        }
        return AdminAnswer(
            content: .text(text, mediaType: "text/plain; version=0.0.4; charset=utf-8")
        )
    }

    /// The process lives.
    func health(_ request: AdminRequest) async throws -> AdminAnswer {
        AdminAnswer(content: .text("ok\n", mediaType: Self.plainText))
    }

    /// The store answers and the fleet's loop turns.
    func readiness(_ request: AdminRequest) async throws -> AdminAnswer {
        do {
            _ = try await store.head()
            _ = try await fleet.status()
        } catch {
            var failure = AdminError(
                .serviceUnavailable,
                .busy,
                "the store or the fleet's server does not answer"
            )
            failure.logDetail = "\(error)"
            throw failure
        }
        return AdminAnswer(content: .text("ready\n", mediaType: Self.plainText))
    }

    static let plainText = "text/plain; charset=utf-8"
}
