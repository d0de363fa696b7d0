import FleetModel
import Presentation
import Routing
import Testing

@Suite struct ExplanationTests {
    private static let json = """
        {"listeners": [{"name": "web", "address": "0.0.0.0:8080"}, {"name": "inner", "address": "127.0.0.1:81"}],
         "upstreams": [{"name": "main", "endpoints": [
            {"address": "127.0.0.1:9001"}, {"address": "127.0.0.1:9002", "weight": 3}]}],
         "routes": [
            {"name": "shop", "hosts": ["*.example.com"], "match": {"path": {"prefix": "/items"}}, "upstream": "main"},
            {"name": "secret", "listeners": ["inner"], "respond": {"status": 204}}]}
        """

    private func explain(
        _ url: String,
        host: String? = nil,
        listener: String? = nil
    ) throws -> Explanation {
        let configuration = try Configuration(json: Self.json)
        let fields = host.map { [(name: "Host", value: $0)] } ?? []
        let request = try ExplainedRequest(url: url, fields: fields)
        return try Explanation(request, in: configuration, listener: listener)
    }

    @Test("the route, the path as the upstream gets it, and the endpoint of the first turn")
    func upstream() throws {
        let explanation = try explain("http://a.EXAMPLE.com:8080/items/./%7Eme?debug=1#top")
        #expect(explanation.listener == "web")
        #expect(explanation.route == "shop")
        #expect(explanation.upstream == "main")
        #expect(explanation.endpoint == "127.0.0.1:9002")
        #expect(explanation.path == "/items/~me")
        #expect(explanation.host == "a.EXAMPLE.com:8080")
    }

    @Test("a tcp listener takes no requests")
    func relays() throws {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "db", "address": "0.0.0.0:81", "protocol": "tcp", "upstream": "u"}],
                 "upstreams": [{"name": "u", "endpoints": [{"address": "unix:/run/a"}]}],
                 "routes": [{"name": "all", "upstream": "u"}]}
                """
        )
        let request = try ExplainedRequest(url: "http://x:81/")
        let explanation = try Explanation(request, in: configuration, listener: nil)
        #expect(explanation.listener == nil && explanation.route == nil)
        #expect(throws: ExplainedRequest.Fault.self) {
            try Explanation(request, in: configuration, listener: "db")
        }
    }

    @Test("the URL's port chooses the listener; without one on it, the first that has a route")
    func listeners() throws {
        #expect(try explain("http://x:81/").route == "secret")
        #expect(try explain("http://x/").listener == "inner")
        #expect(try explain("http://x/", listener: "web").route == nil)
        #expect(try explain("http://x:8080/").route == nil)
        #expect(throws: ExplainedRequest.Fault.self) { try explain("http://x/", listener: "wab") }
    }

    @Test("a Host field overrides the URL's authority")
    func hostField() throws {
        let explanation = try explain("http://127.0.0.1:8080/items", host: "b.example.com")
        #expect(explanation.route == "shop")
        #expect(explanation.host == "b.example.com")
    }

    @Test("no route is an answer, not a fault")
    func noRoute() throws {
        let explanation = try explain("http://x:8080/")
        #expect(explanation.listener == "web")
        #expect(explanation.why.contains("404"))
        let keys = [
            "endpoint", "host", "listener", "normalisedPath", "passed", "path", "policies", "query",
            "route", "status", "upstream", "why",
        ]
        #expect(explanation.value.members?.keys.sorted() == keys)
    }

    @Test("a mirror is named, with its share")
    func mirror() throws {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:80"}],
                 "upstreams": [{"name": "u", "endpoints": [{"address": "h:1"}]},
                               {"name": "v", "endpoints": [{"address": "h:2"}]}],
                 "routes": [{"name": "r", "upstream": "u", "mirror": {"upstream": "v", "share": "2.5%"}}]}
                """
        )
        let request = try ExplainedRequest(url: "http://h/")
        let explanation = try Explanation(request, in: configuration, listener: nil)
        #expect(explanation.why.hasSuffix("; 2.5% of such requests are copied to v"))
    }

    @Test(
        "what a node would refuse is a fault",
        arguments: ["ftp://x/", "http://a b/", "http://x/%2", "http://x/../..", "x"]
    )
    func faults(_ url: String) {
        #expect(throws: ExplainedRequest.Fault.self) { try explain(url) }
    }

    @Test("a path means what the configuration says")
    func pathRules() throws {
        func path(_ url: String, _ paths: String) throws -> String {
            let configuration = try Configuration(
                json: """
                    {"listeners": [{"name": "web", "address": "0.0.0.0:80"}], "paths": {\(paths)},
                     "routes": [{"name": "all", "respond": {}}]}
                    """
            )
            let request = try ExplainedRequest(url: url)
            return try Explanation(request, in: configuration, listener: nil).path
        }
        #expect(try path("http://x/a%2fb", #""encodedSlash": "keep""#) == "/a%2Fb")
        #expect(try path("http://x/a%2f../b", #""encodedSlash": "decode""#) == "/b")
        #expect(try path("http://x//a//b", #""mergeSlashes": true"#) == "/a/b")
        #expect(throws: ExplainedRequest.Fault.self) { try path("http://x/a%2fb", "") }
    }
}
