import Bytes
import Disclosure
import FleetModel
import HTTPSemantics
@testable import ProxyCore
import Testing

@Suite("PublicNames")
struct PublicNamesTests {
    private static func configuration(_ hiding: String = "{}") throws -> Configuration {
        try Configuration(
            json: """
                {"upstreams": [{"name": "a", "endpoints": [
                   {"address": "10.0.0.1:9001"}, {"address": "origin.internal:80"},
                   {"address": "[fd00::1]:8080"}]}],
                 "hiding": \(hiding)}
                """
        )
    }

    private func names(_ hiding: String = "{}") throws -> PublicNames? {
        PublicNames(try Self.configuration(hiding))
    }

    /// What a client sees: `nil` where the line goes.
    private func show(
        _ name: FieldName,
        _ value: String,
        authority: String = "shop.test:8080",
        isSecure: Bool = false,
        _ inverse: InversePath? = nil
    ) throws -> String? {
        let found = try #require(try names())
        let view = PublicView(authority: Array(authority.utf8), isSecure: isSecure)
        return switch found.show(name, Array(value.utf8), to: view, inverse) {
        case .same: value
        case .replaced(let other): String(decoding: other, as: UTF8.self)
        case .nothing: nil
        }
    }

    @Test(
        "URLs that name an endpoint become public",
        arguments: [
            ("http://10.0.0.1:9001/a?b#c", "http://shop.test:8080/a?b#c"),
            ("http://10.0.0.1/a", "http://shop.test:8080/a"),
            ("http://10.0.0.1:7/", "http://shop.test:8080/"),
            ("HTTP://Origin.Internal/x", "http://shop.test:8080/x"),
            ("http://origin.internal:80", "http://shop.test:8080"),
            ("http://origin.internal.:0080/x", "http://shop.test:8080/x"),
            ("//10.0.0.1:9001/a", "http://shop.test:8080/a"),
            ("/\\10.0.0.1:9001/a", "http://shop.test:8080/a"),
            ("http:\\\\10.0.0.1\\a", "http://shop.test:8080\\a"),
            ("http:10.0.0.1/a", "http://shop.test:8080/a"),
            ("http:////10.0.0.1/a", "http://shop.test:8080/a"),
            ("http://10.0.0.1:9001.evil.test/", "http://shop.test:8080/"),
            ("http://user:word@10.0.0.1:9001/", "http://shop.test:8080/"),
            ("http://a@b@10.0.0.1:9001/", "http://shop.test:8080/"),
            ("http://[fd00::1]:8080/", "http://shop.test:8080/"),
            ("http://[FD00:0::1]/", "http://shop.test:8080/"),
            ("http://[::ffff:10.0.0.1]/", "http://shop.test:8080/"),
            ("http://0xa.1/", "http://shop.test:8080/"),
            ("http://%31%30.0.0.1:9001/", "http://shop.test:8080/"),
            ("https://a/", "http://shop.test:8080/"),
            ("https://10.0.0.1:9001?q", "http://shop.test:8080?q"),
            ("wss://10.0.0.1/s", "ws://shop.test:8080/s"),
            (
                "https://id.test/?u=http%3A%2F%2F10.0.0.1%3A9001%2F",
                "https://id.test/?u=http%3A%2F%2Fshop.test%3A8080%2F"
            ),
            ("/login?at=10.0.0.1:9001", "/login?at=shop.test:8080"),
        ]
    )
    func rewritesURLs(value: String, expected: String) throws {
        #expect(try show(.location, value) == expected)
        #expect(try show(.contentLocation, value) == expected)
        #expect(try show(.refresh, "0; URL=\(value)") == "0; URL=\(expected)")
        #expect(try show(.refresh, "5;url='\(value)'") == "5;url='\(expected)'")
        #expect(try show(.refresh, "5, \(value)") == "5, \(expected)")
        #expect(
            try show(.link, "<\(value)>; rel=next, </x>; anchor=\"\(value)\"; title=\"a, b\"")
                == "<\(expected)>; rel=next, </x>; anchor=\"\(expected)\"; title=\"a, b\""
        )
    }

    @Test(
        "Everything else stays as it is",
        arguments: [
            "/a", "a", "", "http://", "http:/", "//", "https://elsewhere.test/",
            "http://10.0.0.11:9001/",
            "ftp://elsewhere.test:9001/", "http://[fd00::2]/", "../a", "?a", "#a",
            "http://shop.test:8080/a", "https://shop.test/a", "mailto:a@b.test",
        ]
    )
    func leavesOthers(value: String) throws {
        #expect(try show(.location, value) == value)
    }

    @Test("Over TLS a URL of the client's authority has https, and the other way round it keeps it")
    func schemes() throws {
        #expect(
            try show(.location, "http://shop.test/a", authority: "shop.test", isSecure: true)
                == "https://shop.test/a"
        )
        #expect(
            try show(
                .location,
                "http://shop.test:8443/a",
                authority: "shop.test:8443",
                isSecure: true
            )
                == "https://shop.test:8443/a"
        )
        #expect(
            try show(.location, "https://shop.test/a", authority: "shop.test")
                == "https://shop.test/a"
        )
        #expect(
            try show(.location, "http://10.0.0.1/a", authority: "shop.test", isSecure: true)
                == "https://shop.test/a"
        )
        #expect(
            try show(.location, "ws://10.0.0.1/a", authority: "shop.test", isSecure: true)
                == "wss://shop.test/a"
        )
    }

    @Test("Without an authority of the client's the path is left")
    func withoutAuthority() throws {
        #expect(try show(.location, "http://10.0.0.1:9001/a", authority: "") == "/a")
        #expect(try show(.location, "http://10.0.0.1:9001", authority: "") == "/")
        #expect(try show(.location, "http://10.0.0.1:9001?q", authority: "") == "/?q")
        #expect(
            try show(.location, "http://10.0.0.1//evil.test/", authority: "") == "/.//evil.test/"
        )
    }

    @Test("A host of clients with an endpoint's port becomes what the client asked for")
    func ownHostWithInnerPort() throws {
        for value in ["http://shop.test:9001/a", "//SHOP.test:9001/a"] {
            #expect(try show(.location, value) == "http://shop.test:8080/a")
            #expect(try show(.location, value, authority: "shop.test") == "http://shop.test/a")
        }
        #expect(try show(.location, "http://other.test:9001/") == "http://other.test:9001/")
        #expect(try show(.location, "http://shop.test:9002/") == "http://shop.test:9002/")
        #expect(try show(.other, "at shop.test:9001") == nil)
    }

    @Test(
        "A path as the upstream has it becomes the path as the client knows it",
        arguments: [
            ("/products", "/api/v1/items", "/api/v1/items/7?x#y", "/products/7?x#y"),
            ("/products", "/api/v1/items", "/api/v1/items", "/products"),
            ("/products", "/api/v1/items", "/api/v1/items/", "/products/"),
            ("/products", "/api/v1/items", "/api/v1/itemsx", "/api/v1/itemsx"),
            ("/products", "/api/v1/items", "/login", "/login"),
            ("/products", "/", "/7", "/products/7"),
            ("/products", "/", "/", "/products/"), ("/", "/api", "/api/x", "/x"),
            ("/", "/api", "/api", "/"),
            ("/", "/api", "/api?x", "/?x"), ("/products", "/api/v1/items", "items/7", "items/7"),
            (
                "/products", "/api/v1/items", "http://10.0.0.1:9001/api/v1/items/7?x#y",
                "http://shop.test:8080/products/7?x#y"
            ),
            (
                "/products", "/api", "http://shop.test:8080/api/7",
                "http://shop.test:8080/products/7"
            ),
            ("/products", "/", "http://10.0.0.1", "http://shop.test:8080/products/"),
            ("/products", "/api", "https://elsewhere.test/api/7", "https://elsewhere.test/api/7"),
            ("/a//", "/api", "/api/x", "/a//x"), ("/a//", "/api", "/api", "/a/"),
            ("/a", "/api//", "/api//x", "/a/x"), ("/a", "/api//", "/api/x", "/api/x"),
        ]
    )
    func invertsPaths(outer: String, inner: String, value: String, expected: String) throws {
        let inverse = InversePath(outer: outer, inner: inner)
        #expect(try show(.location, value, inverse) == expected)
        #expect(try show(.link, "<\(value)>", inverse) == "<\(expected)>")
    }

    @Test(
        "RFC 3986 §4.2: a path that is mapped back names no other host",
        arguments: [
            ("/", "/api", "/api//evil.test/x", "/.//evil.test/x"),
            ("/", "/api", "/api/\\evil.test", "/./\\evil.test"),
            ("/", "/api", "/api/\t/evil.test", "/./\t/evil.test"),
            ("//x", "/api", "/api/y", "/.//x/y"), ("/", "/api", "/api/x//y", "/x//y"),
        ]
    )
    func namesNoHost(outer: String, inner: String, value: String, expected: String) throws {
        let inverse = InversePath(outer: outer, inner: inner)
        #expect(try show(.location, value, inverse) == expected)
        #expect(try show(.refresh, "0; url=\(value)", inverse) == "0; url=\(expected)")
        #expect(try show(.link, "<\(value)>", inverse) == "<\(expected)>")
    }

    @Test(
        "A cookie's Path becomes the path as the client knows it",
        arguments: [
            ("/products", "/api/v1/items", "/api/v1/items", "/products"),
            ("/products", "/api/v1/items", "/api/v1/items/", "/products"),
            ("/products", "/api/v1/items", "/api/v1/items/x", "/products/x"),
            ("/products", "/api/v1/items", "/api/v1", "/products"),
            ("/products", "/api/v1/items", "/", "/"),
            ("/products", "/api/v1/items", "/api/v1/it", "/api/v1/it"),
            ("/products", "/", "/", "/products"),
            ("/products", "/", "/x", "/products/x"), ("/", "/api", "/api", "/"),
            ("/", "/api", "/api/x", "/x"),
        ]
    )
    func invertsCookies(outer: String, inner: String, path: String, expected: String) throws {
        let inverse = InversePath(outer: outer, inner: inner)
        #expect(try show(.setCookie, "a=b; Path=\(path); X", inverse) == "a=b; Path=\(expected); X")
        let host = "__Host-a=b; Path=\(path); Secure"
        #expect(try show(.setCookie, host, inverse) == host)
    }

    @Test("RFC 6265 §4.1.1: a cookie's Domain that names an endpoint goes, and nothing else of it")
    func rewritesCookies() throws {
        #expect(
            try show(.setCookie, "a=b; Domain=.Origin.internal; Path=/; Secure")
                == "a=b; Path=/; Secure"
        )
        #expect(try show(.setCookie, "a=b;domain = 10.0.0.1") == "a=b")
        #expect(try show(.setCookie, "a=b; Domain=internal") == "a=b")
        #expect(try show(.setCookie, "domain=x") == "domain=x")
        #expect(try show(.setCookie, "a=b; Domain=shop.test") == "a=b; Domain=shop.test")
        #expect(try show(.setCookie, "a=b", isSecure: true) == "a=b; Secure")
        #expect(try show(.setCookie, "a=b; SECURE ; x", isSecure: true) == "a=b; SECURE ; x")
        #expect(try show(.setCookie, "route=10.0.0.1:9001; Path=/") == nil)
        #expect(
            try show(.setCookie, "next=http%3A%2F%2F10.0.0.1%2Fx")
                == "next=http%3A%2F%2Fshop.test%3A8080%2Fx"
        )
    }

    @Test(
        "Other fields: URLs become public, and what names an endpoint otherwise goes",
        arguments: [
            (FieldName.other, "http://10.0.0.1:9001/x", "http://shop.test:8080/x"),
            (.other, "10.0.0.1:9001", nil), (.other, "via origin.internal", nil),
            (.other, "plain 1.2", "plain 1.2"),
            (.etag, "\"10.0.0.1-7\"", nil), (.warning, "199 10.0.0.1:9001 \"slow\"", nil),
            (
                .xFrameOptions, "ALLOW-FROM http://10.0.0.1:9001/",
                "ALLOW-FROM http://shop.test:8080/"
            ),
            (.other, "peer:fd00::1", nil), (.other, "//a/map", "//shop.test:8080/map"),
            (.altSvc, "h3=\":443\"", nil), (.proxyStatus, "cdn; error=dns_error", nil),
            (.accessControlAllowOrigin, "http://10.0.0.1:9001", "http://shop.test:8080"),
            (.contentSecurityPolicy, "connect-src 10.0.0.1:9001", "connect-src shop.test:8080"),
            (.wwwAuthenticate, "Basic realm=\"origin.internal\"", "Basic realm=\"shop.test:8080\""),
            (
                .contentType, "application/ld+json; profile=\"http://origin.internal/s\"",
                "application/ld+json; profile=\"http://shop.test:8080/s\""
            ),
            (
                .cacheControl, "private, node=\"10.0.0.1:9001\"",
                "private, node=\"shop.test:8080\""
            ),
            (.vary, "accept, 10.0.0.1", "accept, shop.test:8080"),
            (.other, "Domain=.10.0.0.1", nil),
            (.via, "1.1 10.0.0.1:9001 (Apache, 2), HTTP/2 fred,", "1.1 backend, HTTP/2 backend"),
        ] as [(FieldName, String, String?)]
    )
    func rewritesOthers(name: FieldName, value: String, expected: String?) throws {
        #expect(try show(name, value) == expected)
    }

    @Test("A line that public names make longer than any goes, and no more of it is made than that")
    func boundsGrowth() throws {
        let authority = String(repeating: "a", count: 63) + ".test"
        for (name, piece) in [
            (FieldName.location, "10.1,"), (.link, "<//a>,"), (.link, "</x>;anchor=//a;"),
            (.contentSecurityPolicy, "http://a "), (.setCookie, "http://a "), (.other, "http://a "),
        ] {
            let long = String(repeating: piece, count: 64_000 / piece.utf8.count)
            #expect(try show(name, "/" + long, authority: authority) == nil, "\(name) \(piece)")
            let short = String(repeating: piece, count: 100)
            #expect(try show(name, "/" + short, authority: authority) != nil, "\(name) \(piece)")
        }
        let inverse = InversePath(outer: "/" + String(repeating: "b", count: 4_000), inner: "/x")
        let links = String(repeating: "</x>,", count: 1_000)
        #expect(try show(.link, links, inverse) == nil)
    }

    @Test("Behind a unix socket is this machine")
    func localSockets() throws {
        let configuration = try Configuration(
            json: #"{"upstreams":[{"name":"a","endpoints":[{"address":"unix:/run/a.sock"}]}]}"#
        )
        let names = try #require(PublicNames(configuration))
        let view = PublicView(authority: Array("shop.test".utf8), isSecure: false)
        let shown = names.show(.location, Array("http://localhost/x".utf8), to: view, nil)
        #expect(shown == .replaced(Array("http://shop.test/x".utf8)))
    }

    @Test("What the configuration leaves alone is left alone")
    func respectsConfiguration() throws {
        #expect(
            try names(
                #"{"rewriteLocation": false, "rewriteCookies": false, "rewriteFields": false}"#
            )
                == nil
        )
        let locations = try #require(try names(#"{"rewriteLocation": false}"#)).unconcerned
        #expect(locations.contains(.location) && locations.contains(.link))
        #expect(!locations.contains(.setCookie) && !locations.contains(.other))
        let fields = try #require(try names(#"{"rewriteFields": false}"#)).unconcerned
        #expect(!fields.contains(.location) && !fields.contains(.setCookie))
        #expect(fields.contains(.via) && fields.contains(.altSvc) && fields.contains(.other))
        let all = try #require(try names()).unconcerned
        #expect(all.contains(.contentLength) && !all.contains(.etag))
        for name in [FieldName.xFrameOptions, .cacheControl, .vary, .allow, .secWebsocketProtocol] {
            #expect(!all.contains(name), "\(name) has room for a host")
        }
    }

    @Test("A date needs no search, and what stands in the place of one does")
    func dates() {
        for (value, needsLook) in [
            ("Fri, 27 Nov 2026 09:29:17 GMT", false), ("0", false), ("10.0.0.1:9001", true),
            ("Fri, 27 Nov 2026 09:29:17 UTC", true), ("Friday, 27-Nov-26 09:29:17 GMT", true),
        ] {
            let octets = Array(value.utf8)
            for name in [FieldName.date, .lastModified, .expires] {
                #expect(
                    PublicNames.concerns(name, octets.span, octets.indices) == needsLook,
                    "\(value)"
                )
            }
        }
    }

    @Test("Whatever an origin says, no name of an endpoint is left")
    func leavesNothing() throws {
        let pieces = [
            "http://", "https:", "ws://", "//", "/", "\\", "10.0.0.1", ":9001", ":",
            "origin.internal", "[fd00::1]", "[",
            "]", "::ffff:10.0.0.1", "%", "%3A", "%2F%2F", "%5C", "@", "?", "#", "<", ">", ";", ",",
            " ", "\"", "'", "=",
            "anchor", "url=", "Domain=", "Path=", "/api", "/products", "a", ".", "0", "5",
            "shop.test:8080", "\t", "\u{80}",
            "0xa.1", "%31", "-", "_",
        ].map { Array($0.utf8) }
        let names = try #require(try names())
        let inverses = [
            nil, InversePath(outer: "/products", inner: "/api"),
            InversePath(outer: "/p", inner: "/"),
        ]
        var random = SplitMix(state: 20_261_126)
        for _ in 0..<20_000 {
            let value = (0..<Int(random.next() % 9)).flatMap { _ in
                pieces[Int(random.next() % UInt64(pieces.count))]
            }
            let authority = ["shop.test:8080", "", "10.0.0.1:80"][Int(random.next() % 3)]
            let view = PublicView(
                authority: Array(authority.utf8),
                isSecure: random.next() % 2 == 0
            )
            let inverse = inverses[Int(random.next() % 3)]
            for name in [
                FieldName.location, .link, .refresh, .setCookie, .via, .other, .wwwAuthenticate,
            ] {
                guard case .replaced(let shown) = names.show(name, value, to: view, inverse) else {
                    continue
                }
                #expect(
                    names.names.sightings(in: shown.span, from: view).isEmpty,
                    "\(name): \(String(decoding: value, as: UTF8.self)) becomes \(String(decoding: shown, as: UTF8.self))"
                )
            }
        }
    }

    @Test(
        "A redirect to an endpoint's own address needs no search",
        arguments: ["shop.test", "shop.test:8080", "10.0.0.1:8080", "10.0.0.1"]
    )
    func plainRedirect(authority: String) throws {
        let names = try #require(try names())
        let value = Array("http://10.0.0.1:9001/api/v1/items/7?x=1".utf8)
        let asked = Array(authority.utf8)
        #expect(
            names.plainLocation(value.span, value.indices, asked: asked.span, isSecure: false)
                == .internalPlace(20..<39)
        )
    }

    @Test("A Location that is told at a glance is told as a search would")
    func plainLocations() throws {
        let pieces = [
            "http://", "https://", "/", "10.0.0.1", ":9001", ":80", ":8080", "origin.internal", "a",
            "shop.test", "other.example", "10.0.0.9", "?", "#", "/api", "/api/items", "x=1", "A",
            "//", ".", "%2F",
        ].map { Array($0.utf8) }
        let names = try #require(try names())
        let inverses = [
            nil, InversePath(outer: "/products", inner: "/api"),
            InversePath(outer: "/p", inner: "/"),
        ]
        var random = SplitMix(state: 20_261_127)
        var plainCount = 0
        for _ in 0..<40_000 {
            let value = (0..<Int(random.next() % 6)).flatMap { _ in
                pieces[Int(random.next() % UInt64(pieces.count))]
            }
            let authorities = ["shop.test:8080", "", "10.0.0.1:8080", "10.0.0.1", "SHOP.test"]
            let authority = Array(authorities[Int(random.next() % 5)].utf8)
            let view = PublicView(authority: authority, isSecure: random.next() % 2 == 0)
            let inverse = inverses[Int(random.next() % 3)]
            var head = Buffer(capacity: 1024)
            let isPlain = names.appendPlain(
                value.span,
                value.indices,
                asked: authority.span,
                isSecure: view.isSecure,
                inverse,
                after: { _ in },
                to: &head
            )
            guard isPlain else { continue }
            plainCount += 1
            let shown = names.show(.location, value, to: view, inverse)
            var plain: [UInt8] = []
            head.withReadable { plain.append(copying: $0) }
            #expect(
                shown == (plain == value ? .same : .replaced(plain)),
                "\(String(decoding: value, as: UTF8.self)) asked of \(String(decoding: authority, as: UTF8.self))"
            )
        }
        #expect(plainCount > 1_000)
    }

    /// Numbers that are the same in every run.
    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }
}
