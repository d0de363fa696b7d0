import Routing
import Testing

@testable import FleetModel
@testable import ProxyCore

@Suite("Steps of a route")
struct RouteStepsTests {
    private func steps(_ policies: String, _ names: String, route: String = "") throws
        -> RouteSteps?
    {
        let json = """
            {"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]}],"policies":[\(policies)],
             "routes":[{"name":"r","upstream":"u","policies":[\(names)]\(route)}]}
            """
        let configuration = try Configuration(json: json)
        return RouteSteps(try #require(configuration.routes.first), configuration.policies)
    }

    private func headers(_ name: String, _ edits: String) -> String {
        #"{"name":"\#(name)","headers":{"response":\#(edits)}}"#
    }

    private func text(_ template: CompiledTemplate) -> String {
        template.pieces.map { piece in
            switch piece {
            case .literal(let octets): String(decoding: octets, as: UTF8.self)
            case .variable(let variable): "<\(variable)>"
            case .capture(let group): "<\(group)>"
            }
        }.joined()
    }

    private func holds(_ set: FieldNameSet?, _ name: String) -> Bool {
        let octets = Array("\(name): a".utf8)
        return set?.contains(octets.span, 0..<name.utf8.count) ?? false
    }

    @Test("a route without rewriting, policies and maintenance has none")
    func hasNone() throws {
        #expect(try steps("", "") == nil)
        #expect(try steps("", "", route: #","maintenance":{"enabled":false}"#) == nil)
        #expect(try steps(headers("a", "{}"), #""a""#) == nil)
        #expect(try steps("", "", route: #","maintenance":{"enabled":true}"#) != nil)
    }

    @Test("a mirror of a share is a step, and takes that share of all numbers")
    func hasMirror() throws {
        func mirror(_ share: Int) throws -> Mirror? {
            Mirror(Mirroring(upstream: "v", share: share), upstreamIndices: ["u": 0, "v": 1])
        }
        #expect(try mirror(0) == nil)
        let some = try #require(try mirror(25_000))
        #expect(some.upstream == 1)
        let numbers: [UInt64] = Array(0..<100_000)
        #expect(numbers.count(where: some.takes) == 25_000)
        let all = try #require(try mirror(100_000))
        #expect(numbers.allSatisfy(all.takes) && all.takes(.max))
        let json = #"""
            {"upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]},
                          {"name":"v","endpoints":[{"address":"b:80"}]}],
             "routes":[{"name":"r","upstream":"u","mirror":{"upstream":"v"}}]}
            """#
        let route = try #require(try Configuration(json: json).routes.first)
        let steps = try #require(RouteSteps(route, [:], upstreamIndices: ["u": 0, "v": 1]))
        #expect(steps.mirror?.upstream == 1 && !steps.rewrites && steps.request.isEmpty)
        #expect(steps.needs.isEmpty)
    }

    @Test("policies in one do what they do one after the other")
    func joinsPolicies() throws {
        let a = headers("a", #"{"set":{"x-one":"a"},"add":{"x-two":"a${path}b"}}"#)
        let b = headers("b", #"{"remove":["x-o*"],"add":{"x-two":"b","x-three":"c"}}"#)
        let ab = try #require(try steps(a + "," + b, #""a","b""#)).response
        #expect(text(ab.lines) == "x-two: a<path>b\r\nx-three: c\r\nx-two: b\r\n")
        #expect(ab.lines.pieces.count == 3)
        #expect(holds(ab.dropped, "x-one") && holds(ab.dropped, "X-Other"))
        #expect(!holds(ab.dropped, "x-two") && !holds(ab.dropped, "x-o") == false)
        let ba = try #require(try steps(a + "," + b, #""b","a""#)).response
        #expect(text(ba.lines) == "x-three: c\r\nx-two: b\r\nx-one: a\r\nx-two: a<path>b\r\n")
        #expect(ab.needs == .path && ba.needs == .path)
    }

    @Test("RFC 6797 §7.2: Strict-Transport-Security is left out where there is no TLS")
    func leavesOutSTS() throws {
        let policy = headers(
            "a",
            #"{"set":{"strict-transport-security":"max-age=1","x-a":"b"}}"#
        )
        let edits = try #require(try steps(policy, #""a""#)).response
        #expect(text(edits.lines) == "strict-transport-security: max-age=1\r\nx-a: b\r\n")
        #expect(text(edits.clearLines) == "x-a: b\r\n")
        #expect(holds(edits.dropped, "strict-transport-security"))
    }

    @Test("names are known in any case, and of requests in the spellings that CGI takes for one")
    func knowsNames() {
        let patterns = ["x-debug", "accept", "a_b", "-odd"].map { NamePattern(exactly: $0) }
        let response = FieldNameSet(patterns, foldsSigns: false)
        let request = FieldNameSet(patterns, foldsSigns: true)
        for name in ["x-debug", "X-DEBUG", "Accept", "A_B", "-odd"] {
            #expect(holds(response, name) && holds(request, name), "\(name)")
        }
        for name in ["x_debug", "x.debug", "X~Debug", "a-b", "a!b", "_odd", "+odd"] {
            #expect(!holds(response, name) && holds(request, name), "\(name)")
        }
        for name in ["x-debu", "x-debugs", "xdebug", "x1debug", "", "b", "accepu"] {
            #expect(!holds(response, name) && !holds(request, name), "\(name)")
        }
    }

    @Test("the first policy with a page counts, and in it the page for the fewest statuses")
    func choosesPages() throws {
        let table = PageTable([
            ("p", [page(500...599, "a"), page(503...503, "b"), page(502...504, "c")]),
            ("q", [page(404...404, "d"), page(503...503, "e")]),
        ])
        let pages = ErrorPages(table)
        let expected: [(UInt16, String?)] = [
            (500, "a"), (502, "c"), (503, "b"), (599, "a"), (404, "d"), (403, nil), (399, nil),
            (600, nil), (200, nil), (0, nil), (.max, nil),
        ]
        for (status, content) in expected {
            #expect(pages.page(for: status).map { text($0.content) } == content, "\(status)")
            let page = table.page(for: Int(status))
            #expect(page?.body.constant == content, "\(status)")
        }
        #expect(
            table.runs.map { "\($0.statuses) \($0.policy) \($0.page.body.constant ?? "")" } == [
                "404...404 q d", "500...501 p a", "502...502 p c", "503...503 p b", "504...504 p c",
                "505...599 p a",
            ]
        )
    }

    private func page(_ statuses: ClosedRange<Int>, _ text: String) -> ErrorPage {
        let body = Template(segments: [.literal(text)])
        return ErrorPage(statuses: statuses, contentType: "text/html", body: body)
    }

    @Test("values are written so that they stay values where they stand")
    func escapes() {
        let cases: [(TextSink.Escaping, String, String)] = [
            (.none, #"<a href="x">&'\"#, #"<a href="x">&'\"#),
            (.markup, #"<a href="x">&'\"#, #"&lt;a href=&quot;x&quot;&gt;&amp;&#39;\"#),
            (.json, #"a"b\c<"#, #"a\"b\\c<"#),
            (.percent, "a b&c=ü/~", "a%20b%26c%3D%C3%BC%2F~"),
        ]
        for (escaping, text, result) in cases {
            var sink = TextSink(bytesMax: 100)
            sink.escaping = escaping
            take(text, &sink, fits: true)
            #expect(String(decoding: sink.octets, as: UTF8.self) == result)
        }
        var sink = TextSink(bytesMax: 3)
        sink.escaping = .percent
        take("  ", &sink, fits: false)
        take("abcd", &sink, fits: false)
    }

    private func take(_ text: String, _ sink: inout TextSink, fits: Bool) {
        let octets = Array(text.utf8)
        let hasFit = sink.take(octets.span)
        #expect(hasFit == fits)
    }

    @Test(
        "a media type says how values are written in it",
        arguments: [
            ("text/html; charset=utf-8", TextSink.Escaping.markup), ("TEXT/HTML", .markup),
            ("application/xhtml+xml", .markup), ("image/svg+xml", .markup),
            ("application/problem+json", .json), ("application/json;a=b", .json),
            ("text/plain", .none), ("", .none),
        ]
    )
    func readsTypes(type: String, escaping: TextSink.Escaping) {
        #expect(TextSink.Escaping(contentType: type) == escaping)
    }
}
