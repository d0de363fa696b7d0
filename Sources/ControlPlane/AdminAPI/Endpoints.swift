import AdminMessages
import ControlStore
import FleetModel
import HTTPTypes

extension AdminService {
    /// Every endpoint there is: the router registers this table, and the OpenAPI document is made of it.
    package var endpoints: [Endpoint] {
        configurationEndpoints + certificateEndpoints + secretEndpoints + fleetEndpoints
            + upstreamEndpoints + tokenEndpoints + authorityEndpoints + serverEndpoints
    }

    private static let page = [
        Endpoint.Parameter(
            name: "limit",
            help: "Most entries, newest first.",
            schema: [
                "type": "integer", "minimum": 1,
                "maximum": .integer(Int64(AdminLimits.pageRowsMax)),
                "default": .integer(Int64(AdminLimits.pageRowsDefault)),
            ]
        ),
        Endpoint.Parameter(
            name: "before",
            help: "Only entries below this number.",
            schema: Schemas.version
        ),
    ]

    private static func answers(
        _ schema: JSONValue,
        _ status: HTTPResponse.Status = .ok,
        _ help: String = "Done.",
        hasETag: Bool = false
    ) -> Endpoint.Success {
        Endpoint.Success(status: status, help: help, content: .json(schema), hasETag: hasETag)
    }

    private static func done(_ help: String) -> [Endpoint.Success] {
        [Endpoint.Success(status: .noContent, help: help, content: .none)]
    }

    // MARK: Configuration

