import Bytes
import HTTP1
import Testing

@Suite("The chunked coding")
struct ChunkedTests {
    @Test("RFC 9112 §7.1: content is found however the octets come")
    func decodes() throws {
        let message = "5\r\nhello\r\n00A;a=b;c=\"d\\\"\";e\r\n0123456789\r\n0\r\nT: x\r\n\r\n"
        let octets = Array((message + "next").utf8)
        for piece in 1...octets.count {
            let (content, end) = try decode(octets, piece: piece)
            #expect(content == "hello0123456789")
            #expect(end == message.utf8.count, "in pieces of \(piece)")
        }
    }

    @Test(
        "RFC 9112 §7.1: a chunk header has one form",
        arguments: [
            ("+5\r\n", HTTP1Error.chunkSizeInvalid), ("-5\r\n", .chunkSizeInvalid),
            (" 5\r\n", .chunkSizeInvalid), ("5 \r\n", .chunkExtensionInvalid),
            ("0x5\r\n", .chunkSizeInvalid), ("\r\n", .chunkSizeInvalid),
            (";a\r\n", .chunkSizeInvalid), ("g\r\n", .chunkSizeInvalid),
            ("5_0\r\n", .chunkSizeInvalid),
            ("5\n", .bareLineFeed), ("5\rx", .bareCarriageReturn),
            ("5;a\n", .bareLineFeed), ("5; \r\n", .chunkExtensionInvalid),
            ("5;\r\n", .chunkExtensionInvalid), ("5;a=\r\n", .chunkExtensionInvalid),
            ("5;a\u{0}\r\n", .chunkExtensionInvalid), ("5;a=\"b\r\n", .chunkExtensionInvalid),
            ("5;a=\"b\"c\r\n", .chunkExtensionInvalid), ("5;a=b\rx\r\n", .bareCarriageReturn),
            ("10000000000000000\r\n", .chunkSizeOverflow),
            ("ffffffffffffffff\r\n", .chunkSizeOverflow),
            ("0000000000000005\r\n", .chunkSizeOverflow),
        ]
    )
    func refusesHeader(header: String, error: HTTP1Error) {
        expect(header + "hello\r\n0\r\n\r\n", error)
    }

    @Test(
        "RFC 9112 §7.1: each chunk ends in CRLF",
        arguments: ["5\r\nhello!\r\n", "5\r\nhello\n", "5\r\nhello\rx", "5\r\nhello0\r\n\r\n"]
    )
    func refusesChunkEnd(message: String) {
        expect(message, .chunkEndMissing)
    }

    @Test(
        "RFC 9112 §7.1.2: a trailer section that is passed over keeps its form",
        arguments: [
            ("T: x\n\r\n", HTTP1Error.bareLineFeed), ("T: x\rX", .bareCarriageReturn),
            (" T: x\r\n", .lineFolding), ("T: \u{0}\r\n", .fieldValueInvalid),
        ]
    )
    func refusesTrailers(trailers: String, error: HTTP1Error) {
        expect("0\r\n" + trailers, error)
    }

    @Test("RFC 9112 §7.1.1: chunk extensions are bounded in each chunk and over the message")
    func boundsExtensions() {
        expect("5;a=" + String(repeating: "b", count: 300), .chunkHeaderTooLong)
        let chunk = "1;" + String(repeating: "a", count: 200) + "\r\nx\r\n"
        expect(String(repeating: chunk, count: 100), .chunkExtensionInvalid)
    }

    @Test("A trailer section is read for forwarding, without what must not be there")
    func readsTrailers() throws {
        let octets = Array(
            "X-Sum: 1\r\nContent-Length: 3\r\nHost: a\r\nGrpc-Status: 0\r\n\r\n".utf8
        )
        for cut in 0..<octets.count {
            var trailers = TrailerSection()
            let limits = HTTP1Limits()
            let early = try trailers.decode(Array(octets[..<cut]).span, limits: limits)
            #expect(early == nil)
            let end = try trailers.decode(octets.span, limits: limits)
            #expect(end == octets.count)
            let kept = trailers.fields.lines.filter { !$0.isHopByHop }.map {
                text(octets.span, $0.nameRange)
            }
            #expect(kept == ["X-Sum", "Grpc-Status"])
        }
    }

    @Test("A trailer section read by the caller ends the message")
    func finishesTrailers() throws {
        var decoder = ChunkedDecoder()
        let octets = Array("0\r\n\r\n".utf8)
        var index = 0
        let event = try decoder.next(octets.span, at: &index, limits: HTTP1Limits())
        #expect(event == .lastChunk)
        #expect(index == 3)
        decoder.finishTrailers()
        let end = try decoder.next(octets.span, at: &index, limits: HTTP1Limits())
        #expect(end == .end)
    }

    @Test("Chunk headers are written in lower case without leading zeros")
    func encodes() {
        var octets = [UInt8](repeating: 0, count: ChunkedEncoder.headerBytesMax)
        for (size, expected) in [(1, "1\r\n"), (16, "10\r\n"), (.max, "7fffffffffffffff\r\n")] {
            var span = octets.mutableSpan
            let count = ChunkedEncoder.writeHeader(contentBytes: size, into: &span)
            #expect(String(decoding: octets[..<count], as: UTF8.self) == expected)
        }
    }

    /// Decodes a message that comes in pieces, passing over its trailers.
    private func decode(_ octets: [UInt8], piece: Int) throws -> (content: String, end: Int) {
        var decoder = ChunkedDecoder()
        var content: [UInt8] = []
        var start = 0
        while start < octets.count {
            let part = Array(octets[start..<min(start + piece, octets.count)])
            var index = 0
            reading: while true {
                let event = try decoder.next(part.span, at: &index, limits: HTTP1Limits())
                switch event {
                case .content(let range): content += part[range]
                case .lastChunk: continue
                case .needsMore: break reading
                case .end: return (String(decoding: content, as: UTF8.self), start + index)
                }
            }
            #expect(index == part.count)
            start += part.count
        }
        return (String(decoding: content, as: UTF8.self), -1)
    }

    private func expect(
        _ message: String,
        _ error: HTTP1Error,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for piece in [1, 2, 3, 1 << 20] {
            #expect(throws: error, sourceLocation: sourceLocation) {
                try decode(Array(message.utf8), piece: piece)
            }
        }
    }
}
