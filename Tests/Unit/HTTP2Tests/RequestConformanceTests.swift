import Testing

@testable import HTTP2

@Suite("RFC 9113 §8 requests")
struct RequestTests {
    static let base: [(String, String)] = Wire.get

    static func with(_ fields: (String, String)...) -> [(String, String)] { base + fields }

    static func without(_ name: String, _ fields: (String, String)...) -> [(String, String)] {
        base.filter { $0.0 != name } + fields
    }

    static func replacing(_ name: String, _ value: String) -> [(String, String)] {
        base.map { $0.0 == name ? (name, value) : $0 }
    }

    @Test("§8.1: a request has a head, content and trailers")
    func message() {
        let result = outcome([
            Wire.headers(1, Self.with(("te", "trailers"), ("a", "b")), end: false),
            Wire.data(1, [1, 2]), Wire.headers(1, [("x-sum", "3")]),
        ])
        #expect(
            result.seen == [
                .headers(1, FrameTests.shown + ["te: trailers", "a: b"], end: false),
                .data(1, [1, 2], end: false, flow: 2), .trailers(1, ["x-sum: 3"]),
            ]
        )
    }

    @Test("§8.1: a second field section ends the stream")
    func trailersWithoutEnd() {
        let open = Wire.headers(1, Wire.post, end: false)
        expectReset(1, .trailersWithoutEnd, [open, Wire.headers(1, [("x", "y")], end: false)])
        expectReset(
            1,
            .trailersWithoutEnd,
            [open, Wire.data(1, [1]), Wire.headers(1, [("x", "y")], end: false)]
        )
    }

    @Test("§8.1: trailers have no pseudo-header fields")
    func trailersWithPseudo() {
        let open = Wire.headers(1, Wire.post, end: false)
        for field in [(":method", "GET"), (":status", "200"), (":path", "/")] {
            expectReset(1, .pseudoFieldUnexpected, [open, Wire.headers(1, [field])])
        }
        expectReset(1, .malformedFields, [open, Wire.headers(1, [("x", "y"), (":path", "/")])])
        expectReset(1, .malformedFields, [open, Wire.headers(1, [("connection", "x")])])
    }

    @Test(
        "§8.2: names and values",
        arguments: [
            ("X-Upper", "1"), ("x y", "1"), ("", "1"), ("x:", "1"), ("x\u{7f}", "1"),
            ("x\u{e4}", "1"), ("x", "a\r\nb"), ("x", "a\0b"), ("x", " a"), ("x", "a\t"),
            ("x", "a\nb"),
        ]
    )
    func fields(name: String, value: String) {
        expectReset(1, .malformedFields, [Wire.headers(1, Self.with((name, value)))])
    }

    @Test(
        "§8.2.2: fields of a connection",
        arguments: [
            ("connection", "close"), ("keep-alive", "1"), ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("te", "gzip"),
            ("te", "trailers, deflate"),
        ]
    )
    func connectionSpecific(name: String, value: String) {
        expectReset(1, .malformedFields, [Wire.headers(1, Self.with((name, value)))])
    }

    @Test("§8.2.3: cookie lines are joined")
    func cookies() {
        let request = Self.with(("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"))
        let result = outcome([Wire.headers(1, request)])
        let shown = FrameTests.shown + ["cookie: a=1; b=2", "x: y"]
        #expect(result.seen == [.headers(1, shown, end: true)])
    }

    @Test("§8.3: pseudo-header fields: known ones, once, in front")
    func pseudo() {
        let malformed: [[(String, String)]] = [
            Self.with((":path", "/")), Self.with((":unknown", "x")),
            [("x", "y")] + Self.base, Self.base + [("x", "y"), (":method", "GET")],
            Self.with((":method", "GET")), Self.with((":scheme", "https")),
            Self.with((":authority", "a.example")),
        ]
        for fields in malformed { expectReset(1, .malformedFields, [Wire.headers(1, fields)]) }
        expectReset(
            1,
            .pseudoFieldUnexpected,
            [Wire.headers(1, [(":status", "200")] + Self.base)]
        )
    }

    @Test("§8.3.1: :method, :scheme and :path are there")
    func mandatory() {
        for name in [":method", ":scheme", ":path"] {
            expectReset(1, .pseudoFieldMissing, [Wire.headers(1, Self.without(name))])
        }
        expectReset(1, .pseudoFieldMissing, [Wire.headers(1, [])])
    }

    @Test("§8.3.1: :path is not empty, and is a path, or * for OPTIONS")
    func path() {
        for path in ["", "a", "*", "?a", "https://a.example/"] {
            expectReset(1, .pathInvalid, [Wire.headers(1, Self.replacing(":path", path))])
        }
        for path in ["/a b", "/#a", "/\u{e4}"] {
            expectReset(1, .malformedFields, [Wire.headers(1, Self.replacing(":path", path))])
        }
        let options = Self.replacing(":path", "*").map {
            $0.0 == ":method" ? ($0.0, "OPTIONS") : $0
        }
        #expect(outcome([Wire.headers(1, options)]).seen.count == 1)
    }

    @Test("§8.3.1: one valid authority, and Host agrees")
    func authority() {
        let host = Self.without(":authority", ("host", "b.example:80"))
        #expect(outcome([Wire.headers(1, host)]).sent == [])
        #expect(outcome([Wire.headers(1, Self.with(("host", "A.example")))]).sent == [])
        expectReset(1, .authorityMissing, [Wire.headers(1, Self.without(":authority"))])
        for (error, fields) in [
            (.authorityInvalid, Self.replacing(":authority", "")),
            (.authorityInvalid, Self.replacing(":authority", "user@a.example")),
            (.authorityInvalid, Self.replacing(":authority", "a:b")),
            (.authorityInvalid, Self.without(":authority", ("host", ""))),
            (.authorityInvalid, Self.with(("host", "a.example"), ("host", "a.example"))),
            (.authorityDiffersFromHost, Self.with(("host", "b.example"))),
            (.authorityDiffersFromHost, Self.with(("host", "a.example:443"))),
        ] as [(StreamError, [(String, String)])] {
            expectReset(1, error, [Wire.headers(1, fields)])
        }
    }

    @Test("§8.5: CONNECT has an authority with a port, and neither :scheme nor :path")
    func connect() {
        let connect = [(":method", "CONNECT"), (":authority", "a.example:443")]
        #expect(outcome([Wire.headers(1, connect, end: false)]).sent == [])
        for (error, fields) in [
            (.pseudoFieldUnexpected, connect + [(":scheme", "https")]),
            (.pseudoFieldUnexpected, connect + [(":path", "/")]),
            (.authorityMissing, [(":method", "CONNECT")]),
            (.authorityInvalid, [(":method", "CONNECT"), (":authority", "a.example")]),
        ] as [(StreamError, [(String, String)])] {
            expectReset(1, error, [Wire.headers(1, fields, end: false)])
        }
    }

    @Test("RFC 8441 §4: extended CONNECT only when it is enabled, with a whole target")
    func extendedConnect() {
        let connect = [(":method", "CONNECT"), (":protocol", "websocket")] + Self.base.dropFirst()
        expectReset(1, .pseudoFieldUnexpected, [Wire.headers(1, connect, end: false)])
        let limits = HTTP2Limits(allowsExtendedConnect: true)
        #expect(outcome(limits: limits, [Wire.headers(1, connect, end: false)]).sent == [])
        expectReset(
            1,
            .pseudoFieldMissing,
            limits: limits,
            [Wire.headers(1, connect.filter { $0.0 != ":path" }, end: false)]
        )
        expectReset(
            1,
            .pseudoFieldUnexpected,
            limits: limits,
            [Wire.headers(1, Self.base + [(":protocol", "websocket")])]
        )
        #expect(Endpoint(.server, limits).sent()[0].payload.contains(sequence: [0, 8, 0, 0, 0, 1]))
    }

    @Test("§8.1.1: Content-Length is what the DATA frames carry")
    func contentLength() {
        func open(_ length: String, end: Bool = false) -> [UInt8] {
            Wire.headers(1, Wire.post + [("content-length", length)], end: end)
        }
        let right = outcome([
            open("3"), Wire.data(1, [1, 2], padding: 9), Wire.data(1, [3], end: true),
        ])
        #expect(right.seen.last == .data(1, [1, 2, 3], end: true, flow: 13))
        #expect(outcome([open("0", end: true)]).sent == [])
        #expect(outcome([open("0"), Wire.data(1, [], end: true)]).sent == [])
        expectReset(1, .contentLengthMismatch, [open("1", end: true)])
        expectReset(1, .contentLengthMismatch, [open("1"), Wire.data(1, [1, 2], end: true)])
        expectReset(1, .contentLengthMismatch, [open("3"), Wire.data(1, [1, 2], end: true)])
        expectReset(1, .contentLengthMismatch, [open("1"), Wire.data(1, [1]), Wire.data(1, [1])])
        expectReset(1, .contentLengthMismatch, [open("3"), Wire.headers(1, [("x", "y")])])
        for length in ["", "-1", "+1", "01", "1,1", "a", "99999999999999999999"] {
            expectReset(1, .contentLengthInvalid, [open(length)])
        }
        expectReset(
            1,
            .contentLengthInvalid,
            [Wire.headers(1, Wire.post + [("content-length", "1"), ("content-length", "1")])]
        )
    }

    @Test("§10.5.1: a field section above the limits is told, to be answered with 431")
    func oversized() {
        let long = Self.with(("x", String(repeating: "a", count: 2000)))
        let limits = HTTP2Limits(fieldSectionBytesMax: 2000)
        let result = outcome(
            limits: limits,
            [
                Wire.headers(1, long), Wire.headers(3, Wire.post, end: false),
                Wire.headers(3, Array(long.dropFirst(4))),
            ]
        )
        #expect(result.seen.first == .oversized(1, end: true))
        #expect(result.seen.last == .violation(3, .fieldSectionTooLarge))
        let many = (0..<101).map { ("x-\($0)", "") }
        #expect(outcome([Wire.headers(1, Self.base + many)]).seen == [.oversized(1, end: true)])
    }
}

extension Array where Element: Equatable {
    /// Whether the elements come one after the other in it.
    func contains(sequence: [Element]) -> Bool {
        indices.contains { self[$0...].starts(with: sequence) }
    }
}
