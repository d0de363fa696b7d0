import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("What a field section may make us hold")
struct FieldBlockLimitsTests {
    @Test("Lines beyond the limits are decoded and not stored")
    func oversized() throws {
        let limits = FieldBlockLimits(fieldSectionBytesMax: 3 * 34, fieldLinesMax: 10)
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let names = ["a", "b", "c", "d", "e"]
        var block = names.flatMap { literal($0, "1", pattern: 0x40) }
        try decoder.decode(block.span, into: &fields, limits: limits)
        #expect(fields.isOversized)
        #expect(fields.bytes == 3 * 34)
        #expect(fields.all.map(\.name) == ["a", "b", "c"])
        #expect(fields.isWhole)
        // The table has them all.
        block = hex("be c2")
        try decoder.decode(block.span, into: &fields, limits: limits)
        #expect(!fields.isOversized)
        #expect(fields.all.map(\.name) == ["e", "a"])
    }

    @Test("After the first line beyond the limits none is stored, however small")
    func prefix() throws {
        let limits = FieldBlockLimits(fieldSectionBytesMax: 100, fieldLinesMax: 10)
        let large = literal("large", String(repeating: "x", count: 100))
        let fields = try decoded(literal("a", "1") + large + literal("b", "2"), limits: limits)
        #expect(fields.isOversized)
        #expect(fields.all == [Field("a", "1")])
    }

    @Test("The number of lines is bounded; pseudo-header fields do not count")
    func lines() throws {
        let limits = FieldBlockLimits(fieldSectionBytesMax: 10_000, fieldLinesMax: 2)
        let block = hex("82 84 86") + literal("a", "1") + literal("b", "2")
        #expect(try !decoded(block, limits: limits).isOversized)
        let fields = try decoded(block + literal("c", "3"), limits: limits)
        #expect(fields.isOversized)
        #expect(fields.lines.count == 2)
    }

    @Test("Cookies count as one line, as they become one")
    func cookies() throws {
        let limits = FieldBlockLimits(fieldSectionBytesMax: 10_000, fieldLinesMax: 2)
        let crumbs = (0..<9).flatMap { literal("cookie", "c\($0)=") }
        var fields = try decoded(literal("a", "1") + crumbs, limits: limits)
        #expect(!fields.isOversized)
        #expect(fields.lines.count == 2)
        fields = try decoded(crumbs + literal("a", "1") + literal("b", "2"), limits: limits)
        #expect(fields.isOversized)
        #expect(fields.lines.map(\.name) == [.cookie, .other])
    }

    @Test("RFC 7541 §7.3: an entry that is indexed without end stops being stored")
    func amplification() throws {
        let value = String(repeating: "v", count: 4000)
        let bomb = literal("name", value, pattern: 0x40) + [UInt8](repeating: 0xbe, count: 100_000)
        let limits = FieldBlockLimits()
        let fields = try decoded(bomb, limits: limits)
        #expect(fields.isOversized)
        #expect(fields.bytes <= limits.fieldSectionBytesMax)
        #expect(fields.octets.count <= limits.fieldSectionBytesMax)
        #expect(fields.octets.capacity <= 4 * limits.fieldSectionBytesMax)
        #expect(fields.lines.count == limits.fieldSectionBytesMax / 4036)
    }

    @Test(
        "RFC 7541 §7.4: long names from the table, without end, are refused",
        arguments: [0x7e, 0x0f]
    )
    func longNames(pattern: UInt8) throws {
        let name = String(repeating: "n", count: 3000)
        let line: [UInt8] = pattern == 0x7e ? [0x7e, 0x00] : [0x0f, 0x2f, 0x00]
        func block(lineCount: Int) -> [UInt8] {
            let lines = [[UInt8]](repeating: line, count: lineCount)
            return literal(name, "v", pattern: 0x40) + lines.flatMap { $0 }
        }
        #expect(throws: HPACKError.expansionTooLarge) { _ = try decoded(block(lineCount: 10_000)) }
        #expect(try decoded(block(lineCount: 300)).isOversized)
    }

    @Test("Literal lines beyond the limits leave nothing behind, indexed or not")
    func literalsBeyond() throws {
        let value = String(repeating: "v", count: 4000)
        for pattern: UInt8 in [0x00, 0x10, 0x40] {
            let block = (0..<200).flatMap { _ in literal("name", value, pattern: pattern) }
            let fields = try decoded(block)
            #expect(fields.isOversized)
            #expect(fields.isWhole)
            #expect(fields.octets.count <= FieldBlockLimits().fieldSectionBytesMax)
        }
    }

    @Test("A block that is used again holds nothing of what it held, and gives much memory back")
    func reuse() throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let large = literal("name", String(repeating: "v", count: 40_000))
        let bad = hex("82 80")
        try decoder.decode(large.span, into: &fields, limits: FieldBlockLimits())
        #expect(fields.octets.capacity > 40_000)
        #expect(throws: HPACKError.indexZero) {
            try decoder.decode(bad.span, into: &fields, limits: FieldBlockLimits())
        }
        #expect(fields.octets.capacity <= HPACKLimits.octetsKept)
        let small = hex("84")
        var second = HPACKDecoder()
        try second.decode(small.span, into: &fields, limits: FieldBlockLimits())
        #expect(fields.all == [Field(":path", "/")])
        fields.clear()
        #expect(fields.all.isEmpty && !fields.hasPseudoFields && fields.bytes == 0)
    }

    @Test("Both tables hold the same through many small and large entries")
    func ring() throws {
        var random = SplitMix64(seed: 6)
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        var entries: [Field] = []
        for number in 0..<300 {
            let count = Int.random(in: 0...[5, 60, 1500][number % 3], using: &random)
            let field = Field("x\(number)", String(repeating: "v", count: count))
            entries.insert(field, at: 0)
            var bytes = 0
            let kept = entries.prefix { entry in
                bytes += entry.name.utf8.count + entry.value.utf8.count + 32
                return bytes <= 4096
            }
            entries = Array(kept)
            let block = literal(field.name, field.value, pattern: 0x40)
            try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
            #expect(decoder.tableCount == entries.count)
            var all: [UInt8] = []
            for age in 1...entries.count {
                HPACKInteger.append(61 + age, prefixBitCount: 7, pattern: 0x80, to: &all)
            }
            let limits = FieldBlockLimits(fieldLinesMax: 1000)
            try decoder.decode(all.span, into: &fields, limits: limits)
            try #require(fields.all == entries)
        }
    }
}
