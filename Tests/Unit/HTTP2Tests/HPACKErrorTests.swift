import Testing

@testable import HTTP2

@Suite("Violations of RFC 7541")
struct HPACKErrorTests {
    private static let violations: [(HPACKError, String)] = [
        (.integerTruncated, "7f"),
        (.integerTruncated, "7f 80"),
        (.integerTruncated, "00"),
        (.integerTruncated, "00 01 61"),
        (.integerTruncated, "82 04"),
        (.integerOverflow, "ff 81 ff ff ff 07"),
        (.integerOverflow, "ff 80 80 80 80 80 00"),
        (.integerOverflow, "ff ff ff ff ff ff ff ff ff ff 7f"),
        (.integerOverflow, "04 7f 81 ff ff ff 07"),
        (.stringTruncated, "04 02 2f"),
        (.stringTruncated, "00 05 61 62"),
        (.stringTruncated, "04 7f 80 ff ff ff 07"),
        (.huffmanEndOfString, "04 84 ff ff ff ff"),
        (.huffmanEndOfString, "04 85 1f ff ff ff ff"),
        (.huffmanPaddingTooLong, "04 81 ff"),
        (.huffmanPaddingTooLong, "04 82 1f ff"),
        (.huffmanPaddingTooLong, "04 83 ff ff ff"),
        (.huffmanPaddingInvalid, "04 81 18"),
        (.huffmanPaddingInvalid, "04 81 1e"),
        (.huffmanPaddingInvalid, "04 82 ff ea"),
        (.indexZero, "80"),
        (.indexOutOfRange, "be"),
        (.indexOutOfRange, "ff 00"),
        (.indexOutOfRange, "7e 00"),
        (.indexOutOfRange, "0f 2f 00"),
        (.sizeUpdateMisplaced, "82 20"),
        (.sizeUpdatesTooMany, "20 3f e1 1f 20"),
        (.sizeUpdateAboveLimit, "3f e2 1f"),
    ]

    @Test("Each violation has its error", arguments: violations)
    func named(_ violation: HPACKError, _ block: String) {
        #expect(throws: violation) { _ = try decoded(hex(block)) }
    }

    @Test("The list of violations has every error")
    func complete() {
        #expect(Set(Self.violations.map(\.0) + [.expansionTooLarge]) == Set(HPACKError.allCases))
        #expect(Set(HPACKError.allCases.map { "\($0.reason)" }).count == HPACKError.allCases.count)
    }

    @Test("RFC 7541 §5.1: the largest integer, and one with zeros behind it, are read")
    func integers() throws {
        for (block, expected) in [("ff 80 ff ff ff 07", 1 << 31 - 1), ("ff 80 80 80 80 00", 127)] {
            let octets = hex(block)
            var index = 0
            #expect(try HPACKInteger.read(octets.span, at: &index, prefixBitCount: 7) == expected)
            #expect(index == octets.count)
        }
    }

    @Test("RFC 7541 §4.2: two size updates at the start of a block are taken")
    func sizeUpdates() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        var block = literal("a", "b", pattern: 0x40)
        try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
        #expect(decoder.tableBytes == 34)
        block = hex("20 3f e1 1f 82")
        try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
        #expect(decoder.tableBytes == 0)
        #expect(fields.all == [Field(":method", "GET")])
    }

    @Test("RFC 7541 §4.4: an entry larger than the table empties it, and is no error")
    func entryTooLarge() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let large = String(repeating: "x", count: 4096)
        let block =
            literal("a", "b", pattern: 0x40) + [0xbe] + literal("c", large, pattern: 0x40)
        try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
        #expect(fields.all == [Field("a", "b"), Field("a", "b"), Field("c", large)])
        #expect(decoder.tableCount == 0)
    }

    @Test("RFC 7541 §4.4: an entry may take its name from one that it evicts")
    func nameOfEvicted() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let value = String(repeating: "v", count: 3000)
        var block = literal("name", value, pattern: 0x40) + [0x7e]
        HPACKInteger.append(3000, prefixBitCount: 7, pattern: 0, to: &block)
        block += octets(value)
        try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
        #expect(fields.all == [Field("name", value), Field("name", value)])
        #expect(decoder.tableCount == 1)
    }
}
