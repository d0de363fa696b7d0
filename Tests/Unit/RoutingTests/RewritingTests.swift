import Bytes
import Routing
import Testing

@testable import FleetModel

@Suite("Rewriting of paths and queries")
struct RewritingTests {
    private func rewriter(_ route: String) throws -> PathRewriter? {
        let json = """
            {"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]}],
             "routes":[{"name":"r","upstream":"u",\(route)}]}
            """
        let configuration = try Configuration(json: json)
        return PathRewriter(try #require(configuration.routes.first))
    }

    private func rewrite(_ path: String, _ rewriter: PathRewriter?) throws -> String? {
        let rewriter = try #require(rewriter)
        var output = Buffer(capacity: 262_144)
        let octets = Array(path.utf8)
        let isPath = rewriter.append(octets.span, to: &output)
        let text = text(of: output)
        #expect(isPath || text.isEmpty)
        return isPath ? text : nil
    }

    private func text(of buffer: borrowing Buffer) -> String {
        buffer.withReadable { octets in
            var copy: [UInt8] = []
            copy.append(copying: octets)
            return String(decoding: copy, as: UTF8.self)
        }
    }

    @Test(
        "a prefix is replaced by segment, and never leaves two slashes at the front",
        arguments: [
            ("/products", "/api/v1", "/products/7", "/api/v1/7"),
            ("/products", "/api/v1", "/products", "/api/v1"),
            ("/products", "/api/v1", "/products/", "/api/v1/"),
            ("/products/", "/api/v1/", "/products//7", "/api/v1//7"),
            ("/products", "/", "/products/7", "/7"), ("/products", "/", "/products", "/"),
            ("/products", "/", "/products/", "/"), ("/products", "/", "/products//7//", "/7//"),
            ("/", "/api", "/7", "/api/7"), ("/", "/api", "/", "/api/"), ("/", "/", "/7", "/7"),
            ("/", "/", "//7", "/7"), ("/a//", "/api", "/a//b", "/api/b"),
            ("/a//", "/api", "/a/", "/api"),
            ("/a//", "/api", "/a//", "/api/"), ("/a//", "/", "/a///b", "/b"),
            ("/a", "/api//", "/a/b", "/api//b"),
        ]
    )
    func replacesPrefix(matched: String, replacement: String, path: String, result: String) throws {
        let made = try rewriter(
            #""match":{"path":{"prefix":"\#(matched)"}},"rewrite":{"prefix":"\#(replacement)"}"#
        )
        #expect(try rewrite(path, made) == result)
        #expect(made?.mayFail == false)
    }

    @Test("a path is replaced whole, and a route without a path to rewrite has no rewriter")
    func replacesWhole() throws {
        let made = try rewriter(#""rewrite":{"path":"/fixed"}"#)
        #expect(try rewrite("/anything/else", made) == "/fixed")
        #expect(try rewriter(#""rewrite":{"host":"a.internal"}"#) == nil)
        #expect(try rewriter(#""match":{"path":{"exact":"/a"}}"#) == nil)
    }

    @Test(
        "what a pattern makes is normalised, and refused if it is no path",
        arguments: [
            ("/x", "/y", "/x/x/z", "/y/y/z"), ("^/v([0-9])/", "/$1/", "/v2/a", "/2/a"),
            ("nothing", "x", "/a//b", "/a//b"), ("^/a", "/", "/a/b", "/b"),
            ("/x", "/..", "/a/x/b", "/b"), ("/x", "/..", "/x", nil), ("/x", "/../..", "/a/x", nil),
            ("^/", "", "/a", nil), ("a", "%", "/a", nil), ("a", "%2", "/az", nil),
            ("a", "%2f", "/a", nil), ("a", "%00", "/a", nil), ("a", "%41", "/a", "/A"),
            ("a", "%e4", "/a", "/%E4"), ("a", " <", "/a", "/%20%3C"), ("", "-", "/a", nil),
            (".*", "", "/a", nil),
        ]
    )
    func replacesMatches(
        pattern: String,
        substitution: String,
        path: String,
        result: String?
    ) throws {
        let made = try rewriter(
            #""rewrite":{"regex":{"pattern":"\#(pattern)","substitution":"\#(substitution)"}}"#
        )
        #expect(try rewrite(path, made) == result)
        #expect(made?.mayFail == true)
    }

    @Test("a pattern that makes a path longer than any is refused")
    func refusesLong() throws {
        let long = String(repeating: "y", count: 1000)
        let made = try rewriter(
            #""rewrite":{"regex":{"pattern":"x","substitution":"\#(long)"}}"#
        )
        #expect(try rewrite("/" + String(repeating: "x", count: 60), made)?.utf8.count == 60_001)
        #expect(try rewrite("/" + String(repeating: "x", count: 70), made) == nil)
        #expect(try rewrite("/" + String(repeating: "x", count: 200), made) == nil)
        #expect(try rewrite("/z", made) == "/z")
    }

    // MARK: Explanations

    @Test("explain and tests see what the upstream sees")
    func explains() throws {
        let route = #""match":{"path":{"prefix":"/products"}},"upstream":"u""#
        let json = """
            {"listeners":[{"name":"web","address":"0.0.0.0:80"}],
             "upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]}],
             "routes":[
                {"name":"r","hosts":["a.test"],\(route),"rewrite":{"prefix":"/api","host":"b.internal",
                 "query":{"remove":["debug"],"add":{"p":"${path}!","c":"${client}"}}}},
                {"name":"s","hosts":["b.test"],\(route),"rewrite":{"query":{"remove":["*"]}}},
                {"name":"t","hosts":["c.test"],\(route),"rewrite":{"regex":{"pattern":"/x","substitution":"/.."}}},
                {"name":"m","hosts":["m.test"],\(route),"rewrite":{"prefix":"/"},
                 "maintenance":{"enabled":true}}]}
            """
        let configuration = try Configuration(json: json.replacing("\"*\"", with: "\"d*\""))
        func explain(_ url: String) throws -> Explanation {
            try Explanation(ExplainedRequest(url: url), in: configuration, listener: nil)
        }
        let first = try explain("http://a.test/products/./7?v=2&debug=1")
        #expect(first.path == "/api/7" && first.normalisedPath == "/products/7")
        #expect(first.query == "v=2&c=127.0.0.1&p=%2Fproducts%2F7%21")
        #expect(first.host == "b.internal" && first.upstream == "u" && first.status == nil)
        let second = try explain("http://b.test/products?debug=1&d")
        #expect(second.path == "/products" && second.query == nil && second.host == "b.test")
        let third = try explain("http://c.test/products/x/x/x")
        #expect(third.status == 500 && third.upstream == nil && third.why.contains("500"))
        let fourth = try explain("http://m.test/products")
        #expect(fourth.status == 503 && fourth.upstream == nil && fourth.path == "/products")
    }

    // MARK: Queries

    private func edited(_ query: String, _ edits: String) throws -> String {
        let json = """
            {"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]}],
             "routes":[{"name":"r","upstream":"u","rewrite":{"query":\(edits)}}]}
            """
        let route = try #require(try Configuration(json: json).routes.first)
        let rewrite = try #require(route.rewrite)
        let editor = try #require(QueryEditor(rewrite.query))
        var output = Buffer(capacity: 4096)
        let octets = Array(query.utf8)
        let hasKept = editor.appendKept(octets.span, to: &output)
        let kept = text(of: output)
        #expect(hasKept == !kept.isEmpty)
        let end = editor.appended.segments.map { segment in
            switch segment {
            case .literal(let text): text
            case .variable(let variable): "<\(variable)>"
            case .capture(let group): "<\(group)>"
            }
        }
        return kept + "|" + end.joined()
    }

    @Test(
        "names compare after one decoding, and what stays keeps its octets and order",
        arguments: [
            ("", "|"), ("debug", "|"), ("debug=1&debug=2", "|"), ("a&debug=1&b=%20", "?a&b=%20|"),
            ("d%65bug=1", "|"), ("d%2565bug=1", "?d%2565bug=1|"), ("DEBUG=1", "?DEBUG=1|"),
            ("debug%=1", "?debug%=1|"), ("debug%3D=1", "?debug%3D=1|"), ("=debug", "?=debug|"),
            ("a=debug", "?a=debug|"), ("&&", "?&|"), ("a&&debug&", "?a&|"), ("utm_a=1&utm_", "|"),
            ("utm%5Fx&utm", "?utm|"), ("a+b=1&a%20b&a%2Bb", "?a%2Bb|"), ("deb", "?deb|"),
            ("debug;a=1", "?debug;a=1|"), ("%", "?%|"), ("%64ebu%6", "?%64ebu%6|"),
        ]
    )
    func removes(query: String, result: String) throws {
        #expect(try edited(query, #"{"remove":["debug","utm_*","a b"]}"#) == result)
    }

    @Test("what is set takes the place of all that have its name, and values are encoded")
    func sets() throws {
        let edits = #"{"set":{"a b":"x&y=ü","z":"${path}/"},"add":{"c":"","d":"1"}}"#
        #expect(
            try edited("z=1&b=2&z=3&c=4", edits)
                == "?b=2&c=4|a%20b=x%26y%3D%C3%BC&z=<path>%2F&c=&d=1"
        )
        #expect(QueryEditor(QueryEdits(remove: [], set: [], add: [])) == nil)
    }
}
