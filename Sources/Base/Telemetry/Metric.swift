/// A number that a node keeps: a sample of a metric, with its labels.
///
/// `MetricFamily.all` says what each one is called and means.
public enum Metric: Int, CaseIterable, Sendable {
    case requests1xx
    case requests2xx
    case requests3xx
    case requests4xx
    case requests5xx
    case requestsAborted
    case connectionsOpen
    case connectionsAccepted
    case connectionsRefused
    case connectionsEvicted
    case tlsHandshakes
    case tlsHandshakesFailed
    case tlsHandshakesLate
    case tlsHandshakesLimited
    case tlsResumptions
    case tlsVersion12
    case tlsVersion13
    case challengesAnswered
    case receivedBytes
    case sentBytes
    case upstreamConnectionsOpen
    case upstreamConnectionsOpened
    case upstreamConnectionsReused
    case upstreamConnectFailures
    case upstreamRetries
    case checksPassed
    case checksFailed
    case ejections
    case endpointsAvailable
    case endpointsUnresolved
    case endpointsUnhealthy
    case endpointsEjected
    case endpointsDrained
    case endpointsDisabled
    case upstreamsPanicking
    case upstreamRetriesLimited
    case upstreamWaiting
    case upstreamQueueFull
    case upstreamQueueTimeouts
    case circuitOpenings
    case circuitRefusals
    case shedForLag
    case shedForMemory
    case exchangesEvicted
    case mirrorsComplete
    case mirrorsFailed
    case mirrorsTooLong
    case mirrorsLimited
    case tunnelsOpen
    case upstreamReceivedBytes
    case upstreamSentBytes
    case nameLookupsAnswered
    case nameLookupsFailed
    case namesFailing
    case nameAnswerAge
    case accessLogDropped
    case accessLogFailed
    case loopLag
    case ready
    case activeVersion
    case activations
    case activationFailures
    case controlConnected
    case residentMemory
    case startTime

    /// The counter of final responses with this status code.
    ///
    /// - Parameter status: A status code from 100 to 599.
    /// - Returns: The counter of its class.
    @inlinable
    public static func requests(status: Int) -> Metric {
        switch status {
        case ..<200: .requests1xx
        case ..<300: .requests2xx
        case ..<400: .requests3xx
        case ..<500: .requests4xx
        default: .requests5xx
        }
    }
}

/// A metric: its name, what it measures, and the samples that belong to it.
///
/// This is the one place where metrics are declared. Rendering, reports and docs/metrics.md follow it.
public struct MetricFamily: Sendable {
    /// Whether values only grow, go both ways, or are a distribution.
    public enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    /// What the number counts.
    public enum Unit: String, Sendable {
        case none = ""
        case bytes
        /// Kept in nanoseconds and shown in seconds.
        case seconds
    }

    /// How the values of several workers become one.
    public enum Merging: Sendable {
        case sum
        case largest
    }

    public let name: String
    public let kind: Kind
    public let unit: Unit
    public let merging: Merging
    public let help: String
    /// The label that tells the samples apart; empty when there is but one.
    public let label: String
    /// The samples with their label's value.
    public let samples: [(value: String, metric: Metric)]

    init(
        _ name: String,
        _ kind: Kind,
        unit: Unit = .none,
        merging: Merging = .sum,
        _ help: String,
        label: String = "",
        _ samples: [(value: String, metric: Metric)] = []
    ) {
        self.name = name
        self.kind = kind
        self.unit = unit
        self.merging = merging
        self.help = help
        self.label = label
        self.samples = samples
    }

    /// One number for each metric: how its workers' values are merged.
    static let mergings: [Merging] = {
        var mergings = [Merging](repeating: .sum, count: Metric.allCases.count)
        for family in all {
            for sample in family.samples { mergings[sample.metric.rawValue] = family.merging }
        }
        return mergings
    }()
}

