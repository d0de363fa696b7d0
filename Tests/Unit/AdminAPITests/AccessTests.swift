import AdminMessages
import FleetModel
import FleetProtocol
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import AdminAPI
@testable import FleetServer

@Suite("Who may call the admin API, and how it refuses")
struct AccessTests {
    @Test(
        "RFC 9110 §11.6.1: without the right token the answer is 401 with WWW-Authenticate",
        arguments: [nil, "", "x", Scratch.token + "x", String(Scratch.token.dropLast())]
    )
    func refusesStrangers(token: String?) async throws {
        let scratch = try await Scratch()
        for path in ["/v1/status", "/v1/nothing", "/", "/v1/nodes/a%2Fb"] {
            let answer = try await scratch.call(.get, path, token: token)
            #expect(answer.status == 401)
            #expect(answer.headers[.wwwAuthenticate] == "Bearer realm=\"weir\"")
            #expect(try answer.error.code == "unauthorised")
        }
    }

    @Test("the scheme's name is case-insensitive (RFC 9110 §11.1)")
    func readsTheScheme() async throws {
        let scratch = try await Scratch()
        let answer = try await scratch.call(
            .get,
            "/v1/version",
            headers: [.authorization: "bEARER \(Scratch.token)"],
            token: nil
        )
        #expect(answer.status == 200)
    }

    @Test("the description, the probes and the metrics need no token")
    func opensProbes() async throws {
        let scratch = try await Scratch()
        for path in ["/openapi.json", "/healthz", "/readyz", "/metrics"] {
            #expect(try await scratch.call(.get, path, token: nil).status == 200, "\(path)")
        }
        scratch.fleet.state.withLock { $0.isBroken = true }
        #expect(try await scratch.call(.get, "/healthz", token: nil).status == 200)
        #expect(try await scratch.call(.get, "/readyz", token: nil).status == 503)
    }

    @Test("every answer has a request id of the server's own, which errors repeat")
    func numbersRequests() async throws {
        let scratch = try await Scratch()
        let first = try await scratch.call(
            .get,
            "/v1/nodes/none",
            headers: [requestIDField: "forged"]
        )
        let id = try #require(first.headers[requestIDField])
        #expect(id.count == 16 && id != "forged")
        #expect(try first.error.requestID == id)
        let second = try await scratch.call(.get, "/v1/version")
        #expect(second.headers[requestIDField] != id)
        #expect(second.headers[.cacheControl] == "no-store")
    }

    @Test("RFC 9110 §15.5.6: a method that a resource lacks is 405 with Allow")
    func tellsMethods() async throws {
        let scratch = try await Scratch()
        let answer = try await scratch.call(.delete, "/v1/configuration")
        #expect(answer.status == 405)
        #expect(answer.headers[.allow] == "GET, HEAD, PUT")
        #expect(try await scratch.call(.get, "/v1/nothing").status == 404)
    }

    @Test("HEAD is GET without content")
    func answersHead() async throws {
        let scratch = try await Scratch()
        let answer = try await scratch.call(.head, "/v1/version")
        #expect(answer.status == 200 && answer.body.isEmpty)
    }

    @Test("bodies have a length limit and a media type, and only some requests have one")
    func limitsBodies() async throws {
        let scratch = try await Scratch()
        let long = #"{"labels":{"a":"\#(String(repeating: "x", count: 70_000))"}}"#
        let answer = try await scratch.call(.post, "/v1/tokens", long)
        #expect(answer.status == 413)
        #expect(answer.headers[.connection] == "close")
        let form = try await scratch.call(
            .post,
            "/v1/tokens",
            "ttl=1",
            headers: [.contentType: "application/x-www-form-urlencoded"]
        )
        #expect(form.status == 415)
        #expect(try await scratch.call(.get, "/v1/status", "{}").status == 400)
    }

