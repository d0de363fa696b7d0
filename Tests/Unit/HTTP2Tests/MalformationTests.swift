import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("Malformed field sections, RFC 9113 §8.2 and §8.3")
struct MalformationTests {
    private static let lines: [(Malformation, Field)] = [
        (.fieldNameEmpty, Field("", "v")),
        (.fieldNameUppercase, Field("Accept", "v")),
        (.fieldNameUppercase, Field("x-long-unknown-namE", "v")),
        (.fieldNameUppercase, Field(":Method", "GET")),
        (.fieldNameInvalid, Field("a b", "v")),
        (.fieldNameInvalid, Field("a:", "v")),
        (.fieldNameInvalid, Field("a\r\nb", "v")),
        (.fieldNameInvalid, Field("host\u{0}", "v")),
        (.fieldNameInvalid, Field("n\u{e4}me", "v")),
        (.fieldNameInvalid, Field("a\u{7f}", "v")),
        (.fieldValueInvalid, Field("a", "b\r\nevil: 1")),
        (.fieldValueInvalid, Field("a", "b\nc")),
        (.fieldValueInvalid, Field("a", "b\rc")),
        (.fieldValueInvalid, Field("a", "b\u{0}c")),
        (.fieldValueInvalid, Field("a", "b\u{7f}c")),
        (.fieldValueInvalid, Field("a", "\u{1f}")),
        (.fieldValueInvalid, Field("a", "one\ttwo three four five six\u{1}")),
        (.fieldValueBlankAtEdge, Field("a", " b")),
        (.fieldValueBlankAtEdge, Field("a", "b\t")),
        (.fieldValueBlankAtEdge, Field("a", " ")),
        (.pseudoFieldUnknown, Field(":other", "v")),
        (.pseudoFieldUnknown, Field(":stream", "v")),
        (.pseudoFieldUnknown, Field(":", "v")),
        (.pseudoFieldValueInvalid, Field(":method", "GET / HTTP/1.1")),
        (.pseudoFieldValueInvalid, Field(":method", "")),
        (.pseudoFieldValueInvalid, Field(":path", "/a b")),
        (.pseudoFieldValueInvalid, Field(":path", "/a#b")),
        (.pseudoFieldValueInvalid, Field(":path", "/\u{e4}")),
        (.pseudoFieldValueInvalid, Field(":path", "/\r\n")),
        (.pseudoFieldValueInvalid, Field(":authority", "a b")),
        (.pseudoFieldValueInvalid, Field(":scheme", "")),
        (.pseudoFieldValueInvalid, Field(":scheme", "1http")),
        (.pseudoFieldValueInvalid, Field(":scheme", "http://x/")),
        (.pseudoFieldValueInvalid, Field(":protocol", "")),
        (.pseudoFieldValueInvalid, Field(":status", "20")),
        (.pseudoFieldValueInvalid, Field(":status", "099")),
        (.pseudoFieldValueInvalid, Field(":status", "2 0")),
        (.connectionSpecificField, Field("connection", "close")),
        (.connectionSpecificField, Field("proxy-connection", "close")),
        (.connectionSpecificField, Field("keep-alive", "timeout=5")),
        (.connectionSpecificField, Field("transfer-encoding", "chunked")),
        (.connectionSpecificField, Field("upgrade", "h2c")),
        (.teInvalid, Field("te", "gzip")),
        (.teInvalid, Field("te", "")),
        (.teInvalid, Field("te", "trailers, deflate")),
    ]

    @Test("A malformed line is noted and not stored, literal or indexed", arguments: lines)
    func malformed(_ malformation: Malformation, _ line: Field) throws {
        var decoder = HPACKDecoder()
        var fields = FieldBlock()
        let good = literal("x-good", "yes")
        for block in [
            literal(line.name, line.value, pattern: 0x40) + good,
            [0xbe] + good,
            // The name of the entry with a value that is good.
            [0x7e, 0x01, 0x61] + good,
        ] {
            try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
            if block[0] == 0x7e, fields.malformation != malformation {
                // Then it was the value.
                #expect([nil, .pseudoFieldValueInvalid, .teInvalid].contains(fields.malformation))
                continue
            }
            #expect(fields.malformation == malformation)
            #expect(fields.all == [Field("x-good", "yes")])
            #expect(fields.isWhole)
        }
    }

