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
            ("::1", 128, "::2", false), ("::", 0, "192.0.2.7", false),
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

    @Test("an address that a proxy names is read as the configuration would read it")
    func readsAsConfiguration() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = Seeded(state: seed)
        let alphabet = Array("0123456789abcdfF:.".utf8)
        let samples = [
            "192.0.2.1", "2001:db8::7", "::ffff:192.0.2.1", "1:2:3:4:5:6:7:8", "::",
            "fe80::1:0:0:9",
        ]
        for round in 0..<20_000 {
            var octets = Array(samples[round % samples.count].utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) where !octets.isEmpty {
                let place = Int.random(in: 0..<octets.count, using: &generator)
                let octet = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: octets[place] = octet
                case 1: octets.insert(octet, at: place)
                default: octets.remove(at: place)
                }
            }
            let text = String(decoding: octets, as: UTF8.self)
            // One colon stands before a port.
            guard text.count(where: { $0 == ":" }) != 1 else { continue }
            let read = ClientAddress.hop(octets.span, octets.indices)
            #expect(read == IPAddress(text).map(ClientAddress.init), "\(text), seed \(seed)")
            guard let read else { continue }
            let written = String(decoding: read.text, as: UTF8.self)
            #expect(IPAddress(written).map(ClientAddress.init) == read, "\(text), seed \(seed)")
        }
    }
}

/// SplitMix64, so that a failure can be had again.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // The generator is defined modulo 2^64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