    private var configurationEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/configuration",
                name: "getConfiguration",
                help: "The whole configuration of the head, or of a version.",
                query: [
                    .init(name: "version", help: "Default: the head.", schema: Schemas.version)
                ],
                successes: [
                    Self.answers(
                        Schemas.named("ConfigurationAnswer"),
                        .ok,
                        "The version.",
                        hasETag: true
                    ),
                    Endpoint.Success(
                        status: .notModified,
                        help: "If-None-Match names the version.",
                        content: .none,
                        hasETag: true
                    ),
                ],
                refusals: [.notFound],
                handler: configuration
            ),
            Endpoint(
                method: .put,
                path: "/v1/configuration",
                name: "putConfiguration",
                help: "Makes a version of a configuration, or says what that would change.",
                body: "ApplyRequest",
                bodyBytesMax: AdminLimits.configurationBytesMax,
                takesIfMatch: true,
                successes: [
                    Self.answers(
                        Schemas.named("ApplyAnswer"),
                        .created,
                        "A new version.",
                        hasETag: true
                    ),
                    Self.answers(
                        Schemas.named("ApplyAnswer"),
                        .ok,
                        "The head has this content already, or the run was dry.",
                        hasETag: true
                    ),
                ],
                refusals: [.preconditionFailed, .unprocessableContent, .insufficientStorage],
                handler: apply
            ),
            Endpoint(
                method: .post,
                path: "/v1/diff",
                name: "diffConfiguration",
                help: "What applying a configuration would change.",
                body: "DiffRequest",
                bodyBytesMax: AdminLimits.configurationBytesMax,
                successes: [Self.answers(Schemas.named("DiffAnswer"))],
                refusals: [.notFound, .unprocessableContent],
                handler: difference
            ),
            Endpoint(
                method: .post,
                path: "/v1/rollback",
                name: "rollback",
                help: "Makes a version with the content of an old one.",
                body: "RollbackRequest",
                takesIfMatch: true,
                successes: [
                    Self.answers(
                        Schemas.named("ApplyAnswer"),
                        .created,
                        "A new version.",
                        hasETag: true
                    ),
                    Self.answers(
                        Schemas.named("ApplyAnswer"),
                        .ok,
                        "The head has this content already.",
                        hasETag: true
                    ),
                ],
                refusals: [
                    .notFound, .preconditionFailed, .unprocessableContent, .insufficientStorage,
                ],
                handler: rollback
            ),
            Endpoint(
                method: .get,
                path: "/v1/versions",
                name: "listVersions",
                help: "Versions, newest first.",
                query: Self.page,
                successes: [Self.answers(Schemas.list("VersionAnswer"))],
                handler: versions
            ),
            Endpoint(
                method: .get,
                path: "/v1/versions/{version}",
                name: "getVersion",
                help: "One version without its content.",
                successes: [Self.answers(Schemas.named("VersionAnswer"))],
                refusals: [.notFound],
                handler: version
            ),
            Endpoint(
                method: .get,
                path: "/v1/versions/{version}/diff",
                name: "diffVersion",
                help: "What a version changed against another one.",
                query: [
                    .init(
                        name: "base",
                        help: "0 for no configuration; default: the version's parent.",
                        schema: Schemas.count
                    )
                ],
                successes: [Self.answers(Schemas.named("DiffAnswer"))],
                refusals: [.notFound],
                handler: versionDifference
            ),
        ]
    }

    // MARK: Certificates

    private var certificateEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/certificates",
                name: "listCertificates",
                help:
                    "Certificates and authorities that are kept, the first to end first; no keys.",
                successes: [Self.answers(Schemas.list("CertificateAnswer"))],
                handler: certificates
            ),
            Endpoint(
                method: .post,
                path: "/v1/certificates",
                name: "storeCertificate",
                help: "Checks and keeps a certificate with its key, or a bundle of authorities.",
                body: "CertificateRequest",
                bodyBytesMax: AdminLimits.certificateBytesMax,
                successes: [
                    Self.answers(Schemas.named("CertificateAnswer"), .created, "It is new."),
                    Self.answers(Schemas.named("CertificateAnswer"), .ok, "It was there."),
                ],
                refusals: [.unprocessableContent, .insufficientStorage],
                handler: storeCertificate
            ),
            Endpoint(
                method: .get,
                path: "/v1/certificates/{digest}",
                name: "getCertificate",
                help: "One of them.",
                successes: [Self.answers(Schemas.named("CertificateAnswer"))],
                refusals: [.notFound],
                handler: certificate
            ),
        ]
    }

    // MARK: Secrets

    private var secretEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/secrets",
                name: "listSecrets",
                help: "Secrets that configurations can name, by name; no values.",
                successes: [Self.answers(Schemas.list("SecretAnswer"))],
                handler: secrets
            ),
            Endpoint(
                method: .put,
                path: "/v1/secrets/{name}",
                name: "setSecret",
                help: "Keeps a secret under a name, in place of the value that it had.",
                body: "SecretRequest",
                successes: [
                    Self.answers(Schemas.named("SecretAnswer"), .created, "It is new."),
                    Self.answers(
                        Schemas.named("SecretAnswer"),
                        .ok,
                        "It has another value now, or had this one."
                    ),
                ],
                refusals: [.insufficientStorage],
                handler: setSecret
            ),
            Endpoint(
                method: .delete,
                path: "/v1/secrets/{name}",
                name: "removeSecret",
                help: "Forgets a secret that the head's configuration does not name.",
                successes: Self.done("The secret is forgotten."),
                refusals: [.notFound, .conflict, .insufficientStorage],
                handler: removeSecret
            ),
        ]
    }

    // MARK: Fleet

    private var fleetEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/rollouts/{version}",
                name: "getRollout",
                help: "How far the nodes are with a version.",
                successes: [Self.answers(Schemas.named("RolloutAnswer"))],
                refusals: [.notFound],
                handler: rollout
            ),
            Endpoint(
                method: .get,
                path: "/v1/nodes",
                name: "listNodes",
                help: "All nodes by name.",
                successes: [Self.answers(Schemas.list("NodeAnswer"))],
                handler: nodes
            ),
            Endpoint(
                method: .get,
                path: "/v1/nodes/{name}",
                name: "getNode",
                help: "One node.",
                successes: [Self.answers(Schemas.named("NodeAnswer"))],
                refusals: [.notFound],
                handler: node
            ),
            command("drain", "Takes a node out of service; its process stays.", drain),
            command("undrain", "Puts a drained node back into service.", undrain),
            command("retry", "Lets a node try again what it rejected.", retry),
            command("revoke", "Ends a node's membership and closes its session.", revoke),
            Endpoint(
                method: .delete,
                path: "/v1/nodes/{name}",
                name: "removeNode",
                help: "Forgets a node and refuses its certificate.",
                successes: Self.done("The node is forgotten."),
                refusals: [.notFound, .insufficientStorage],
                handler: remove
            ),
            Endpoint(
                method: .get,
                path: "/v1/status",
                name: "getStatus",
                help: "The fleet on one screen.",
                successes: [Self.answers(Schemas.named("StatusAnswer"))],
                handler: status
            ),
        ]
    }

    private func command(
        _ word: String,
        _ help: String,
        _ handler: @escaping @Sendable (AdminRequest) async throws -> AdminAnswer
    ) -> Endpoint {
        Endpoint(
            method: .post,
            path: "/v1/nodes/{name}/\(word)",
            name: "\(word)Node",
            help: help,
            successes: [Self.answers(Schemas.named("NodeAnswer"), .ok, "The node afterwards.")],
            refusals: [.notFound, .conflict, .insufficientStorage],
            handler: handler
        )
    }

    // MARK: Upstreams

    private var upstreamEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/upstreams",
                name: "listUpstreams",
                help: "The head's upstreams as the fleet sees them.",
                successes: [Self.answers(Schemas.list("UpstreamAnswer"))],
                handler: upstreams
            ),
            Endpoint(
                method: .get,
                path: "/v1/upstreams/{name}",
                name: "getUpstream",
                help: "One upstream.",
                successes: [Self.answers(Schemas.named("UpstreamAnswer"))],
                refusals: [.notFound],
                handler: upstream
            ),
            Endpoint(
                method: .get,
                path: "/v1/adjustments",
                name: "listAdjustments",
                help: "What operators want of endpoints, and which nodes keep to it.",
                successes: [Self.answers(Schemas.named("AdjustmentsAnswer"))],
                handler: adjustments
            ),
            adjustment("drain", "Lets an endpoint finish what it does and gives it nothing new.") {
                .put(.drain, untilMilliseconds: $1)
            },
            adjustment("disable", "Takes an endpoint out of use at once.") {
                .put(.disable, untilMilliseconds: $1)
            },
            adjustment("weight", "Gives an endpoint another weight than the configuration does.") {
                .put(.weight($0 ?? 0), untilMilliseconds: $1)
            },
            adjustment("undrain", "Uses a drained or disabled endpoint again.") { _, _ in .undrain
            },
            adjustment(
                "reset",
                "Ends all adjustments of an endpoint, and forgets its ejections and failed checks."
            ) { _, _ in .reset },
        ]
    }

    private func adjustment(
        _ word: String,
        _ help: String,
        _ change: @escaping @Sendable (_ weight: Int?, _ until: Int64?) -> AdjustmentChange
    ) -> Endpoint {
        Endpoint(
            method: .post,
            path: "/v1/upstreams/{name}/\(word)",
            name: "\(word)Endpoint",
            help: help,
            body: "AdjustmentRequest",
            successes: [
                Self.answers(
                    Schemas.named("AdjustmentsAnswer"),
                    .ok,
                    "All adjustments from now on; nodes are told."
                )
            ],
            refusals: [.notFound, .conflict, .insufficientStorage],
            handler: { request in try await adjust(request, word, change) }
        )
    }

    // MARK: Tokens

    private var tokenEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/tokens",
                name: "listTokens",
                help: "Join tokens without their secrets, newest first.",
                successes: [Self.answers(Schemas.list("TokenAnswer"))],
                handler: tokens
            ),
            Endpoint(
                method: .post,
                path: "/v1/tokens",
                name: "createToken",
                help: "Makes a join token.",
                body: "TokenRequest",
                successes: [
                    Self.answers(Schemas.named("NewTokenAnswer"), .created, "The token, once.")
                ],
                refusals: [.insufficientStorage],
                handler: createToken
            ),
            Endpoint(
                method: .delete,
                path: "/v1/tokens/{id}",
                name: "revokeToken",
                help: "Makes a join token useless; nodes that joined with it stay.",
                successes: Self.done("The token is revoked."),
                refusals: [.notFound, .insufficientStorage],
                handler: revokeToken
            ),
        ]
    }

    // MARK: The CA

    private var authorityEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/ca",
                name: "getAuthorities",
                help: "The CAs that are trusted, and which nodes could do with the newest alone.",
                successes: [Self.answers(Schemas.named("AuthoritiesAnswer"))],
                handler: authorities
            ),
            Endpoint(
                method: .post,
                path: "/v1/ca/rotate",
                name: "rotateAuthority",
                help: "Makes the next CA, which is trusted beside the present one; once.",
                successes: [Self.answers(Schemas.named("AuthoritiesAnswer"))],
                refusals: [.insufficientStorage],
                handler: rotateAuthority
            ),
            Endpoint(
                method: .post,
                path: "/v1/ca/retire",
                name: "retireAuthority",
                help:
                    "Trusts the next CA alone, and revokes unused tokens; with force, whatever nodes are cut off.",
                body: "RetireRequest",
                successes: [Self.answers(Schemas.named("AuthoritiesAnswer"))],
                refusals: [.conflict, .insufficientStorage],
                handler: retireAuthority
            ),
        ]
    }

    // MARK: The server

    private var serverEndpoints: [Endpoint] {
        [
            Endpoint(
                method: .get,
                path: "/v1/audit",
                name: "listAudit",
                help: "Who did what, newest first.",
                query: Self.page,
                successes: [Self.answers(Schemas.list("AuditAnswer"))],
                handler: audit
            ),
            Endpoint(
                method: .get,
                path: "/v1/version",
                name: "getServer",
                help: "What the control plane is.",
                successes: [Self.answers(Schemas.named("ServerAnswer"))],
                handler: server
            ),
            open("/healthz", "health", "Whether the process lives.", Self.plainText, health),
            open("/readyz", "readiness", "Whether it can do its work.", Self.plainText, readiness),
            open(
                "/metrics",
                "metrics",
                "Metrics in the Prometheus text format.",
                "text/plain; version=0.0.4; charset=utf-8",
                metrics
            ),
        ]
    }

    private func open(
        _ path: String,
        _ name: String,
        _ help: String,
        _ mediaType: String,
        _ handler: @escaping @Sendable (AdminRequest) async throws -> AdminAnswer
    ) -> Endpoint {
        Endpoint(
            method: .get,
            path: path,
            name: name,
            help: help,
            access: .open,
            successes: [
                Endpoint.Success(status: .ok, help: "Yes.", content: .text(mediaType))
            ],
            handler: handler
        )
    }
}
