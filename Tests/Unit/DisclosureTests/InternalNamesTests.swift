import Bytes
import Disclosure
import FleetModel
import Testing

@Suite("Internal names")
struct InternalNamesTests {
    private static let json = """
        {"upstreams": [
            {"name": "main", "endpoints": [
                {"address": "10.0.0.1:9001"}, {"address": "origin.internal:80"}, {"address": "[fd00::1]:8080"},
                {"address": "app:9000"}, {"address": "shop.test:8443"}]},
            {"name": "products", "endpoints": [{"address": "unix:/run/p"}]}],
         "routes": [{"name": "r", "hosts": ["shop.test"], "upstream": "main"}]}
        """

    private func names() throws -> InternalNames {
        InternalNames(try Configuration(json: Self.json))
    }

    private func view(_ authority: String = "public.test", isSecure: Bool = false) -> PublicView {
        PublicView(
            authority: Array(authority.utf8),
            isSecure: isSecure,
            endpointHosts: [HostIdentity(.v4(0x0A01_0101))]
        )
    }

    /// What of a text is found, each piece with its scheme.
    private func found(_ text: String, from view: PublicView? = nil) throws -> [String] {
        let octets = Array(text.utf8)
        return try names().sightings(in: octets.span, from: view ?? self.view()).map { sighting in
            let scheme = sighting.scheme.map { String(decoding: octets[$0], as: UTF8.self) + "|" }
            return (scheme ?? "") + String(decoding: octets[sighting.range], as: UTF8.self)
        }
    }

    @Test("the name to find endpoints by is internal, and so is what has been found")
    func discovered() throws {
        let json = """
            {"upstreams": [{"name": "main", "discovery": {"dns": "pool.internal:80"}}],
             "routes": [{"name": "r", "hosts": ["shop.test"], "upstream": "main"}]}
            """
        let configured = InternalNames(try Configuration(json: json))
        let found = [
            NetworkAddress(host: .ip(.v4(0x0A00_0009)), port: 80),
            NetworkAddress(host: .name("one.internal"), port: 81),
            NetworkAddress(host: .name("shop.test"), port: 82),
        ]
        let names = configured.adding(found)
        func count(_ names: InternalNames, _ text: String) -> Int {
            names.sightings(in: Array(text.utf8).span, from: view()).count
        }
        for text in ["http://pool.internal/", "at pool.internal:99"] {
            #expect(count(configured, text) == 1 && count(names, text) == 1)
        }
        for text in ["10.0.0.9", "http://one.internal/", "one.internal:81", "shop.test:82"] {
            #expect(count(configured, text) == 0 && count(names, text) == 1, "\(text)")
        }
        #expect(count(names, "http://shop.test/") == 0)
    }

