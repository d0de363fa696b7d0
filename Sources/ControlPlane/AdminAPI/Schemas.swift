package import AdminMessages
import ControlStore
import FleetModel
import FleetServer

/// The JSON Schemas of the messages, by name; the names are those of `AdminMessages`.
package enum Schemas {
    /// A reference to a named schema.
    package static func named(_ name: String) -> JSONValue {
        ["$ref": .string("#/components/schemas/\(name)")]
    }

    /// An array of a named schema.
    package static func list(_ name: String) -> JSONValue {
        ["type": "array", "items": named(name)]
    }

    static let version: JSONValue = ["type": "integer", "format": "int64", "minimum": 1]
    static let count: JSONValue = ["type": "integer", "format": "int64", "minimum": 0]
    static let number: JSONValue = ["type": "number"]
    static let text: JSONValue = ["type": "string"]
    static let flag: JSONValue = ["type": "boolean"]
    static let time: JSONValue = ["type": "string", "format": "date-time"]
    static let digest: JSONValue = ["type": "string", "pattern": "^[0-9a-f]{64}$"]
    static let strings: JSONValue = ["type": "object", "additionalProperties": text]
    static let texts: JSONValue = ["type": "array", "items": text]
    static let anything: JSONValue = [:]

    static func words(_ words: [String]) -> JSONValue {
        ["type": "string", "enum": .array(words.map { .string($0) })]
    }

    /// An object whose fields are all there, but those that are named optional.
    ///
    /// In a request unknown fields are refused; answers may get more fields in time.
    private static func object(
        _ help: String,
        _ fields: KeyValuePairs<String, JSONValue>,
        optional: Set<String> = [],
        isRequest: Bool = false
    ) -> JSONValue {
        let required = fields.map(\.key).filter { !optional.contains($0) }
        var members: [String: JSONValue] = [
            "type": "object",
            "description": .string(help),
            "properties": .object(
                Dictionary(uniqueKeysWithValues: fields.map { ($0.key, $0.value) })
            ),
        ]
        if !required.isEmpty { members["required"] = .array(required.map { .string($0) }) }
        if isRequest { members["additionalProperties"] = false }
        return .object(members)
    }

    /// All of them.
    package static let all: [String: JSONValue] =
        configurations
        .merging(certificates) { first, _ in first }
        .merging(fleet) { first, _ in first }
        .merging(upstreams) { first, _ in first }
        .merging(errors) { first, _ in first }
        .merging(others) { first, _ in first }

    private static let document: JSONValue = [
        "type": "object",
        "description": "A configuration document: docs/config-reference.md.",
    ]

    private static let configurations: [String: JSONValue] = [
        "ConfigurationAnswer": object(
            "The whole configuration of a version.",
            ["version": version, "digest": digest, "configuration": document]
        ),
        "ApplyRequest": object(
            "Asks for a new version: what is absent from the configuration is removed.",
            ["configuration": document, "message": text, "author": text, "dryRun": flag],
            optional: ["message", "author", "dryRun"],
            isRequest: true
        ),
        "ApplyAnswer": object(
            "What an apply or a rollback did, or would do; version is the head afterwards, 0 for none.",
            [
                "version": count, "digest": digest, "changed": flag,
                "changes": list("ResourceChange"), "warnings": texts,
            ],
            optional: ["warnings"]
        ),
        "RollbackRequest": object(
            "Asks for a new version with the content of an old one; without version, the one before the head.",
            ["version": version, "message": text, "author": text],
            optional: ["version", "message", "author"],
            isRequest: true
        ),
        "DiffRequest": object(
            "Asks what applying a configuration would change; without base, against the head.",
            ["configuration": document, "base": count],
            optional: ["base"],
            isRequest: true
        ),
        "DiffAnswer": object(
            "What differs from a version; base is 0 for no configuration.",
            ["base": count, "changes": list("ResourceChange")]
        ),
        "ResourceChange": object(
            "One resource that differs.",
            [
                "kind": text, "name": text,
                "change": words(["added", "removed", "changed", "moved"]),
                "fields": list("FieldChange"),
            ]
        ),
        "FieldChange": object(
            "One field that differs: the canonical text of a scalar, or a list or map; absent if it is not set.",
            ["field": text, "from": anything, "to": anything],
            optional: ["from", "to"]
        ),
        "VersionAnswer": object(
            "One version without its content; the first has no parent.",
            [
                "version": version, "digest": digest, "author": text, "time": time, "message": text,
                "parent": version,
            ],
            optional: ["parent"]
        ),
    ]

    private static let fleet: [String: JSONValue] = [
        "NodeAnswer": object(
            "One node: version and digest are what it serves, desired is what it should serve.",
            [
                "name": text, "state": words(NodeStatus.State.allCases.map(\.rawValue)),
                "version": version, "digest": digest, "desired": version,
                "error": list("ResourceError"), "labels": strings, "build": text, "seenAt": time,
            ],
            optional: ["version", "digest", "desired", "error", "seenAt"]
        ),
        "ResourceError": object(
            "Why a node cannot serve a version.",
            ["kind": text, "name": text, "field": text, "message": text]
        ),
        "RolloutAnswer": object(
            "How far the nodes are with a version.",
            ["version": version, "digest": digest, "nodes": list("RolloutNode")]
        ),
        "RolloutNode": object(
            "One node in a rollout; reason says why nobody waits for it.",
            [
                "name": text, "state": words(["applied", "pending", "rejected", "excluded"]),
                "reason": words(["unreachable", "draining", "revoked"]),
                "errors": list("ResourceError"),
            ],
            optional: ["reason"]
        ),
        "StatusAnswer": object(
            "The fleet on one screen; errorShare is the share of 5xx from 0 to 1.",
            [
                "head": version, "digest": digest,
                "states": ["type": "object", "additionalProperties": count],
                "versions": list("VersionCount"), "rejections": list("NodeAnswer"),
                "requestsPerSecond": number, "errorShare": number, "p50Seconds": number,
                "p99Seconds": number,
            ],
            optional: ["head", "digest", "p50Seconds", "p99Seconds"]
        ),
        "VersionCount": object(
            "How many nodes serve a version.",
            ["version": version, "nodes": count]
        ),
    ]

    private static let availability = words(EndpointStatus.Availability.allCases.map(\.rawValue))

    private static let upstreams: [String: JSONValue] = [
        "UpstreamAnswer": object(
            "An upstream as the fleet sees it.",
            [
                "name": text, "endpoints": list("EndpointAnswer"), "notes": list("UpstreamNote"),
            ]
        ),
        "UpstreamNote": object(
            "What a node says of the whole of an upstream.",
            ["node": text, "note": text]
        ),
        "EndpointAnswer": object(
            "An endpoint: its state is what most nodes say, with reason and times of a node that says so; "
                + "disagreement says where nodes differ. Weight is the largest that a node gives it now.",
            [
                "address": text, "discovered": flag, "state": availability, "reason": text,
                "since": time, "checkedAt": time, "check": text, "disagreement": text,
                "configuredWeight": count, "weight": count, "connections": count,
                "requests": count, "adjustments": list("AdjustmentAnswer"),
                "nodes": list("EndpointNode"),
            ],
            optional: [
                "reason", "since", "checkedAt", "check", "disagreement", "configuredWeight",
            ]
        ),
        "EndpointNode": object(
            "How one node sees an endpoint; it is stale while the node has no session.",
            [
                "node": text, "state": availability, "reason": text, "since": time,
                "checkedAt": time, "check": text, "weight": count, "connections": count,
                "requests": count, "stale": flag,
            ],
            optional: ["reason", "since", "checkedAt", "check"]
        ),
        "AdjustmentRequest": object(
            "Asks for a change of an endpoint's adjustments; weight with that action alone, forSeconds not with "
                + "undrain and reset.",
            [
                "endpoint": text, "weight": count, "forSeconds": version, "author": text,
                "message": text,
            ],
            optional: ["weight", "forSeconds", "author", "message"],
            isRequest: true
        ),
        "AdjustmentAnswer": object(
            "What an operator wants of an endpoint.",
            [
                "upstream": text, "endpoint": text,
                "action": words(["drain", "disable", "weight"]),
                "weight": count, "until": time, "author": text, "time": time,
            ],
            optional: ["weight", "until"]
        ),
        "AdjustmentsAnswer": object(
            "All adjustments that are in force, and which nodes keep to this generation of them.",
            [
                "generation": version, "adjustments": list("AdjustmentAnswer"),
                "nodes": list("AdjustmentNode"), "warnings": texts,
            ],
            optional: ["warnings"]
        ),
        "AdjustmentNode": object(
            "One node; a problem is why it could not store them for its next start.",
            [
                "name": text, "state": words(["applied", "pending", "excluded"]),
                "reason": words(["unreachable", "revoked"]), "problem": text,
            ],
            optional: ["reason", "problem"]
        ),
    ]

    private static let errors: [String: JSONValue] = [
        "ErrorAnswer": object(
            "Why a request was refused; request_id finds it in the server's log.",
            [
                "code": words(AdminError.Code.allCases.map(\.rawValue)), "message": text,
                "request_id": text, "details": named("ErrorDetails"),
            ],
            optional: ["details"]
        ),
        "ErrorDetails": object(
            "412: current and changes; 422: problems.",
            [
                "current": count, "changes": list("ResourceChange"),
                "problems": list("ConfigurationProblem"),
            ],
            optional: ["current", "changes", "problems"]
        ),
        "ConfigurationProblem": object(
            "One thing that is wrong with a configuration; line and column are those of the body.",
            [
                "kind": text, "name": text, "field": text, "message": text, "line": count,
                "column": count,
            ],
            optional: ["line", "column"]
        ),
    ]

    private static let certificates: [String: JSONValue] = [
        "CertificateRequest": object(
            "PEM texts: certificate and key, or authority alone; name is the certificate's in the configuration.",
            ["name": text, "certificate": text, "key": text, "authority": text],
            optional: ["name", "certificate", "key", "authority"],
            isRequest: true
        ),
        "CertificateAnswer": object(
            "What is public of a certificate; names of an authority are its subjects, and it has no more fields.",
            [
                "digest": digest, "kind": words(["certificate", "authority"]),
                "names": texts, "notAfter": time, "storedAt": time,
                "notBefore": time, "issuer": text, "serial": text, "key": text,
                "fingerprint": digest, "uses": list("CertificateUse"), "holding": texts,
                "serving": texts,
            ],
            optional: [
                "notBefore", "issuer", "serial", "key", "fingerprint", "uses", "holding", "serving",
            ]
        ),
        "CertificateUse": object(
            "A certificate of the head's configuration: nodes serve this material, hold it to serve it next, serve "
                + "it until an authority has issued the first, or are not given it. The problem is why the last "
                + "order at the authority failed.",
            [
                "name": text, "source": words(["files", "selfSigned", "authority", "acme"]),
                "state": words(["serve", "next", "temporary", "unused"]), "problem": text,
            ],
            optional: ["problem"]
        ),
    ]

    private static let others: [String: JSONValue] = [
        "SecretRequest": object(
            "Brings the value of a named secret.",
            ["value": text],
            isRequest: true
        ),
        "SecretAnswer": object(
            "A named secret without its value. The digest is another one whenever the value is, and tells nothing of it; "
                + "uses are places of the head's configuration.",
            ["name": text, "digest": digest, "createdAt": time, "changedAt": time, "uses": texts]
        ),
        "TokenRequest": object(
            "Asks for a join token; the node must have the labels.",
            ["ttlSeconds": version, "labels": strings],
            optional: ["ttlSeconds", "labels"],
            isRequest: true
        ),
        "NewTokenAnswer": object(
            "A join token; this answer alone holds its text.",
            ["id": text, "token": text, "expiresAt": time, "labels": strings]
        ),
        "TokenAnswer": object(
            "A join token without its secret.",
            [
                "id": text, "labels": strings, "createdAt": time, "expiresAt": time,
                "state": words(["usable", "used", "expired", "revoked"]), "usedBy": text,
            ],
            optional: ["usedBy"]
        ),
        "RetireRequest": object(
            "Asks to trust the next CA alone.",
            ["force": flag],
            optional: ["force"],
            isRequest: true
        ),
        "AuthoritiesAnswer": object(
            "The CAs that are trusted, the one of the servers' certificates first; nodes only while there are two.",
            [
                "rotating": flag, "authorities": list("AuthorityAnswer"),
                "nodes": list("AuthorityNode"), "tokensRevoked": count,
            ],
            optional: ["tokensRevoked"]
        ),
        "AuthorityAnswer": object(
            "A CA; certificate is PEM, fingerprint the SHA-256 of its DER.",
            [
                "fingerprint": digest, "role": words(["current", "next"]), "notAfter": time,
                "certificate": text,
            ]
        ),
        "AuthorityNode": object(
            "Whether a node has stored that it trusts the next CA, and has a certificate of it.",
            [
                "name": text, "state": words(NodeStatus.State.allCases.map(\.rawValue)),
                "confirmed": flag,
            ]
        ),
        "AuditAnswer": object(
            "Who did what.",
            [
                "id": version, "time": time, "actor": text, "action": text, "target": text,
                "detail": text, "requestID": text,
            ],
            optional: ["requestID"]
        ),
        "ServerAnswer": object(
            "What the control plane is; epoch rises with every restore.",
            ["build": text, "cluster": text, "epoch": version]
        ),
    ]
}
