import AdminMessages
import ControlStore
import Credentials
import FleetModel
import HTTPTypes
import Testing

@testable import AdminAPI

@Suite("Named secrets over the admin API")
struct SecretTests {
    let scratch: Scratch

    init() async throws { scratch = try await Scratch() }

    private let value = "a value that nobody may see"

    private func set(_ name: String, _ value: String) async throws -> Answer {
        try await scratch.call(.put, "/v1/secrets/\(name)", #"{"value":"\#(value)"}"#)
    }

    private func apply(_ secret: String, dryRun: Bool = false) async throws -> Answer {
        let tree = """
            {"listeners": [{"name": "web", "address": "0.0.0.0:80"}],
             "certificates": [{"name": "shop", "hosts": ["a.example"], "acme":
                 {"directory": "https://ca.example/d", "eab": {"keyID": "k", "secret": "\(secret)"}}}]}
            """
        return try await scratch.call(
            .put,
            "/v1/configuration",
            #"{"configuration":\#(tree),"dryRun":\#(dryRun)}"#
        )
    }

    @Test("a secret is kept, changed and removed, and no answer has its value")
    func keeps() async throws {
        let made = try await set("eab", value)
        #expect(made.status == 201)
        let first: SecretAnswer = try made.read()
        #expect(first.name == "eab" && first.uses.isEmpty && first.createdAt == first.changedAt)
        let same = try await set("eab", value)
        #expect(same.status == 200)
        #expect(try same.read(SecretAnswer.self) == first)
        let other = try await set("eab", value + "!")
        let second: SecretAnswer = try other.read()
        #expect(other.status == 200 && second.digest != first.digest)
        let list = try await scratch.call(.get, "/v1/secrets")
        #expect(try list.read([SecretAnswer].self) == [second])
        let certificates = try await scratch.call(.get, "/v1/certificates")
        #expect(certificates.body == "[]")
        #expect(try await scratch.call(.get, "/v1/certificates/\(second.digest)").status == 404)
        #expect(try await scratch.call(.delete, "/v1/secrets/eab").status == 204)
        #expect(try await scratch.call(.delete, "/v1/secrets/eab").status == 404)
        let audit = try await scratch.call(.get, "/v1/audit")
        for answer in [made, same, other, list, audit] { #expect(!answer.body.contains(value)) }
        var text =
            "\(SecretRequest(value: value)) \(String(reflecting: SecretRequest(value: value)))"
        dump(SecretRequest(value: value), to: &text)
        #expect(!text.contains(value))
    }

    @Test(
        "a configuration that names a secret which is not kept is refused with its place and the remedy"
    )
    func missing() async throws {
        for isDryRun in [true, false] {
            let refused = try await apply("eab", dryRun: isDryRun)
            #expect(refused.status == 422)
            let problem = try #require(try refused.error.details?.problems?.first)
            #expect(problem.kind == "certificate" && problem.name == "shop")
            #expect(problem.field == "acme.eab.secret")
            #expect(problem.message.contains("'proxyctl secrets set eab'"))
        }
        _ = try await set("eab", value)
        #expect(try await apply("eab").status == 201)
    }

    @Test("a secret that the head names is not removed, and its use is told")
    func inUse() async throws {
        _ = try await set("eab", value)
        #expect(try await apply("eab").status == 201)
        let list: [SecretAnswer] = try await scratch.call(.get, "/v1/secrets").read()
        #expect(list.map(\.uses) == [["certificates[shop].acme.eab.secret"]])
        let refused = try await scratch.call(.delete, "/v1/secrets/eab")
        #expect(refused.status == 409)
        #expect(try refused.error.code == "secret_in_use")
        #expect(try refused.error.message.contains("certificates[shop].acme.eab.secret"))
        #expect(try await scratch.apply("a").status == 201)
        #expect(try await scratch.call(.delete, "/v1/secrets/eab").status == 204)
        // What it was for cannot come back without it.
        let back = try await scratch.call(.post, "/v1/rollback", #"{"version":1}"#)
        #expect(back.status == 422)
    }

    @Test("names and bodies of another form are refused, and nothing of the body is told")
    func forms() async throws {
        for name in ["-a", "a%20b", String(repeating: "a", count: 64)] {
            #expect(try await set(name, value).status == 400, "\(name)")
        }
        let long = String(repeating: "x", count: AdminLimits.secretBytesMax + 1)
        let bodies = [
            "{}", #"{"value":""}"#, #"{"value":"\#(long)"}"#, #"{"value":["\#(value)"]}"#,
            #"{"valu":"\#(value)"}"#, #"{"value":"\#(value)"#, "[\"\(value)\"]",
        ]
        for body in bodies {
            let answer = try await scratch.call(.put, "/v1/secrets/eab", body)
            #expect(answer.status == 400, "\(body.prefix(40))")
            #expect(!answer.body.contains(value) && !answer.body.contains("xxxx"))
        }
        #expect(try await scratch.call(.get, "/v1/secrets").body == "[]")
    }
}
