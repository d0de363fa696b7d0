import FleetModel
import Routing
import Testing

@Suite("Routes that are never taken")
struct ShadowedRoutesTests {
    private static func shadowed(_ rules: [Rule]) throws -> [String] {
        let configuration = try configuration(rules, listeners: ["web", "other"])
        return ShadowedRoutes.find(in: configuration).map { shadowed in
            let by = shadowed.by.map { configuration.routes[$0].name } ?? shadowed.reason
            return "\(configuration.routes[shadowed.route].name) by \(by)"
        }
    }

    private static let get = #""methods":["GET"]"#

    @Test("the first of equals takes all, whatever the order of its conditions' kinds")
    func equals() throws {
        #expect(
            try Self.shadowed([
                Rule("a", ["h"], .prefix("/x")), Rule("b", ["h"], .prefix("/x")),
                Rule("c", ["h"], .prefix("/x"), [Self.get]),
                Rule("d", ["h"], .prefix("/x"), [Self.get]),
                Rule("e", ["h"], .prefix("/x"), [#""methods":["PUT"]"#]),
            ]) == ["b by a", "d by c"]
        )
    }

    @Test("a route with fewer conditions comes later, and shadows none with more")
    func fewer() throws {
        #expect(
            try Self.shadowed([
                Rule("a", nil, nil), Rule("b", nil, nil, [Self.get]),
                Rule("c", nil, nil, [#""headers":[{"name":"x","exact":"12"}]"#]),
                Rule("d", nil, nil, [#""headers":[{"name":"x","prefix":"1"}]"#]),
            ]) == []
        )
    }

    @Test("a wider condition shadows a narrower one of as many")
    func wider() throws {
        #expect(
            try Self.shadowed([
                Rule("a", nil, nil, [#""headers":[{"name":"x","prefix":"1"}]"#]),
                Rule("b", nil, nil, [#""headers":[{"name":"x","exact":"12"}]"#]),
                Rule("c", nil, nil, [#""clients":["10.0.0.0/8"]"#]),
                Rule("d", nil, nil, [#""clients":["10.1.0.0/16"]"#]),
                Rule("e", nil, nil, [#""clients":["10.1.0.0/16"]"#], not: [Self.get]),
            ]) == ["b by a", "d by c"]
        )
    }

    @Test("prefixes take all of the expressions below them, and the root all of what has no path")
    func prefixes() throws {
        #expect(
            try Self.shadowed([
                Rule("any", ["h"], nil), Rule("number", ["h"], .regex("/a/[0-9]+")),
                Rule("letter", ["h"], .regex("/ab[a-z]")), Rule("a", ["h"], .prefix("/a")),
                Rule("root", ["i"], .prefix("/")), Rule("late", ["i"], .regex("/x")),
                Rule("last", ["i"], nil), Rule("exact", ["i"], .exact("/x")),
            ]) == ["number by a", "late by root", "last by root"]
        )
    }

    @Test("of many routes that ask for values each, those that ask for the same are found")
    func values() throws {
        func header(_ value: Int) -> String {
            #""headers":[{"name":"x","exact":"\#(value)"},{"name":"y","exact":"z"}]"#
        }
        let many = (0..<1_000).map { Rule("r\($0)", nil, .prefix("/x"), [header($0)]) }
        let found = try Self.shadowed(
            many + [
                Rule("same", nil, .prefix("/x"), [header(999)]),
                Rule(
                    "more",
                    nil,
                    .prefix("/x"),
                    [header(5), #""query":[{"name":"q","exact":"1"}]"#]
                ),
                Rule(
                    "again",
                    nil,
                    .prefix("/x"),
                    [header(5), #""query":[{"name":"q","exact":"1"}]"#]
                ),
                Rule("query", nil, .prefix("/x"), [#""query":[{"name":"x","exact":"5"}]"#]),
                Rule("deep", nil, .regex("/x/y/[0-9]+"), [header(7)]),
            ]
        )
        #expect(found == ["same by r999", "again by more", "deep by r7"])
    }

    @Test(
        "behind very many alike, the same conditions are found, and what is not looked at is told"
    )
    func many() throws {
        func client(_ number: Int, _ bits: Int) -> String {
            #""clients":["10.\#(number / 256).\#(number % 256).0/\#(bits)"]"#
        }
        let many = (0..<300).map { Rule("r\($0)", ["h"], .prefix("/x"), [client($0, 24)]) }
        let late = [
            Rule("same", ["h"], .prefix("/x"), [client(299, 24)]),
            Rule("early", ["h"], .prefix("/x"), [client(5, 30)]),
            Rule("narrower", ["h"], .prefix("/x"), [client(250, 30)]),
        ]
        #expect(try Self.shadowed(many + late) == ["same by r299", "early by r5"])
        let notices = ShadowedRoutes.notices(on: try configuration(many + late))
        #expect(notices.count == 1 && notices[0].hasPrefix("routes[r200] and those behind it"))
        let few = many.prefix(200) + [Rule("again", ["h"], .prefix("/x"), [client(7, 24)])]
        #expect(ShadowedRoutes.notices(on: try configuration(Array(few))) == [])
    }

    @Test(
        "a route of listeners that redirect every request is never taken, unless a proxy is believed"
    )
    func redirects() throws {
        func shadowed(_ listeners: String) throws -> [String] {
            let configuration = try Configuration(
                json: """
                    {"listeners": [\(listeners),
                        {"name": "secure", "address": "127.0.0.1:9443", "redirectToHTTPS": 1}],
                     "routes": [
                        {"name": "all", "respond": {}},
                        {"name": "own", "listeners": ["plain"], "hosts": ["a"], "respond": {}},
                        {"name": "late", "listeners": ["plain"], "hosts": ["a"], "respond": {}}]}
                    """
            )
            return ShadowedRoutes.find(in: configuration).map {
                "\(configuration.routes[$0.route].name): \($0.warning(configuration.routes))"
            }
        }
        let plain = #"{"name": "plain", "address": "127.0.0.1:80""#
        #expect(
            try shadowed(plain + #", "redirectToHTTPS": 443}"#) == [
                "all: never taken: each of its listeners redirects every request to https",
                #"own: never taken: "plain" redirects every request to https"#,
                #"late: never taken: "plain" redirects every request to https"#,
            ]
        )
        let proxied = #", "redirectToHTTPS": 443, "trustedProxies": ["10.0.0.0/8"]}"#
        let usual = [#"late: never taken: "own" has the same host and path, and comes first"#]
        #expect(try shadowed(plain + proxied) == usual)
        #expect(try shadowed(plain + "}") == usual)
    }

    @Test("a route is taken if it is on one of its hosts or listeners")
    func somewhere() throws {
        #expect(
            try Self.shadowed([
                Rule("a", ["h"], nil), Rule("b", ["h", "i"], nil), Rule("c", ["h", "i"], nil),
                Rule("d", ["j"], nil, listeners: ["web"]), Rule("e", ["j"], nil),
                Rule("f", ["j"], nil, listeners: ["web"]),
            ]) == ["c by b", "f by d"]
        )
    }

    @Test("hosts that are more specific shadow none that are less")
    func hosts() throws {
        #expect(
            try Self.shadowed([
                Rule("a", ["x.test"], nil), Rule("b", ["*.test"], nil), Rule("c", nil, nil),
            ]) == []
        )
    }

    @Test(
        "what is said to be never taken is not, and the table takes every other route that it can"
    )
    func agreesWithTable() throws {
        let rules = [
            Rule("a", nil, .prefix("/x")), Rule("b", nil, .prefix("/x"), [Self.get]),
            Rule("c", nil, .prefix("/x")),
        ]
        #expect(try Self.shadowed(rules) == ["c by a"])
        let table = try Table(rules)
        #expect(table.match("h", "/x") == "b")
        var request = Request("h", "/x")
        request.method = "PUT"
        #expect(table.match(request) == "a")
    }
}
