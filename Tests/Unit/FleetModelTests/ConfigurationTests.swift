import Testing

@testable import FleetModel

@Suite("Valid configurations")
struct ConfigurationTests {
    private static let full = #"""
        {"listeners": [
           {"name": "web", "address": "0.0.0.0:8080", "protocol": "http", "proxyProtocol": "off",
            "trustedProxies": ["10.0.0.0/8", "::1"],
            "limits": {"connections": 10, "fieldSectionBytes": "65536", "bodyBytes": "1MiB",
                       "connectionsPerClient": 0},
            "timeouts": {"header": "1500ms", "idle": "60s", "minimumBodyRate": 0}},
           {"name": "alt", "address": "[0:0::1]:0"}],
         "upstreams": [
           {"name": "products", "balance": "roundRobin", "protocol": "http1",
            "endpoints": [{"address": "127.0.0.1:9001", "weight": 2, "tier": 0},
                          {"address": "Origin.Internal:80"}],
            "connections": {"perEndpoint": 5}, "timeouts": {"total": "0s", "firstByte": "90s"}}],
         "routes": [
           {"name": "z", "hosts": ["Shop.Example.com", "*.example.org"], "listeners": ["web"],
            "match": {"path": {"prefix": "/products/"}, "methods": []}, "upstream": "products",
            "timeouts": {"total": "15s"}},
           {"name": "a", "match": {"path": {"exact": "/%7Ea/%c3%a9"}},
            "redirect": {"status": 301, "location": "https://blog.example.com${path}"}},
           {"name": "t", "respond": {"status": 418, "headers": {"Content-Type": "text/plain"},
            "body": "short and stout\n"}}],
         "hiding": {"server": "weir", "via": "", "rewriteLocation": false},
         "logging": {"access": "off"}}
        """#

    @Test("a document becomes typed values with the defaults filled in")
    func readsDocument() throws {
        let configuration = try Configuration(json: Self.full)
        #expect(configuration.listeners.map(\.name) == ["alt", "web"])
        let alt = configuration.listeners[0]
        #expect(alt.address.description == "[::1]:0")
        #expect(alt.limits.connections == 100_000 && alt.limits.fieldSectionBytes == 65536)
        #expect(alt.limits.fieldLines == 100 && alt.limits.requestTargetBytes == 16384)
        #expect(alt.limits.bodyBytes == nil && alt.limits.requestsPerConnection == nil)
        #expect(alt.timeouts.header == .seconds(10) && alt.timeouts.idle == .seconds(75))
        let web = configuration.listeners[1]
        #expect(web.trustedProxies.map(\.description) == ["10.0.0.0/8", "::1/128"])
        #expect(web.limits.bodyBytes == 1 << 20)
        #expect(web.timeouts.header == .milliseconds(1500))

        let upstream = configuration.upstreams[0]
        #expect(upstream.endpoints.map(\.weight) == [2, 1])
        #expect(
            upstream.endpoints.map(\.address.description) == [
                "127.0.0.1:9001", "origin.internal:80",
            ]
        )
        #expect(upstream.connections.maximum == 1000 && upstream.connections.perEndpoint == 5)
        #expect(upstream.connections.idle == .seconds(60))
        #expect(upstream.timeouts.connect == .seconds(2) && upstream.timeouts.total == nil)
        #expect(upstream.timeouts.firstByte == .seconds(90))
        #expect(upstream.timeouts.idle == .seconds(60))
    }

    @Test("connections that are no requests: tcp listeners, PROXY headers, unix sockets")
    func readsTransport() throws {
        let configuration = try Configuration(
            json: #"""
                {"listeners": [
                   {"name": "db", "address": "0.0.0.0:5432", "protocol": "tcp", "upstream": "u",
                    "proxyProtocol": "accept", "trustedProxies": ["10.0.0.0/8"],
                    "limits": {"connections": 7, "connectionsPerClient": 2},
                    "timeouts": {"header": "3s"}},
                   {"name": "web", "address": "0.0.0.0:80"}],
                 "upstreams": [{"name": "u", "proxyProtocol": "v2",
                   "endpoints": [{"address": "unix:/run/App.sock"}, {"address": "a:1"}]}]}
                """#
        )
        let (db, web) = (configuration.listeners[0], configuration.listeners[1])
        #expect(db.transport == .tcp && db.upstream == "u" && db.proxyProtocol == .accept)
        #expect(web.transport == .http && web.upstream == nil && web.proxyProtocol == .off)
        let upstream = configuration.upstreams[0]
        #expect(upstream.proxyProtocol == .v2)
        #expect(upstream.endpoints.map(\.address.path) == ["/run/App.sock", nil])
        #expect(upstream.endpoints[0].address.description == "unix:/run/App.sock")
        let again = try Configuration(json: configuration.documentJSON)
        #expect(again == configuration)
    }

    @Test("TLS on listeners and to upstreams, with what holds where nothing is said")
    func readsTLS() throws {
        let configuration = try Configuration(
            json: #"""
                {"listeners": [
                   {"name": "a", "address": "0.0.0.0:443", "protocol": "https",
                    "tls": {"certificates": ["one", "two"], "strictSNI": true,
                      "minimumVersion": "1.3", "alpn": ["http/1.1"], "handshakesPerSecond": 9,
                      "clientCertificate": {"mode": "require", "authorities": ["ca"],
                        "forward": {"subject": "X-Subject"}}},
                    "timeouts": {"handshake": "3s"}},
                   {"name": "b", "address": "0.0.0.0:444", "protocol": "https",
                    "tls": {"certificates": ["one"]}},
                   {"name": "c", "address": "0.0.0.0:445", "protocol": "tls-passthrough",
                    "serverNames": {"*.A.test": "w", "b.test": "x"}},
                   {"name": "d", "address": "0.0.0.0:80", "redirectToHTTPS": 443}],
                 "certificates": [
                   {"name": "one", "files": {"certificate": "1.crt", "key": "1.key"}},
                   {"name": "two", "selfSigned": {"hosts": ["localhost"]}},
                   {"name": "ca", "authority": {"file": "ca.pem"}}],
                 "upstreams": [
                   {"name": "u", "protocol": "auto", "endpoints": [{"address": "a:1"}],
                    "tls": {"authority": "ca", "clientCertificate": ""}},
                   {"name": "v", "endpoints": [{"address": "a:1"}],
                    "tls": {"serverName": "x.test", "verify": false, "authority": "",
                      "clientCertificate": "one"}},
                   {"name": "w", "endpoints": [{"address": "a:1"}]},
                   {"name": "x", "endpoints": [{"address": "a:1"}]}]}
                """#
        )
        let tls = try #require(configuration.listeners[0].tls)
        #expect(tls.certificates == ["one", "two"] && tls.isStrict && tls.minimumVersion == .tls13)
        #expect(tls.protocols == ["http/1.1"] && tls.handshakesPerSecond == 9)
        let clients = tls.clientCertificate
        #expect(clients.mode == .require && clients.authorities == ["ca"])
        #expect(clients.subjectField == "x-subject" && clients.fingerprintField == nil)
        #expect(configuration.listeners[0].timeouts.handshake == .seconds(3))
        let plain = try #require(configuration.listeners[1].tls)
        #expect(!plain.isStrict && plain.minimumVersion == .tls12)
        #expect(plain.protocols == ["h2", "http/1.1"] && plain.handshakesPerSecond == nil)
        #expect(plain.clientCertificate.mode == .none)
        #expect(
            configuration.listeners[2].serverNames == [
                ServerNameRoute(name: .wildcard("a.test"), upstream: "w"),
                ServerNameRoute(name: .exact("b.test"), upstream: "x"),
            ]
        )
        #expect(configuration.listeners[3].redirectPort == 443)
        let (first, second) = (configuration.upstreams[0], configuration.upstreams[1])
        #expect(first.transport == .auto && first.tls?.isVerified == true)
        #expect(first.tls?.authority == "ca" && first.tls?.clientCertificate == nil)
        #expect(second.tls?.serverName == "x.test" && second.tls?.isVerified == false)
        #expect(second.tls?.authority == nil && second.tls?.clientCertificate == "one")
        #expect(try Configuration(json: configuration.documentJSON) == configuration)
    }

    @Test("routes keep file order and know their hosts, paths and actions")
    func readsRoutes() throws {
        let routes = try Configuration(json: Self.full).routes
        #expect(routes.map(\.name) == ["z", "a", "t"])
        #expect(routes[0].hosts == [.exact("shop.example.com"), .wildcard("example.org")])
        #expect(routes[0].conditions.path == .prefix("/products") && routes[0].listeners == ["web"])
        #expect(routes[0].totalTimeout == .seconds(15))
        #expect(routes[0].action == .upstream("products"))
        #expect(routes[1].conditions.path == .exact("/~a/%C3%A9"))
        #expect(routes[1].hosts == nil && routes[1].listeners == nil)
        let location = Template(segments: [
            .literal("https://blog.example.com"), .variable(.path),
        ])
        guard case .redirect(let redirect) = routes[1].action else {
            Issue.record("not a redirect")
            return
        }
        #expect(redirect.status == 301 && redirect.location == location)
        guard case .respond(let response) = routes[2].action else {
            Issue.record("not a response")
            return
        }
        #expect(response.status == 418 && response.body.constant == "short and stout\n")
        #expect(response.headers.map(\.name) == ["content-type"])
    }

    @Test("hiding and logging have the contract's defaults")
    func readsSingletons() throws {
        let empty = Configuration.empty
        #expect(empty.hiding.server == .remove && empty.hiding.via == "weir")
        #expect(empty.hiding.proxyStatus == .errors)
        #expect(
            empty.hiding.responseHeaders.map(\.name)
                == ["x-powered-by", "x-aspnet-version", "x-runtime", "x-backend-"]
        )
        #expect(empty.hiding.responseHeaders.map(\.isPrefix) == [false, false, false, true])
        #expect(empty.logging.access?.format == .json && empty.logging.access?.target == .stdout)
        let full = try Configuration(json: Self.full)
        #expect(full.hiding.server == .replace("weir") && full.hiding.via == nil)
        #expect(full.logging.access == nil)
        let file = try Configuration(
            json: #"{"logging":{"access":{"format":"combined","to":"/var/log/a","sample":"100%"}}}"#
        )
        #expect(file.logging.access?.format == .combined)
        #expect(file.logging.access?.target == .file("/var/log/a"))
    }

    @Test("content is canonical: spelling, order of keys and notation do not change a digest")
    func isCanonical() throws {
        let configuration = try Configuration(json: Self.full)
        let contents = configuration.resources.map { String(decoding: $0.content, as: UTF8.self) }
        #expect(contents[0] == #"{"address":"[::1]:0","name":"alt"}"#)
        #expect(
            contents[1] == #"{"address":"0.0.0.0:8080","#
                + #""limits":{"bodyBytes":"1MiB","connections":10,"connectionsPerClient":0,"#
                + #""fieldSectionBytes":"64KiB"},"name":"web","protocol":"http","#
                + #""proxyProtocol":"off","timeouts":{"header":"1500ms","idle":"1m","#
                + #""minimumBodyRate":0},"trustedProxies":["10.0.0.0/8","::1/128"]}"#
        )
        #expect(contents.last == #"{"access":{"format":"off"}}"#)
        let other = try Configuration(
            json: #"{"logging":{"access":{"format":"off"}},"listeners":[{"address":"[::1]:0","#
                + #""name":"alt"}]}"#
        )
        #expect(other.resources[0] == configuration.resources[0])
        #expect(other.resources[1] == configuration.resources.last)
        #expect(
            configuration.manifest.digest.hex
                == "3186bd5b235193479b038564614e54c4cbf75505fb632befe7216896520b5578"
        )
    }

    @Test("stored resources make the same configuration again, reused or not")
    func readsResources() throws {
        let configuration = try Configuration(json: Self.full)
        let again = try Configuration(resources: configuration.resources)
        #expect(again == configuration && again.routes == configuration.routes)
        #expect(again.listeners == configuration.listeners && again.hiding == configuration.hiding)
        let reused = try Configuration(resources: again.resources, reusing: configuration)
        #expect(reused.upstreams == configuration.upstreams)
    }

    @Test("reused resources are still checked against what is new around them")
    func checksReused() throws {
        let configuration = try Configuration(json: Self.full)
        let rest = configuration.resources.filter { $0.kind != .upstream }
        #expect(throws: ConfigurationProblems.self) {
            try Configuration(resources: rest, reusing: configuration)
        }
    }

    @Test(
        "stored content that this target would not write is refused",
        arguments: [
            #"{"name":"web","address":"0.0.0.0:80"}"#, #"{"address": "0.0.0.0:80","name":"web"}"#,
            #"{"address":"0.0.0.0:80","name":"other"}"#, #"{"address":"0.0.0.0:80"}"#, "[]", "{",
            #"{"address":"0.0.0.0:80","name":"web","x":1}"#,
            #"{"address":"0.0.0.0:80","limits":{"bodyBytes":"1024"},"name":"web"}"#,
        ]
    )
    func refusesOtherContent(text: String) {
        let resource = Resource(kind: .listener, name: "web", content: Array(text.utf8))
        #expect(throws: ConfigurationProblems.self) { try Configuration(resources: [resource]) }
    }
}

@Suite("Sizes that nodes take")
struct ConfigurationSizeTests {
    @Test("a resource that nodes would refuse is refused, by its name")
    func largeResource() throws {
        let line = String(repeating: "x", count: 8_192)
        func document(_ lineCount: Int) -> String {
            let headers = (0..<lineCount).map { "\"x-\($0)\": \"\(line)\"" }
                .joined(separator: ",")
            return #"{"routes": [{"name": "big", "respond": {"headers": {\#(headers)}}}]}"#
        }
        let error = #expect(throws: ConfigurationProblems.self) {
            try Configuration(json: document(520))
        }
        let problem = try #require(error?.problems.first)
        #expect(error?.problems.count == 1)
        #expect(problem.path == "routes[big]")
        #expect(problem.message.contains("at most 4194304 are allowed"))
        #expect(problem.line == 1)
        _ = try Configuration(json: document(500))
    }

    @Test("more resources, or more octets in all, than nodes take are refused")
    func large() throws {
        let document = try JSONReader.read(
            Array(
                #"{"upstreams": [{"name": "a", "endpoints": [{"address": "127.0.0.1:1"}]},"#.utf8
            ) + Array(#"{"name": "b", "endpoints": [{"address": "127.0.0.1:2"}]}]}"#.utf8)
        )
        func problems(_ change: (inout ConfigurationChecker) -> Void) -> [String] {
            var checker = ConfigurationChecker()
            change(&checker)
            checker.add(document: document)
            do {
                _ = try checker.finish()
                return []
            } catch {
                return error.problems.map(\.message)
            }
        }
        #expect(problems { $0.resourceCountMax = 2 }.isEmpty)
        #expect(
            problems { $0.resourceCountMax = 1 }
                == ["a configuration has at most 1 resources, not 2"]
        )
        let total = problems { $0.configurationBytesMax = 10 }
        #expect(total.count == 1)
        #expect(total.first?.contains("at most 10 are allowed") == true)
        #expect(problems { $0.contentBytesMax = 10 }.count == 2)
    }
}
