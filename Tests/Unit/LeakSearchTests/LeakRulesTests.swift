import FleetModel
import LeakSearch
import Testing

@Suite("Leaks")
struct LeakRulesTests {
    private static func configuration(_ more: String = "") throws -> Configuration {
        try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:8080"}],
                 "upstreams": [{"name": "shop-pool", "endpoints": [{"address": "10.0.0.1:9001"}]}],
                 "routes": [
                    {"name": "shop", "hosts": ["shop.test"], "match": {"path": {"prefix": "/items"}},
                     "upstream": "shop-pool"},
                    {"name": "any", "upstream": "shop-pool"}]\(more)}
                """
        )
    }

    private func findings(_ answer: String, method: String = "GET") throws -> [LeakFinding] {
        let request = LeakRequest(
            method: method,
            place: LeakPlace(host: "127.0.0.1", port: 8080, isSecure: false),
            authority: "shop.test:8080",
            target: "/items"
        )
        let octets = Array(
            answer.split(separator: "\n", omittingEmptySubsequences: false)
                .joined(separator: "\r\n").utf8
        )
        return try LeakRules(Self.configuration()).findings(octets, for: request)
    }

    @Test(
        "what a response tells is found where it stands",
        arguments: [
            ("HTTP/1.1 200 10.0.0.1\n\n", "status line", "name"),
            ("HTTP/1.1 200 OK\nX-A: at 10.0.0.1:9001\n\n", "field x-a", "name"),
            ("HTTP/1.1 200 OK\nX-A: http://elsewhere.test:9001/\n\n", "field x-a", "port"),
            ("HTTP/1.1 200 OK\nX-Pool: shop-pool\n\n", "field x-pool", "name"),
            ("HTTP/1.1 200 OK\nServer: something\n\n", "field server", "product"),
            ("HTTP/1.1 200 OK\nX-A: nginx/1.2\n\n", "field x-a", "product"),
            ("HTTP/1.1 200 OK\nX-Powered-By: Express\n\n", "field x-powered-by", "product"),
            ("HTTP/1.1 200 OK\nX-Backend-Id: 7\n\n", "field x-backend-id", "product"),
            (
                "HTTP/1.1 103 Early\nLink: <http://10.0.0.1/>\n\nHTTP/1.1 200 OK\n\n",
                "interim field link", "name"
            ),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\nok\n0\nX-At: 10.0.0.1\n\n",
                "trailer x-at", "name"
            ),
            ("HTTP/1.1 200 OK\n\n<a href=\"http://10.0.0.1:9001/\">", "content", "name"),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\n10.0\n4\n.0.1\n0\n\n", "content",
                "name"
            ),
            ("HTTP/1.1 404 Not Found\n\n<hr><center>nginx/1.18.0</center>", "content", "product"),
            ("HTTP/1.1 500 X\n\nTraceback (most recent call last)", "content", "trace"),
            ("HTTP/1.1 500 X\n\n  at a.b.C.d(E.java:12)", "content", "trace"),
        ]
    )
    func finds(answer: String, place: String, kind: String) throws {
        let found = try findings(answer)
        #expect(
            found.contains { $0.place == place && $0.kind.rawValue == kind && !$0.hint.isEmpty },
            "\(found)"
        )
    }

    @Test(
        "what tells nothing is not found",
        arguments: [
            "HTTP/1.1 200 OK\nLocation: http://shop.test:8080/x\nDate: Thu, 26 Nov 2026 22:42:46 GMT\nVia: 1.1 weir\n\nok",
            "HTTP/1.1 200 OK\n\nAn express service, in python, at 12:9001 and 10.0.0.2.",
            "HTTP/1.1 204 No Content\n\n", "", "nonsense", "HTTP/1.1 200 OK\n",
            "HTTP/1.1 200 OK\nContent-Type: image/png\n\n10.0.0.1",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nzz\n",
            "HTTP/1.1 200 OK\nX-Via: shop-pools\n\n",
        ]
    )
    func leaves(answer: String) throws {
        #expect(try findings(answer) == [])
    }

    @Test("a plan asks for each host and path of each listener, and for what fails")
    func plans() throws {
        let plan = LeakPlan(try Self.configuration(), bases: [], place: nil, paths: ["/more"])
        let urls = Set(plan.requests.map { "\($0.method) \($0.shownURL)" })
        for url in [
            "GET http://shop.test:8080/items", "HEAD http://shop.test:8080/items",
            "GET http://leaks.example:8080/",
            "OPTIONS http://leaks.example:8080/", "GET http://shop.test:8080/more",
            "GET http://shop.test:8080/%",
            "NOSUCHMETHOD http://shop.test:8080/items", "GET http://127.0.0.1:8080/",
        ] {
            #expect(urls.contains(url), "\(url)")
        }
        let place = LeakPlace(host: "127.0.0.1", port: 8080, isSecure: false)
        #expect(plan.requests.allSatisfy { $0.place == place })
    }

    @Test("a URL names the host, and an address where it is asked")
    func bases() throws {
        let plan = LeakPlan(
            try Self.configuration(),
            bases: [try LeakBase("https://SHOP.test/a?b#c")],
            place: HostPort("127.0.0.1:1"),
            paths: []
        )
        #expect(plan.requests.first?.shownURL == "https://shop.test/a?b")
        #expect(plan.requests.first?.place == LeakPlace(host: "127.0.0.1", port: 1, isSecure: true))
        #expect(plan.requests.contains { $0.target == "/items" })
        for url in ["shop.test", "ftp://a/", "http://", "http://a:b/", "http://a/ b"] {
            #expect(throws: LeakBase.Fault.self) { try LeakBase(url) }
        }
    }
}
