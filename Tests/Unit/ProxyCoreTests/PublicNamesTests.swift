import FleetModel
import HTTPSemantics
@testable import ProxyCore
import Testing

@Suite("PublicNames")
struct PublicNamesTests {
    private func names(_ hiding: String = "{}") throws -> PublicNames? {
        let configuration = try Configuration(
            json: """
                {"upstreams": [{"name": "a", "endpoints": [
                   {"address": "10.0.0.1:9001"}, {"address": "origin.internal:80"},
                   {"address": "[fd00::1]:8080"}]}],
                 "hiding": \(hiding)}
                """
        )
        return PublicNames(configuration.hiding, configuration.upstreams)
    }

    private func rewrite(
        _ name: FieldName,
        _ value: String,
        authority: String = "shop.test:8080"
    ) throws -> String? {
        let found = try #require(try names())
        return found.rewrite(name, Array(value.utf8), authority: Array(authority.utf8))
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "URLs that name an endpoint become public",
        arguments: [
            ("http://10.0.0.1:9001/a?b#c", "http://shop.test:8080/a?b#c"),
            ("HTTP://Origin.Internal/x", "http://shop.test:8080/x"),
            ("http://origin.internal:80", "http://shop.test:8080"),
            ("//10.0.0.1:9001/a", "http://shop.test:8080/a"),
            ("http://user:word@10.0.0.1:9001/", "http://shop.test:8080/"),
            ("http://[fd00::1]:8080/", "http://shop.test:8080/"),
            ("https://10.0.0.1:9001?q", "http://shop.test:8080?q"),
        ]
    )
    func rewritesURLs(value: String, expected: String) throws {
        #expect(try rewrite(.location, value) == expected)
        #expect(try rewrite(.contentLocation, value) == expected)
        #expect(try rewrite(.refresh, "0; URL=\(value)") == "0; URL=\(expected)")
    }

    @Test(
        "Everything else stays as it is",
        arguments: [
            "/a", "a", "", "http://", "http:/", "//", "https://origin.internal/",
            "http://10.0.0.1/", "http://10.0.0.1:90011/", "http://10.0.0.1:9001.evil.test/",
            "http://evil.test/http://10.0.0.1:9001/", "ftp://10.0.0.1:9001/", "http://[fd00::1]/",
        ]
    )
    func leavesOthers(value: String) throws {
        #expect(try rewrite(.location, value) == nil)
    }

    @Test("Without an authority of the client's the path is left")
    func withoutAuthority() throws {
        #expect(try rewrite(.location, "http://10.0.0.1:9001/a", authority: "") == "/a")
        #expect(try rewrite(.location, "http://10.0.0.1:9001", authority: "") == "/")
    }

    @Test("RFC 6265 §4.1.1: a cookie's Domain that names an endpoint goes, and nothing else of it")
    func rewritesCookies() throws {
        #expect(
            try rewrite(.setCookie, "a=b; Domain=.Origin.internal; Path=/; Secure")
                == "a=b; Path=/; Secure"
        )
        #expect(try rewrite(.setCookie, "a=b;domain = 10.0.0.1") == "a=b")
        #expect(try rewrite(.setCookie, "domain=10.0.0.1") == nil)
        #expect(try rewrite(.setCookie, "a=b; Domain=shop.test") == nil)
    }

    @Test("The path of a unix socket stands in no URL")
    func leavesPaths() throws {
        let configuration = try Configuration(
            json: #"{"upstreams":[{"name":"a","endpoints":[{"address":"unix:/run/a.sock"}]}]}"#
        )
        #expect(PublicNames(configuration.hiding, configuration.upstreams) == nil)
    }

    @Test("What the configuration leaves alone is left alone")
    func respectsConfiguration() throws {
        #expect(try names(#"{"rewriteLocation": false, "rewriteCookies": false}"#) == nil)
        let cookies = try #require(try names(#"{"rewriteLocation": false}"#))
        #expect(!cookies.concerns(.location) && cookies.concerns(.setCookie))
        #expect(!cookies.concerns(.link))
    }
}
