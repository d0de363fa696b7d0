extension Settings {
    /// Consumers.
    static let consumers = ResourceSettings(
        .consumer,
        "Who calls, and what they may",
        RecordType([
            Setting("name", .text(.name), .required, "Unique among consumers"),
            Setting("groups", .list(.text(.name)), .defaultsTo("[]"), "Groups"),
            Setting(
                "apiKeys",
                .list(.fields([Setting("secret", .text(.name), .required, "Secret's name")])),
                .defaultsTo("[]"),
                "Keys"
            ),
            Setting(
                "basic",
                .fields([Setting("secret", .text(.name), .required, "Secret's name")]),
                .optional,
                "Password"
            ),
            Setting(
                "quota",
                .fields([
                    Setting("requests", .integer(1...1_000_000_000), .required, "Requests"),
                    Setting("per", .span, .required, "Period"),
                ]),
                .optional,
                "Requests in a long period"
            ),
        ]),
        isBuilt: false
    )

    /// APIs.
    static let apis = ResourceSettings(
        .api,
        "Lifecycle of an API that routes belong to",
        RecordType([
            Setting("name", .text(.name), .required, "Unique among APIs"),
            Setting("version", .text(.name), .required, "Version"),
            Setting("routes", .list(.reference(.route)), .defaultsTo("[]"), "Its routes"),
            Setting(
                "stage",
                .word("draft", "published", "deprecated", "retired"),
                .defaultsTo("published"),
                "Stage"
            ),
            Setting("sunset", .text(.line), .optional, "Date of retirement"),
            Setting("successor", .text(.name), .optional, "Version that follows"),
        ]),
        isBuilt: false
    )

    /// What back ends may reveal.
    static let hiding = ResourceSettings(
        .hiding,
        "What back ends may reveal",
        RecordType([
            Setting(
                "server",
                .text(.fieldValue),
                .defaultsTo("remove"),
                "Server field: `remove`, `keep`, or a replacement"
            ),
            Setting(
                "responseHeaders",
                .list(.text(.fieldNamePattern)),
                .defaultsTo("[x-powered-by, x-aspnet-version, x-runtime, x-backend-*]"),
                "Response fields that are removed"
            ),
            Setting(
                "productHeaders",
                .list(.text(.fieldNamePattern)),
                .defaultsTo(productHeaders),
                "Response fields that are removed because they tell of products and machines"
            ),
            Setting(
                "rewriteLocation",
                .boolean,
                .defaultsTo("true"),
                "Location, Content-Location, Refresh and Link that name an endpoint, or a path as the upstream has it, "
                    + "become public URLs"
            ),
            Setting(
                "rewriteCookies",
                .boolean,
                .defaultsTo("true"),
                "In Set-Cookie, a Domain that names an endpoint is dropped, Path becomes public, and over TLS Secure "
                    + "is added"
            ),
            Setting(
                "rewriteFields",
                .boolean,
                .defaultsTo("true"),
                "In other response fields, URLs that name an endpoint become public; a field that names one otherwise "
                    + "is removed, as are Alt-Svc, Proxy-Status and the names in Via"
            ),
            Setting(
                "via",
                .either([""], .text(.token)),
                .defaultsTo("weir"),
                "Pseudonym in Via; empty sends none"
            ),
            Setting(
                "proxyStatus",
                .word("errors", "all", "off"),
                .defaultsTo("errors"),
                "Which responses carry Proxy-Status"
            ),
            Setting(
                "names",
                .boolean,
                .defaultsTo("false"),
                "Whether Proxy-Status names upstreams"
            ),
        ])
    )

    /// Fields by which servers, frameworks and hosts of content are known, or by which they tell their proxy what to do
    /// (`X-Accel-Redirect`), with paths of their own.
    private static let productHeaders =
        "[x-accel-*, x-application-context, x-aspnetmvc-version, x-backend, x-beserver, x-drupal-*, x-envoy-*, x-generator, "
        + "x-hostname, x-lighttpd-send-file, x-litespeed-*, x-mod-pagespeed, x-page-speed, x-sendfile, x-served-by, "
        + "x-server, x-server-*, x-turbo-charged-by, x-upstream, x-upstream-*, x-varnish]"

    /// Request identifiers.
    static let requestID = ResourceSettings(
        .requestID,
        "Identifiers of requests",
        RecordType([
            Setting(
                "header",
                .text(.fieldName),
                .defaultsTo("x-request-id"),
                "Request field that carries it to upstreams; with another one, `x-request-id` is a field like others"
            ),
            Setting(
                "accept",
                .word("trusted", "always", "never"),
                .defaultsTo("trusted"),
                "From whom one is taken over: peers in `trustedProxies`, everybody, or nobody; else one is made"
            ),
        ])
    )

    /// Overload protection.
    static let overload = ResourceSettings(
        .overload,
        "When new requests get 503 at once",
        RecordType([
            Setting(
                "loopLag",
                .timeoutOrNone,
                .defaultsTo("100ms"),
                "How long a worker may take, smoothed, to see what has become ready: some requests get 503 so that "
                    + "it stays below; 0 is no limit"
            ),
            Setting(
                "memory",
                .sizeOrNone,
                .defaultsTo("0"),
                "Resident memory of the node; 0 is no limit"
            ),
        ])
    )

    /// What a path means.
    static let paths = ResourceSettings(
        .paths,
        "One meaning of a path for matching, policies and the upstream",
        RecordType([
            Setting(
                "normalise",
                .boolean,
                .defaultsTo("true"),
                "Resolve dot segments and needless percent-encoding (RFC 3986 §6.2.2)",
                .only(
                    "true",
                    because: """
                        a path that routes, policies and the upstream read differently gets past policies; where an \
                        upstream needs %2F kept, set `encodedSlash: keep`, and relay with a `tcp` listener what must \
                        stay as it came
                        """
                )
            ),
            Setting(
                "mergeSlashes",
                .boolean,
                .defaultsTo("false"),
                "Take several slashes for one"
            ),
            Setting(
                "encodedSlash",
                .word("reject", "keep", "decode"),
                .defaultsTo("reject"),
                "What becomes of %2F: the path is refused, or it stays within its segment, or it separates"
            ),
        ])
    )

    /// Logs.
    static let logging = ResourceSettings(
        .logging,
        "What is logged",
        RecordType([
            Setting(
                "access",
                .either(
                    ["off"],
                    .fields([
                        Setting(
                            "format",
                            .word("json", "combined", "off"),
                            .defaultsTo("json"),
                            "How a record is written"
                        ),
                        Setting(
                            "sample",
                            .percentage,
                            .defaultsTo("100%"),
                            "Share of the exchanges",
                            .unbuilt(accepting: ["100%"])
                        ),
                        Setting("to", .text(.logTarget), .defaultsTo("stdout"), "Where it goes"),
                    ])
                ),
                .optional,
                "The access log; `off` is short for `{format: off}`"
            )
        ])
    )

    /// Tracing.
    static let tracing = ResourceSettings(
        .tracing,
        "W3C trace context",
        RecordType([
            Setting(
                "propagate",
                .boolean,
                .defaultsTo("true"),
                "Whether valid `traceparent` and `tracestate` are passed on; if false, both are dropped"
            ),
            Setting(
                "otlp",
                .text(.line),
                .defaultsTo(""),
                "Where spans go; empty: nowhere",
                .unbuilt(accepting: [""])
            ),
            Setting(
                "sample",
                .percentage,
                .defaultsTo("1%"),
                "Share of the exchanges",
                .unbuilt(accepting: ["1%"])
            ),
        ])
    )

    /// Metrics.
    static let metrics = ResourceSettings(
        .metrics,
        "How far metrics are broken down",
        RecordType([
            Setting(
                "perRoute",
                .boolean,
                .defaultsTo("true"),
                "By route",
                .unbuilt(accepting: ["true"])
            ),
            Setting(
                "perEndpoint",
                .boolean,
                .defaultsTo("false"),
                "Series of each endpoint in nodes' `/metrics`: whether it takes requests, its connections and requests, and what tries at it came to; of 1,000 endpoints of a node at most"
            ),
        ])
    )

    /// Tests.
    static let tests = ResourceSettings(
        .test,
        "Run on the nodes' own matcher by `proxyctl validate` and before each apply",
        RecordType([
            Setting("name", .text(.title), .required, "Unique among tests, up to 63 octets"),
            Setting(
                "request",
                .fields([
                    Setting("method", .text(.token), .defaultsTo("GET"), "Method"),
                    Setting("url", .text(.line), .required, "URL"),
                    Setting(
                        "headers",
                        .map(.fieldName, .text(.fieldValue)),
                        .defaultsTo("{}"),
                        "Fields"
                    ),
                    Setting("client", .text(.line), .optional, "Client's address"),
                ]),
                .required,
                "The request"
            ),
            Setting(
                "expect",
                .fields([
                    Setting("route", .text(.line), .optional, "Route; `none` where none may match"),
                    Setting("upstream", .text(.line), .optional, "Upstream"),
                    Setting(
                        "path",
                        .text(.line),
                        .optional,
                        "Path that the upstream sees, with its query if `?` is in it"
                    ),
                    Setting(
                        "status",
                        .integer(100...599),
                        .optional,
                        "Status of an answer that no upstream gives"
                    ),
                ]),
                .required,
                "What must come out"
            ),
        ])
    )

    /// Groups.
    static let groups = ResourceSettings(
        .group,
        "Which nodes take which listeners; a listener in no group goes to all",
        RecordType([
            Setting("name", .text(.name), .required, "Unique among groups"),
            Setting(
                "nodes",
                .map(.line, .text(.line)),
                .required,
                "Labels that a node has to have, all of them, to take the listeners"
            ),
            Setting(
                "listeners",
                .list(.reference(.listener), countMin: 1),
                .required,
                "Listeners that other nodes do not bind, unless another group gives them those"
            ),
        ])
    )
}
