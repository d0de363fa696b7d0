extension Settings {
    /// Listeners.
    static let listeners = ResourceSettings(
        .listener,
        "Addresses that nodes bind, with their protocol and limits",
        RecordType([
            Setting("name", .text(.name), .required, "Unique among listeners"),
            Setting(
                "address",
                .text(.listenAddress),
                .required,
                "Where nodes listen; port 0 lets the system choose"
            ),
            Setting(
                "protocol",
                .word("http", "https", "tcp", "tls-passthrough"),
                .defaultsTo("http"),
                "What the listener speaks"
            ),
            Setting(
                "redirectToHTTPS",
                .integer(1...65535),
                .optional,
                "Answer every request with a 308 to this port, over https, but those that came over https to a trusted proxy"
            ),
            Setting(
                "tls",
                listenerTLS,
                .optional,
                "How TLS is terminated; required on an https listener, refused elsewhere"
            ),
            Setting(
                "proxyProtocol",
                .word("off", "accept", "require"),
                .defaultsTo("off"),
                "Whether connections start with a PROXY protocol header, v1 or v2, which then tells the "
                    + "client's address; `accept` takes connections without one too, and headers only "
                    + "from `trustedProxies` where such are named"
            ),
            Setting(
                "trustedProxies",
                .list(.text(.addressBlock)),
                .defaultsTo("[]"),
                "Peers whose X-Forwarded-For is believed, walked from the right; and, with "
                    + "`proxyProtocol: accept`, whose PROXY headers"
            ),
            Setting("limits", listenerLimits, .optional, "What connections and requests may cost"),
            Setting("timeouts", listenerTimeouts, .optional, "How long a client may take"),
            Setting(
                "upstream",
                .reference(.upstream),
                .optional,
                "Where a tcp listener relays its connections to; required there, refused elsewhere"
            ),
            Setting(
                "serverNames",
                .map(.hostPattern, .reference(.upstream)),
                .optional,
                "Where a tls-passthrough listener relays to, by the server name that is asked for: exact "
                    + "names first, then the longest wildcard; required there, refused elsewhere"
            ),
        ])
    )

    private static let listenerLimits = SettingType.fields([
        Setting(
            "connections",
            .integer(1...10_000_000),
            .defaultsTo("100000"),
            "Open connections per node"
        ),
        Setting(
            "connectionsPerClient",
            .countOrNone,
            .defaultsTo("0"),
            "Open connections per client address (of IPv6: per /64) and node; 0 is no limit"
        ),
        Setting(
            "fieldSectionBytes",
            .size(1024...(96 << 10), allowsZero: false),
            .defaultsTo("64KiB"),
            "Size of a request's field section; 431 above"
        ),
        Setting(
            "fieldLines",
            .integer(1...10_000),
            .defaultsTo("100"),
            "Field lines of a request; 431 above"
        ),
        Setting(
            "requestTargetBytes",
            .size(64...(96 << 10), allowsZero: false),
            .defaultsTo("16KiB"),
            "Size of a request-target; 414 above"
        ),
        Setting(
            "bodyBytes",
            .sizeOrNone,
            .defaultsTo("0"),
            "Size of a request's content; 413 above; 0 is no limit"
        ),
        Setting(
            "requestsPerConnection",
            .countOrNone,
            .defaultsTo("0"),
            "Requests after which a connection is closed; 0 is no limit"
        ),
        Setting(
            "streamsPerConnection",
            .integer(1...10_000),
            .defaultsTo("128"),
            "Concurrent streams of an HTTP/2 connection"
        ),
    ])

    private static let listenerTimeouts = SettingType.fields([
        Setting("handshake", .timeout, .defaultsTo("10s"), "A TLS handshake, or its ClientHello"),
        Setting(
            "header",
            .timeout,
            .defaultsTo("10s"),
            "A request's whole field section; a PROXY header"
        ),
        Setting(
            "minimumBodyRate",
            .countOrNone,
            .defaultsTo("240"),
            "Octets per second of a request's content after 5 s; 0 is no limit"
        ),
        Setting("idle", .timeout, .defaultsTo("75s"), "Between two requests of a connection"),
    ])

    private static let listenerTLS = SettingType.fields([
        Setting(
            "certificates",
            .list(.reference(.certificate), countMin: 1),
            .required,
            "Chosen by server name; the last one answers an unknown or missing name"
        ),
        Setting(
            "strictSNI",
            .boolean,
            .defaultsTo("false"),
            "Refuse the handshake for an unknown name"
        ),
        Setting(
            "minimumVersion",
            .word("1.2", "1.3"),
            .defaultsTo("1.2"),
            "Lowest version of TLS"
        ),
        Setting(
            "alpn",
            .list(.word("h2", "http/1.1"), countMin: 1),
            .defaultsTo("[h2, http/1.1]"),
            "Protocols offered, in order of preference"
        ),
        Setting(
            "clientCertificate",
            .fields([
                Setting(
                    "mode",
                    .word("none", "request", "require"),
                    .defaultsTo("none"),
                    "Whether clients are asked for a certificate"
                ),
                Setting(
                    "authorities",
                    .list(.reference(.certificate)),
                    .defaultsTo("[]"),
                    "Certificates that hold the authorities' bundles, with their CRLs"
                ),
                Setting(
                    "forward",
                    .fields([
                        Setting(
                            "subject",
                            .text(.fieldName),
                            .optional,
                            "Field for the subject, as RFC 4514 writes it"
                        ),
                        Setting(
                            "fingerprint",
                            .text(.fieldName),
                            .optional,
                            "Field for the SHA-256 of the certificate, in hexadecimal"
                        ),
                    ]),
                    .optional,
                    "Request fields that tell the upstream who the client is; never accepted from clients, on "
                        + "any listener"
                ),
            ]),
            .optional,
            "Mutual TLS"
        ),
        Setting(
            "handshakesPerSecond",
            .countOrNone,
            .defaultsTo("0"),
            "Handshakes of a client address (of IPv6: of a /64) per node; others are closed; 0 is no limit"
        ),
    ])

    /// Certificates.
    static let certificates = ResourceSettings(
        .certificate,
        "Certificates, keys and authorities",
        RecordType(
            [
                Setting("name", .text(.name), .required, "Unique among certificates"),
                Setting(
                    "hosts",
                    .list(.text(.hostPattern)),
                    .optional,
                    "Names of an acme certificate, without wildcards; 100 at most"
                ),
                Setting(
                    "acme",
                    .fields([
                        Setting("directory", .text(.line), .required, "URL of the directory"),
                        Setting(
                            "email",
                            .text(.line),
                            .optional,
                            "Whom the authority may write to"
                        ),
                        Setting(
                            "challenge",
                            .word("http-01", "tls-alpn-01"),
                            .defaultsTo("http-01"),
                            "How names are proved: by a file under http, or by a certificate under https"
                        ),
                        Setting(
                            "authority",
                            .either([""], .reference(.certificate)),
                            .optional,
                            "Certificate that holds the authorities to trust for the directory itself; without it the system's"
                        ),
                        Setting(
                            "eab",
                            .fields([
                                Setting(
                                    "keyID",
                                    .text(.line),
                                    .required,
                                    "What the authority calls the key"
                                ),
                                Setting(
                                    "secret",
                                    .text(.name),
                                    .required,
                                    "Name of the secret that holds the key in base64url (`proxyctl secrets set`)"
                                ),
                            ]),
                            .optional,
                            "External account binding (RFC 8555 §7.3.4), for authorities that ask for one"
                        ),
                    ]),
                    .optional,
                    "Obtained and renewed by the control plane from an authority (RFC 8555)"
                ),
                Setting(
                    "files",
                    .fields([
                        Setting("certificate", .text(.line), .required, "PEM file of the chain"),
                        Setting("key", .text(.line), .required, "PEM file of the key"),
                        Setting("digest", .text(.line), .optional, digestHelp),
                    ]),
                    .optional,
                    "Read by proxyctl at apply, relative to the configuration's file"
                ),
                Setting(
                    "selfSigned",
                    .fields([
                        Setting("hosts", .list(.text(.host), countMin: 1), .required, "Names")
                    ]),
                    .optional,
                    "Made and renewed by the control plane"
                ),
                Setting(
                    "authority",
                    .fields([
                        Setting("file", .text(.line), .required, "PEM file of the bundle"),
                        Setting("digest", .text(.line), .optional, digestHelp),
                    ]),
                    .optional,
                    "A bundle of authorities to trust, and of their revocation lists"
                ),
            ],
            exactlyOneOf: [["acme", "files", "selfSigned", "authority"]]
        )
    )

    private static let digestHelp =
        "SHA-256 of what was read, put in by proxyctl; where it is given, the control plane has it already "
        + "and no file is read"
}
