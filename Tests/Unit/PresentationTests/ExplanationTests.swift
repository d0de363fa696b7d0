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

    @Test(
        "where load, chance or a hash decides, the endpoints are told and the rule",
        arguments: [
            (#""balance":"leastRequests""#, "the fewest requests in flight among 2 endpoints"),
            (
                #""balance":"hash","hash":{"on":"cookie","name":"sid"}"#,
                "a hash of the cookie sid over 2"
            ),
            (#""balance":"hash""#, "a hash of the client's address over 2 endpoints"),
            (
                #""balance":"random","sticky":{"cookie":"route"}"#,
                "unless the cookie route names one"
            ),
        ]
    )
    func choices(settings: String, rule: String) throws {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:81"}],
                 "upstreams": [{"name": "u", \(settings), "endpoints": [{"address": "a:1"},
                     {"address": "b:1"}, {"address": "c:1", "tier": 1}, {"address": "d:1", "weight": 0}]}],
                 "routes": [{"name": "all", "upstream": "u"}]}
                """
        )
        let request = try ExplainedRequest(url: "http://x:81/")
        let explanation = try Explanation(request, in: configuration, listener: nil)
        #expect(explanation.endpoint == nil && explanation.endpoints == ["a:1", "b:1"])
        #expect(explanation.why.contains(rule), "\(explanation.why)")
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
            "answerFields", "endpoint", "endpoints", "errorPages", "hidden", "host", "listener",
            "locations",
            "normalisedPath", "passed", "path", "policies", "query", "requestFields",
            "responseFields", "route", "sentFields", "status", "unknown", "upstream", "why",
        ]
        #expect(explanation.value.members?.keys.sorted() == keys)
    }

    /// What `explain` says of a route `r` in a configuration with policies.
    private func rendered(
        _ url: String,
        route: String,
        policies: String = "",
        rest: String = "",
        fields: [(name: String, value: String)] = []
    ) throws -> [String] {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:80", "trustedProxies": ["10.0.0.0/8"]}],
                 "upstreams": [{"name": "u", "endpoints": [{"address": "10.1.1.1:9001"}]},
                               {"name": "v", "endpoints": [{"address": "10.1.1.2:9001"}]}],
                 "policies": [\(policies)], \(rest)
                 "routes": [{"name": "r", "policies": ["a", "b"], \(route)}]}
                """
        )
        let request = try ExplainedRequest(url: url, fields: fields)
        let explanation = try Explanation(request, in: configuration, listener: nil)
        return explanation.rendered(Palette(isColoured: false))
    }

    private static let policies = """
        {"name": "a", "headers": {
           "request": {"set": {"x-id": "${requestID}", "x-from": "${host}:${port}${path}?${query}"},
                       "add": {"x-via": "${capture.n}"}, "remove": ["x-debug*"]},
           "response": {"set": {"x-served": "${route} ${upstream} ${scheme}", "strict-transport-security": "max-age=1"},
                        "remove": ["x-gone"]}}},
        {"name": "b", "errorPages": {"502-504": {"body": "sorry", "contentType": "text/html"}, "503": {"body": "soon"}}}
        """

    @Test("what policies do to fields, with the values that the request tells, and what is hidden")
    func effects() throws {
        let lines = try rendered(
            "http://shop.test/items/7?q=1",
            route: #"""
                "match": {"path": {"regex": "/items/(?P<n>[0-9]+)"}}, "rewrite": {"host": "inner.test"}, "upstream": "u"
                """#,
            policies: Self.policies,
            rest:
                #""hiding": {"server": "shop", "responseHeaders": ["x-backend-*"], "productHeaders": []},"#,
            fields: [("X_Debug_Level", "1"), ("x-via", "old")]
        )
        #expect(
            lines.drop { !$0.hasPrefix("request") } == [
                "request   set x-from: shop.test:80/items/7?q=1",
                "          set x-id: ${requestID}",
                "          add x-via: 7", "          remove x-debug*",
                "          came and goes: x_debug_level",
                "sends     host: inner.test", "          x-via: old",
                "          x-from: shop.test:80/items/7?q=1", "          x-id: ${requestID}",
                "          x-via: 7", "          x-forwarded-for: 127.0.0.1, ${peer}",
                "          x-forwarded-proto: http",
                #"          forwarded: for=127.0.0.1, proto=http;for=${peer};host="shop.test""#,
                "          x-forwarded-host: shop.test", "          x-request-id: ${requestID}",
                "          via: 1.1 weir",
                "response  set x-served: r u http", "          set server: shop",
                "          remove x-gone",
                "pages     502 text/html, of b", "          503 text/html; charset=utf-8, of b",
                "          504 text/html, of b", "hidden    server, x-backend-*",
                "location  http://10.1.1.1:9001/items/7 becomes http://shop.test/items/7",
                "          http://inner.test/items/7 becomes http://shop.test/items/7",
                "unknown   ${requestID}: each request has another, unless a peer that is believed says it",
                "          ${peer}: the client is taken to come through a proxy in trustedProxies",
            ]
        )
    }

    @Test(
        "over https the way back is https, and the page takes the place of an answer without content"
    )
    func answers() throws {
        let forwarded = try rendered(
            "https://shop.test/p/7",
            route: #"""
                "match": {"path": {"prefix": "/p"}}, "rewrite": {"prefix": "/api"}, "upstream": "u"
                """#,
            policies: Self.policies.replacing("${capture.n}", with: "")
        )
        #expect(
            forwarded.contains("location  http://10.1.1.1:9001/api/7 becomes https://shop.test/p/7")
        )
        #expect(forwarded.contains { $0.contains("set strict-transport-security: max-age=1") })
        let maintained = try rendered(
            "http://shop.test/",
            route: #""upstream": "u", "maintenance": {"enabled": true, "retryAfter": "90s"}"#,
            policies: Self.policies.replacing("${capture.n}", with: "")
        )
        #expect(
            maintained.drop { !$0.hasPrefix("answer") }.prefix(3) == [
                "answer    retry-after: 90", "          content-type: text/html; charset=utf-8",
                "response  set x-served: r  http",
            ]
        )
        #expect(!maintained.contains { $0.hasPrefix("request") || $0.hasPrefix("location") })
        let redirected = try rendered(
            "http://shop.test/a?b",
            route: #""redirect": {"location": "https://${host}${path}?${query}"}"#,
            policies: Self.policies.replacing("${capture.n}", with: "")
        )
        #expect(redirected.contains("answer    location: https://shop.test/a?b"))
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
