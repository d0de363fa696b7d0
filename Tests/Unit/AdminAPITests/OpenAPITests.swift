import AdminMessages
import FleetModel
import FleetProtocol
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import AdminAPI
@testable import FleetServer

@Suite("The OpenAPI document and the server say the same")
struct OpenAPITests {
    @Test("the served document lists exactly the table's paths and methods")
    func listsEndpoints() async throws {
        let scratch = try await Scratch()
        let document = try await Document(of: scratch)
        #expect(document.root["openapi"] == "3.1.0")
        let listed = Set(document.operations.keys)
        let registered = Set(
            scratch.router.endpoints.map { "\($0.method.rawValue) \($0.path)" }
        )
        #expect(listed == registered)
        let names = scratch.router.endpoints.map(\.name)
        #expect(Set(names).count == names.count)
    }

    @Test("a method that a path does not list is answered with 405")
    func refusesOtherMethods() async throws {
        let scratch = try await Scratch()
        let document = try await Document(of: scratch)
        for path in document.paths {
            for method in [HTTPRequest.Method.get, .put, .post, .delete, .patch, .options] {
                guard document.operations["\(method.rawValue) \(path)"] == nil else { continue }
                let answer = try await scratch.call(method, Self.filled(path))
                #expect(answer.status == 405, "\(method) \(path)")
            }
        }
    }

    @Test("all that is listed needs the token, but what says that it does not")
    func demandsTokens() async throws {
        let scratch = try await Scratch()
        let document = try await Document(of: scratch)
        for (key, operation) in document.operations {
            let (method, path) = try Self.parts(key)
            let isOpen = operation["security"] == []
            let answer = try await scratch.call(method, Self.filled(path), token: nil)
            #expect((answer.status == 401) == !isOpen, "\(key)")
        }
    }