    @Test(
        "an endpoint is found wherever and however it is named",
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("10.0.0.1:9001", "10.0.0.1:9001"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("at 10.0.0.1.", "10.0.0.1"), ("http://10.0.0.1.:09001/", "http|10.0.0.1.:09001"),
            ("ip=10.0.0.1;x", "10.0.0.1"), ("web-10.0.0.1-a", "10.0.0.1"),
            ("x_10.0.0.1_9001", "10.0.0.1"), ("v10.0.0.1", "10.0.0.1"), ("(10.0.0.1)", "10.0.0.1"),
            ("http://10.0.0.1:9001/x", "http|10.0.0.1:9001"),
            ("HTTPS://10.0.0.1", "HTTPS|10.0.0.1"),
            ("ws://10.0.0.1/", "ws|10.0.0.1"), ("//10.0.0.1/", "10.0.0.1"),
            ("http://a:b@10.0.0.1/", "http|a:b@10.0.0.1"),
            ("http:\\\\10.0.0.1\\x", "http|10.0.0.1"),
            ("origin.internal", "origin.internal"), ("ORIGIN.Internal:80", "ORIGIN.Internal:80"),
            ("http://origin.internal./", "http|origin.internal."),
            ("on origin.internal, v2", "origin.internal"),
            ("[fd00::1]:8080", "[fd00::1]:8080"), ("fd00::1", "fd00::1"),
            ("FD00:0:0::0001", "FD00:0:0::0001"),
            ("http://[fd00::1]/", "http|[fd00::1]"), ("fd00:0:0:0:0:0:0:1", "fd00:0:0:0:0:0:0:1"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("[::ffff:a00:1]:9001", "[::ffff:a00:1]:9001"),
            ("http://0x0a.0.0.1/", "http|0x0a.0.0.1"), ("http://167772161/", "http|167772161"),
            ("http://10.1/", "http|10.1"), ("http://012.0.0.01/", "http|012.0.0.01"),
            ("http%3A%2F%2F10.0.0.1%3A9001%2Fx", "http|10.0.0.1%3A9001"),
            ("u=http%3a%2f%2forigin.internal", "http|origin.internal"),
            ("%2531%2530.0.0.1 10%2E0%2E0%2E1", "10%2E0%2E0%2E1"),
            ("http%253A%252F%252Forigin.internal", "origin.internal"),
            ("http://app/", "http|app"), ("app:9000", "app:9000"),
            ("http://products/x", "http|products"),
            ("<//products/x>", "products"), ("shop.test:8443", "shop.test:8443"),
            ("https://shop.test:8443/", "https|shop.test:8443"), ("localhost:80", "localhost:80"),
            ("http://localhost/", "http|localhost"), ("10.1.1.1", "10.1.1.1"),
            ("d=.10.0.0.1;", "10.0.0.1"), ("Domain=..origin.internal", "origin.internal"),
            ("a.origin.internal", "a.origin.internal"),
            ("Pod-7.X.Origin.Internal.:80", "Pod-7.X.Origin.Internal.:80"),
            ("https://z9.origin.internal/x", "https|z9.origin.internal"),
            ("u=http%3a%2f%2f9.origin.internal", "http|9.origin.internal"),
            ("fd00::1:8080", "fd00::1:8080"),
            ("fd00:0:0:0:0:0:0:1:65535", "fd00:0:0:0:0:0:0:1:65535"),
            ("peer:fd00::1", "fd00::1"), ("node:fd00::1:80;", "fd00::1:80"),
            ("fd00::1:*", "fd00::1"),
            ("::ffff:a00:1:9001", "::ffff:a00:1:9001"), ("a=//app/map", "app"),
            ("\"//products/12345678\"", "products"), ("a = //app", "app"), ("1234567 //app", "app"),
        ]
    )
    func finds(text: String, expected: String) throws {
        #expect(try found(text) == [expected])
        let octets = Array(text.utf8)
        let isSeen = InternalNames.mayStand(in: octets.span, 0..<octets.count)
        #expect(isSeen)
    }

    @Test(
        "what is alike but another thing is left alone",
        arguments: [
            "", "10.0.0.2", "110.0.0.1", "10.0.0.11", "10.0.0.1.5", "1.10.0.0.1", "10.0.0",
            "10.0.0.1234",
            "xorigin.internal", "origin.internal.test", "other.internal", "origin.internal-2",
            "http://a.shop.test/", "a.xorigin.internal", "a.app", "http://a.products/",
            "a.internal",
            "app", "an app.",
            "products", "products.csv", "/products/x", "/a//products/7", "localhost", "shop.test",
            "https://shop.test/",
            "http://public.test/", "fd00::2", "12:30:45", "std::string", "22:14:40 GMT",
            "a:b:c:d:e:f:0", "fd00::2:80", "peer:fd00::2", "1:fd00::1:2:3", "fd00::11:8080",
            "::1:8",
            "%", "%1", "%zz10.0.0.2", "::", "http://", "//", "@10.0.0.2", "http://app.test/",
        ]
    )
    func leaves(text: String) throws {
        #expect(try found(text) == [])
    }

    @Test("names below an internal one are internal where only a network of one's own has such")
    func below() throws {
        func count(_ text: String, _ hosts: String, _ authority: String = "public.test") throws
            -> Int
        {
            let json = """
                {"upstreams": [
                    {"name": "main", "endpoints": [{"address": "api.corp:80"}, {"address": "api.example.com:80"}]},
                    {"name": "found", "discovery": {"dns": "_http._tcp.pods.lan:1", "type": "srv"}},
                    {"name": "wide", "endpoints": [{"address": "lan:80"}]}],
                 "routes": [{"name": "r", "hosts": [\(hosts)], "upstream": "main"}]}
                """
            let names = InternalNames(try Configuration(json: json))
            return names.sightings(in: Array(text.utf8).span, from: view(authority)).count
        }
        let usual = #""shop.test""#
        #expect(try count("http://v1.api.corp/ v2.api.corp p1.pods.lan:8080", usual) == 3)
        #expect(try count("http://v1.api.example.com/ other.lan http://b.corp/", usual) == 0)
        #expect(try count("http://v1.api.corp/", usual, "v2.api.corp") == 0)
        for hosts in [
            #""api.corp""#, #""x.api.corp""#, #""*.corp""#, #""*.api.corp""#, #""*.x.api.corp""#,
        ] {
            #expect(try count("http://v1.api.corp/", hosts) == 0, "\(hosts)")
            #expect(try count("http://p1.pods.lan/", hosts) == 1, "\(hosts)")
        }
    }

    @Test("of a host that the client asked for, endpoints' ports alone are found")
    func askedHosts() throws {
        let view = view("10.0.0.1:8080")
        #expect(try found("http://10.0.0.1:8080/ 10.0.0.1 10.0.0.1:77", from: view) == [])
        #expect(try found("http://10.0.0.1:9001/", from: view) == ["http|10.0.0.1:9001"])
        #expect(try found("http://10.0.0.1:9001/", from: self.view("10.0.0.1:9001")) == [])
    }

    @Test(
        "a port of endpoints is internal at any public host, unless listeners have it or it is usual"
    )
    func endpointPorts() throws {
        let names = InternalNames(
            try Configuration(
                json: """
                    {"listeners": [{"name": "a", "address": "0.0.0.0:8443", "protocol": "http", "redirectToHTTPS": 9443}],
                     "upstreams": [{"name": "main", "endpoints": [
                        {"address": "10.0.0.1:9001"}, {"address": "10.0.0.1:80"}, {"address": "10.0.0.1:443"},
                        {"address": "10.0.0.1:8443"}, {"address": "10.0.0.1:9443"}]}],
                     "routes": [{"name": "r", "hosts": ["shop.test"], "upstream": "main"}]}
                    """
            )
        )
        for (text, count) in [
            ("http://public.test:9001/", 1), ("shop.test:9001", 1), ("http://other.test:9001/", 0),
            (
                "http://public.test:80/ https://shop.test:443/ https://shop.test:8443 shop.test:9443",
                0
            ),
        ] {
            let octets = Array(text.utf8)
            #expect(names.sightings(in: octets.span, from: view()).count == count, "\(text)")
        }
        let octets = Array("http://public.test:9001/".utf8)
        #expect(names.sightings(in: octets.span, from: view("public.test:9001")).isEmpty)
    }

    @Test("all places are found, in their order")
    func findsAll() throws {
        #expect(
            try found(
                "10.0.0.1:9001,10.0.0.1 http://origin.internal/?u=http%3A%2F%2Fapp%2F, public.test"
            )
                == ["10.0.0.1:9001", "10.0.0.1", "http|origin.internal", "http|app"]
        )
    }

