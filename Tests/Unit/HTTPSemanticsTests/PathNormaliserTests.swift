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
            ("/a|b[c]", "/a%7Cb%5Bc%5D"), ("/\\..\\x", "/%5C..%5Cx"), ("/%5c", "/%5C"),
            ("/a;b=c,d@e:f!$&'()*+=", "/a;b=c,d@e:f!$&'()*+="), ("/%252e", "/%252e"),
            ("/%20", "/%20"),
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
        ]
    )
    func refuses(path: String) {
        #expect(normalised(path) == nil)
        let octets = Array(path.utf8)
        let isNormal = PathNormaliser.isNormal(octets.span, 0..<octets.count)
        #expect(!isNormal)
    }

    @Test("Rules for slashes are those of the configuration")
    func slashRules() {
        #expect(normalised("/a//b///", PathRules(mergesSlashes: true)) == "/a/b/")
        #expect(normalised("//a", PathRules(mergesSlashes: true)) == "/a")
        #expect(normalised("/a%2fb", PathRules(encodedSlash: .keep)) == "/a%2Fb")
        #expect(normalised("/a%2f..", PathRules(encodedSlash: .keep)) == "/a%2F..")
        #expect(normalised("/a%2fb%2f..", PathRules(encodedSlash: .decode)) == "/a/")
    }

    private func normalised(_ path: String, _ rules: PathRules = PathRules()) -> String? {
        let octets = Array(path.utf8)
        return PathNormaliser.normalise(octets.span, 0..<octets.count, rules: rules)
            .map { String(decoding: $0, as: UTF8.self) }
    }
}
