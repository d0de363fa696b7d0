import Testing

@testable import FleetModel

@Suite("Certificates of a configuration")
struct CertificateTests {
    private let digest = String(repeating: "ab", count: 32)

    private func problems(_ certificates: String, serving: String = "shop") -> [String] {
        do {
            _ = try Configuration(
                json: """
                    {"listeners": [{"name": "web", "address": "0.0.0.0:443", "protocol": "https",
                                    "tls": {"certificates": ["\(serving)"]}}],
                     "certificates": [\(certificates)]}
                    """
            )
            return []
        } catch {
            return error.problems.map { "\($0.path): \($0.message)" }
        }
    }

    @Test("files, self-signed ones and authorities are read, with the digest where there is one")
    func reads() throws {
        let configuration = try Configuration(
            json: """
                {"certificates": [
                    {"name": "a", "files": {"certificate": "a.crt", "key": "a.key"}},
                    {"name": "b", "files": {"certificate": "b.crt", "key": "b.key",
                                            "digest": "\(digest)"}},
                    {"name": "c", "selfSigned": {"hosts": ["localhost", "127.0.0.1"]}},
                    {"name": "d", "authority": {"file": "d.pem", "digest": "\(digest)"}}]}
                """
        )
        let found = configuration.certificates
        #expect(found.map(\.name) == ["a", "b", "c", "d"])
        #expect(found.map { $0.digest?.hex } == [nil, digest, nil, digest])
        #expect(found.map(\.isAuthority) == [false, false, false, true])
        #expect(found.map(\.isIssued) == [false, false, true, false])
        #expect(found[2].source == .selfSigned(hosts: ["localhost", "127.0.0.1"]))
        // Nothing names any of them, so no node needs any.
        #expect(configuration.neededCertificates.isEmpty)
        let back = try Configuration(resources: configuration.resources)
        #expect(back.certificates == found)
    }

    @Test("nodes need what listeners name, and where it is named is known")
    func uses() throws {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:443", "protocol": "https",
                                "tls": {"certificates": ["shop"], "clientCertificate":
                                        {"mode": "require", "authorities": ["partners"]}}}],
                 "certificates": [{"name": "shop", "selfSigned": {"hosts": ["a.example"]}},
                                  {"name": "other", "selfSigned": {"hosts": ["b.example"]}},
                                  {"name": "partners", "authority": {"file": "p.pem"}}]}
                """
        )
        #expect(configuration.neededCertificates == ["shop", "partners"])
        let uses = configuration.certificateUses
        #expect(uses.map(\.user) == ["web", "web"])
        #expect(uses.map(\.isServed) == [true, false])
        #expect(uses.map(\.wantsAuthority) == [false, true])
    }

    @Test("authorities cannot be served, a certificate cannot be trusted, and names must be there")
    func refuses() {
        let files = #"{"name": "shop", "files": {"certificate": "a", "key": "b"}}"#
        #expect(problems(files).isEmpty)
        #expect(
            problems(#"{"name": "shop", "authority": {"file": "a"}}"#)
                == [
                    "listeners[web].tls.certificates[0]: \"shop\" holds authorities to trust, and no key"
                ]
        )
        #expect(problems(files, serving: "shpo").first?.contains("did you mean shop?") == true)
        for source in [#""acme": {"directory": "https://a.example/dir"}"#, ""] {
            let text = #"{"name": "shop"\#(source.isEmpty ? "" : ", " + source)}"#
            #expect(!problems(text).isEmpty)
        }
    }

    @Test("a digest is 64 digits in lower case", arguments: ["", "ab", "AB", "g"])
    func digests(part: String) {
        let text = part.count == 2 ? String(repeating: part, count: 32) : part
        let found = problems(
            #"{"name": "shop", "files": {"certificate": "a", "key": "b", "digest": "\#(text)"}}"#
        )
        #expect(found.isEmpty == (part == "ab"), "\(found)")
    }
}
