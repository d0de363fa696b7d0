import FleetModel
import Routing
import Testing

@Suite("Routing")
struct RouteTableTests {
    @Test("The more specific host wins over the longer path")
    func hostBeforePath() throws {
        let table = try Table([
            Rule("any", nil, .exact("/a/b")),
            Rule("wide", ["*.example.com"], .prefix("/a")),
            Rule("wider", ["*.com"], .exact("/a/b")),
            Rule("exact", ["shop.example.com"], .prefix("/")),
        ])
        #expect(table.match("shop.example.com", "/a/b") == "exact")
        #expect(table.match("www.example.com", "/a/b") == "wide")
        #expect(table.match("a.b.example.com", "/a/b") == "wide")
        #expect(table.match("other.com", "/a/b") == "wider")
        #expect(table.match("example.com", "/a/b") == "wider")
        #expect(table.match("com", "/a/b") == "any")
        #expect(table.match("", "/a/b") == "any")
        #expect(table.match("[::1]", "/a/b") == "any")
    }

    @Test("A host without a route for the path falls back to less specific hosts")
    func fallsBack() throws {
        let table = try Table([
            Rule("exact", ["shop.example.com"], .prefix("/shop")),
            Rule("wild", ["*.example.com"], .prefix("/wild")),
            Rule("any", nil, .prefix("/any")),
        ])
        #expect(table.match("shop.example.com", "/shop/1") == "exact")
        #expect(table.match("shop.example.com", "/wild") == "wild")
        #expect(table.match("shop.example.com", "/any/1") == "any")
        #expect(table.match("shop.example.com", "/none") == nil)
        #expect(table.match("www.example.com", "/shop") == nil)
    }

    @Test("An exact path wins over the longest prefix, and that over shorter ones and no path")
    func pathOrder() throws {
        let table = try Table([
            Rule("none", nil, nil),
            Rule("root", nil, .prefix("/")),
            Rule("a", nil, .prefix("/a")),
            Rule("a-b", nil, .prefix("/a/b/")),
            Rule("exact", nil, .exact("/a/b/c")),
            Rule("exact-slash", nil, .exact("/a/b/")),
        ])
        #expect(table.match("h", "/a/b/c") == "exact")
        #expect(table.match("h", "/a/b/c/") == "a-b")
        #expect(table.match("h", "/a/b") == "a-b")
        #expect(table.match("h", "/a/b/") == "exact-slash")
        #expect(table.match("h", "/a/bc") == "a")
        #expect(table.match("h", "/a") == "a")
        #expect(table.match("h", "/ab") == "root")
        #expect(table.match("h", "/") == "root")
    }

    @Test("A prefix matches whole segments only")
    func prefixBySegment() throws {
        let table = try Table([Rule("long", nil, .prefix("/segment-of-twenty-octets/b"))])
        #expect(table.match("h", "/segment-of-twenty-octets/b") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/b/") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/b/c") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/bc") == nil)
        #expect(table.match("h", "/segment-of-twenty-octets") == nil)
        #expect(table.match("h", "/segment-of-twenty-octets//b") == nil)
    }

    @Test("Of equal routes the first in the file wins")
    func fileOrder() throws {
        let table = try Table([
            Rule("first", ["a.example"], .prefix("/x")),
            Rule("second", ["a.example"], .prefix("/x/")),
        ])
        #expect(table.match("a.example", "/x") == "first")
    }

    @Test(
        "A field is the same with other signs for hyphens, and one that Connection nominates is none"
    )
    func fieldSpellings() throws {
        let table = try Table([
            Rule("inner", nil, nil, [#""headers":[{"name":"x-inner","present":true}]"#]),
            Rule("agent", nil, nil, [#""headers":[{"name":"user-agent","exact":"a"}]"#]),
            Rule("any", nil, nil),
        ])
        for (lines, route) in [
            ([("X-Inner", "1")], "inner"), ([("x_inner", "1")], "inner"),
            ([("X.Inner", "1")], "inner"),
            ([("Connection", "x-inner"), ("X-Inner", "1")], "any"),
            ([("user_agent", "a")], "agent"),
            ([("User-Agent", "a")], "agent"), ([("X-Inner2", "1")], "any"),
        ] {
            var request = Request("h", "/")
            request.fields = lines.map { (name: $0.0, value: $0.1) }
            #expect(table.match(request) == route, "\(lines)")
        }
    }

    @Test("White space around the equals sign is no part of a cookie")
    func cookieSpellings() throws {
        let table = try Table([
            Rule("s", nil, nil, [#""cookies":[{"name":"s","exact":"1"}]"#]), Rule("any", nil, nil),
        ])
        for (value, route) in [
            ("s=1", "s"), ("a=b; s = 1 ;c", "s"), ("s\t=1", "s"), ("s1=1", "any"),
            ("s=\"1\"", "any"),
        ] {
            var request = Request("h", "/")
            request.fields = [(name: "Cookie", value: value)]
            #expect(table.match(request) == route, "\(value)")
        }
    }

    @Test("Hosts match in any case and with a final dot")
    func hostSpelling() throws {
        let table = try Table([
            Rule("exact", ["shop.example.com"], nil), Rule("wild", ["*.example.org"], nil),
        ])
        #expect(table.match("Shop.EXAMPLE.com.", "/") == "exact")
        #expect(table.match("A.Example.ORG", "/") == "wild")
    }

    @Test("Only routes of the listener are in its table")
    func listeners() throws {
        let configuration = try configuration(
            [Rule("one", nil, nil, listeners: ["a"]), Rule("two", nil, nil, listeners: ["b"])],
            listeners: ["a", "b", "c"]
        )
        func match(_ listener: String) -> Int? {
            RouteTable(routes: configuration.routes, listener: listener, marks: [0, 1]).decision(
                Request("h", "/"),
                configuration.routes
            ).match?.route
        }
        #expect(match("a") == 0)
        #expect(match("b") == 1)
        #expect(match("c") == nil)
    }

    @Test("explain names the rules that hold")
    func explains() throws {
        let table = try Table([Rule("r", ["*.example.com"], .prefix("/a/"))])
        let match = try #require(table.decision(Request("x.example.com", "/a/b")).match)
        #expect(match.reason == "host is under *.example.com, longest prefix is /a")
    }
}
