import FleetModel
import Testing

@testable import Certificates

@Suite("Hosts of routes and the certificates of their listeners")
struct CoverageTests {
    /// Two https listeners with a certificate each, one without TLS, and routes.
    private func problems(_ routes: String, names: [String: [String]]? = nil) throws -> [String] {
        let configuration = try Configuration(
            json: """
                {"listeners": [
                    {"name": "web", "address": "127.0.0.1:80"},
                    {"name": "one", "address": "127.0.0.1:443", "protocol": "https",
                     "tls": {"certificates": ["a"]}},
                    {"name": "two", "address": "127.0.0.1:444", "protocol": "https",
                     "tls": {"certificates": ["b"]}}],
                 "certificates": [{"name": "a", "selfSigned": {"hosts": ["a.example"]}},
                                  {"name": "b", "selfSigned": {"hosts": ["b.example"]}}],
                 "routes": [\(routes)]}
                """
        )
        let known = names ?? ["a": ["a.example", "*.a.example"], "b": ["b.example"]]
        return CertificateCoverage.problems(
            in: configuration,
            names: known.mapValues { ServerNames(dnsNames: $0, addresses: []) }
        ).map { "\($0.path): \($0.message)" }
    }

    private func route(_ hosts: String, on listeners: String? = nil) -> String {
        let field = listeners.map { #", "listeners": [\#($0)]"# } ?? ""
        return #"{"name": "r", "hosts": [\#(hosts)], "respond": {"status": 200}\#(field)}"#
    }

    @Test("a host needs a certificate of one of the https listeners that serve its route")
    func covers() throws {
        #expect(try problems(route(#""a.example", "b.example""#)).isEmpty)
        #expect(try problems(route(#""x.a.example", "*.a.example""#)).isEmpty)
        #expect(try problems(route(#""a.example""#, on: #""one""#)).isEmpty)
        let missing = try problems(route(#""a.example", "b.example""#, on: #""one""#))
        #expect(missing.count == 1)
        #expect(
            missing.first?.hasPrefix("routes[r].hosts: no certificate of one covers b.example")
                == true
        )
        #expect(try problems(route(#""c.example", "y.x.a.example""#)).count == 2)
    }

    @Test("routes without hosts, off https listeners, or with unknown certificates are not judged")
    func passesOver() throws {
        #expect(try problems(#"{"name": "r", "respond": {"status": 200}}"#).isEmpty)
        #expect(try problems(route(#""c.example""#, on: #""web""#)).isEmpty)
        #expect(try problems(route(#""c.example""#), names: ["a": ["a.example"]]).isEmpty)
        #expect(
            try problems(route(#""c.example""#, on: #""one""#), names: ["a": ["a.example"]]).count
                == 1
        )
    }
}
