import FleetModel
import Resolution
import Testing

@Suite("Hosts files")
struct HostsFileTests {
    private let v4 = IPAddress.v4(0x7F00_0001)
    private let v6 = IPAddress.v6(high: 0, low: 1)

    @Test("every name of a line leads to its address, in any case, up to a comment")
    func lines() {
        let text = """
            # comment
            192.0.2.1\tAPI.example  api # other
            192.0.2.2 api.example
            192.0.2.2 api.example
            not-an-address x
            ::1
            2001:db8::1 six\r
            """
        let file = HostsFile(Array(text.utf8))
        #expect(file.addresses(of: "api.example") == [.v4(0xC000_0201), .v4(0xC000_0202)])
        #expect(file.addresses(of: "api") == [.v4(0xC000_0201)])
        #expect(file.addresses(of: "six")?.count == 1)
        for name in ["other", "x", "example"] { #expect(file.addresses(of: name) == nil) }
    }

    @Test("RFC 6761 §6.3: localhost leads here without a file, and as a file says")
    func localhost() {
        #expect(HostsFile().addresses(of: "localhost") == [v4, v6])
        #expect(HostsFile().addresses(of: "a.localhost") == [v4, v6])
        #expect(HostsFile().addresses(of: "notlocalhost") == nil)
        let file = HostsFile(Array("127.0.0.1 localhost\n".utf8))
        #expect(file.addresses(of: "localhost") == [v4])
    }
}
