import Bytes
import HTTP1
import HTTPSemantics
@testable import ProxyCore
import Testing

@Suite("BodyRelay")
struct BodyRelayTests {
    /// What a relay did with a message that came in pieces.
    private struct Relayed {
        var sent: [UInt8] = []
        var left: [UInt8] = []
        var isComplete = false
        var contentBytes: UInt64 = 0
        var trailerLines: [UInt8] = []
    }

    /// Feeds `pieces` one after the other and takes what is ready, as an exchange does.
    private func relay(
        _ pieces: [[UInt8]],
        _ framing: BodyFraming,
        isMarked: Bool = false,
        isChunkedOut: Bool,
        closes: Bool = false,
        trailers: [UInt8] = []
    ) throws -> Relayed {
        var relay = BodyRelay()
        relay.begin(framing, isMarked: isMarked, isChunkedOut: isChunkedOut)
        var buffer = Buffer(capacity: 4096)
        buffer.clear(headroom: 1024)
        var result = Relayed()
        func takeReady() {
            buffer.withReadable { octets in
                for index in 0..<relay.ready { result.sent.append(octets[index]) }
            }
            buffer.consume(relay.ready)
            relay.sent(relay.ready)
        }
        for piece in pieces {
            if buffer.isEmpty { buffer.clear(headroom: 1024) }
            let fits = buffer.append(piece)
            try #require(fits)
            try relay.advance(&buffer, limits: HTTP1Limits()) { line, _ in line.name != .server }
            takeReady()
        }
        if closes {
            if buffer.isEmpty { buffer.clear(headroom: 1024) }
            _ = try relay.close(&buffer, trailers: trailers, limits: HTTP1Limits()) { line, _ in
                line.name != .server
            }
            takeReady()
            result.trailerLines = relay.trailerLines
        }
        buffer.withReadable { octets in
            for index in octets.indices { result.left.append(octets[index]) }
        }
        (result.isComplete, result.contentBytes) = (relay.isComplete, relay.contentBytes)
        return result
    }

    /// The content of a message in the chunked coding; `nil` if it is none, whole.
    private func unchunk(_ octets: [UInt8]) throws -> [UInt8]? {
        var decoder = ChunkedDecoder()
        var content: [UInt8] = []
        var index = 0
        while true {
            switch try decoder.next(octets.span, at: &index, limits: HTTP1Limits()) {
            case .content(let range): content += octets[range]
            case .lastChunk: continue
            case .end: return index == octets.count ? content : nil
            case .needsMore: return nil
            }
        }
    }

    private func split(_ octets: [UInt8], at place: Int) -> [[UInt8]] {
        [Array(octets[..<place]), Array(octets[place...])].filter { !$0.isEmpty }
    }

    @Test("RFC 9112 §7.1: a chunked message leaves with the same content, split at any octet")
    func relaysChunks() throws {
        let message = Array(
            "5;a=b\r\nhello\r\n1\r\n,\r\n06\r\n world\r\n0\r\nX-T: 1\r\n\r\nNEXT".utf8
        )
        for place in 0...message.count {
            let chunked = try relay(split(message, at: place), .chunked, isChunkedOut: true)
            #expect(chunked.isComplete && chunked.contentBytes == 12)
            #expect(try unchunk(chunked.sent) == Array("hello, world".utf8), "split at \(place)")
            #expect(chunked.left == Array("NEXT".utf8))
            let plain = try relay(split(message, at: place), .chunked, isChunkedOut: false)
            #expect(plain.sent == Array("hello, world".utf8))
            #expect(plain.left == Array("NEXT".utf8))
        }
    }

