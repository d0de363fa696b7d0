import Certificates
import Cryptography
import FleetModel
import Testing

@testable import Authority

@Suite("Self-signed certificates")
struct SelfSignedTests {
    let scratch: Scratch
    let authority: Authority

    init() async throws {
        scratch = try Scratch()
        (_, authority) = try await scratch.open()
    }

    private func refusal(_ hosts: [String]) -> AuthorityError? {
        do {
            _ = try authority.selfSigned(hosts: hosts)
            return nil
        } catch {
            return error
        }
    }

    @Test("a certificate is for its hosts, by itself, for 90 days, and of P-256")
    func made() throws {
        let hosts = ["Localhost", "127.0.0.1", "[::1]", "*.lab.example.com", "localhost.", "::1"]
        let material = try authority.selfSigned(hosts: hosts)
        let seconds = scratch.clock.now / 1000
        #expect(
            material.facts.names.texts == ["localhost", "*.lab.example.com", "127.0.0.1", "::1"]
        )
        #expect(material.facts.subject == "CN=localhost")
        #expect(material.facts.key == .p256)
        #expect(material.facts.notBeforeSeconds == seconds - 300)
        #expect(material.facts.notAfterSeconds == seconds + 90 * 86_400)
        let details = try CertificateDetails(der: material.chain[0])
        #expect(details.isSelfSigned && !details.isAuthority && details.allowsServers)
        #expect(material.key.matches(details))
    }

    @Test("it passes the checks of certificates that are applied")
    func passes() throws {
        let material = try authority.selfSigned(hosts: ["shop.example.com"])
        let key = material.key.der.withOctets { PEM.encode($0, label: "PRIVATE KEY") }
        let again = try CertificateMaterial(
            certificateText: Array(PEM.encode(material.chain[0], label: "CERTIFICATE").utf8),
            keyText: Array(key.utf8),
            atSeconds: scratch.clock.now / 1000
        )
        #expect(again.digest == material.digest && again.key == material.key)
    }

    @Test("no two are the same, in key or serial number")
    func fresh() throws {
        let all = try (0..<20).map { _ in try authority.selfSigned(hosts: ["a"]) }
        #expect(Set(all.map(\.facts.serial)).count == 20)
        #expect(Set(all.map(\.facts.publicKeyDigest)).count == 20)
        #expect(all.allSatisfy { $0.facts.serial.utf8.count >= 32 })
    }

    @Test("hosts that no client could match are refused")
    func refused() {
        let long = String(repeating: "a", count: 60) + ".example.com"
        #expect(refusal([long]) == nil)
        #expect(refusal([]) == .hostInvalid(""))
        for host in ["", "a b", "*", "*.com", "a..b", "é.example.com", "1.2.3", "[::1", "a\0b"] {
            #expect(refusal(["localhost", host]) == .hostInvalid(host), "\(host)")
        }
    }
}
