import ProxyProtocol
import Testing

@Suite("Version 1 of the PROXY protocol")
struct LineTests {
    @Test("addresses of both families are read, and what follows is left alone")
    func readsAddresses() {
        let v4 = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
        #expect(read(v4) == .read(.complete(toldV4, byteCount: v4.utf8.count)))
        #expect(read(v4 + "GET / HTTP/1.1") == read(v4))
        #expect(read(v4 + "\0\r\n") == read(v4))
        let v6 = "PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 1 65535\r\n"
        #expect(read(v6) == .read(.complete(toldV6, byteCount: v6.utf8.count)))
    }

    @Test("UNKNOWN tells nothing, whatever stands behind it")
    func readsUnknown() {
        for rest in ["", " ", " ffff:f...f:ffff nonsense 1", " TCP4 192.0.2.1 198.51.100.1 1 2"] {
            let line = "PROXY UNKNOWN\(rest)\r\n"
            #expect(read(line) == .read(.complete(.unspecified, byteCount: line.utf8.count)))
        }
    }

    @Test(
        "every spelling of an IPv6 address that RFC 4291 §2.2 has",
        arguments: [
            ("::", 0, 0), ("::1", 0, 1), ("1::", 0x0001_0000_0000_0000, 0),
            ("1:2:3:4:5:6:7:8", 0x0001_0002_0003_0004, 0x0005_0006_0007_0008),
            ("::ffff:192.0.2.1", 0, 0xFFFF_C000_0201),
            ("1:2:3:4:5:6:192.0.2.1", 0x0001_0002_0003_0004, 0x0005_0006_C000_0201),
            ("fe80::a:B", 0xFE80_0000_0000_0000, 0x000A_000B),
        ] as [(String, UInt64, UInt64)]
    )
    func readsIPv6(text: String, high: UInt64, low: UInt64) {
        let line = "PROXY TCP6 \(text) ::2 1 2\r\n"
        let told = ProxyHeader.addresses(
            source: ProxyAddress(high: high, low: low, port: 1),
            destination: ProxyAddress(high: 0, low: 2, port: 2)
        )
        #expect(read(line) == .read(.complete(told, byteCount: line.utf8.count)))
    }

    @Test(
        "the same comes of a header however it is cut",
        arguments: [
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            "PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY TCP4 1 2 3 4\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n", "PROXY\r\n", "GET / HTTP/1.1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
        ]
    )
    func readsPieces(line: String) {
        let octets = Array(line.utf8)
        #expect(readByOctets(octets) == read(octets))
        for count in octets.indices {
            let part = read(Array(octets[..<count]))
            #expect(part == .read(.incomplete) || part == read(octets), "after \(count) octets")
        }
    }

    @Test(
        "what is not written as it must be is refused",
        arguments: [
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n", .lineEndInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\r\n", .lineEndInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\rX", .lineEndInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 x\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1  443\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1\r\n", .portInvalid),
            ("PROXY TCP4 192.0.2.1\r\n", .addressInvalid), ("PROXY TCP4\r\n", .addressInvalid),
            ("PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n", .addressInvalid),
            ("PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n", .addressInvalid),
            ("PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n", .addressInvalid),
            ("PROXY TCP4 192.0.2.1. 198.51.100.1 1 2\r\n", .addressInvalid),
            ("PROXY TCP4 192.0.2.1.1 198.51.100.1 1 2\r\n", .addressInvalid),
            ("PROXY TCP4 ::1 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 1::2::3 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 1:2:3:4::5:6:7:8 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 :1 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 ::: ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 ::12345 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 ::1%eth0 ::1 1 2\r\n", .addressInvalid),
            ("PROXY TCP6 192.0.2.1::1 ::1 1 2\r\n", .addressInvalid),
            ("PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n", .protocolUnknown),
            ("PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n", .protocolUnknown),
            ("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", .protocolUnknown),
            ("PROXY UNKNOWNS\r\n", .protocolUnknown), ("PROXY \r\n", .protocolUnknown),
        ] as [(String, ProxyProtocolError)]
    )
    func refuses(line: String, error: ProxyProtocolError) {
        #expect(read(line) == .refused(error))
    }

    @Test("107 octets are the most that a line may have")
    func boundsLines() {
        let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
        #expect(longest.utf8.count == 107)
        #expect(read(longest) == .read(.complete(.unspecified, byteCount: 107)))
        let tooLong = "PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n"
        #expect(read(tooLong) == .refused(.lineTooLong))
        #expect(readByOctets(Array(tooLong.utf8)) == .refused(.lineTooLong))
        #expect(read("PROXY " + String(repeating: " ", count: 100)) == .read(.incomplete))
    }

    @Test("what begins otherwise is no header, as soon as that can be seen")
    func passesOthers() {
        for text in [
            "G", "PRO ", "PROXY\r", "proxy TCP4 ", "\r\n\r\n\r", "\n", " PROXY ", "\u{16}",
        ] {
            #expect(read(text) == .read(.absent), "\(text)")
        }
        for text in ["", "P", "PROXY", "\r", "\r\n\r\n\0\r\nQUIT"] {
            #expect(read(text) == .read(.incomplete), "\(text)")
        }
    }
}
