import Bytes
import HTTPSemantics
import Testing

@Suite("Paths")
struct PathNormaliserTests {
    @Test(
        "RFC 3986 §6.2.2: a path has one spelling",
        arguments: [
            ("", "/"), ("/", "/"), ("/a/b", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"),
            ("/a/b/..", "/a/"), ("/a/b/.", "/a/b/"), ("/a/b/../", "/a/"), ("/a/..", "/"),
            ("/%61%2D%7e", "/a-~"), ("/%3a", "/%3A"), ("/%e2%82%ac", "/%E2%82%AC"),
            ("/a/%2e%2E/b", "/b"), ("/%2e", "/"), ("/...", "/..."), ("/.a", "/.a"),
            ("/a..", "/a.."), ("/a//b", "/a//b"), ("//", "//"), ("/a//../b", "/a/b"),
            ("/a|b[c]", "/a%7Cb%5Bc%5D"), ("/%3f%23", "/%3F%23"),
            ("/a;b=c,d@e:f!$&'()*+=", "/a;b=c,d@e:f!$&'()*+="), ("/%252e", "/%252e"),
            ("/%252e%252e%252f", "/%252e%252e%252f"), ("/%255c", "/%255c"),
            ("/%20", "/%20"), ("/a;..", "/a;.."), ("/a;/../b", "/b"), ("/;x", "/;x"),
            ("/...;x", "/...;x"), ("/.a;x", "/.a;x"), ("/a.", "/a."), ("/a%20", "/a%20"),
            ("/a%2e%20", "/a.%20"), ("/%c3%a9", "/%C3%A9"), ("/%e9", "/%E9"),
            ("/%e0%a0%80", "/%E0%A0%80"),
            ("/%c0/%af", "/%C0/%AF"), ("/%f0%90%80%80", "/%F0%90%80%80"), ("/%c0a", "/%C0a"),
        ]
    )
    func normalises(path: String, normal: String) {
        #expect(normalised(path) == normal)
        #expect(normalised(normal) == normal)
        let octets = Array(path.utf8)
        if PathNormaliser.isNormal(octets.span, 0..<octets.count) { #expect(path == normal) }
    }

    @Test(
        "A path that readers would read differently is refused",
        arguments: [
            "/%2f", "/a%2Fb", "/%00", "/%", "/%2", "/%zz", "/a%g0", "/..", "/a/../..",
            "/%2e%2e/", "a", "*",
            // Separators of some readers, and parameters that servlet containers drop.
            "/\\..\\x", "/%5c", "/a%5Cb", "/a\\b", "/..;/a", "/a/..;x/b", "/.;x", "/%2e%2E;/a",
            "/..%3b/a",
            "/%2e;", "/..;..", "/.%3B",
            // Escapes of others, and half of ours.
            "/%u002f", "/%u2215", "/%x2f", "/%%32%66", "/%-2f", "/% 2f", "/%2", "/a%",
            // Control characters.
            "/a%00.html", "/%01", "/%0d%0aX", "/%09", "/%1F", "/%7f", "/a\u{7F}", "/a\u{1}",
            // Overlong UTF-8: a slash, a backslash, a dot, a NUL.
            "/%c0%af", "/..%c0%af..", "/%C1%9c", "/%c0%ae%c0%ae/", "/%e0%80%af", "/%e0%80%ae/",
            "/%f0%80%80%af", "/%f8%80%80%80%af", "/%fc%80%80%80%80%af", "/%c0%80", "/a%E0%9f%bf",
        ]
    )
    func refuses(path: String) {
        #expect(normalised(path) == nil)
        let octets = Array(path.utf8)
        let isNormal = PathNormaliser.isNormal(octets.span, 0..<octets.count)
        #expect(!isNormal)
    }

    @Test(
        "Rules for slashes are those of the configuration; what is refused has no normal form",
        arguments: [
            (true, PathRules.EncodedSlash.reject, "/a//b///", "/a/b/"),
            (true, .reject, "//a", "/a"),
            (true, .reject, "/a/..//b", "/b"), (true, .reject, "/.//a", "/a"),
            (true, .reject, "///", "/"), (true, .reject, "/a%2fb", ""),
            (false, .keep, "/a%2fb", "/a%2Fb"), (false, .keep, "/a%5cb", "/a%5Cb"),
            (false, .keep, "/a\\b", "/a%5Cb"), (false, .keep, "/a%2f%2fb", "/a%2F%2Fb"),
            (false, .keep, "/%2fa", "/%2Fa"), (true, .keep, "/a%2f/b", "/a%2F/b"),
            (false, .keep, "/a%2f..", ""), (false, .keep, "/..%2fa", ""),
            (false, .keep, "/a/%2e%2e%2fb", ""), (false, .keep, "/a%2f.%2fb", ""),
            (false, .keep, "/..%5ca", ""), (false, .keep, "/..\\a", ""),
            (false, .keep, "/a%2f..;x", ""), (false, .keep, "/a%2f...%2fb", "/a%2F...%2Fb"),
            (false, .keep, "/%c0%af", ""),
            (false, .decode, "/a%2fb", "/a/b"), (false, .decode, "/a%2fb%2f..", "/a/"),
            (false, .decode, "/a%2f..", "/"), (false, .decode, "/..%2fa", ""),
            (false, .decode, "/a%2f%2fb", "/a//b"), (true, .decode, "/a%2f%2fb", "/a/b"),
            (false, .decode, "/a%252fb", "/a%252fb"), (false, .decode, "/a%5c..", ""),
            (false, .decode, "/%2f", "//"), (true, .decode, "/%2f", "/"),
        ]
    )
    func slashRules(merges: Bool, slash: PathRules.EncodedSlash, path: String, normal: String) {
        let rules = PathRules(mergesSlashes: merges, encodedSlash: slash)
        #expect(normalised(path, rules) ?? "" == normal)
        if !normal.isEmpty { #expect(normalised(normal, rules) == normal) }
        let octets = Array(path.utf8)
        if PathNormaliser.isNormal(octets.span, 0..<octets.count, rules: rules) {
            #expect(path == normal)
        }
    }

    private func normalised(_ path: String, _ rules: PathRules = PathRules()) -> String? {
        let octets = Array(path.utf8)
        return PathNormaliser.normalise(octets.span, 0..<octets.count, rules: rules)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