    @Test("every success that is listed happens, with content of its schema")
    func answersAsDescribed() async throws {
        let scratch = try await Scratch()
        let document = try await Document(of: scratch)
        var missing = document.successes
        for example in Self.examples {
            Self.script(scratch)
            var headers: [HTTPField.Name: String] = [:]
            if let tag = example.ifNoneMatch { headers[.ifNoneMatch] = tag }
            let answer = try await scratch.call(
                example.method,
                example.path,
                example.body,
                headers: headers
            )
            #expect(answer.status == example.status, "\(example) \(answer.body)")
            try document.check(answer, to: example.method, example.template)
            missing.remove("\(example.method.rawValue) \(example.template) \(answer.status)")
        }
        // Tokens have ids that only the server knows.
        let token: NewTokenAnswer = try await scratch.call(.post, "/v1/tokens", "{}").read()
        let gone = try await scratch.call(.delete, "/v1/tokens/\(token.id)")
        try document.check(gone, to: .delete, "/v1/tokens/{id}")
        missing.remove("DELETE /v1/tokens/{id} \(gone.status)")
        // The digest of a certificate is that of one that was just made.
        let files = try certificateBody(try await .selfSigned(scratch, "a.example.com"))
        for _ in 0..<2 {
            let stored = try await scratch.call(.post, "/v1/certificates", files)
            try document.check(stored, to: .post, "/v1/certificates")
            missing.remove("POST /v1/certificates \(stored.status)")
            let digest = try stored.read(CertificateAnswer.self).digest
            let one = try await scratch.call(.get, "/v1/certificates/\(digest)")
            try document.check(one, to: .get, "/v1/certificates/{digest}")
            missing.remove("GET /v1/certificates/{digest} \(one.status)")
        }
        let list = try await scratch.call(.get, "/v1/certificates")
        try document.check(list, to: .get, "/v1/certificates")
        missing.remove("GET /v1/certificates \(list.status)")
        // A CA is retired after the next one was made; nodes that said nothing need force.
        let steps: [(HTTPRequest.Method, String, String?, Int)] = [
            (.post, "/v1/ca/retire", "{}", 409), (.post, "/v1/ca/rotate", nil, 200),
            (.get, "/v1/ca", nil, 200), (.post, "/v1/ca/retire", "{}", 409),
            (.post, "/v1/ca/retire", #"{"force":true}"#, 200),
        ]
        for (method, path, body, status) in steps {
            let answer = try await scratch.call(method, path, body)
            #expect(answer.status == status, "\(method) \(path) \(answer.body)")
            try document.check(answer, to: method, path)
            missing.remove("\(method.rawValue) \(path) \(answer.status)")
        }
        #expect(missing.isEmpty, "no example of: \(missing.sorted())")
    }

    @Test("refusals are listed, and have the schema of refusals")
    func refusesAsDescribed() async throws {
        let scratch = try await Scratch()
        let document = try await Document(of: scratch)
        try await scratch.apply("a")
        try await scratch.apply("b")
        let put = "/v1/configuration"
        let bad = #"{"configuration":{"upstreams":[{"name":"a"}]}}"#
        let refusals: [(Answer, HTTPRequest.Method, String, Int)] = [
            (try await scratch.call(.put, put, "x"), .put, put, 400),
            (try await scratch.call(.put, put, "{}", token: "x"), .put, put, 401),
            (try await scratch.apply("c", ifMatch: "\"1\""), .put, put, 412),
            (try await scratch.call(.put, put, bad), .put, put, 422),
            (
                try await scratch.call(.put, put, "{}", headers: [.contentType: "text/plain"]),
                .put, put, 415
            ),
            (
                try await scratch.call(.get, "/v1/nodes/x"), .get, "/v1/nodes/{name}", 404
            ),
            (
                try await scratch.call(.get, "/v1/versions/99"), .get, "/v1/versions/{version}",
                404
            ),
        ]
        for (answer, method, path, status) in refusals {
            #expect(answer.status == status)
            try document.check(answer, to: method, path)
        }
    }

    @Test("every schema that is referred to exists, and every one that exists is referred to")
    func refersToSchemas() async throws {
        let scratch = try await Scratch()
        let text = try await scratch.call(.get, "/openapi.json").body
        for name in Schemas.all.keys {
            #expect(text.contains("\"#/components/schemas/\(name)\""), "\(name)")
        }
        for part in text.components(separatedBy: "\"#/components/schemas/").dropFirst() {
            let name = String(part.prefix { $0 != "\"" })
            #expect(Schemas.all[name] != nil, "\(name)")
        }
    }

    // MARK: Examples

    private struct Example {
        var method: HTTPRequest.Method
        var path: String
        var template: String
        var body: String?
        var status = 200
        var ifNoneMatch: String?

        init(
            _ method: HTTPRequest.Method,
            _ path: String,
            _ template: String? = nil,
            _ body: String? = nil,
            _ status: Int = 200,
            ifNoneMatch: String? = nil
        ) {
            (self.method, self.path, self.template) = (method, path, template ?? path)
            (self.body, self.status, self.ifNoneMatch) = (body, status, ifNoneMatch)
        }
    }

    private static func tree(_ name: String) -> String {
        #"{"configuration":{"upstreams":[{"name":"\#(name)","endpoints":[{"address":"127.0.0.1:1"}]}]}}"#
    }

    private static func adjustment(_ word: String, _ more: String = "") -> Example {
        Example(
            .post,
            "/v1/upstreams/a/\(word)",
            "/v1/upstreams/{name}/\(word)",
            #"{"endpoint":"127.0.0.1:1"\#(more)}"#
        )
    }

    /// In this order, on a store that is empty at first.
    private static let examples: [Example] = [
        Example(.put, "/v1/configuration", nil, tree("a"), 201),
        Example(.put, "/v1/configuration", nil, tree("a"), 200),
        Example(.put, "/v1/configuration", nil, tree("b"), 201),
        Example(.get, "/v1/configuration"),
        Example(.get, "/v1/configuration", nil, nil, 304, ifNoneMatch: "\"2\""),
        Example(.post, "/v1/diff", nil, tree("c")),
        Example(.post, "/v1/rollback", nil, "{}", 201),
        Example(.post, "/v1/rollback", nil, #"{"version":1}"#, 200),
        Example(.get, "/v1/versions?limit=2", "/v1/versions"),
        Example(.get, "/v1/versions/1", "/v1/versions/{version}"),
        Example(.get, "/v1/versions/2/diff", "/v1/versions/{version}/diff"),
        Example(.get, "/v1/rollouts/3", "/v1/rollouts/{version}"),
        Example(.get, "/v1/nodes"),
        Example(.get, "/v1/nodes/a", "/v1/nodes/{name}"),
        Example(.post, "/v1/nodes/a/drain", "/v1/nodes/{name}/drain"),
        Example(.post, "/v1/nodes/a/undrain", "/v1/nodes/{name}/undrain"),
        Example(.post, "/v1/nodes/a/retry", "/v1/nodes/{name}/retry"),
        Example(.post, "/v1/nodes/a/revoke", "/v1/nodes/{name}/revoke"),
        Example(.delete, "/v1/nodes/a", "/v1/nodes/{name}", nil, 204),
        Example(.get, "/v1/upstreams"),
        Example(.get, "/v1/upstreams/a", "/v1/upstreams/{name}"),
        Example(.get, "/v1/adjustments"),
        adjustment("drain", #","forSeconds":60,"author":"ann","message":"deploy""#),
        adjustment("weight", #","weight":5"#),
        adjustment("undrain"),
        adjustment("disable"),
        adjustment("reset"),
        Example(.get, "/v1/status"),
        Example(.put, "/v1/secrets/a", "/v1/secrets/{name}", #"{"value":"x"}"#, 201),
        Example(.put, "/v1/secrets/a", "/v1/secrets/{name}", #"{"value":"y"}"#, 200),
        Example(.get, "/v1/secrets"),
        Example(.delete, "/v1/secrets/a", "/v1/secrets/{name}", nil, 204),
        Example(.post, "/v1/tokens", nil, "{}", 201),
        Example(.get, "/v1/tokens"),
        Example(.get, "/v1/audit"),
        Example(.get, "/v1/version"),
        Example(.get, "/healthz"),
        Example(.get, "/readyz"),
        Example(.get, "/metrics"),
        Example(.get, "/openapi.json"),
    ]

    /// Nodes with every field there is, and some with none.
    private static func script(_ scratch: Scratch) {
        let problem = Problem(kind: .route, name: "r", field: "upstream", message: "unknown")
        let version = Holding(epoch: 1, version: 3, digest: Manifest.empty.digest)
        scratch.fleet.state.withLock { state in
            state.nodes = [
                makeNode("a", .stale, version: 1, problems: [problem]), makeNode("b", .joining),
            ]
            state.upstreams = sampleUpstreams()
            state.rollouts[3] = RolloutStatus(
                version: version,
                nodes: [
                    .init(
                        name: "a",
                        state: .rejected,
                        nodeState: .stale,
                        active: nil,
                        problems: [problem],
                        cause: .content
                    ),
                    .init(
                        name: "b",
                        state: .excluded,
                        nodeState: .unreachable,
                        active: nil,
                        problems: [],
                        cause: nil
                    ),
                ]
            )
        }
    }

    private static func filled(_ path: String) -> String {
        path.replacingOccurrences(of: "{version}", with: "1")
            .replacingOccurrences(of: "{name}", with: "a")
            .replacingOccurrences(of: "{id}", with: "a")
            .replacingOccurrences(of: "{digest}", with: "a")
    }

    private static func parts(_ key: String) throws -> (HTTPRequest.Method, String) {
        let parts = key.split(separator: " ")
        return (try #require(HTTPRequest.Method(String(parts[0]))), String(parts[1]))
    }
}

/// The served OpenAPI document, as a client reads it.
private struct Document {
    let root: JSONValue

    init(of scratch: Scratch) async throws {
        root = try await scratch.call(.get, "/openapi.json", token: nil).read()
    }

    var paths: [String] { Array((root["paths"]?.members ?? [:]).keys) }

    /// By method and path.
    var operations: [String: JSONValue] {
        var operations: [String: JSONValue] = [:]
        for (path, item) in root["paths"]?.members ?? [:] {
            for (method, operation) in item.members {
                operations["\(method.uppercased()) \(path)"] = operation
            }
        }
        return operations
    }

    /// Method, path and status of everything below 400.
    var successes: Set<String> {
        var keys: Set<String> = []
        for (key, operation) in operations {
            for status in (operation["responses"]?.members ?? [:]).keys where status < "400" {
                keys.insert("\(key) \(status)")
            }
        }
        return keys
    }

    func check(_ answer: Answer, to method: HTTPRequest.Method, _ path: String) throws {
        let place = "\(method.rawValue) \(path) \(answer.status)"
        let operation = try #require(operations["\(method.rawValue) \(path)"])
        let response = try #require(
            operation["responses"]?[String(answer.status)],
            "\(place) is not described"
        )
        if response["headers"]?["ETag"] != nil { #expect(answer.headers[.eTag] != nil, "\(place)") }
        #expect(answer.headers[requestIDField] != nil, "\(place)")
        guard let content = response["content"] else {
            #expect(answer.body.isEmpty, "\(place)")
            return
        }
        let type = try #require(answer.headers[.contentType])
        let schema = try #require(content[type]?["schema"], "\(place): \(type)")
        if type == "application/json" {
            let faults = faults(in: try answer.read(), schema, at: "")
            #expect(faults.isEmpty, "\(place): \(faults)")
        }
    }

    /// What in `value` is not as `schema` says; fields that it does not know are faults too.
    func faults(in value: JSONValue, _ schema: JSONValue, at path: String) -> [String] {
        if case .string(let reference) = schema["$ref"] ?? .null {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            guard let target = root["components"]?["schemas"]?[name] else {
                return ["\(path): no schema \(name)"]
            }
            return faults(in: value, target, at: path)
        }
        if case .array(let words) = schema["enum"] ?? .null, !words.contains(value) {
            return ["\(path): \(value) is none of the words"]
        }
        guard case .string(let type) = schema["type"] ?? .null else { return [] }
        switch (type, value) {
        case ("string", .string), ("boolean", .bool), ("integer", .integer), ("number", .integer),
            ("number", .number):
            if case .integer(let minimum) = schema["minimum"] ?? .null,
                case .integer(let number) = value, number < minimum
            {
                return ["\(path): \(number) is below \(minimum)"]
            }
            return []
        case ("array", .array(let items)):
            return items.enumerated().flatMap { index, item in
                faults(in: item, schema["items"] ?? [:], at: "\(path)[\(index)]")
            }
        case ("object", .object(let members)):
            return memberFaults(members, schema, at: path)
        default: return ["\(path): \(value) is no \(type)"]
        }
    }

    private func memberFaults(
        _ members: [String: JSONValue],
        _ schema: JSONValue,
        at path: String
    ) -> [String] {
        var faults: [String] = []
        if case .array(let required) = schema["required"] ?? .null {
            for case .string(let name) in required where members[name] == nil {
                faults.append("\(path).\(name) is missing")
            }
        }
        let isFree = schema["properties"] == nil && schema["additionalProperties"] == nil
        for (name, member) in members where !isFree {
            let known = schema["properties"]?[name] ?? schema["additionalProperties"]
            guard let known, known != false else {
                faults.append("\(path).\(name) is not described")
                continue
            }
            faults += self.faults(in: member, known, at: "\(path).\(name)")
        }
        return faults
    }
}

extension JSONValue {
    fileprivate var members: [String: JSONValue] {
        guard case .object(let members) = self else { return [:] }
        return members
    }

    fileprivate subscript(name: String) -> JSONValue? { members[name] }
}
