extension Settings {
    /// Policies.
    static let policies = ResourceSettings(
        .policy,
        "Reusable steps that routes name",
        RecordType(
            [Setting("name", .text(.name), .required, "Unique among policies")] + policyTypes,
            exactlyOneOf: [policyTypes.map(\.name)]
        )
    )

    private static let policyTypes: [Setting] = [
        Setting("cache", cache, .optional, "Store and reuse responses", .unbuilt),
        Setting("compress", compress, .optional, "Compress responses", .unbuilt),
        Setting("rateLimit", rateLimit, .optional, "Limit the rate of requests", .unbuilt),
        Setting("jwt", jwt, .optional, "Ask for a JSON Web Token", .unbuilt),
        Setting(
            "apiKey",
            .fields([Setting("header", .text(.fieldName), .required, "Field with the key")]),
            .optional,
            "Ask for an API key",
            .unbuilt
        ),
        Setting(
            "basic",
            .fields([Setting("realm", .text(.line), .required, "Realm")]),
            .optional,
            "Ask for a password",
            .unbuilt
        ),
        Setting("forwardAuth", forwardAuth, .optional, "Ask another service", .unbuilt),
        Setting(
            "acl",
            .fields([
                Setting("consumers", .list(.text(.line)), .defaultsTo("[]"), "Consumers"),
                Setting("groups", .list(.text(.line)), .defaultsTo("[]"), "Their groups"),
            ]),
            .optional,
            "Admit some consumers",
            .unbuilt
        ),
        Setting(
            "addresses",
            .fields([
                Setting("allow", .list(.text(.addressBlock)), .defaultsTo("[]"), "Admitted"),
                Setting("deny", .list(.text(.addressBlock)), .defaultsTo("[]"), "Refused"),
            ]),
            .optional,
            "Admit some addresses",
            .unbuilt
        ),
        Setting(
            "firewall",
            .list(
                .fields([
                    Setting("name", .text(.name), .required, "Rule's name"),
                    Setting("when", .text(.line), .required, "Condition"),
                    Setting("then", .word("deny", "log"), .required, "What happens"),
                ])
            ),
            .optional,
            "Refuse or log by rules",
            .unbuilt
        ),
        Setting("cors", cors, .optional, "Answer cross-origin requests", .unbuilt),
        Setting(
            "headers",
            .fields([
                Setting("request", fieldEditing, .optional, "Of the request"),
                Setting("response", fieldEditing, .optional, "Of the response"),
            ]),
            .optional,
            "Change fields"
        ),
        Setting(
            "transform",
            .fields([
                Setting("request", transformSide, .optional, "Of the request"),
                Setting("response", transformSide, .optional, "Of the response"),
            ]),
            .optional,
            "Change JSON content",
            .unbuilt
        ),
        Setting(
            "errorPages",
            .map(
                .statusRange,
                .fields([
                    Setting("file", .text(.line), .optional, "Read by proxyctl at apply"),
                    Setting(
                        "contentType",
                        .text(.fieldValue),
                        .defaultsTo("text/html; charset=utf-8"),
                        "Value of Content-Type"
                    ),
                    Setting(
                        "body",
                        .text(.textTemplate),
                        .defaultsTo(""),
                        "Content, in place of a file; may hold variables, $${ stands for ${"
                    ),
                ])
            ),
            .optional,
            "Pages by status code, 400 to 599, for our own errors and the upstream's"
        ),
    ]

    private static let cache = SettingType.fields([
        Setting("memory", .sizeOrNone, .required, "Memory per node"),
        Setting("objectBytes", .sizeOrNone, .optional, "Largest response stored"),
        Setting("methods", .list(.text(.token)), .optional, "Methods"),
        Setting(
            "key",
            .fields([
                Setting(
                    "query",
                    .fields([
                        Setting("ignore", .list(.text(.line)), .defaultsTo("[]"), "Parameters")
                    ]),
                    .optional,
                    "Query"
                ),
                Setting("headers", .list(.text(.fieldName)), .defaultsTo("[]"), "Fields"),
            ]),
            .optional,
            "What tells responses apart"
        ),
        Setting("defaultTTL", .span, .optional, "Lifetime without freshness information"),
        Setting("statuses", .map(.line, .span), .defaultsTo("{}"), "Lifetime by status code"),
        Setting("staleWhileRevalidate", .span, .optional, "Served stale meanwhile"),
        Setting("staleIfError", .span, .optional, "Served stale on errors"),
        Setting("statusHeader", .boolean, .defaultsTo("false"), "Send Cache-Status"),
    ])

    private static let compress = SettingType.fields([
        Setting("algorithms", .list(.word("br", "gzip", "zstd")), .required, "By preference"),
        Setting("types", .list(.text(.line)), .optional, "Media types"),
        Setting("minimumBytes", .sizeOrNone, .optional, "Smallest content compressed"),
    ])

    private static let rateLimit = SettingType.fields([
        Setting("requests", .integer(1...1_000_000_000), .required, "Requests"),
        Setting("per", .span, .required, "Period"),
        Setting("burst", .countOrNone, .optional, "At once"),
        Setting("key", .text(.line), .defaultsTo("clientIP"), "What is counted"),
        Setting("scope", .word("node", "fleet"), .defaultsTo("node"), "Where"),
    ])

    private static let jwt = SettingType.fields([
        Setting("issuer", .text(.line), .required, "Issuer"),
        Setting("audience", .text(.line), .optional, "Audience"),
        Setting(
            "jwks",
            .fields([
                Setting("upstream", .reference(.upstream), .required, "Upstream"),
                Setting("path", .text(.line), .required, "Path"),
            ]),
            .required,
            "Where the keys are"
        ),
        Setting(
            "claimsToHeaders",
            .map(.line, .text(.fieldName)),
            .defaultsTo("{}"),
            "Request fields by claim"
        ),
    ])

    private static let forwardAuth = SettingType.fields([
        Setting("upstream", .reference(.upstream), .required, "Upstream"),
        Setting("path", .text(.line), .required, "Path"),
        Setting("requestHeaders", .list(.text(.fieldName)), .defaultsTo("[]"), "Fields sent"),
        Setting("responseHeaders", .list(.text(.fieldName)), .defaultsTo("[]"), "Fields taken"),
    ])

    private static let cors = SettingType.fields([
        Setting("origins", .list(.text(.line)), .required, "Origins"),
        Setting("methods", .list(.text(.token)), .optional, "Methods"),
        Setting("headers", .list(.text(.fieldName)), .optional, "Fields"),
        Setting("credentials", .boolean, .defaultsTo("false"), "Whether cookies are sent"),
        Setting("maxAge", .span, .optional, "Lifetime of a preflight's answer"),
    ])

    private static let transformSide = SettingType.fields([
        Setting(
            "json",
            .fields([
                Setting("set", .map(.line, .text(.line)), .defaultsTo("{}"), "Sets"),
                Setting("remove", .list(.text(.line)), .defaultsTo("[]"), "Removes"),
                Setting("rename", .map(.line, .text(.line)), .defaultsTo("{}"), "Renames"),
            ]),
            .optional,
            "Members of the top-level object"
        )
    ])
}
