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

    private let acme =
        #""acme": {"directory": "https://ca.example/dir", "challenge": "tls-alpn-01"}"#

    @Test("what is ordered of an authority is read, its hosts in lower case and in order")
    func readsOrders() throws {
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:80"},
                               {"name": "tls", "address": "0.0.0.0:443", "protocol": "https",
                                "tls": {"certificates": ["shop"]}}],
                 "certificates": [{"name": "ca", "authority": {"file": "ca.pem", "digest": "\(digest)"}},
                                  {"name": "shop", "hosts": ["B.example", "a.example"],
                                   "acme": {"directory": "https://ca.example/dir", "email": "ops@b.example",
                                            "authority": "ca"}}]}
                """
        )
        let order = try #require(configuration.certificates.last?.order)
        #expect(order.hosts == ["a.example", "b.example"] && order.challenge == .http)
        #expect(order.email == "ops@b.example" && order.authority == "ca")
        // Nodes do not talk to the authority.
        #expect(configuration.neededCertificates == ["shop"])
        let back = try Configuration(resources: configuration.resources)
        #expect(back.certificates == configuration.certificates)
    }

    @Test("what no authority could prove is refused with the place and what to do")
    func refusesOrders() {
        func refusal(_ hosts: String, _ acme: String? = nil) -> String {
            problems("{\"name\": \"shop\", \(hosts)\(acme ?? self.acme)}").joined(separator: "\n")
        }
        let good = #""hosts": ["a.example"], "#
        #expect(refusal(good).isEmpty)
        #expect(refusal(#""hosts": ["*.a.example"], "#).contains("is a wildcard"))
        for address in ["192.0.2.1", "[2001:db8::1]"] {
            #expect(refusal(#""hosts": ["\#(address)"], "#).contains("is an address"))
        }
        #expect(refusal("").contains("hosts is missing"))
        #expect(refusal(#""hosts": [], "#).contains("must name a host"))
        let many = (0...100).map { #""h\#($0).example""# }.joined(separator: ",")
        #expect(refusal(#""hosts": [\#(many)], "#).contains("at most 100 names"))
        for directory in [
            "http://ca.example/dir", "https://", "https:///dir", "https://ca example",
        ] {
            let text = refusal(
                good,
                #""acme": {"directory": "\#(directory)", "challenge": "tls-alpn-01"}"#
            )
            #expect(text.contains("certificates[shop].acme.directory"), "\(directory)")
        }
        for email in ["nobody", "a@b@c", "@b", "a@", "a b@c", "a,b@c"] {
            let fields = #""directory": "https://ca.example", "challenge": "tls-alpn-01""#
            let text = refusal(good, #""acme": {\#(fields), "email": "\#(email)"}"#)
            #expect(text.contains("certificates[shop].acme.email"), "\(email)")
        }
        let plain = refusal(good, #""acme": {"directory": "https://ca.example"}"#)
        #expect(plain.contains("http-01 is answered on http listeners, and there is none"))
        let files = #""files": {"certificate": "a", "key": "b"}"#
        #expect(refusal(good, files).contains("hosts: does nothing without acme"))
        func bound(_ keyID: String, _ secret: String) -> String {
            let fields = #""directory": "https://ca.example", "challenge": "tls-alpn-01""#
            return refusal(
                good,
                #""acme": {\#(fields), "eab": {"keyID": "\#(keyID)", "secret": "\#(secret)"}}"#
            )
        }
        #expect(bound("a", "b").isEmpty)
        for keyID in ["", String(repeating: "k", count: 257)] {
            #expect(bound(keyID, "b").contains("certificates[shop].acme.eab.keyID: must be"))
        }
        #expect(bound("a", "b c").contains("certificates[shop].acme.eab.secret"))
    }

    @Test("secrets that a configuration names are known with their places")
    func namesSecrets() throws {
        let eab = #""eab": {"keyID": "k", "secret": "acme-key"}"#
        let configuration = try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "0.0.0.0:80"}], "certificates": [
                    {"name": "shop", "hosts": ["a.example"], "acme": {"directory": "https://ca.example", \(eab)}},
                    {"name": "lab", "selfSigned": {"hosts": ["b.example"]}}]}
                """
        )
        #expect(
            configuration.secretUses == [
                SecretUse(
                    kind: .certificate,
                    user: "shop",
                    field: "acme.eab.secret",
                    secret: "acme-key"
                )
            ]
        )
        let found = configuration.certificates.first { $0.name == "shop" }
        #expect(found?.order?.binding == .init(keyID: "k", secret: "acme-key"))
    }
}
