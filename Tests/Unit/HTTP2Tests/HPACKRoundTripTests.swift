import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("HPACK from end to end")
struct HPACKRoundTripTests {
    private static let seed: UInt64 = 7541

    /// Lines as messages have them: some always the same, some seldom, some never twice.
    private static func randomFields(_ random: inout SplitMix64) -> [Field] {
        var fields = [
            Field(":method", ["GET", "POST", "PUT"].randomElement(using: &random) ?? ""),
            Field(":scheme", ["http", "https"].randomElement(using: &random) ?? ""),
            Field(":authority", "host\(Int.random(in: 0...3, using: &random)).example"),
            Field(":path", "/\(random.next())"),
        ]
        let known = FieldName.allCases.filter { $0 != .other && !$0.isHopByHop }
        for _ in 0..<Int.random(in: 0...30, using: &random) {
            let number = Int.random(in: 0...40, using: &random)
            let name =
                number < 25
                ? "\((known.randomElement(using: &random) ?? .accept).text)" : "x-field-\(number)"
            // Cookies are joined, which is tested by itself.
            if name == "cookie" { continue }
            let octetCount =
                Int.random(in: 0...3, using: &random) > 0
                ? Int.random(in: 0...4, using: &random) : Int.random(in: 0...600, using: &random)
            let letters = (0..<octetCount).map { _ in
                Unicode.Scalar(UInt8.random(in: 0x21...0x7e, using: &random))
            }
            fields.append(Field(name, String(String.UnicodeScalarView(letters))))
        }
        return fields
    }

    @Test(
        "Random sections over many blocks are read as written, through changes of the table's size"
    )
    func random() throws {
        var random = SplitMix64(seed: Self.seed)
        for connection in 0..<10 {
            let tableBytesMax = [0, 100, 4096, 4096, 20_000][connection % 5]
            var encoder = HPACKEncoder(tableBytesMax: tableBytesMax)
            var decoder = HPACKDecoder(tableBytesMax: 16_384)
            var fields = FieldBlock()
            for block in 0..<60 {
                if Int.random(in: 0...5, using: &random) == 0 {
                    for _ in 0...Int.random(in: 0...2, using: &random) {
                        encoder.setTableBytesMax(Int.random(in: 0...16_384, using: &random))
                    }
                }
                let sent = Self.randomFields(&random)
                let written = encoder.block(sent)
                try decoder.decode(written.span, into: &fields, limits: FieldBlockLimits())
                let ordered = sent.sorted {
                    ($0.pseudo?.rawValue ?? 9) < ($1.pseudo?.rawValue ?? 9)
                }
                try #require(fields.all == ordered, "connection \(connection), block \(block)")
                #expect(fields.malformation == nil)
                #expect(fields.isWhole)
                #expect(!fields.isOversized)
                #expect(encoder.tableBytes == decoder.tableBytes)
            }
        }
    }

    @Test("Blocks with changed octets are read or refused, and never trap")
    func mutated() {
        var random = SplitMix64(seed: Self.seed)
        var counts = (read: 0, refused: 0)
        for _ in 0..<500 {
            var encoder = HPACKEncoder()
            var decoder = HPACKDecoder()
            var fields = FieldBlock()
            connection: for _ in 0..<3 {
                var block = encoder.block(Self.randomFields(&random))
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    block[Int.random(in: 0..<block.count, using: &random)] =
                        UInt8.random(in: 0...UInt8.max, using: &random)
                }
                do {
                    try decoder.decode(block.span, into: &fields, limits: FieldBlockLimits())
                    #expect(fields.isWhole)
                    counts.read += 1
                } catch {
                    counts.refused += 1
                    break connection
                }
            }
        }
        #expect(counts.read > 50 && counts.refused > 50, "\(counts)")
    }

    @Test("A second message like the first takes one octet a line, but for what never repeats")
    func repeated() {
        var encoder = HPACKEncoder()
        let fields = [
            Field(":method", "GET"), Field(":scheme", "https"), Field(":authority", "example.com"),
            Field(":path", "/"), Field("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
            Field("accept", "*/*"), Field("accept-encoding", "gzip, deflate"),
            Field("accept-language", "de"), Field("x-forwarded-proto", "https"),
            Field("x-app", "one"), Field("cookie", "session=0123456789abcdef"),
        ]
        let first = encoder.block(fields)
        #expect(first.count > 60)
        #expect(encoder.block(fields).count == fields.count)
    }

    @Test("A name that is only in the dynamic table is taken from there")
    func dynamicName() {
        var encoder = HPACKEncoder()
        _ = encoder.block([Field("x-app", "one"), Field("X-Request-ID", "1")])
        #expect(encoder.block([Field("x-app", "two")]).prefix(1) == [0x7e])
    }

    @Test("Names are written in lower case")
    func lowercase() throws {
        var encoder = HPACKEncoder()
        let names = ["User-Agent", "X-Forwarded-Proto", "X-My-Own"]
        for _ in 0..<2 {
            let fields = try decoded(encoder.block(names.map { Field($0, "a") }))
            #expect(fields.malformation == nil)
            #expect(fields.all.map(\.name) == names.map { $0.lowercased() })
            encoder = HPACKEncoder()
        }
    }
}

@Suite("How the encoder sends lines")
struct HPACKRepresentationTests {
    @Test("RFC 7541 §7.1.3: secrets are never indexed")
    func secrets() throws {
        let fields = [
            Field("authorization", "Basic abc"), Field("proxy-authorization", "Basic abc"),
            Field("set-cookie", "session=0123456789abcdef"), Field("cookie", "short=1"),
            Field("x-api-key", "k"),
        ]
        for field in fields {
            var encoder = HPACKEncoder()
            let read = try decoded(encoder.block([field]))
            #expect(read.lines.map(\.isNeverIndexed) == [true], "\(field)")
            #expect(encoder.tableBytes == 0)
        }
        var encoder = HPACKEncoder()
        let sensitive = try decoded(
            encoder.block([Field("accept-encoding", "gzip, deflate")], sensitive: true)
        )
        #expect(sensitive.lines.map(\.isNeverIndexed) == [true])
    }

    @Test("What varies is not indexed, and neither is what would fill half of the table")
    func varying() {
        let fields = [
            Field("content-length", "17"), Field("etag", "\"1\""), Field("x-request-id", "1"),
            Field(":path", "/a"), Field("x-large", String(repeating: "x", count: 2100)),
        ]
        var encoder = HPACKEncoder()
        let block = encoder.block(fields)
        #expect(encoder.tableBytes == 0)
        #expect(throws: Never.self) { _ = try decoded(block) }
    }

    @Test("RFC 7541 §4.2: changes of the size are told as the smallest and the last one")
    func sizeUpdates() {
        var encoder = HPACKEncoder()
        #expect(encoder.block([]) == [])
        encoder.setTableBytesMax(4096)
        #expect(encoder.block([]) == [])
        encoder.setTableBytesMax(65_536)
        #expect(encoder.block([]) == [])
        encoder.setTableBytesMax(30)
        encoder.setTableBytesMax(0)
        encoder.setTableBytesMax(100)
        #expect(encoder.block([]) == hex("20 3f45"))
        #expect(encoder.block([]) == [])
        encoder.setTableBytesMax(10)
        #expect(encoder.block([]) == hex("2a"))
        var small = HPACKEncoder(tableBytesMax: 20)
        #expect(small.block([]) == hex("34"))
    }
}
