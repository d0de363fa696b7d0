/// What a node's metrics tell of one endpoint.
package struct EndpointNumbers: Sendable {
    package let upstream: String
    package let address: String
    /// Whether it takes requests.
    package let isAvailable: Bool
    /// Connections to it that are open.
    package let connections: Int
    /// Requests that are under way there.
    package let requests: Int
    /// Tries there that went well.
    package let successes: UInt64
    /// Tries there that did not.
    package let failures: UInt64

    package init(
        upstream: String,
        address: String,
        isAvailable: Bool,
        connections: Int,
        requests: Int,
        successes: UInt64,
        failures: UInt64
    ) {
        (self.upstream, self.address, self.isAvailable) = (upstream, address, isAvailable)
        (self.connections, self.requests) = (connections, requests)
        (self.successes, self.failures) = (successes, failures)
    }

    /// One metric of endpoints.
    struct Family: Sendable {
        let name: String
        let kind: MetricFamily.Kind
        let help: String
        /// The values, by the label `result`; empty where there is no such label.
        let samples: @Sendable (EndpointNumbers) -> [(String, UInt64)]
    }

    /// Every metric of endpoints.
    static let families = [
        Family(
            name: "weir_endpoint_available",
            kind: .gauge,
            help: "Whether the endpoint takes requests."
        ) { [("", $0.isAvailable ? 1 : 0)] },
        Family(
            name: "weir_endpoint_connections",
            kind: .gauge,
            help: "Open connections to the endpoint, in use or at rest."
        ) { [("", UInt64(clamping: $0.connections))] },
        Family(
            name: "weir_endpoint_requests",
            kind: .gauge,
            help: "Requests that are under way at the endpoint."
        ) { [("", UInt64(clamping: $0.requests))] },
        Family(
            name: "weir_endpoint_tries_total",
            kind: .counter,
            help: "Tries of requests at the endpoint that have ended, by what they came to."
        ) { [("success", $0.successes), ("failure", $0.failures)] },
    ]
}
