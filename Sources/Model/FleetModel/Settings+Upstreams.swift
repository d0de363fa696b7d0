extension Settings {
    /// Upstreams.
    static let upstreams = ResourceSettings(
        .upstream,
        "Named sets of endpoints with balancing, pools and timeouts",
        RecordType([
            Setting("name", .text(.name), .required, "Unique among upstreams"),
            Setting(
                "protocol",
                .word("http1", "h2c", "h2", "auto"),
                .defaultsTo("http1"),
                "What the endpoints speak; `h2` and `auto`, which is HTTP/2 where they offer it, need `tls`"
            ),
            Setting(
                "balance",
                .word(
                    "roundRobin",
                    "leastRequests",
                    "powerOfTwo",
                    "latency",
                    "hash",
                    "random"
                ),
                .defaultsTo("roundRobin"),
                "How an endpoint is chosen, always by weight: in turn; with the fewest requests in flight; "
                    + "the better one of two drawn at random; expected to answer first (peak EWMA); by a "
                    + "consistent hash with bounded loads; at random"
            ),
            Setting(
                "hash",
                affinity,
                .optional,
                "What `balance: hash` hashes; the client's address where it is absent"
            ),
            Setting(
                "endpoints",
                .list(.record(endpoint), countMin: 1),
                .optional,
                "Where requests go; may be left out where `discovery` finds them"
            ),
            Setting(
                "discovery",
                discovery,
                .optional,
                "Endpoints from DNS, beside those of `endpoints` or in their place"
            ),
            Setting("sticky", sticky, .optional, "Keep a client at its endpoint by a cookie"),
            Setting("connections", connections, .optional, "Limits of the pool, per node"),
            Setting("queue", queue, .optional, "Where requests wait for a connection"),
            Setting("timeouts", upstreamTimeouts, .optional, "How long an endpoint may take"),
            Setting("retry", retry, .optional, "When a request is tried again"),
            Setting("health", health, .optional, "Active health checks"),
            Setting("outliers", outliers, .optional, "Passive ejection"),
            Setting("circuit", circuit, .optional, "When nothing is sent for a while"),
            Setting(
                "slowStart",
                .timeoutOrNone,
                .defaultsTo("0s"),
                "How long the share of an endpoint grows that is new or takes requests again, beside others "
                    + "that take theirs"
            ),
            Setting("tls", upstreamTLS, .optional, "TLS to the endpoints; absent is plain text"),
            Setting(
                "proxyProtocol",
                .word("off", "v1", "v2"),
                .defaultsTo("off"),
                "Whether connections start with a PROXY protocol header, which tells the client's "
                    + "address; each then carries one exchange; with `protocol: http1` only"
            ),
        ])
    )

    private static let endpoint = RecordType([
        Setting(
            "address",
            .text(.endpointAddress),
            .required,
            "A host name is resolved by each node; unix:/path is a socket on the node's machine"
        ),
        Setting(
            "weight",
            .integer(0...10_000),
            .defaultsTo("1"),
            "Share of the requests; 0 takes none"
        ),
        Setting(
            "zone",
            .text(.name),
            .optional,
            "Preferred by nodes with the label zone=NAME, while at least half of the zone's weight takes "
                + "requests"
        ),
        Setting(
            "tier",
            .integer(0...100),
            .defaultsTo("0"),
            "Used when lower tiers have no endpoint that takes requests"
        ),
    ])

    private static let connections = SettingType.fields([
        Setting("maximum", .integer(1...10_000_000), .defaultsTo("1000"), "To all endpoints"),
        Setting("idle", .timeout, .defaultsTo("60s"), "How long an unused connection is kept"),
        Setting("perEndpoint", .countOrNone, .defaultsTo("0"), "To one endpoint; 0 is no limit"),
    ])

    private static let queue = SettingType.fields([
        Setting(
            "requests",
            .countOrNone,
            .defaultsTo("100"),
            "Requests that wait while every connection is in use; 503 above; 0 is none"
        ),
        Setting(
            "timeout",
            .timeout,
            .defaultsTo("1s"),
            "How long a request waits; one whose turn would hardly come in that time gets 503 at once"
        ),
    ])

    private static let upstreamTimeouts = SettingType.fields([
        Setting("connect", .timeout, .defaultsTo("2s"), "To establish a connection"),
        Setting(
            "firstByte",
            .timeoutOrNone,
            .defaultsTo("30s"),
            "From the end of a request to the start of its response; 0 is no limit"
        ),
        Setting(
            "idle",
            .timeoutOrNone,
            .defaultsTo("60s"),
            "Between two octets of a body, a tunnel or a tcp relay; 0 is no limit"
        ),
        Setting("total", .timeoutOrNone, .defaultsTo("0s"), "The whole exchange; 0 is no limit"),
    ])

    private static let affinity = SettingType.fields([
        Setting(
            "on",
            .word("clientIP", "header", "cookie", "query", "path"),
            .required,
            "Part of the request"
        ),
        Setting("name", .text(.line), .optional, "Name of the field, cookie or parameter"),
    ])

    private static let discovery = SettingType.fields([
        Setting(
            "dns",
            .text(.discoveryName),
            .required,
            "Name to resolve, and the port of what is found; SRV records say their own"
        ),
        Setting(
            "type",
            .word("a", "srv"),
            .defaultsTo("a"),
            "Records to ask for: `a`, addresses of both families; `srv`, hosts with ports, where the weight of a record "
                + "is the endpoint's, and its priority the tier"
        ),
        Setting(
            "refresh",
            .either(["ttl"], .duration(1000...86_400_000, allowsZero: false)),
            .defaultsTo("ttl"),
            "When to ask again: when the answer holds no longer, after 1 s to 5 min, or after this time"
        ),
    ])

    private static let sticky = SettingType.fields([
        Setting("cookie", .text(.token), .required, "Name of the cookie"),
        Setting("ttl", .span, .optional, "How long the cookie lives"),
    ])

    private static let retry = SettingType.fields([
        Setting("attempts", .integer(1...10), .required, "Tries beyond the first"),
        Setting(
            "on",
            .list(.text(.retryCondition), countMin: 1),
            .optional,
            "Failures (`connect`: no connection; `reset`: it ended before a response; `timeout`: no response in "
                + "time) and status codes; without it connect and reset"
        ),
        Setting(
            "budget",
            .percentage,
            .defaultsTo("20%"),
            "Share of the requests of the last ten seconds that may be retries, per node; ten always may"
        ),
        Setting(
            "perTryTimeout",
            .timeoutOrNone,
            .defaultsTo("0s"),
            "Until one try must have brought a response's head; 0 is no limit"
        ),
    ])

    private static let health = SettingType.fields(
        [
            Setting(
                "http",
                .fields([
                    Setting("path", .text(.line), .required, "Path to get, with its query"),
                    Setting(
                        "expect",
                        .text(.statusRanges),
                        .defaultsTo("200-299"),
                        "Status codes that are well"
                    ),
                    Setting(
                        "host",
                        .text(.host),
                        .optional,
                        "Value of Host; without it the endpoint's own"
                    ),
                    Setting(
                        "body",
                        .text(.text),
                        .defaultsTo(""),
                        "What the first 64 KiB of the content must contain; empty is anything"
                    ),
                ]),
                .optional,
                "An HTTP request"
            ),
            Setting("tcp", .fields([]), .optional, "A connection alone"),
            Setting(
                "grpc",
                .fields([Setting("service", .text(.line), .optional, "Service's name")]),
                .optional,
                "The gRPC health protocol"
            ),
            Setting("interval", .timeout, .defaultsTo("5s"), "Time between checks"),
            Setting("timeout", .timeout, .defaultsTo("1s"), "Limit of one check"),
            Setting("healthyAfter", .integer(1...100), .defaultsTo("2"), "Successes in a row"),
            Setting(
                "unhealthyAfter",
                .integer(1...100),
                .defaultsTo("3"),
                "Failures in a row; a first check that fails is enough"
            ),
            Setting("jitter", .percentage, .defaultsTo("10%"), "Random part of the interval"),
        ],
        exactlyOneOf: ["http", "tcp", "grpc"]
    )

    private static let outliers = SettingType.fields([
        Setting(
            "consecutiveErrors",
            .countOrNone,
            .defaultsTo("5"),
            "Failures in a row that eject: no connection, none or half a response, or 5xx; 0 is never"
        ),
        Setting(
            "successRate",
            .percentage,
            .defaultsTo("0%"),
            "Share of successes among the requests of ten seconds, at least 20, that ejects below; 0% is never"
        ),
        Setting(
            "ejectFor",
            .timeout,
            .defaultsTo("30s"),
            "How long an endpoint is out the first time; as much longer each time that follows, up to ten times"
        ),
        Setting(
            "maximumEjected",
            .percentage,
            .defaultsTo("50%"),
            "Share of endpoints that may be out for this, rounded down, but one of two or more; while fewer are "
                + "available than this share, or than what it leaves if that is less, all are used (panic)"
        ),
    ])

    private static let circuit = SettingType.fields([
        Setting("errors", .percentage, .defaultsTo("50%"), "Share of failures that opens"),
        Setting(
            "minimumRequests",
            .integer(1...1_000_000),
            .defaultsTo("20"),
            "Requests within the window before it may open"
        ),
        Setting("window", .timeout, .defaultsTo("10s"), "Time that counts"),
        Setting("openFor", .timeout, .defaultsTo("5s"), "Time until it is tried again"),
        Setting(
            "respond",
            .fields([
                Setting("status", .integer(400...599), .defaultsTo("503"), "Status code")
            ]),
            .optional,
            "Answer while open"
        ),
    ])

    private static let upstreamTLS = SettingType.fields([
        Setting(
            "serverName",
            .text(.host),
            .optional,
            "Name to ask for and to verify; without it the endpoint's own host"
        ),
        Setting("verify", .boolean, .defaultsTo("true"), "Whether the certificate is verified"),
        Setting(
            "authority",
            .either([""], .reference(.certificate)),
            .optional,
            "Certificate that holds the authorities to trust; without it the system's"
        ),
        Setting(
            "clientCertificate",
            .either([""], .reference(.certificate)),
            .optional,
            "Certificate to show"
        ),
    ])
}