    @Test("RFC 9112 §7.1.2: trailer fields go on in place, but for those that may not stand there")
    func relaysTrailers() throws {
        let message = Array(
            """
            2\r\nhi\r\n00;x=y\r\nX-Sum:  1a \r\nContent-Length: 7\r\nServer: s\r\nGrpc-Status:0\r\n\r\nNEXT
            """.utf8
        )
        let trailers = "0\r\nX-Sum:  1a \r\nGrpc-Status:0\r\n\r\n"
        for place in 0...message.count {
            let chunked = try relay(split(message, at: place), .chunked, isChunkedOut: true)
            let text = String(decoding: chunked.sent, as: UTF8.self)
            #expect(text.hasSuffix(trailers), "split at \(place): \(text)")
            #expect(try unchunk(chunked.sent) == Array("hi".utf8))
            #expect(chunked.isComplete && chunked.left == Array("NEXT".utf8))
            let plain = try relay(split(message, at: place), .chunked, isChunkedOut: false)
            #expect(plain.sent == Array("hi".utf8) && plain.left == Array("NEXT".utf8))
        }
        for bad in ["X 1", "X : 1", " X: 1", "X: 1\n", "X: \0"] {
            #expect(throws: HTTP1Error.self) {
                try relay([Array("0\r\n\(bad)\r\n\r\n".utf8)], .chunked, isChunkedOut: true)
            }
        }
    }

    @Test("RFC 9112 §6.3: content of a known length ends there, and what follows stays")
    func relaysLength() throws {
        let message = Array("0123456789GET /".utf8)
        for place in 0...message.count {
            let result = try relay(split(message, at: place), .length(10), isChunkedOut: false)
            #expect(result.sent == Array("0123456789".utf8) && result.isComplete)
            #expect(result.left == Array("GET /".utf8))
        }
        let none = try relay([Array("GET".utf8)], .none, isChunkedOut: false)
        #expect(none.isComplete && none.sent.isEmpty && none.left == Array("GET".utf8))
    }

    @Test("RFC 9112 §6.3: content that ends with the connection becomes chunks, or stays as it is")
    func relaysUntilClose() throws {
        let pieces = [Array("abc".utf8), Array("defg".utf8)]
        let chunked = try relay(pieces, .untilClose, isChunkedOut: true, closes: true)
        #expect(try unchunk(chunked.sent) == Array("abcdefg".utf8) && chunked.isComplete)
        let plain = try relay(pieces, .untilClose, isChunkedOut: false, closes: true)
        #expect(plain.sent == Array("abcdefg".utf8) && plain.isComplete)
        let open = try relay(pieces, .untilClose, isChunkedOut: true)
        #expect(!open.isComplete)
    }

    @Test("Random chunks in random pieces come out with the same content", arguments: 0..<200)
    func relaysRandomChunks(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var content: [UInt8] = []
        var message: [UInt8] = []
        for _ in 0..<Int.random(in: 0...20, using: &random) {
            let chunk = (0..<Int.random(in: 1...90, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            content += chunk
            message += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
        }
        message += Array("0\r\n\r\n".utf8)
        var pieces: [[UInt8]] = []
        var rest = message[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...200, using: &random))
            pieces.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        let result = try relay(pieces, .chunked, isChunkedOut: true)
        #expect(try unchunk(result.sent) == content, "seed \(seed)")
        #expect(result.isComplete && result.left.isEmpty)
    }

    @Test(
        "Where the end is marked outside of the octets, content leaves chunked, plain, or with its trailers"
    )
    func markedEnd() throws {
        let section = Array("x-sum: 7\r\nserver: a\r\nx-b: 2\r\n\r\n".utf8)
        let pieces = [Array("abc".utf8), Array("de".utf8)]
        let plain = try relay(
            pieces,
            .length(5),
            isMarked: true,
            isChunkedOut: false,
            closes: true,
            trailers: section
        )
        #expect(plain.sent == Array("abcde".utf8) && plain.isComplete)
        #expect(plain.trailerLines == Array("x-sum: 7\r\nx-b: 2\r\n".utf8))
        let chunked = try relay(
            pieces,
            .chunked,
            isMarked: true,
            isChunkedOut: true,
            closes: true,
            trailers: section
        )
        let end = "0\r\nx-sum: 7\r\nx-b: 2\r\n\r\n"
        #expect(chunked.sent == Array("3\r\nabc\r\n2\r\nde\r\n\(end)".utf8))
        let open = try relay(pieces, .chunked, isMarked: true, isChunkedOut: true)
        #expect(!open.isComplete)
    }
}

/// Numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