extension MetricFamily {
    /// Every metric of a node that has a fixed set of samples, in the order in which they are shown.
    public static let all: [MetricFamily] =
        [
            MetricFamily(
                "weir_requests_total",
                .counter,
                "Requests by the class of their final response; aborted: it was not sent whole.",
                label: "status_class",
                [
                    ("1xx", .requests1xx), ("2xx", .requests2xx), ("3xx", .requests3xx),
                    ("4xx", .requests4xx), ("5xx", .requests5xx), ("aborted", .requestsAborted),
                ]
            ),
            MetricFamily(
                "weir_connections",
                .gauge,
                "Client connections that are open.",
                [("", .connectionsOpen)]
            ),
            MetricFamily(
                "weir_connections_accepted_total",
                .counter,
                "Client connections that were accepted.",
                [("", .connectionsAccepted)]
            ),
            MetricFamily(
                "weir_connections_refused_total",
                .counter,
                "Client connections that were closed at once: a limit was reached, or no PROXY header came.",
                [("", .connectionsRefused)]
            ),
            MetricFamily(
                "weir_connections_evicted_total",
                .counter,
                "Client connections without a request that were closed to make room for others.",
                [("", .connectionsEvicted)]
            ),
            MetricFamily(
                "weir_tls_handshakes_total",
                .counter,
                "TLS handshakes with clients, by how they ended; limited: the client had begun too many.",
                label: "result",
                [
                    ("complete", .tlsHandshakes), ("failed", .tlsHandshakesFailed),
                    ("timeout", .tlsHandshakesLate), ("limited", .tlsHandshakesLimited),
                ]
            ),
            MetricFamily(
                "weir_tls_resumptions_total",
                .counter,
                "Complete TLS handshakes with clients that went on from a session ticket.",
                [("", .tlsResumptions)]
            ),
            MetricFamily(
                "weir_tls_connections_total",
                .counter,
                "Complete TLS handshakes with clients, by the version that is spoken.",
                label: "version",
                [("1.2", .tlsVersion12), ("1.3", .tlsVersion13)]
            ),
            MetricFamily(
                "weir_acme_challenges_answered_total",
                .counter,
                "Times that an authority which wants proof of a host was answered.",
                [("", .challengesAnswered)]
            ),
            MetricFamily(
                "weir_received_bytes_total",
                .counter,
                unit: .bytes,
                "Octets received from clients.",
                [("", .receivedBytes)]
            ),
            MetricFamily(
                "weir_sent_bytes_total",
                .counter,
                unit: .bytes,
                "Octets sent to clients.",
                [("", .sentBytes)]
            ),
            MetricFamily(
                "weir_upstream_connections",
                .gauge,
                "Connections to endpoints that are open, in use or idle.",
                [("", .upstreamConnectionsOpen)]
            ),
            MetricFamily(
                "weir_upstream_connections_total",
                .counter,
                "Exchanges by the connection to their endpoint: a new one or one from the pool.",
                label: "connection",
                [("new", .upstreamConnectionsOpened), ("reused", .upstreamConnectionsReused)]
            ),
            MetricFamily(
                "weir_upstream_connect_failures_total",
                .counter,
                "Connections to endpoints that could not be made.",
                [("", .upstreamConnectFailures)]
            ),
            MetricFamily(
                "weir_upstream_retries_total",
                .counter,
                "Requests that were sent to an endpoint once more.",
                [("", .upstreamRetries)]
            ),
            MetricFamily(
                "weir_health_checks_total",
                .counter,
                "Checks of endpoints, by how they ended.",
                label: "result",
                [("passed", .checksPassed), ("failed", .checksFailed)]
            ),
            MetricFamily(
                "weir_upstream_ejections_total",
                .counter,
                "Times that an endpoint was left out for what it had answered.",
                [("", .ejections)]
            ),
            MetricFamily(
                "weir_upstream_endpoints",
                .gauge,
                "Endpoints of all upstreams, by whether they take requests, and if not, why.",
                label: "state",
                [
                    ("available", .endpointsAvailable), ("unresolved", .endpointsUnresolved),
                    ("unhealthy", .endpointsUnhealthy), ("ejected", .endpointsEjected),
                    ("drained", .endpointsDrained), ("disabled", .endpointsDisabled),
                ]
            ),
            MetricFamily(
                "weir_upstreams_in_panic",
                .gauge,
                "Upstreams with so few available endpoints that all are used.",
                [("", .upstreamsPanicking)]
            ),
            MetricFamily(
                "weir_upstream_retries_limited_total",
                .counter,
                "Failed tries that were not repeated because the retry budget was used up.",
                [("", .upstreamRetriesLimited)]
            ),
            MetricFamily(
                "weir_upstream_waiting",
                .gauge,
                "Requests that wait for a connection to an upstream.",
                [("", .upstreamWaiting)]
            ),
            MetricFamily(
                "weir_upstream_queue_refused_total",
                .counter,
                "Requests that got no connection to an upstream, by why: full or too slow a queue, or their time was over.",
                label: "reason",
                [("full", .upstreamQueueFull), ("timeout", .upstreamQueueTimeouts)]
            ),
            MetricFamily(
                "weir_circuit_openings_total",
                .counter,
                "Times that a circuit breaker opened, or stayed open after a trial.",
                [("", .circuitOpenings)]
            ),
            MetricFamily(
                "weir_circuit_refused_total",
                .counter,
                "Requests that an open circuit breaker answered.",
                [("", .circuitRefusals)]
            ),
            MetricFamily(
                "weir_requests_shed_total",
                .counter,
                "Requests that were refused because the node had too much to do, by what there was too much of.",
                label: "reason",
                [("lag", .shedForLag), ("memory", .shedForMemory)]
            ),
            MetricFamily(
                "weir_upstream_evictions_total",
                .counter,
                "Exchanges and relays whose clients did not go on, ended to make room at an upstream.",
                [("", .exchangesEvicted)]
            ),
            MetricFamily(
                "weir_mirrored_requests_total",
                .counter,
                "Requests for a route's mirror, by what became of the copy: complete, it was answered; failed; "
                    + "too_long and limited, it was not sent.",
                label: "result",
                [
                    ("complete", .mirrorsComplete), ("failed", .mirrorsFailed),
                    ("too_long", .mirrorsTooLong), ("limited", .mirrorsLimited),
                ]
            ),
            MetricFamily(
                "weir_tunnels",
                .gauge,
                "Exchanges that have switched protocols and go on, and relayed connections.",
                [("", .tunnelsOpen)]
            ),
            MetricFamily(
                "weir_upstream_received_bytes_total",
                .counter,
                unit: .bytes,
                "Octets received from endpoints.",
                [("", .upstreamReceivedBytes)]
            ),
            MetricFamily(
                "weir_upstream_sent_bytes_total",
                .counter,
                unit: .bytes,
                "Octets sent to endpoints.",
                [("", .upstreamSentBytes)]
            ),
            MetricFamily(
                "weir_name_lookups_total",
                .counter,
                "Lookups of endpoints' names and of services, by what came of them.",
                label: "result",
                [("answered", .nameLookupsAnswered), ("failed", .nameLookupsFailed)]
            ),
            MetricFamily(
                "weir_names_failing",
                .gauge,
                "Names whose last lookup has failed; what they led to before is still used.",
                [("", .namesFailing)]
            ),
            MetricFamily(
                "weir_name_answer_age_seconds",
                .gauge,
                unit: .seconds,
                merging: .largest,
                "Time since the oldest answer that is used came; at most 5 minutes while all names can be looked up, or "
                    + "their `refresh`.",
                [("", .nameAnswerAge)]
            ),
        ] + process

