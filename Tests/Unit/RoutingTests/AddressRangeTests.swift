import Bytes
import FleetModel
import HTTPSemantics
import Routing
import Testing

@Suite("Ranges of addresses")
struct AddressRangeTests {
    @Test(
        "a block holds its addresses, whichever way they are written",
        arguments: [
            ("10.0.0.0", 8, "10.255.0.1", true), ("10.0.0.0", 8, "11.0.0.0", false),
            ("10.0.0.0", 8, "::ffff:10.1.2.3", true), ("0.0.0.0", 0, "203.0.113.9", true),
            ("0.0.0.0", 0, "2001:db8::1", false), ("192.0.2.7", 32, "192.0.2.7", true),
            ("192.0.2.7", 32, "192.0.2.6", false), ("2001:db8::", 32, "2001:db8:ffff::1", true),
            ("2001:db8::", 32, "2001:db9::", false), ("::1", 128, "::1", true),
            ("::1", 128, "::2", false), ("::", 0, "192.0.2.7", true),
            ("2001:db8:0:1::", 64, "2001:db8:0:1:2::", true),
            ("2001:db8:0:1::", 65, "2001:db8:0:1:8000::", false),
        ]
    )
    func contains(block: String, bits: Int, text: String, isInside: Bool) throws {
        let range = AddressRange(
            AddressBlock(address: try #require(IPAddress(block)), prefixBits: bits)
        )
        let octets = Array(text.utf8)
        let found = ClientAddress.hop(octets.span, octets.indices)
        let address = try #require(found)
        #expect(range.contains(high: address.high, low: address.low) == isInside)
    }
}
