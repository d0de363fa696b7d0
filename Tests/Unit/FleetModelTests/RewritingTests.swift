import Testing

@testable import FleetModel

@Suite("What is wrong with rewriting and policies")
struct RewritingTests {
    private static let upstreams = #""upstreams":[{"name":"u","endpoints":[{"address":"a:80"}]}]"#

    private func route(_ fields: String) -> String {
        #"{\#(Self.upstreams),"routes":[{"name":"r",\#(fields)}]}"#
    }

    @Test(
        "a rewrite does one thing to the path, and has somebody who sees it",
        arguments: [
            (
                #""upstream":"u","rewrite":{"prefix":"/a"}"#,
                "match.path.prefix names, which is missing"
            ),
            (
                #""upstream":"u","match":{"path":{"exact":"/b"}},"rewrite":{"prefix":"/a"}"#,
                "rewrite.prefix: replaces a prefix, and match.path is exact: take rewrite.path"
            ),
            (
                #""upstream":"u","rewrite":{"path":"/a","regex":{"pattern":"a","substitution":"b"}}"#,
                "rewrite: has path, regex, of which it may have only one"
            ),
            (#""respond":{},"rewrite":{"path":"/a"}"#, "rewrite: does nothing with respond"),
            (#""redirect":{"location":"/"},"rewrite":{"host":"a"}"#, "does nothing with redirect"),
            (#""upstream":"u","rewrite":{"path":"//a"}"#, "rewrite.path: \"//a\" begins with two"),
            (
                #""upstream":"u","match":{"path":{"prefix":"/"}},"rewrite":{"prefix":"//a"}"#,
                "rewrite.prefix: \"//a\" begins with two slashes"
            ),
            (#""upstream":"u","rewrite":{"path":"a"}"#, "did you mean /a?"),
            (#""upstream":"u","rewrite":{"path":"/a?b"}"#, "no query"),
            (#""upstream":"u","rewrite":{"host":"a:80"}"#, "did you mean a?"),
            (
                #""upstream":"u","rewrite":{"regex":{"pattern":"(","substitution":"b"}}"#,
                "rewrite.regex.pattern: \"(\" is no regular expression of RE2"
            ),
            (
                #""upstream":"u","rewrite":{"regex":{"pattern":"a","substitution":"$1"}}"#,
                "rewrite.regex.substitution: \"$1\": character 1: the pattern has no group 1"
            ),
            (
                #""upstream":"u","rewrite":{"regex":{"pattern":"a","substitution":"/b?c"}}"#,
                "a path has no query"
            ),
            (#""upstream":"u","rewrite":{"query":{"set":{"":"a"}}}"#, "a parameter needs a name"),
            (#""upstream":"u","rewrite":{"query":{"set":{"a":"${b}"}}}"#, "unknown variable ${b}"),
            (#""upstream":"u","rewrite":{"query":{"remove":["a*b"]}}"#, "at the end of a name"),
            (
                #""upstream":"u","maintenance":{"enabled":true,"status":204,"body":"x"}"#,
                "maintenance.body: a response with status 204 has no content"
            ),
            (#""upstream":"u","maintenance":{}"#, "enabled is missing"),
        ]
    )
    func refusesRewrites(fields: String, message: String) {
        let found = problems(route(fields))
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test("every sound rewrite is taken")
    func takesRewrites() {
        let fields = [
            #""match":{"path":{"prefix":"/a/"}},"rewrite":{"prefix":"/b/","host":"c.internal"}"#,
            #""rewrite":{"regex":{"pattern":"^/(?P<a>x)","substitution":"/$1/${a}/$$"}}"#,
            #""rewrite":{"query":{"set":{"a":"${query}"},"add":{"b":""},"remove":["*","c*"]}}"#,
            #""rewrite":{}"#, #""maintenance":{"enabled":true,"retryAfter":"5m","body":"${host}"}"#,
        ]
        for fields in fields.dropLast(3) + fields.suffix(2) {
            #expect(problems(route(#""upstream":"u",\#(fields)"#)) == [])
        }
        // A star alone has no beginning of a name.
        #expect(problems(route(#""upstream":"u",\#(fields[2])"#)).count == 1)
    }

    @Test(
        "fields of the connection and of the proxy are not edited",
        arguments: [
            ("request", "set", "Host", "rewrite.host"), ("request", "add", "TE", "connection"),
            ("request", "set", "Content-Length", "connection"),
            ("request", "set", "x-forwarded-for", "by the proxy itself"),
            ("request", "set", "forwarded", "by the proxy itself"),
            ("request", "set", "expect", "acted on"), ("request", "set", "via", "itself"),
            ("request", "set", "x-request-id", "requestID has the proxy write"),
            ("response", "set", "Transfer-Encoding", "connection"),
            ("response", "add", "server", "hiding.server"), ("response", "set", "date", "itself"),
            ("response", "set", "upgrade", "connection"), ("response", "set", "via", "itself"),
            ("response", "set", "proxy-status", "itself"),
        ]
    )
    func refusesFields(message: String, edit: String, name: String, hint: String) {
        let found = problems(
            #"{"policies":[{"name":"p","headers":{"\#(message)":{"\#(edit)":{"\#(name)":"a"}}}}]}"#
        )
        #expect(found.count == 1 && found[0].contains(hint), "\(found)")
        let removed = problems(
            #"{"policies":[{"name":"p","headers":{"\#(message)":{"remove":["x-a","\#(name)"]}}}]}"#
        )
        #expect(removed.count == 1 && removed[0].contains(hint), "\(removed)")
    }

    @Test("a field that tells of clients' certificates, or the identifier's, is nobody else's")
    func refusesOwnedFields() {
        let policy = #""policies":[{"name":"p","headers":{"request":{"set":{"x-subject":"a"}}}}]"#
        let listener = """
            "listeners":[{"name":"web","address":"0.0.0.0:443","protocol":"https","tls":{"certificates":["c"],
            "clientCertificate":{"mode":"none","forward":{"subject":"X-Subject"}}}}],
            "certificates":[{"name":"c","selfSigned":{"hosts":["a"]}}]
            """
        let found = problems("{\(listener),\(policy)}")
        #expect(
            found == [
                "policies[p].headers.request: x-subject is a field that listener \"web\" has the proxy "
                    + "write"
            ]
        )
        #expect(problems("{\(policy)}") == [])
    }

    @Test("what policies write fits into a head")
    func limitsSizes() {
        func policy(_ name: String, _ octets: Int) -> String {
            let values = (0..<octets / 8000).map { index in
                #""x-\#(index)":"\#(String(repeating: "a", count: 8000))""#
            }
            return
                #"{"name":"\#(name)","headers":{"response":{"set":{\#(values.joined(separator: ","))}}}}"#
        }
        #expect(problems(#"{"policies":[\#(policy("p", 16_000))]}"#) == [])
        let one = problems(#"{"policies":[\#(policy("p", 24_000))]}"#)
        #expect(one.count == 1 && one[0].contains("at most 16384 are allowed"), "\(one)")
        let names = ["a", "b", "c"]
        let policies = names.map { policy($0, 16_000) }.joined(separator: ",")
        let route = #"{"name":"r","respond":{},"policies":["a","b","c"]}"#
        let all = problems(#"{"policies":[\#(policies)],"routes":[\#(route)]}"#)
        #expect(
            all.count == 1 && all[0].contains("routes[r].policies: its policies write"),
            "\(all)"
        )
        let removed = (0...200).map { #""x-\#($0)""# }.joined(separator: ",")
        let many = problems(
            #"{"policies":[{"name":"p","headers":{"request":{"remove":[\#(removed)]}}}]}"#
        )
        #expect(many.count == 1 && many[0].contains("at most 200"), "\(many)")
    }

    @Test(
        "a page has statuses, and content",
        arguments: [
            (#"{}"#, "has no page"), (#"{"404":{}}"#, "[404]: needs a file or a body"),
            (#"{"502-504":{"file":"a.html"}}"#, "[502-504]: a file is read by proxyctl at apply"),
            (#"{"399":{"body":""}}"#, "400 to 599"), (#"{"504-502":{"body":""}}"#, "400 to 599"),
            (#"{"404":{"body":"${a}"}}"#, "unknown variable"),
            (#"{"404":{"body":"","contentType":"ü"}}"#, "not a field value"),
        ]
    )
    func refusesPages(pages: String, message: String) {
        let found = problems(#"{"policies":[{"name":"p","errorPages":\#(pages)}]}"#)
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test("a page with file and body is as it was exported, and comes back the same")
    func keepsPages() throws {
        let json =
            #"{"policies":[{"name":"p","errorPages":{"404":{"file":"a.html","body":"$${x}"}}}]}"#
        let configuration = try Configuration(json: json)
        let stored = try #require(configuration.resources.first { $0.kind == .policy })
        #expect(
            String(decoding: stored.content, as: UTF8.self)
                == #"{"errorPages":{"404":{"body":"$${x}","file":"a.html"}},"name":"p"}"#
        )
        #expect(
            configuration.policies["p"]?.step
                == .errorPages([
                    ErrorPage(
                        statuses: 404...404,
                        contentType: "text/html; charset=utf-8",
                        body: Template(segments: [.literal("${x}")])
                    )
                ])
        )
    }

    @Test(
        "a client's octets do not reach into the host that a location names",
        arguments: [
            ("https://a.example.com${query}", false), ("https://${query}/", false),
            ("https://a.${capture.1}/", false), ("https://${host}.${requestID}", false),
            ("//${path}", false), ("https://${path}", false), ("https:///${path}", false),
            ("https:///${capture.1}", false), ("http://:80${path}", false),
            ("https://a@${path}", false),
            ("///evil.test", false), ("${scheme}://${path}", false), ("https://?${query}", false),
            ("//${query}", false), ("${scheme}${query}", false), ("${scheme}", false),
            ("https://a.example.com${path}", true), ("https://a.example.com/${query}", true),
            ("https://a.example.com?${query}", true), ("${scheme}://${host}:${port}${path}", true),
            ("${scheme}://${host}:8443${path}?${query}", true), ("/a${query}", true),
            ("//cdn.example.com/${query}", true), ("/a/${client}", true),
        ]
    )
    func checksLocations(location: String, isSound: Bool) {
        let found = problems(
            #"{"routes":[{"name":"r","redirect":{"location":"\#(location)"}}]}"#
        )
        #expect(found.isEmpty == isSound, "\(found)")
    }
}
