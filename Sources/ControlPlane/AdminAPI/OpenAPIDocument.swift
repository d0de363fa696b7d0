package import AdminMessages
import FleetModel
import HTTPTypes

/// The OpenAPI 3.1 description of a table of endpoints.
package enum OpenAPIDocument {
    /// The endpoint that serves the description, and is part of it.
    static func endpoint(_ octets: @escaping @Sendable () -> [UInt8]) -> Endpoint {
        Endpoint(
            method: .get,
            path: "/openapi.json",
            name: "openAPI",
            help: "This description.",
            access: .open,
            successes: [
                Endpoint.Success(
                    status: .ok,
                    help: "An OpenAPI 3.1 document.",
                    content: .json(["type": "object"])
                )
            ],
            handler: { _ in AdminAnswer(content: .json(octets())) }
        )
    }

    /// Describes the endpoints.
    package static func document(of endpoints: [Endpoint]) -> JSONValue {
        var paths: [String: [String: JSONValue]] = [:]
        for endpoint in endpoints {
            let method = endpoint.method.rawValue.lowercased()
            paths[endpoint.path, default: [:]][method] = operation(endpoint)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Weir admin API",
                "version": .string(buildVersion),
                "description": """
                Every answer has an x-request-id. Every refusal is an ErrorAnswer. Unknown fields \
                and parameters are refused.
                """,
            ],
            "paths": .object(paths.mapValues { .object($0) }),
            "components": [
                "schemas": .object(Schemas.all),
                "securitySchemes": [
                    "adminToken": [
                        "type": "http",
                        "scheme": "bearer",
                        "description": "The content of admin.token in the server's directory.",
                    ]
                ],
            ],
            "security": [["adminToken": []]],
        ]
    }

    private static func operation(_ endpoint: Endpoint) -> JSONValue {
        var members: [String: JSONValue] = [
            "operationId": .string(endpoint.name),
            "summary": .string(endpoint.help),
            "responses": .object(responses(endpoint)),
        ]
        if endpoint.access == .open { members["security"] = [] }
        let parameters = parameters(endpoint)
        if !parameters.isEmpty { members["parameters"] = .array(parameters) }
        if let body = endpoint.body {
            members["requestBody"] = [
                "required": true,
                "description": .string("At most \(endpoint.bodyBytesMax) octets."),
                "content": ["application/json": ["schema": Schemas.named(body)]],
            ]
        }
        return .object(members)
    }

    private static func parameters(_ endpoint: Endpoint) -> [JSONValue] {
        var parameters: [JSONValue] = endpoint.pathParameters.map { name in
            [
                "name": .string(name), "in": "path", "required": true,
                "schema": name == "version" ? Schemas.version : Schemas.text,
            ]
        }
        for parameter in endpoint.query {
            parameters.append([
                "name": .string(parameter.name), "in": "query", "required": false,
                "description": .string(parameter.help), "schema": parameter.schema,
            ])
        }
        if endpoint.takesIfMatch {
            parameters.append([
                "name": "If-Match", "in": "header", "required": false,
                "description": "The version that must be the head, in quotes; \"0\" for none yet.",
                "schema": Schemas.text,
            ])
        }
        return parameters
    }

    private static func responses(_ endpoint: Endpoint) -> [String: JSONValue] {
        var responses: [String: JSONValue] = [:]
        for success in endpoint.successes {
            var headers: [String: JSONValue] = ["x-request-id": ["schema": Schemas.text]]
            if success.hasETag {
                headers["ETag"] = [
                    "description": "The version in double quotes; absent before the first.",
                    "schema": Schemas.text,
                ]
            }
            var members: [String: JSONValue] = [
                "description": .string(success.help),
                "headers": .object(headers),
            ]
            switch success.content {
            case .none: break
            case .json(let schema):
                members["content"] = ["application/json": ["schema": schema]]
            case .text(let mediaType):
                members["content"] = .object([mediaType: ["schema": Schemas.text]])
            }
            responses[String(success.status.code)] = .object(members)
        }
        for status in endpoint.allRefusals {
            responses[String(status.code)] = [
                "description": .string(status.reasonPhrase),
                "content": ["application/json": ["schema": Schemas.named("ErrorAnswer")]],
            ]
        }
        return responses
    }
}
