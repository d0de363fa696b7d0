import Bytes
import HTTPSemantics
import Testing

@Suite("Addresses of hops")
struct ClientAddressTests {
    private func read(_ text: String) -> String? {
        // Octets around the element are not looked at.
        let octets = Array("1\(text):1".utf8)
        let address = ClientAddress.hop(octets.span, 1..<octets.count - 2)
        return address.map { String(decoding: $0.text, as: UTF8.self) }
    }

    @Test(
        "an address is read with and without a port, and written in one way (RFC 5952)",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:80", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"),
            ("255.255.255.255:65535", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
            ("[::1]", "::1"), ("[::1]:443", "::1"), ("1::", "1::"), ("2001:DB8::7", "2001:db8::7"),
            ("2001:db8:0:0:0:0:0:7", "2001:db8::7"), ("[2001:db8::7]:0", "2001:db8::7"),
            ("::ffff:192.0.2.1", "192.0.2.1"), ("[::FFFF:c000:201]:1", "192.0.2.1"),
            ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
            ("1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"), ("1:0:0:4:0:0:0:8", "1:0:0:4::8"),
            ("1:0:0:4:5:0:0:8", "1::4:5:0:0:8"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"), ("1:2:3:4:5:6::", "1:2:3:4:5:6::"),
            ("::ffff:0:0", "0.0.0.0"), ("fe80::00ab", "fe80::ab"),
        ]
    )
    func reads(text: String, canonical: String) {
        #expect(read(text) == canonical)
        #expect(read(canonical) == canonical)
        if canonical.contains(":") { #expect(read("[\(canonical)]:1") == canonical) }
    }

    @Test(
        "what is no address is none",
        arguments: [
            "", "unknown", "_hidden", "example.test", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
            "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:123456", "1.2.3.4 ", "1..3.4",
            "1.2.3.+4", ".1.2.3", "1.2.3.4:80:80", "[1.2.3.4]", "[::1", "::1]", "[::1]x", "[::1]:",
            "[::1]:x", "[]", "[", ":", ":::", "1:::2", "1::2::3", "::1::", "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::1:2:3:4:5:6:7:8", "12345::", "g::",
            "1.2.3.4::", "::1.2.3.4:5", "fe80::1%eth0", "[fe80::1%25eth0]", ":1::2", "[:1::2]",
            "1::2:", "[1:2:3:4:5:6:7:]", "\"[::1]\"", "1:2:3:4:5:6:7:1.2.3.4", "0x7f.1.1.1",
            "127.1", "2130706433", "::ffff:1.2.3.4.5", "::1.2.3", "+1::", "1,2",
        ]
    )
    func refuses(text: String) {
        #expect(read(text) == nil, "\(text)")
    }
}

@Suite("traceparent")
struct TraceParentTests {
    private func isValid(_ text: String) -> Bool {
        let octets = Array("0\(text)-1".utf8)
        return TraceParent.isValid(octets.span, 1..<octets.count - 2)
    }

    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let parent = "00f067aa0ba902b7"

    @Test(
        "Trace Context §3.2: what can be read goes on, of later versions too",
        arguments: [
            "00-\(trace)-\(parent)-01", "00-\(trace)-\(parent)-ff", "cc-\(trace)-\(parent)-01",
            "01-\(trace)-\(parent)-01-more", "fe-\(trace)-\(parent)-01-",
        ]
    )
    func accepts(text: String) {
        #expect(isValid(text))
    }

    @Test(
        "Trace Context §3.2: what cannot be read is none",
        arguments: [
            "", "00", "ff-\(trace)-\(parent)-01", "00-\(trace)-\(parent)-01-more",
            "00-\(trace)-\(parent)-01-", "01-\(trace)-\(parent)-01more",
            "00-\(trace.uppercased())-\(parent)-01", "00-\(trace)-\(parent)-0",
            "00-\(trace)-\(parent)",
            "00-\(trace)-\(parent)-0x", "00_\(trace)-\(parent)-01", "00-\(trace)_\(parent)-01",
            "00-\(trace)-\(parent)_01", "0-\(trace)0-\(parent)-01", "0G-\(trace)-\(parent)-01",
            "00-00000000000000000000000000000000-\(parent)-01", "00-\(trace)-0000000000000000-01",
            "00-\(trace)-\(parent)-01, 00-\(trace)-\(parent)-01",
            "00-\(parent)\(trace)-\(parent)-1",
        ]
    )
    func refuses(text: String) {
        #expect(!isValid(text), "\(text)")
    }
}