    private static let process: [MetricFamily] = [
        MetricFamily(
            "weir_access_log_dropped_total",
            .counter,
            "Access-log records that were dropped because the writer was behind.",
            [("", .accessLogDropped)]
        ),
        MetricFamily(
            "weir_access_log_failed_total",
            .counter,
            "Access-log records that could not be written, because the disk was full or so.",
            [("", .accessLogFailed)]
        ),
        MetricFamily(
            "weir_loop_lag_seconds",
            .gauge,
            unit: .seconds,
            merging: .largest,
            "Longest time that a worker's loop was busy without looking for events, lately.",
            [("", .loopLag)]
        ),
        MetricFamily(
            "weir_ready",
            .gauge,
            merging: .largest,
            "1 while the node serves a version, does not drain and is not revoked.",
            [("", .ready)]
        ),
        MetricFamily(
            "weir_active_version",
            .gauge,
            merging: .largest,
            "Number of the configuration version that is served, 0 without one.",
            [("", .activeVersion)]
        ),
        MetricFamily(
            "weir_activations_total",
            .counter,
            "Configurations that the node tried to serve, by result.",
            label: "result",
            [("active", .activations), ("failed", .activationFailures)]
        ),
        MetricFamily(
            "weir_control_connected",
            .gauge,
            merging: .largest,
            "1 while the node has a session with the control plane.",
            [("", .controlConnected)]
        ),
        MetricFamily(
            "weir_resident_memory_bytes",
            .gauge,
            unit: .bytes,
            merging: .largest,
            "Resident memory of the process.",
            [("", .residentMemory)]
        ),
        MetricFamily(
            "weir_start_time_seconds",
            .gauge,
            unit: .seconds,
            merging: .largest,
            "When the process started, in seconds since 1970.",
            [("", .startTime)]
        ),
    ]

    /// The distribution of the time from a request's complete head to its response's last octet.
    public static let requestDuration = MetricFamily(
        "weir_request_duration_seconds",
        .histogram,
        unit: .seconds,
        "Time from a request's complete head to the last octet of its response."
    )

    /// Exchanges that failed, by `ProxyErrorType`.
    public static let errors = MetricFamily(
        "weir_errors_total",
        .counter,
        "Exchanges that failed, by error type (RFC 9209 §2.3).",
        label: "type"
    )
}

/// Numbers that a node keeps for each named thing of a kind, such as each route.
public struct LabelledFamily: Sendable {
    /// What the names name.
    public enum Subject: Int, CaseIterable, Sendable {
        case route
        case upstream
    }

    /// One number of such a thing, by its place in the row.
    public enum Column: Int, CaseIterable, Sendable {
        case requests
        case errors
        case nanoseconds
    }

    public let name: String
    public let subject: Subject
    public let column: Column
    public let unit: MetricFamily.Unit
    public let help: String

    /// The label's name, which is the subject's.
    public var label: String {
        switch subject {
        case .route: "route"
        case .upstream: "upstream"
        }
    }

    /// Every metric with a sample for each name.
    public static let all: [LabelledFamily] = Subject.allCases.flatMap { subject in
        let word =
            switch subject {
            case .route: "route"
            case .upstream: "upstream"
            }
        return [
            LabelledFamily(
                name: "weir_\(word)_requests_total",
                subject: subject,
                column: .requests,
                unit: .none,
                help: "Requests, by \(word)."
            ),
            LabelledFamily(
                name: "weir_\(word)_errors_total",
                subject: subject,
                column: .errors,
                unit: .none,
                help: "Requests that ended with a 5xx status or without a response, by \(word)."
            ),
            LabelledFamily(
                name: "weir_\(word)_duration_seconds_total",
                subject: subject,
                column: .nanoseconds,
                unit: .seconds,
                help: "Sum of the time that requests took, by \(word)."
            ),
        ]
    }
}