    @Test("The static table's transfer-encoding is connection-specific, with any value")
    func staticTransferEncoding() throws {
        for block in [hex("b9"), hex("0f 2a 07") + octets("chunked")] {
            let fields = try decoded(block)
            #expect(fields.malformation == .connectionSpecificField)
            #expect(fields.lines.isEmpty)
        }
    }

    @Test("Pseudo-header fields come once each and first")
    func order() throws {
        var fields = try decoded(hex("82 83"))
        #expect(fields.malformation == .pseudoFieldRepeated)
        #expect(fields.all == [Field(":method", "GET")])
        fields = try decoded(hex("82") + literal("a", "b") + hex("84"))
        #expect(fields.malformation == .pseudoFieldAfterRegular)
        #expect(fields.all == [Field(":method", "GET"), Field("a", "b")])
        fields = try decoded(literal("a", "b") + hex("84 82") + literal("A", "b"))
        #expect(fields.malformation == .pseudoFieldAfterRegular)
        #expect(!fields.hasPseudoFields)
    }

    @Test("Each malformation is in these tests, and says what it is")
    func complete() {
        let ofOrder: [Malformation] = [.pseudoFieldRepeated, .pseudoFieldAfterRegular]
        #expect(Set(Self.lines.map(\.0) + ofOrder) == Set(Malformation.allCases))
        let reasons = Set(Malformation.allCases.map { "\($0.reason)" })
        #expect(reasons.count == Malformation.allCases.count)
    }

    @Test("What is odd and allowed is stored")
    func allowed() throws {
        let lines = [
            Field(":method", "M-SEARCH"), Field(":scheme", "coap+tcp"), Field(":authority", ""),
            Field(":path", ""), Field(":protocol", "websocket"), Field("te", "Trailers"),
            Field("empty", ""), Field("tab", "a\tb"), Field("latin", "\u{e4}\u{ff}"),
            Field("!#$%&'*+-.^_`|~09", "x"), Field("http2-settings", "x"),
        ]
        let fields = try decoded(lines.flatMap { literal($0.name, $0.value) })
        #expect(fields.malformation == nil)
        #expect(fields.all.map(\.description).sorted() == lines.map(\.description).sorted())
        #expect(fields.isWhole)
    }

    @Test("RFC 9113 §8.2.3: cookie lines become one, where the first was")
    func cookies() throws {
        var block = hex("82") + literal("a", "1") + literal("cookie", "b=c")
        block += literal("d", "2") + literal("cookie", "e=f", pattern: 0x10)
        block += literal("g", "3") + literal("cookie", "h=i") + literal("j", "4")
        let fields = try decoded(block)
        #expect(
            fields.all == [
                Field(":method", "GET"), Field("a", "1"), Field("cookie", "b=c; e=f; h=i"),
                Field("d", "2"), Field("g", "3"), Field("j", "4"),
            ]
        )
        #expect(fields.isWhole)
        #expect(fields.lines.map(\.isNeverIndexed) == [false, true, false, false, false])
        #expect(fields.lines.map(\.name) == [.other, .cookie, .other, .other, .other])
    }

    @Test("Empty cookies among others leave no blank at the edge")
    func emptyCookies() throws {
        for (crumbs, joined) in [(["", "a=b", "", "c"], "a=b; c"), (["", ""], "")] {
            let fields = try decoded(crumbs.flatMap { literal("cookie", $0) })
            #expect(fields.all == [Field("cookie", joined)])
            #expect(fields.isWhole)
        }
    }
}
