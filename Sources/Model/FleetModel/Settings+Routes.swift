extension Settings {
    /// Routes.
    static let routes = ResourceSettings(
        .route,
        "Which request goes where; among equals the first in file order wins",
        RecordType(
            [
                Setting("name", .text(.name), .required, "Unique among routes"),
                Setting(
                    "listeners",
                    .list(.reference(.listener), countMin: 1),
                    .optional,
                    "Listeners that it serves; absent: all HTTP listeners"
                ),
                Setting(
                    "hosts",
                    .list(.text(.hostPattern), countMin: 1),
                    .optional,
                    "Hosts that it serves, `*.example.com` for one or more labels; absent: any"
                ),
                Setting("match", match, .optional, "What else must hold"),
                Setting("rewrite", rewrite, .optional, "What the upstream sees"),
                Setting("upstream", .reference(.upstream), .optional, "Forward to this upstream"),
                Setting("split", split, .optional, "Forward to one of several by weight"),
                Setting("redirect", redirect, .optional, "Answer with a redirect"),
                Setting("respond", respond, .optional, "Answer from the configuration"),
                Setting("aggregate", aggregate, .optional, "Join several calls", .unbuilt),
                Setting(
                    "policies",
                    .list(.reference(.policy)),
                    .defaultsTo("[]"),
                    "Policies, in the order in which they run"
                ),
                Setting(
                    "timeouts",
                    .fields([
                        Setting(
                            "total",
                            .timeoutOrNone,
                            .defaultsTo("0s"),
                            "The whole exchange; 0 leaves it to the upstream"
                        )
                    ]),
                    .optional,
                    "How long an exchange may take"
                ),
                Setting("cohort", cohort, .optional, "Keep a client on its side of the split"),
                Setting("mirror", mirror, .optional, "Send a copy elsewhere", .unbuilt),
                Setting("maintenance", maintenance, .optional, "Answer in place of the action"),
            ],
            exactlyOneOf: [["upstream", "split", "redirect", "respond", "aggregate"]]
        )
    )

    private static let match = SettingType.fields(
        conditions + [Setting("not", .fields(conditions), .optional, "None of these may hold")]
    )

    private static let conditions: [Setting] = [
        Setting("path", .record(pathMatch), .optional, "The normalised path"),
        Setting("methods", .list(.text(.method)), .defaultsTo("[]"), "Methods; empty: any"),
        Setting(
            "headers",
            .list(valueMatch(.fieldName)),
            .defaultsTo("[]"),
            "Request fields; of several lines with a name, one that fits is enough"
        ),
        Setting(
            "query",
            .list(valueMatch(.line)),
            .defaultsTo("[]"),
            "Parameters of the query, percent-decoded once, `+` as a space"
        ),
        Setting("cookies", .list(valueMatch(.token)), .defaultsTo("[]"), "Cookies"),
        Setting(
            "clients",
            .list(.text(.addressBlock)),
            .defaultsTo("[]"),
            "Client addresses; empty: any"
        ),
    ]

    private static let pathMatch = RecordType(
        [
            Setting("exact", .text(.path), .optional, "This path alone"),
            Setting("prefix", .text(.pathPrefix), .optional, "This path and all below it"),
            Setting(
                "regex",
                .text(.regex),
                .optional,
                "The whole path (RE2 syntax); its groups are `${capture.1}` or `${capture.name}`"
            ),
        ],
        exactlyOneOf: [["exact", "prefix", "regex"]]
    )

    private static func valueMatch(_ name: TextFormat) -> SettingType {
        .fields(
            [
                Setting("name", .text(name), .required, "Name"),
                Setting("exact", .text(.line), .optional, "This value"),
                Setting("prefix", .text(.line), .optional, "The value's beginning"),
                Setting("regex", .text(.regex), .optional, "The whole value (RE2 syntax)"),
                Setting("present", .boolean, .optional, "Whether it is there"),
            ],
            exactlyOneOf: ["exact", "prefix", "regex", "present"]
        )
    }

    private static let redirect = SettingType.fields([
        Setting(
            "status",
            .integer(301...308),
            .defaultsTo("302"),
            "301, 302, 303, 307 or 308"
        ),
        Setting(
            "location",
            .text(.location),
            .required,
            "Where to; may hold variables such as ${path}"
        ),
    ])

    private static let respond = SettingType.fields([
        Setting("status", .integer(200...599), .defaultsTo("200"), "Status code"),
        Setting(
            "headers",
            .map(.fieldName, .text(.fieldTemplate)),
            .defaultsTo("{}"),
            "Response fields; values may hold variables"
        ),
        Setting(
            "body",
            .text(.textTemplate),
            .defaultsTo(""),
            "Content; may hold variables, $${ stands for ${ itself"
        ),
    ])

    private static let rewrite = SettingType.fields([
        Setting(
            "prefix",
            .text(.pathPrefix),
            .optional,
            "Replaces the prefix of `match`, by segment"
        ),
        Setting("path", .text(.path), .optional, "Replaces the whole path"),
        Setting(
            "regex",
            .fields([
                Setting("pattern", .text(.regex), .required, "What is replaced (RE2 syntax)"),
                Setting(
                    "substitution",
                    .text(.line),
                    .required,
                    "By what; $1 and ${name} stand for groups"
                ),
            ]),
            .optional,
            "Replaces every match in the path"
        ),
        Setting("host", .text(.host), .optional, "Replaces Host"),
        Setting(
            "query",
            editing(.line, .lineTemplate, .namePattern),
            .optional,
            "Changes the query; values are percent-encoded"
        ),
    ])

    /// Fields of messages to set, add and remove.
    static let fieldEditing = editing(.fieldName, .fieldTemplate, .fieldNamePattern)

    private static func editing(
        _ name: TextFormat,
        _ value: TextFormat,
        _ pattern: TextFormat
    ) -> SettingType {
        .fields([
            Setting("set", .map(name, .text(value)), .defaultsTo("{}"), "Replaces or adds"),
            Setting("add", .map(name, .text(value)), .defaultsTo("{}"), "Adds"),
            Setting(
                "remove",
                .list(.text(pattern)),
                .defaultsTo("[]"),
                "Removes, first of all; `x-*` removes all that begin so"
            ),
        ])
    }

    private static let split = SettingType.list(
        .fields([
            Setting("upstream", .reference(.upstream), .required, "Upstream"),
            Setting("weight", .integer(0...10_000), .defaultsTo("1"), "Share"),
        ]),
        countMin: 1
    )

    private static let cohort = SettingType.fields(
        [
            Setting(
                "cookie",
                .text(.token),
                .optional,
                "By this cookie, which is set for 30 days where a client has none"
            ),
            Setting("header", .text(.fieldName), .optional, "By this field's value"),
            Setting("clientIP", .boolean, .optional, "By the client's address; true alone"),
        ],
        exactlyOneOf: ["cookie", "header", "clientIP"]
    )

    private static let mirror = SettingType.fields([
        Setting("upstream", .reference(.upstream), .required, "Upstream"),
        Setting("share", .percentage, .defaultsTo("100%"), "Share of the requests"),
    ])

    private static let maintenance = SettingType.fields([
        Setting("enabled", .boolean, .required, "Whether it holds"),
        Setting("status", .integer(200...599), .defaultsTo("503"), "Status code"),
        Setting("retryAfter", .span, .optional, "Value of Retry-After"),
        Setting(
            "body",
            .text(.textTemplate),
            .defaultsTo(""),
            "Content, HTML if it begins with <; may hold variables; empty: a short text"
        ),
    ])

    private static let aggregate = SettingType.fields([
        Setting("timeout", .timeout, .optional, "Limit of all parts"),
        Setting(
            "parts",
            .list(
                .fields([
                    Setting("name", .text(.name), .required, "Key in the answer"),
                    Setting("upstream", .reference(.upstream), .required, "Upstream"),
                    Setting("path", .text(.line), .required, "Path and query"),
                    Setting("optional", .boolean, .defaultsTo("false"), "Whether it may fail"),
                ]),
                countMin: 1
            ),
            .required,
            "The calls"
        ),
    ])
}
