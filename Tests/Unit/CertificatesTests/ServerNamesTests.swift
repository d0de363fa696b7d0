import FleetModel
import Testing

@testable import Certificates

@Suite("Names of certificates")
struct ServerNamesTests {
    private func names(_ texts: String...) -> ServerNames {
        ServerNames(
            dnsNames: texts.filter { IPAddress($0) == nil },
            addresses: texts.compactMap { IPAddress($0) }
        )
    }

    @Test("RFC 9525 §6.3: names match whole and without regard to case")
    func exact() {
        let shop = names("Shop.Example.com")
        for host in ["shop.example.com", "SHOP.example.COM", "shop.example.com."] {
            #expect(shop.covers(host), "\(host)")
        }
        for host in ["example.com", "a.shop.example.com", "shop.example.com.evil", "", ".", "*"] {
            #expect(!shop.covers(host), "\(host)")
        }
    }

    @Test("RFC 9525 §6.3: a wildcard is the whole first label and stands for exactly one")
    func wildcard() {
        let any = names("*.example.com")
        #expect(any.covers("a.example.com") && any.covers("xn--bcher-kva.example.com"))
        for host in ["example.com", "a.b.example.com", ".example.com", "aexample.com"] {
            #expect(!any.covers(host), "\(host)")
        }
        for pattern in ["a*.example.com", "*a.example.com", "a.*.com", "*.*.com", "*.com", "*"] {
            #expect(names(pattern).isEmpty, "\(pattern)")
        }
    }

    @Test("a pattern of the configuration is covered by the certificate's of the same suffix")
    func patterns() {
        let any = names("*.example.com", "example.com")
        #expect(any.covers("*.example.com"))
        #expect(!any.covers("*.a.example.com") && !any.covers("*.com"))
        #expect(!names("a.example.com").covers("*.example.com"))
    }

    @Test("RFC 9525 §6.5: addresses match addresses alone, and never a dNSName")
    func addresses() {
        let some = names("192.0.2.1", "2001:db8::1")
        for host in ["192.0.2.1", "2001:db8::1", "[2001:DB8:0::1]"] {
            #expect(some.covers(host), "\(host)")
        }
        for host in ["192.0.2.2", "[2001:db8::2]", "192.0.2.1.example.com", "[", "[]"] {
            #expect(!some.covers(host), "\(host)")
        }
        let lying = ServerNames(dnsNames: ["192.0.2.1", "*.0.2.1"], addresses: [])
        #expect(lying.isEmpty && !lying.covers("192.0.2.1"))
    }

    @Test("hosts that no certificate covers are told once each, in order")
    func uncovered() {
        let all = [names("shop.example.com"), names("*.example.org")]
        let hosts = [
            "www.example.net", "shop.example.com", "a.example.org", "www.example.net",
            "a.b.example.org",
        ]
        #expect(ServerNames.uncovered(hosts, by: all) == ["www.example.net", "a.b.example.org"])
        #expect(ServerNames.uncovered(["a"], by: []) == ["a"])
        #expect(ServerNames.uncovered([], by: all) == [])
    }
}
