import FleetModel
import Testing

@Suite("What is wrong with a configuration")
struct ProblemTests {
    private func listener(_ fields: String) -> String {
        #"{"listeners":[{"name":"web","address":"0.0.0.0:80",\#(fields)}]}"#
    }

    private func route(_ fields: String) -> String {
        #"{"routes":[{"name":"r",\#(fields)}]}"#
    }

    @Test("all problems are reported at once, in the order of the document, with their places")
    func reportsAll() throws {
        let json = """
            {"listeners": [{"name": "web", "adress": "0.0.0.0:80", "proxyProtocol": "on"}],
             "routes": [{"name": "r", "upstream": "prodcts", "policies": ["x"]},
                        {"name": "r", "respond": {}}],
             "upstreams": [{"name": "products", "endpoints": []}],
             "routs": []}
            """
        do {
            _ = try Configuration(json: json, file: "fleet.json")
            Issue.record("accepted")
        } catch {
            #expect(
                error.problems.map(\.description) == [
                    "fleet.json:1:16: listeners[web]: address is missing",
                    "fleet.json:1:32: listeners[web].adress: unknown field; did you mean address?",
                    "fleet.json:1:73: listeners[web].proxyProtocol: \"on\" is not one of "
                        + "off, accept, require",
                    "fleet.json:2:39: routes[r].upstream: there is no upstream \"prodcts\"; "
                        + "did you mean products?",
                    "fleet.json:2:63: routes[r].policies[0]: there is no policy \"x\"",
                    "fleet.json:3:22: routes[r].name: the name is already taken at "
                        + "fleet.json:2:22",
                    "fleet.json:4:50: upstreams[products].endpoints: must not be empty",
                    "fleet.json:5:2: routs: unknown section; did you mean routes?",
                ]
            )
        }
    }

    @Test(
        "fields that the build does not carry out are refused by name",
        arguments: [(#""compress":{}"#, "compress"), (#""cors":{"origins":["*"]}"#, "cors")]
    )
    func refusesUnbuilt(field: String, path: String) {
        let found = problems(#"{"policies":[{"name":"p",\#(field)}]}"#)
        #expect(found.count == 1, "\(found)")
        #expect(
            found.first?.hasPrefix("policies[p].\(path): not supported by this build") == true
        )
    }

    @Test("a section without a built kind is refused once, and taken when it is empty")
    func refusesSections() {
        #expect(
            problems(#"{"consumers":[{"name":"a"},{"nonsense":1}]}"#)
                == ["consumers: not supported by this build"]
        )
        #expect(problems(#"{"consumers":[],"certificates":[]}"#) == [])
        let refused = problems(#"{"paths":{"normalise":false}}"#)
        #expect(refused.count == 1 && refused.first?.contains("can only be true: a path") == true)
        #expect(refused.first?.contains("set `encodedSlash: keep`, and relay with") == true)
        #expect(problems(#"{"paths":{"normalise":true,"encodedSlash":"reject"}}"#) == [])
    }

    @Test(
        "a pattern that no path fits by the rules of paths is refused",
        arguments: [
            ("reject", "/a%2Fb", "encodedSlash: keep"), ("reject", "/a%5cb", "backslash"),
            ("reject", "/a", ""), ("keep", "/a%2fb", ""), ("keep", "/a%5Cb", ""),
            ("decode", "/a%2Fb", ""), ("keep", "/a%2F..", "dot segment"),
            ("decode", "/a%2F..", "dot segment"), ("keep", "/a/..%5Cb", "dot segment"),
            ("keep", "/..;x/b", "segment"), ("keep", "/a%00", "control"),
            ("keep", "/a%0A", "control"),
        ]
    )
    func refusesPatterns(slash: String, path: String, message: String) {
        for kind in ["exact", "prefix"] {
            let found = problems(
                #"{"paths":{"encodedSlash":"\#(slash)"},"routes":[{"name":"r","respond":{},"#
                    + #""match":{"path":{"\#(kind)":"\#(path)"}}}]}"#
            )
            #expect(found.count == (message.isEmpty ? 0 : 1), "\(found)")
            #expect(found.allSatisfy { $0.contains(message) }, "\(found)")
        }
    }

    @Test("patterns are as paths are by the rules of paths")
    func settlesPatterns() throws {
        func path(_ pattern: String, _ paths: String) throws -> String? {
            try Configuration(
                json: #"{"paths":{\#(paths)},"routes":[{"name":"r","respond":{},"#
                    + #""match":{"path":{\#(pattern)}}}]}"#
            ).routes.first?.conditions.path?.description
        }
        #expect(try path(#""exact":"/a%2fb""#, #""encodedSlash":"keep""#) == "/a%2Fb")
        #expect(try path(#""exact":"/a%2fb""#, #""encodedSlash":"decode""#) == "/a/b")
        #expect(try path(#""prefix":"/a%2f""#, #""encodedSlash":"decode""#) == "/a")
        #expect(try path(#""prefix":"/a//b//""#, #""mergeSlashes":true"#) == "/a/b")
        #expect(try path(#""exact":"/a//b//""#, #""mergeSlashes":true"#) == "/a/b/")
        #expect(try path(#""exact":"/a//b""#, "") == "/a//b")
    }

    @Test(
        "values outside their type are refused",
        arguments: [
            #""limits":{"connections":0}"#, #""limits":{"connections":"many"}"#,
            #""limits":{"fieldSectionBytes":"64KB"}"#, #""limits":{"fieldSectionBytes":"1"}"#,
            #""limits":{"fieldSectionBytes":"99999999999999999999KiB"}"#,
            #""limits":{"bodyBytes":"-1"}"#, #""limits":{"bodyBytes":"9000000TiB"}"#,
            #""limits":{"fieldLines":1.5}"#, #""limits":{"fieldLines":"007"}"#,
            #""limits":[]"#, #""limits":null"#, #""limits":7"#,
            #""timeouts":{"header":"5"}"#, #""timeouts":{"header":"5 s"}"#,
            #""timeouts":{"header":"0s"}"#, #""timeouts":{"header":"1.5s"}"#,
            #""timeouts":{"header":"-1s"}"#, #""timeouts":{"header":"999999999999999999d"}"#,
            #""timeouts":{"idle":"2d"}"#, #""timeouts":{"idle":null}"#,
            #""trustedProxies":["10.0.0.1/8"]"#, #""trustedProxies":["10.0.0.0/33"]"#,
            #""trustedProxies":["fe80::1%eth0"]"#, #""trustedProxies":"10.0.0.0/8""#,
            #""trustedProxies":["10.0.0.1","10.0.0.1/32"]"#, #""proxyProtocol":"on""#,
        ]
    )
    func refusesValues(field: String) {
        #expect(problems(listener(field)).count == 1, "\(problems(listener(field)))")
    }

    @Test(
        "addresses that cannot be bound are refused, with what was probably meant",
        arguments: [
            ("8080", "0.0.0.0:8080"), (":8080", "0.0.0.0:8080"), ("*:80", "0.0.0.0:80"),
            ("localhost:80", "127.0.0.1:80"), ("::1", "[::1]:80"), ("0.0.0.0", "no port"),
            ("0.0.0.0:65536", "port"), ("0.0.0.0:", "port"), ("[::1]", "no port"),
            ("256.0.0.1:80", "IPv4"), ("01.0.0.1:80", "IPv4"), ("[::g]:80", "IPv6"),
            ("unix:/run/a", "not supported by this build"), ("::1:80", "[::1:80]:80"),
            ("0.0.0.0:+80", "port"), ("", "no port"), ("http://a:80", "host name"),
        ]
    )
    func refusesAddresses(address: String, hint: String) {
        let found = problems(#"{"listeners":[{"name":"web","address":"\#(address)"}]}"#)
        #expect(found.count == 1 && found[0].contains(hint), "\(found)")
    }

    @Test("two listeners do not share an address, however it is written; port 0 is never shared")
    func refusesSharedAddresses() {
        let shared = #"""
            {"listeners":[{"name":"a","address":"[::1]:80"},{"name":"b","address":"[0:0::1]:80"}]}
            """#
        #expect(
            problems(shared) == ["listeners[b].address: [::1]:80 is already the address of \"a\""]
        )
        #expect(problems(shared.replacing(":80", with: ":0")) == [])
    }

    @Test(
        "a route has exactly one action and conditions that can hold",
        arguments: [
            (#""hosts":["a"]"#, "needs one of upstream, split, redirect, respond, aggregate"),
            (#""respond":{},"redirect":{"location":"/"}"#, "only one"),
            (#""respond":{},"hosts":[]"#, "must not be empty"),
            (#""respond":{},"listeners":[]"#, "must not be empty"),
            (#""respond":{},"listeners":["web"]"#, "there is no listener"),
            (#""respond":{},"hosts":["a:80"]"#, "did you mean a?"),
            (#""respond":{},"hosts":["*"]"#, "*.example.com"),
            (#""respond":{},"hosts":["a.*.b"]"#, "*.example.com"),
            (#""respond":{},"hosts":["ex ample"]"#, "not a host name"),
            (#""respond":{},"hosts":["müller.de"]"#, "xn--"),
            (#""respond":{},"hosts":["a.b","A.B."]"#, "listed twice"),
            (#""respond":{},"hosts":["1.2.3"]"#, "IPv4"),
            (#""respond":{},"hosts":["::1"]"#, "[::1]"),
            (#""respond":{},"match":{"path":{}}"#, "needs one of exact, prefix, regex"),
            (#""respond":{},"match":{"path":{"exact":"/a","prefix":"/b"}}"#, "only one"),
            (#""respond":{},"match":{"path":{"regex":"a"}}"#, "starts with /"),
            (#""respond":{},"match":{"path":{"regex":"/(a"}}"#, "missing"),
            (#""respond":{},"match":{"path":{"regex":"/(?=a)"}}"#, "lookaround"),
            (#""respond":{},"match":{"path":{"regex":"/é"}}"#, "beyond ASCII"),
            (#""respond":{},"match":{"path":{"exact":"a"}}"#, "did you mean /a?"),
            (#""respond":{},"match":{"path":{"exact":"/a/../b"}}"#, "segment"),
            (#""respond":{},"match":{"path":{"exact":"/%2e%2E/b"}}"#, "segment"),
            (#""respond":{},"match":{"path":{"exact":"/a?b"}}"#, "no query"),
            (#""respond":{},"match":{"path":{"exact":"/a%2"}}"#, "hexadecimal"),
            (#""respond":{},"match":{"path":{"exact":"/a%2Fb"}}"#, "encoded slash"),
            (#""respond":{},"match":{"path":{"exact":"/a%c0%af"}}"#, "readers differ"),
            (#""respond":{},"match":{"path":{"prefix":"/a/..%3bx/b"}}"#, "readers differ"),
            (#""respond":{},"match":{"not":{"path":{"exact":"/%e0%80%ae"}}}"#, "readers differ"),
            (#""respond":{},"match":{"path":{"exact":"/a b"}}"#, "percent-encode"),
            (#""respond":{},"match":{"methods":["get"]}"#, "did you mean GET"),
            (#""respond":{},"match":{"methods":["CONNECT"]}"#, "405"),
            (#""respond":{},"match":{"methods":["G T"]}"#, "not a method"),
            (#""respond":{},"match":{"headers":[{"name":"a b","exact":"1"}]}"#, "not a field name"),
            (#""respond":{},"match":{"headers":[{"name":"Host","exact":"a"}]}"#, "say it in hosts"),
            (
                #""respond":{},"match":{"headers":[{"name":"a","exact":" b"}]}"#,
                "no space at their ends"
            ),
            (#""respond":{},"match":{"cookies":[{"name":"a","exact":"b;c"}]}"#, "; ends a cookie"),
            (#""respond":{},"match":{"headers":[{"name":"a"}]}"#, "needs one of"),
            (#""respond":{},"match":{"headers":[{"name":"a","regex":"("}]}"#, "missing"),
            (#""respond":{},"match":{"methods":["GET"],"not":{"methods":["GET","PUT"]}}"#, "never"),
            (#""respond":{},"match":{"not":{"path":{"prefix":"/"}}}"#, "never matches"),
            (#""respond":{},"match":{"not":{"path":{"regex":"/.*"}}}"#, "never matches"),
            (
                #""respond":{},"match":{"path":{"exact":"/a/b"},"not":{"path":{"prefix":"/a"}}}"#,
                "never matches"
            ),
            (
                #""respond":{},"match":{"path":{"exact":"/a/b"},"not":{"path":{"regex":"/a/."}}}"#,
                "never matches"
            ),
            (
                #""respond":{},"match":{"clients":["10.1.0.0/16"],"not":{"clients":["10.0.0.0/8"]}}"#,
                "every client"
            ),
            (#""respond":{},"match":{"not":{"clients":["0.0.0.0/0","::/0"]}}"#, "every client"),
            (
                #""respond":{},"match":{"headers":[{"name":"a","present":false},{"name":"A","exact":"1"}]}"#,
                "never hold together"
            ),
            (
                #""respond":{},"match":{"query":[{"name":"a","exact":"12"}],"not":{"query":[{"name":"a","prefix":"1"}]}}"#,
                "never matches"
            ),
            (
                #""respond":{},"match":{"cookies":[{"name":"a","exact":"1"}],"not":{"cookies":[{"name":"a","present":true}]}}"#,
                "never matches"
            ),
            (#""respond":{"body":"${capture.1}"}"#, "no match.path.regex"),
            (
                #""respond":{"body":"${capture.2}"},"match":{"path":{"regex":"/(.)"}}"#,
                "groups 1 to 1"
            ),
            (
                #""respond":{"body":"${capture.id}"},"match":{"path":{"regex":"/(?P<di>.)"}}"#,
                "no group of that name"
            ),
            (#""respond":{"status":100}"#, "200 to 599"),
            (#""respond":{"status":600}"#, "200 to 599"),
            (#""respond":{"status":204,"body":"x"}"#, "no content"),
            (#""respond":{"headers":{"Content-Length":"1"}}"#, "proxy itself"),
            (#""respond":{"headers":{"a b":"1"}}"#, "not a field name"),
            (#""respond":{"headers":{"a":"x\r\ny: z"}}"#, "not a field value"),
            (#""respond":{"headers":{"a":"1","A":"2"}}"#, "listed twice"),
            (#""respond":{"body":"${pth}"}"#, "did you mean ${path}?"),
            (#""respond":{"body":"${path"}"#, "without its }"),
            (#""redirect":{"status":304,"location":"/"}"#, "must be 301"),
            (#""redirect":{}"#, "location is missing"), (#""redirect":{"location":""}"#, "empty"),
            (#""redirect":{"location":"${path}"}"#, "must start"),
            (#""redirect":{"location":"/${path}"}"#, "must start"),
            (#""redirect":{"location":"https://a b"}"#, "percent-encode"),
            (#""timeouts":{"totl":"1s"},"respond":{}"#, "did you mean total?"),
        ]
    )
    func refusesRoutes(fields: String, message: String) {
        let found = problems(route(fields))
        #expect(found.count == 1 && found[0].contains(message), "\(found)")
    }

    @Test("a policy that names groups is only for routes that have them")
    func refusesCaptures() {
        let policy = #"{"name":"p","headers":{"response":{"set":{"x":"${capture.id}"}}}}"#
        func found(_ path: String) -> [String] {
            problems(
                #"{"policies":[\#(policy)],"routes":[{"name":"r","policies":["p"],"respond":{},"match":{"path":\#(path)}}]}"#
            )
        }
        #expect(found(#"{"regex":"/(?P<id>.)"}"#) == [])
        #expect(
            found(#"{"regex":"/(.)"}"#) == [
                "routes[r].policies[0]: the policy \"p\" names ${capture.id}: "
                    + "the route's match.path.regex has no group of that name"
            ]
        )
        #expect(found(#"{"prefix":"/"}"#).first?.contains("no match.path.regex") == true)
    }

    private static let upstreams =
        #""upstreams":[{"name":"u","endpoints":[{"address":"unix:/run/a.sock"}]}]"#

    @Test(
        "a tcp listener relays to an upstream, and settings that would do nothing are refused by name",
        arguments: [
            (#""protocol":"tcp""#, ": upstream is missing"),
            (#""upstream":"u""#, ".upstream: is for listeners with protocol: tcp"),
            (#""protocol":"http","upstream":"u""#, ".upstream: is for listeners with"),
            (#""protocol":"tcp","upstream":"v""#, ".upstream: there is no upstream"),
            (
                #""protocol":"tcp","upstream":"u","limits":{"connections":5,"fieldLines":5}"#,
                ".limits.fieldLines: does nothing on a tcp listener"
            ),
            (
                #""protocol":"tcp","upstream":"u","limits":{"bodyBytes":0}"#,
                ".limits.bodyBytes: does nothing"
            ),
            (
                #""protocol":"tcp","upstream":"u","timeouts":{"idle":"1m"}"#,
                ".timeouts.idle: does nothing"
            ),
            (
                #""protocol":"tcp","upstream":"u","timeouts":{"header":"1s"}"#,
                ".timeouts.header: does nothing on a tcp listener without proxyProtocol"
            ),
            (
                #""protocol":"tcp","upstream":"u","trustedProxies":["::1"]"#,
                ".trustedProxies: does nothing on a tcp listener without proxyProtocol: accept"
            ),
            (
                #""protocol":"tcp","upstream":"u","proxyProtocol":"require","trustedProxies":["::1"]"#,
                ".trustedProxies: does nothing"
            ),
        ]
    )
    func refusesOnTCP(fields: String, message: String) {
        let found = problems(
            #"{"listeners":[{"name":"web","address":"0.0.0.0:80",\#(fields)}],\#(Self.upstreams)}"#
        )
        #expect(found.count == 1 && found[0].hasPrefix("listeners[web]\(message)"), "\(found)")
    }

    @Test(
        "the identifier of requests has a field that means nothing else",
        arguments: [
            "x-request-id", "x-correlation-id", "x-amzn-trace-id", "cf-ray",
        ]
    )
    func takesIdentifierFields(name: String) {
        #expect(problems(#"{"requestID":{"header":"\#(name)","accept":"always"}}"#) == [])
    }

    @Test(
        "the identifier of requests takes no field that means something",
        arguments: [
            "x-forwarded-for", "host", "connection", "traceparent", "cookie", "via", "user-agent",
        ]
    )
    func refusesIdentifierFields(name: String) {
        #expect(
            problems(#"{"requestID":{"header":"\#(name)"}}"#)
                == ["requestID.header: \(name) has a meaning of its own; take another name"]
        )
    }

    @Test("the identifier of requests and clients' certificates have fields of their own")
    func refusesSharedFields() {
        let tls =
            #""tls":{"certificates":["c"],"clientCertificate":{"forward":{"subject":"x-who"}}}"#
        let found = problems(
            #"{"listeners":[{"name":"web","address":"0.0.0.0:80","protocol":"https",\#(tls)}],"#
                + #"\#(Self.certificates),"requestID":{"header":"X-Who"}}"#
        )
        #expect(
            found == [
                #"requestID.header: x-who tells of clients' certificates on the listener "web"; "#
                    + "take another name"
            ]
        )
    }

    @Test("trace context is passed on or not; spans go nowhere")
    func readsTracing() throws {
        #expect(try Configuration(json: "{}").tracing.propagates)
        let off = try Configuration(
            json: #"{"tracing":{"propagate":false,"otlp":"","sample":"1%"}}"#
        )
        #expect(!off.tracing.propagates)
        let found = problems(#"{"tracing":{"otlp":"http://a.test","sample":"2%"}}"#)
        #expect(found.count == 2 && found.allSatisfy { $0.contains("not supported") }, "\(found)")
    }

    @Test("a route names no tcp listener, and one without listeners is for the others")
    func refusesRoutesOfTCP() {
        func configuration(_ route: String) -> String {
            #"""
            {"listeners":[{"name":"db","address":"0.0.0.0:5432","protocol":"tcp","upstream":"u"}],
             "routes":[{"name":"r",\#(route)"respond":{}}],\#(Self.upstreams)}
            """#
        }
        #expect(
            problems(configuration(#""listeners":["db"],"#))
                == ["routes[r].listeners[0]: \"db\" is a tcp listener, which has no routes"]
        )
        #expect(problems(configuration("")) == [])
    }

    static let certificates =
        #""certificates":[{"name":"c","files":{"certificate":"c.crt","key":"c.key"}},"#
        + #"{"name":"ca","authority":{"file":"ca.pem"}}]"#

    @Test(
        "what TLS needs on a listener is demanded, and what would do nothing is refused",
        arguments: [
            (#""protocol":"https""#, ": tls is missing: it names certificates"),
            (#""tls":{"certificates":["c"]}"#, ".tls: does nothing on a http listener"),
            (
                #""protocol":"https","tls":{"certificates":["c"]},"redirectToHTTPS":443"#,
                ".redirectToHTTPS: does nothing on a https listener"
            ),
            (#""timeouts":{"handshake":"1s"}"#, ".timeouts.handshake: does nothing"),
            (#""serverNames":{"a.test":"u"}"#, ".serverNames: does nothing on a http listener"),
            (#""protocol":"tls-passthrough""#, ": serverNames is missing"),
            (
                #""protocol":"tls-passthrough","serverNames":{"a.test":"u"},"upstream":"u""#,
                ".upstream: does nothing"
            ),
            (
                #""protocol":"tls-passthrough","serverNames":{"a.test":"u"},"timeouts":{"idle":"1s"}"#,
                ".timeouts.idle: does nothing"
            ),
            (
                #""protocol":"https","tls":{"certificates":["ca"]}"#,
                ".tls.certificates[0]: \"ca\" holds authorities to trust, and no key"
            ),
            (
                #""protocol":"https","tls":{"certificates":["c"],"clientCertificate":"#
                    + #"{"mode":"require","authorities":["c"]}}"#,
                ".tls.clientCertificate.authorities[0]: \"c\" is a certificate to show"
            ),
            (
                #""protocol":"https","tls":{"certificates":["c"],"clientCertificate":{"mode":"request"}}"#,
                ".tls.clientCertificate: authorities is missing"
            ),
            (
                #""protocol":"https","tls":{"certificates":["c"],"clientCertificate":"#
                    + #"{"forward":{"subject":"host"}}}"#,
                ".tls.clientCertificate.forward.subject: host has a meaning of its own"
            ),
            (
                #""protocol":"https","tls":{"certificates":["c"],"clientCertificate":"#
                    + #"{"forward":{"subject":"x-a","fingerprint":"X-A"}}}"#,
                ".tls.clientCertificate.forward.fingerprint: is already the field of the subject"
            ),
        ]
    )
    func checksListenerTLS(fields: String, message: String) {
        let found = problems(
            #"{"listeners":[{"name":"web","address":"0.0.0.0:80",\#(fields)}],"#
                + "\(Self.upstreams),\(Self.certificates)}"
        )
        #expect(found.count == 1 && found[0].hasPrefix("listeners[web]\(message)"), "\(found)")
    }

    @Test("names are checked, and nameless resources are counted")
    func refusesNames() {
        for name in ["", "-a", "a-", "a b", "a/b", "ä", String(repeating: "a", count: 64)] {
            let json = #"{"listeners":[{"name":"\#(name)","address":"0.0.0.0:80"}]}"#
            #expect(problems(json).count == 1, "\(name)")
        }
        #expect(
            problems(#"{"listeners":[{"address":"0.0.0.0:80"}]}"#)
                == ["listeners[#1]: name is missing"]
        )
        #expect(problems(#"{"listeners":[7]}"#).count == 1)
        #expect(problems(#"{"listeners":{}}"#) == ["listeners: must be a list, not a map"])
        #expect(problems("[]").count == 1)
    }

    @Test("`$${` stands for itself")
    func escapesTemplates() throws {
        let configuration = try Configuration(
            json: route(#""respond":{"body":"$a $${b} ${host}"}"#)
        )
        guard case .respond(let response) = configuration.routes[0].action else {
            Issue.record("not a response")
            return
        }
        #expect(
            response.body.segments == [.literal("$a ${b} "), .variable(.host)]
        )
    }

    @Test("thousands of problems are summed up, and a text of the user is quoted harmlessly")
    func sumsUp() {
        let names = (0..<5000).map { #"{"name":"r\#($0)","upstream":"missing\#($0)"}"# }
        let found = problems(#"{"routes":[\#(names.joined(separator: ","))]}"#)
        #expect(found.count == ModelLimits.problemCountMax + 1)
        #expect(found.last == ": and 4000 more problems")
        let odd = problems(#"{"listeners":[{"name":"\u001b[2J\u000a","address":"0.0.0.0:80"}]}"#)
        #expect(odd.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 } })
    }
}
