import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("RFC 9113 §8 responses")
struct ResponseTests {
    static func run(_ method: Method = .get, _ input: [UInt8]...) -> Outcome {
        outcome(at: .client, input) { $0.request(method) }
    }

    static func expectViolation(
        _ error: StreamError,
        _ method: Method = .get,
        _ input: [UInt8]...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        expectReset(
            1,
            error,
            at: .client,
            input,
            prepare: { $0.request(method) },
            sourceLocation: sourceLocation
        )
    }

    @Test("§8.1: interim responses, a final one, content, trailers")
    func message() {
        let result = Self.run(
            .get,
            Wire.headers(1, [(":status", "100")], end: false),
            Wire.headers(1, [(":status", "103"), ("link", "x")], end: false),
            Wire.headers(1, Wire.ok, end: false),
            Wire.data(1, [1]),
            Wire.data(1, []),
            Wire.headers(1, [("x", "y")])
        )
        #expect(
            result.seen == [
                .interim(1, [":status 100"]), .interim(1, [":status 103", "link: x"]),
                .headers(1, [":status 200"], end: false), .data(1, [1], end: false, flow: 1),
                .trailers(1, ["x: y"]),
            ]
        )
    }

    @Test("§8.3.2: one :status of three digits and nothing else")
    func status() {
        for status in ["", "20", "2000", "20a", "099", "+20"] {
            Self.expectViolation(.malformedFields, .get, Wire.headers(1, [(":status", status)]))
        }
        Self.expectViolation(.pseudoFieldMissing, .get, Wire.headers(1, [("x", "y")]))
        Self.expectViolation(
            .pseudoFieldUnexpected,
            .get,
            Wire.headers(1, Wire.ok + [(":path", "/")])
        )
        Self.expectViolation(.malformedFields, .get, Wire.headers(1, Wire.ok + Wire.ok))
    }

    @Test("§8.6: 101 is malformed; §8.1: an interim response does not end the stream")
    func interim() {
        let switching = Wire.headers(1, [(":status", "101")], end: false)
        Self.expectViolation(.switchingProtocols, .get, switching)
        Self.expectViolation(.interimEndsStream, .get, Wire.headers(1, [(":status", "100")]))
    }

    @Test("Interim responses are bounded")
    func interimBound() {
        let interim = Wire.headers(1, [(":status", "103")], end: false)
        let all = [[UInt8]](repeating: interim, count: 17)
        expectReset(1, .interimsTooMany, at: .client, all) { $0.request() }
    }

    @Test("§8.1: DATA does not come before the head")
    func dataFirst() {
        Self.expectViolation(.dataBeforeHead, .get, Wire.data(1, [1], end: true))
        Self.expectViolation(
            .dataBeforeHead,
            .get,
            Wire.headers(1, [(":status", "100")], end: false),
            Wire.data(1, [1])
        )
    }

    @Test("§8.1.1: Content-Length, which HEAD, 204 and 304 have without content")
    func contentLength() {
        let length = [("content-length", "3")]
        let whole = Self.run(
            .get,
            Wire.headers(1, Wire.ok + length, end: false),
            Wire.data(1, [1, 2, 3], end: true)
        )
        #expect(whole.sent == [])
        Self.expectViolation(.contentLengthMismatch, .get, Wire.headers(1, Wire.ok + length))
        let head = Wire.headers(1, Wire.ok + length)
        #expect(Self.run(.head, head).sent == [])
        let unmodified = Wire.headers(1, [(":status", "304")] + length)
        #expect(Self.run(.get, unmodified).sent == [])
        for status in ["204", "304"] {
            Self.expectViolation(
                .contentLengthMismatch,
                .get,
                Wire.headers(1, [(":status", status)], end: false),
                Wire.data(1, [1], end: true)
            )
        }
        Self.expectViolation(
            .contentLengthMismatch,
            .head,
            Wire.headers(1, Wire.ok + length, end: false),
            Wire.data(1, [1, 2, 3], end: true)
        )
        let empty = Self.run(
            .head,
            Wire.headers(1, Wire.ok, end: false),
            Wire.data(1, [], end: true)
        )
        #expect(empty.seen.last == .data(1, [], end: true, flow: 0))
    }

    @Test("§8.5: a tunnel is not measured by Content-Length")
    func tunnel() {
        let result = outcome(
            at: .client,
            [
                Wire.headers(1, Wire.ok + [("content-length", "1")], end: false),
                Wire.data(1, [1, 2, 3]),
            ]
        ) {
            $0.request(.connect, [(":method", "CONNECT"), (":authority", "a:1")], end: false)
        }
        #expect(result.seen.last == .data(1, [1, 2, 3], end: false, flow: 3))
    }

    @Test("A response that is too large is an error of its stream")
    func oversized() {
        let many = (0..<101).map { ("x-\($0)", "") }
        Self.expectViolation(.fieldSectionTooLarge, .get, Wire.headers(1, Wire.ok + many))
    }

    @Test("§8.1: the response may end before the request, which is then reset without an error")
    func early() {
        let end = Endpoint(.client)
        end.feed(Wire.settings())
        let stream = end.request(.post, Wire.post, end: false)
        end.feed(Wire.headers(1, Wire.ok) + Wire.reset(1, 0))
        #expect(end.seen.last == .reset(stream, .noError, .peer))
        #expect(!end.send(stream, [("x", "y")], end: true))
        #expect(end.allowance(stream) == 0)
    }
}
