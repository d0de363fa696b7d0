import AdminMessages
import ControlStore
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import AdminAPI

@Suite("Configurations, versions and rollbacks over the admin API")
struct ConfigurationTests {
    @Test("a configuration that is applied is a version, and can be read back with its ETag")
    func appliesAndReads() async throws {
        let scratch = try await Scratch()
        let made = try await scratch.apply("a", ifMatch: "\"0\"")
        #expect(made.status == 201)
        #expect(made.headers[.eTag] == "\"1\"")
        #expect(made.headers[.location] == "/v1/versions/1")
        let answer: ApplyAnswer = try made.read()
        #expect(answer.version == 1 && answer.changed)
        #expect(answer.changes.map(\.change) == [.added])
        #expect(scratch.fleet.state.withLock { $0.offered } == [1])

        let read = try await scratch.call(.get, "/v1/configuration")
        #expect(read.headers[.eTag] == "\"1\"")
        let configuration: ConfigurationAnswer = try read.read()
        #expect(configuration.digest == answer.digest)
        #expect(
            configuration.configuration == [
                "upstreams": [["name": "a", "endpoints": [["address": "127.0.0.1:9001"]]]]
            ]
        )
        let known = try await scratch.call(
            .get,
            "/v1/configuration",
            headers: [.ifNoneMatch: "\"1\""]
        )
        #expect(known.status == 304 && known.body.isEmpty)
    }

    @Test("what is exported makes the same digest when it is applied again")
    func roundTrips() async throws {
        let scratch = try await Scratch()
        let text = """
            {"listeners":[{"name":"web","address":"0.0.0.0:8080"}],
             "upstreams":[{"name":"a","endpoints":[{"address":"127.0.0.1:9001","weight":2}]}],
             "routes":[{"name":"z","upstream":"a"},{"name":"b","match":{"path":{"exact":"/x"}},
                        "respond":{"status":418,"body":"é\\n"}}],
             "hiding":{"server":"keep"},"logging":{"access":"off"}}
            """
        let made = try await scratch.call(.put, "/v1/configuration", #"{"configuration":\#(text)}"#)
        #expect(made.status == 201, "\(made.body)")
        let read = try await scratch.call(.get, "/v1/configuration?version=1")
        let tree = try #require(read.body.range(of: ",\"digest\""))
        let again = try await scratch.call(
            .put,
            "/v1/configuration",
            read.body[..<tree.lowerBound] + "}"
        )
        #expect(again.status == 200, "\(again.body)")
        let answer: ApplyAnswer = try again.read()
        #expect(answer.version == 1 && !answer.changed && answer.changes.isEmpty)
        #expect(scratch.fleet.state.withLock { $0.offered } == [1])
    }

    @Test("a change that was based on another head is refused with what changed since")
    func refusesOldBase() async throws {
        let scratch = try await Scratch()
        try await scratch.apply("a")
        try await scratch.apply("a", "b")
        let late = try await scratch.apply("c", ifMatch: "\"1\"")
        #expect(late.status == 412)
        #expect(late.headers[.eTag] == "\"2\"")
        let error = try late.error
        #expect(error.code == "conflict" && error.details?.current == 2)
        #expect(error.details?.changes?.map(\.name) == ["b"])
        #expect(error.requestID == late.headers[requestIDField])
        // A base of 0 says that there is no version yet; weak tags never match.
        #expect(try await scratch.apply("c", ifMatch: "\"0\"").status == 412)
        #expect(try await scratch.apply("c", ifMatch: "W/\"2\"").status == 412)
        #expect(try await scratch.apply("c", ifMatch: "2").status == 400)
        #expect(try await scratch.apply("c", ifMatch: "\"7\", \"2\"").status == 201)
        #expect(try await scratch.apply("d", ifMatch: "*").status == 201)
        #expect(try await scratch.call(.get, "/v1/version").status == 200)
    }

    @Test("any head is demanded of an empty store: refused")
    func refusesAnyHeadWithoutOne() async throws {
        let scratch = try await Scratch()
        let refused = try await scratch.apply("a", ifMatch: "*")
        #expect(refused.status == 412)
        #expect(try refused.error.details?.current == 0)
    }

    @Test("a dry run tells the difference and changes nothing")
    func runsDry() async throws {
        let scratch = try await Scratch()
        try await scratch.apply("a")
        let tree =
            #"{"upstreams":[{"name":"a","endpoints":[{"address":"127.0.0.1:9001","weight":3}]}]}"#
        let dry = try await scratch.call(
            .put,
            "/v1/configuration",
            #"{"configuration":\#(tree),"dryRun":true}"#,
            headers: [.ifMatch: "\"1\""]
        )
        #expect(dry.status == 200)
        let answer: ApplyAnswer = try dry.read()
        #expect(answer.changed && answer.version == 1)
        #expect(answer.changes.first?.fields.map(\.field) == ["endpoints[127.0.0.1:9001].weight"])
        let head = try await scratch.store.head()
        #expect(head?.number == 1)
        let late = try await scratch.call(
            .put,
            "/v1/configuration",
            #"{"configuration":\#(tree),"dryRun":true}"#,
            headers: [.ifMatch: "\"5\""]
        )
        #expect(late.status == 412)
    }

    @Test("all problems of a configuration come at once, with their places in the body")
    func tellsProblems() async throws {
        let scratch = try await Scratch()
        let answer = try await scratch.call(
            .put,
            "/v1/configuration",
            """
            {"configuration": {"upstreams": [
              {"name": "a", "endpoints": [{"address": "nowhere", "wieght": 2}]}]}}
            """
        )
        #expect(answer.status == 422)
        let error = try answer.error
        let problems = try #require(error.details?.problems)
        #expect(error.code == "invalid_configuration" && problems.count == 2)
        #expect(problems.allSatisfy { $0.kind == "upstream" && $0.name == "a" && $0.line == 2 })
        #expect(try await scratch.store.head() == nil)
    }

    @Test(
        "a body that is not what the endpoint takes is refused with 400 and its place or name",
        arguments: [
            (#"{"configuration":{},"configuration":{}}"#, "line 1, column 21"),
            (#"{"configuration":{}"#, "a comma or }"),
            (#"{"configuration":{}} x"#, "more text"),
            (#"[]"#, "must be a JSON object"),
            (#"{}"#, "configuration is missing"),
            (#"{"configuration":{},"dryrun":true}"#, "\"dryrun\""),
            (#"{"configuration":{},"dryRun":1}"#, "true or false"),
            (#"{"configuration":{},"message":7}"#, "must be a string"),
            ("", "line 1, column 1"),
        ]
    )
    func refusesBadBodies(body: String, words: String) async throws {
        let scratch = try await Scratch()
        let answer = try await scratch.call(.put, "/v1/configuration", body)
        #expect(answer.status == 400)
        let message = try answer.error.message
        #expect(message.contains(words), "\(message)")
    }

    @Test("a body nested without end is refused, not followed")
    func refusesDeepBodies() async throws {
        let scratch = try await Scratch()
        let bomb = String(repeating: "[", count: 100_000)
        let answer = try await scratch.call(
            .put,
            "/v1/configuration",
            #"{"configuration":\#(bomb)"#
        )
        #expect(answer.status == 400)
        #expect(try answer.error.code == "bad_json")
    }

    @Test("a rollback is a new version with old content, by default that before the head")
    func rollsBack() async throws {
        let scratch = try await Scratch()
        #expect(try await scratch.call(.post, "/v1/rollback", "{}").status == 404)
        try await scratch.apply("a")
        #expect(try await scratch.call(.post, "/v1/rollback", "{}").status == 404)
        try await scratch.apply("b")
        let back = try await scratch.call(.post, "/v1/rollback", #"{"author":"me"}"#)
        #expect(back.status == 201, "\(back.body)")
        let answer: ApplyAnswer = try back.read()
        #expect(answer.version == 3)
        #expect(answer.changes.map(\.name) == ["b", "a"])
        let versions: [VersionAnswer] = try await scratch.call(.get, "/v1/versions").read()
        #expect(versions.map(\.version) == [3, 2, 1])
        #expect(versions[0].digest == versions[2].digest && versions[0].author == "me")
        #expect(versions[0].parent == 2 && versions[2].parent == nil)
        #expect(scratch.fleet.state.withLock { $0.offered } == [1, 2, 3])
        let unknown = try await scratch.call(.post, "/v1/rollback", #"{"version":77}"#)
        #expect(unknown.status == 404)
        let late = try await scratch.call(
            .post,
            "/v1/rollback",
            #"{"version":2}"#,
            headers: [.ifMatch: "\"2\""]
        )
        #expect(late.status == 412)
        let same = try await scratch.call(.post, "/v1/rollback", #"{"version":1}"#)
        #expect(same.status == 200)
    }

    @Test("versions are told apart field by field, against any base")
    func tellsDifferences() async throws {
        let scratch = try await Scratch()
        try await scratch.apply("a")
        try await scratch.apply("a", "b")
        let own: DiffAnswer = try await scratch.call(.get, "/v1/versions/2/diff").read()
        #expect(own.base == 1 && own.changes.map(\.name) == ["b"])
        let all: DiffAnswer = try await scratch.call(.get, "/v1/versions/2/diff?base=0").read()
        #expect(all.changes.map(\.name) == ["a", "b"])
        let none = try await scratch.call(.get, "/v1/versions/2/diff?base=9")
        #expect(none.status == 404)
        let posted: DiffAnswer = try await scratch.call(
            .post,
            "/v1/diff",
            #"{"configuration":{},"base":1}"#
        ).read()
        #expect(posted.base == 1 && posted.changes.map(\.change) == [.removed])
    }

    @Test("pages of versions have a limit and go on below a number")
    func pages() async throws {
        let scratch = try await Scratch()
        for name in ["a", "b", "c"] { try await scratch.apply(name) }
        let first: [VersionAnswer] = try await scratch.call(.get, "/v1/versions?limit=2").read()
        #expect(first.map(\.version) == [3, 2])
        let rest: [VersionAnswer] = try await scratch.call(.get, "/v1/versions?before=2").read()
        #expect(rest.map(\.version) == [1])
        for query in ["limit=0", "limit=1001", "limit=x", "limit=1&limit=2", "lim=1"] {
            let refused = try await scratch.call(.get, "/v1/versions?\(query)")
            #expect(refused.status == 400, "\(query)")
        }
    }

    @Test("of a large difference the fields are told up to a limit, the resources all")
    func limitsDifferences() async throws {
        let scratch = try await Scratch()
        let list = (0..<2_500).map {
            #"{"name":"u\#($0)","endpoints":[{"address":"127.0.0.1:9001"}]}"#
        }
        let body = #"{"configuration":{"upstreams":[\#(list.joined(separator: ","))]}}"#
        let answer: ApplyAnswer = try await scratch.call(.put, "/v1/configuration", body).read()
        #expect(answer.changes.count == 2_500)
        let fields = answer.changes.reduce(0) { $0 + $1.fields.count }
        #expect(fields == AdminLimits.differenceFieldsMax)
    }
}

let requestIDField = HTTPField.Name("x-request-id") ?? .contentType