    @Test("a token's text is told once, its state always")
    func makesTokens() async throws {
        let scratch = try await Scratch()
        let made = try await scratch.call(.post, "/v1/tokens", #"{"labels":{"region":"eu"}}"#)
        #expect(made.status == 201)
        let token: NewTokenAnswer = try made.read()
        #expect(token.token.hasPrefix("weir1."))
        let list = try await scratch.call(.get, "/v1/tokens")
        #expect(!list.body.contains(token.token))
        let before: [TokenAnswer] = try list.read()
        #expect(before.map(\.state) == ["usable"] && before[0].labels == ["region": "eu"])
        #expect(try await scratch.call(.delete, "/v1/tokens/\(token.id)").status == 204)
        #expect(try await scratch.call(.delete, "/v1/tokens/none").status == 404)
        let after: [TokenAnswer] = try await scratch.call(.get, "/v1/tokens").read()
        #expect(after.map(\.state) == ["revoked"])
        for body in [#"{"ttlSeconds":0}"#, #"{"ttlSeconds":-1}"#, #"{"ttlSeconds":99999999}"#] {
            #expect(try await scratch.call(.post, "/v1/tokens", body).status == 400, "\(body)")
        }
        let audit: [AuditAnswer] = try await scratch.call(.get, "/v1/audit?limit=1").read()
        #expect(audit.map(\.action) == ["token.revoke"])
        #expect(audit[0].requestID?.count == 16)
    }

    @Test("nodes are told with what they serve and why not more")
    func tellsNodes() async throws {
        let scratch = try await Scratch()
        let problem = Problem(
            kind: .listener,
            name: "web",
            field: "address",
            message: "the port is taken"
        )
        scratch.fleet.state.withLock {
            $0.nodes = [
                makeNode("a", .steady, version: 9),
                makeNode("b", .stale, version: 8, problems: [problem]),
                makeNode("c", .joining), makeNode("d", .steady, lastGoodProblem: "disk full"),
            ]
        }
        let nodes: [NodeAnswer] = try await scratch.call(.get, "/v1/nodes").read()
        #expect(nodes.map(\.state) == ["steady", "stale", "joining", "steady"])
        #expect(nodes[0].error == nil && nodes[0].version == 9)
        #expect(nodes[0].seenAt == "2027-01-15T08:00:00.123Z")
        let expected = ResourceError(
            kind: "listener",
            name: "web",
            field: "address",
            message: "the port is taken"
        )
        #expect(nodes[1].error == [expected] && nodes[1].desired == 9)
        #expect(nodes[2].version == nil && nodes[2].digest == nil)
        #expect(nodes[3].error?.map(\.field) == ["lastGood"])
        let status: StatusAnswer = try await scratch.call(.get, "/v1/status").read()
        #expect(status.states == ["steady": 2, "stale": 1, "joining": 1])
        #expect(status.versions.map(\.version) == [9, 8])
        #expect(status.rejections.map(\.name) == ["b"])
    }

    @Test("what is asked of a node reaches the fleet, if there is such a node")
    func commandsNodes() async throws {
        let scratch = try await Scratch()
        scratch.fleet.state.withLock { $0.nodes = [makeNode("eu-1.example", .steady)] }
        for word in ["drain", "undrain", "retry", "revoke"] {
            let done = try await scratch.call(.post, "/v1/nodes/eu%2D1.example/\(word)")
            #expect(done.status == 200)
            #expect(try await scratch.call(.post, "/v1/nodes/none/\(word)").status == 404)
        }
        #expect(try await scratch.call(.delete, "/v1/nodes/eu-1.example").status == 204)
        #expect(try await scratch.call(.delete, "/v1/nodes/none").status == 404)
        #expect(
            scratch.fleet.state.withLock { $0.calls } == [
                "drain eu-1.example by admin", "undrain eu-1.example by admin",
                "retry eu-1.example by -", "revoke eu-1.example by admin",
                "remove eu-1.example by admin",
            ]
        )
    }

    @Test("a rollout names who is waited for, and why others are not")
    func tellsRollouts() async throws {
        let scratch = try await Scratch()
        let version = Holding(epoch: 1, version: 3, digest: Manifest.empty.digest)
        scratch.fleet.state.withLock {
            $0.rollouts[3] = RolloutStatus(
                version: version,
                nodes: [
                    .init(
                        name: "a",
                        state: .applied,
                        nodeState: .steady,
                        active: version,
                        problems: [],
                        cause: nil
                    ),
                    .init(
                        name: "b",
                        state: .excluded,
                        nodeState: .draining,
                        active: nil,
                        problems: [],
                        cause: nil
                    ),
                ]
            )
        }
        let rollout: RolloutAnswer = try await scratch.call(.get, "/v1/rollouts/3").read()
        #expect(rollout.nodes.map(\.state) == [.applied, .excluded])
        #expect(rollout.nodes.map(\.reason) == [nil, "draining"])
        #expect(try await scratch.call(.get, "/v1/rollouts/4").status == 404)
        #expect(try await scratch.call(.get, "/v1/rollouts/x").status == 404)
    }
}