    @Test("a cookie's Domain is internal, too, when it holds internal hosts and not the client's")
    func cookieDomains() throws {
        func hides(_ domain: String, _ authority: String) throws -> Bool {
            try names().hides(domain: Array(domain.utf8)[...], from: view(authority))
        }
        #expect(try hides("origin.internal", "public.test") && hides(".INTERNAL", "public.test"))
        #expect(try hides("10.0.0.1", "public.test") && hides("products", "public.test"))
        #expect(try !hides("public.test", "public.test") && !hides("test", "public.test"))
        #expect(try !hides("internal", "a.internal") && !hides("", "public.test"))
    }

    @Test("any octets can be looked at, at every cut")
    func takesAnything() throws {
        let names = try names()
        let pieces = [
            "10.0.0.1", ":", "[", "]", "%", "%2", "//", "@", "http:", "::", "origin.internal", ".",
            "9", "\\", "main",
        ]
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let octets = Array((first + second + third).utf8)
                    for end in 0...octets.count {
                        let text = Array(octets[..<end])
                        var last = 0
                        for sighting in names.sightings(in: text.span, from: view()) {
                            let start = sighting.scheme?.lowerBound ?? sighting.range.lowerBound
                            #expect(start >= last && !sighting.range.isEmpty)
                            last = sighting.range.upperBound
                        }
                        #expect(last <= text.count)
                        _ = URLAuthority(text[...])
                    }
                }
            }
        }
    }
}
