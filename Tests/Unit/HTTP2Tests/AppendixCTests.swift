import HTTPSemantics
import Testing

@testable import HTTP2

/// The examples of RFC 7541 appendix C, read and written.
@Suite("RFC 7541 appendix C")
struct AppendixCTests {
    struct Example: CustomTestStringConvertible {
        var clause: String
        var block: String
        var lines: [Field]
        /// Size of the dynamic table afterwards.
        var tableBytes: Int
        var representation = HPACKRepresentation.incremental

        var testDescription: String { clause }
    }

    @Test("C.1: integers")
    func integers() throws {
        let examples = [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")]
        for (value, prefixBitCount, expected) in examples {
            var written: [UInt8] = []
            HPACKInteger.append(value, prefixBitCount: prefixBitCount, pattern: 0, to: &written)
            #expect(written == hex(expected))
            var index = 0
            let read = try HPACKInteger.read(
                written.span,
                at: &index,
                prefixBitCount: prefixBitCount
            )
            #expect(read == value)
            #expect(index == written.count)
        }
    }

    static let single = [
        Example(
            clause: "C.2.1",
            block: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            lines: [Field("custom-key", "custom-header")],
            tableBytes: 55
        ),
        Example(
            clause: "C.2.2",
            block: "040c 2f73 616d 706c 652f 7061 7468",
            lines: [Field(":path", "/sample/path")],
            tableBytes: 0,
            representation: .withoutIndexing
        ),
        Example(
            clause: "C.2.3",
            block: "1008 7061 7373 776f 7264 0673 6563 7265 74",
            lines: [Field("password", "secret")],
            tableBytes: 0,
            representation: .neverIndexed
        ),
        Example(clause: "C.2.4", block: "82", lines: [Field(":method", "GET")], tableBytes: 0),
    ]

    @Test("C.2: one line", arguments: single)
    func oneLine(_ example: Example) throws {
        var decoder = HPACKDecoder()
        var encoder = HPACKEncoder()
        encoder.usesHuffman = false
        try check(example, &decoder, &encoder)
    }

    @Test("C.3 and C.4: requests without and with Huffman coding", arguments: [false, true])
    func requests(usesHuffman: Bool) throws {
        var decoder = HPACKDecoder()
        var encoder = HPACKEncoder()
        encoder.usesHuffman = usesHuffman
        for example in usesHuffman ? Self.codedRequests : Self.plainRequests {
            try check(example, &decoder, &encoder)
        }
    }

    @Test("C.5 and C.6: responses without and with Huffman coding", arguments: [false, true])
    func responses(usesHuffman: Bool) throws {
        var decoder = HPACKDecoder(tableBytesMax: 256, tableBytes: 256)
        var encoder = HPACKEncoder(tableBytesMax: 256, tableBytes: 256)
        encoder.usesHuffman = usesHuffman
        for example in usesHuffman ? Self.codedResponses : Self.plainResponses {
            try check(example, &decoder, &encoder)
        }
    }

    private func check(
        _ example: Example,
        _ decoder: inout HPACKDecoder,
        _ encoder: inout HPACKEncoder
    ) throws {
        let block = hex(example.block)
        var fields = FieldBlock()
        try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
        let ordered = example.lines.sorted {
            ($0.pseudo?.rawValue ?? 9) < ($1.pseudo?.rawValue ?? 9)
        }
        #expect(fields.all == ordered, "\(example.clause)")
        #expect(fields.isWhole)
        #expect(fields.malformation == nil)
        let isNeverIndexed = example.representation == .neverIndexed
        #expect(fields.lines.allSatisfy { $0.isNeverIndexed == isNeverIndexed })
        #expect(decoder.tableBytes == example.tableBytes, "\(example.clause)")

        var written: [UInt8] = []
        encoder.begin(&written)
        for line in example.lines {
            let (name, value) = (octets(line.name), octets(line.value))
            if let pseudo = line.pseudo {
                let representation = example.representation
                encoder.append(pseudo: pseudo, value: value.span, representation, to: &written)
            } else {
                encoder.append(
                    name: name.span,
                    value: value.span,
                    known: FieldName.find(name.span),
                    example.representation,
                    to: &written
                )
            }
        }
        #expect(written == block, "\(example.clause)")
        #expect(encoder.tableBytes == example.tableBytes, "\(example.clause)")
    }

    private static let requestOne = [
        Field(":method", "GET"), Field(":scheme", "http"), Field(":path", "/"),
        Field(":authority", "www.example.com"),
    ]
    private static let requestTwo = requestOne + [Field("cache-control", "no-cache")]
    private static let requestThree = [
        Field(":method", "GET"), Field(":scheme", "https"), Field(":path", "/index.html"),
        Field(":authority", "www.example.com"), Field("custom-key", "custom-value"),
    ]
    private static let plainRequests = [
        Example(
            clause: "C.3.1",
            block: "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            lines: requestOne,
            tableBytes: 57
        ),
        Example(
            clause: "C.3.2",
            block: "8286 84be 5808 6e6f 2d63 6163 6865",
            lines: requestTwo,
            tableBytes: 110
        ),
        Example(
            clause: "C.3.3",
            block: "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            lines: requestThree,
            tableBytes: 164
        ),
    ]
    private static let codedRequests = [
        Example(
            clause: "C.4.1",
            block: "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            lines: requestOne,
            tableBytes: 57
        ),
        Example(
            clause: "C.4.2",
            block: "8286 84be 5886 a8eb 1064 9cbf",
            lines: requestTwo,
            tableBytes: 110
        ),
        Example(
            clause: "C.4.3",
            block: "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            lines: requestThree,
            tableBytes: 164
        ),
    ]

    private static func response(_ status: String, second: Int) -> [Field] {
        [
            Field(":status", status), Field("cache-control", "private"),
            Field("date", "Mon, 21 Oct 2013 20:13:\(second) GMT"),
            Field("location", "https://www.example.com"),
        ]
    }
    private static let responseThree =
        response("200", second: 22) + [
            Field("content-encoding", "gzip"),
            Field("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"),
        ]
    private static let plainResponses = [
        Example(
            clause: "C.5.1",
            block: """
                4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
                2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70
                6c65 2e63 6f6d
                """,
            lines: response("302", second: 21),
            tableBytes: 222
        ),
        Example(
            clause: "C.5.2",
            block: "4803 3330 37c1 c0bf",
            lines: response("307", second: 21),
            tableBytes: 222
        ),
        Example(
            clause: "C.5.3",
            block: """
                88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d
                54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049
                5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e
                3d31
                """,
            lines: responseThree,
            tableBytes: 215
        ),
    ]
    private static let codedResponses = [
        Example(
            clause: "C.6.1",
            block: """
                4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
                2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3
                """,
            lines: response("302", second: 21),
            tableBytes: 222
        ),
        Example(
            clause: "C.6.2",
            block: "4883 640e ffc1 c0bf",
            lines: response("307", second: 21),
            tableBytes: 222
        ),
        Example(
            clause: "C.6.3",
            block: """
                88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
                77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f
                9587 3160 65c0 03ed 4ee5 b106 3d50 07
                """,
            lines: responseThree,
            tableBytes: 215
        ),
    ]
}
