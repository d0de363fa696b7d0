import HTTP1
import HTTPSemantics
import Testing

/// What must be refused, by clause; each case is read at once and octet by octet.
@Suite("Requests that are refused")
struct RequestConformanceTests {
    @Test(
        "RFC 9112 §2.2: lines end in CRLF, and nothing else does",
        arguments: [
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", HTTP1Error.bareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
            ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", .bareCarriageReturn),
            ("GET / HTTP/1.1\rX\nHost: a\r\n\r\n", .bareCarriageReturn),
            ("GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn),
            ("\rGET / HTTP/1.1\r\n", .bareCarriageReturn),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .requestLineInvalid),
            ("GET / HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n", .lineFolding),
        ]
    )
    func lineEnds(request: String, error: HTTP1Error) { expect(request, error) }

    @Test(
        "RFC 9112 §3: the request line has one form",
        arguments: [
            ("GET /\r\nHost: a\r\n\r\n", HTTP1Error.requestLineInvalid),
            ("GET\r\nHost: a\r\n\r\n", .requestLineInvalid),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .requestLineInvalid),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .versionInvalid),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .versionInvalid),
            (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .methodInvalid),
            ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", .methodInvalid),
            ("G\u{0}T / HTTP/1.1\r\nHost: a\r\n\r\n", .methodInvalid),
            ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .methodInvalid),
            ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", .requestTargetInvalid),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ / HTTP/1.1\r\n", .methodTooLong),
        ]
    )
    func requestLine(request: String, error: HTTP1Error) { expect(request, error) }

    @Test(
        "RFC 9112 §2.3: the version is HTTP/1.0 or HTTP/1.1 to the letter",
        arguments: [
            ("HTTP/1.01", HTTP1Error.versionInvalid), ("HTTP/01.1", .versionInvalid),
            ("http/1.1", .versionInvalid), ("HTTP/1,1", .versionInvalid),
            ("HTTP/1.", .versionInvalid), ("HTTP/11", .versionInvalid),
            ("HTTPS/1.1", .versionInvalid), ("HTTP/1.1a", .versionInvalid),
            ("HTTP/2.0", .versionUnsupported), ("HTTP/0.9", .versionUnsupported),
            ("HTTP/3.0", .versionUnsupported), ("", .versionInvalid),
        ]
    )
    func version(text: String, error: HTTP1Error) {
        expect("GET / \(text)\r\nHost: a\r\n\r\n", error)
    }

    @Test("RFC 9110 §5.1: a known name with NULs behind it is no name")
    func paddedNames() {
        for name in FieldName.allCases where name != .other {
            for count in 1...7 {
                let padded = "\(name.text)" + String(repeating: "\u{0}", count: count)
                expect(
                    "GET / HTTP/1.1\r\nHost: a\r\n\(padded): 1234567890\r\n\r\n",
                    .fieldNameInvalid
                )
                expect("GET / HTTP/1.1\r\nHost: a\r\n\(padded):\r\n\r\n", .fieldNameInvalid)
            }
        }
    }

    @Test("RFC 9113 §3.4: the preface of HTTP/2 is recognised and answered with 505")
    func preface() {
        expect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .http2Preface)
        #expect(HTTP1Error.http2Preface.requestStatus == 505)
    }

    @Test(
        "RFC 9112 §3.2: a target has the form that suits the method",
        arguments: [
            ("GET * HTTP/1.1", HTTP1Error.requestTargetForm),
            ("PRI * HTTP/1.1", .requestTargetForm),
            ("GET path HTTP/1.1", .requestTargetForm),
            ("GET a.example:80 HTTP/1.1", .schemeUnsupported),
            ("GET http:/path HTTP/1.1", .requestTargetForm),
            ("GET http:a.example HTTP/1.1", .requestTargetForm),
            ("GET ftp://a/ HTTP/1.1", .schemeUnsupported),
            ("CONNECT / HTTP/1.1", .authorityInvalid),
            ("CONNECT a.example HTTP/1.1", .authorityInvalid),
            ("CONNECT http://a.example/ HTTP/1.1", .authorityInvalid),
            ("GET http:// HTTP/1.1", .authorityInvalid),
            ("GET http:///path HTTP/1.1", .authorityInvalid),
            ("GET http://user@a.example/ HTTP/1.1", .authorityInvalid),
            ("GET http://a.example:99999/ HTTP/1.1", .authorityInvalid),
            ("GET http://a.example:0/ HTTP/1.1", .authorityInvalid),
            ("GET http://a%2eexample/ HTTP/1.1", .authorityInvalid),
            ("GET /#part HTTP/1.1", .requestTargetInvalid),
            ("GET /?a#part HTTP/1.1", .requestTargetInvalid),
            ("GET /\u{e9} HTTP/1.1", .requestTargetInvalid),
            ("GET /?\u{7f} HTTP/1.1", .requestTargetInvalid),
            ("GET /a\u{1}b HTTP/1.1", .requestTargetInvalid),
        ]
    )
    func target(line: String, error: HTTP1Error) {
        expect("\(line)\r\nHost: a.example\r\n\r\n", error)
    }

    @Test(
        "RFC 9112 §3.2: one valid Host",
        arguments: [
            ("", HTTP1Error.hostMissing), ("Host: a\r\nHost: a\r\n", .hostRepeated),
            ("Host: a\r\nhOSt: b\r\n", .hostRepeated), ("Host:\r\n", .hostInvalid),
            ("Host: a b\r\n", .hostInvalid), ("Host: a/b\r\n", .hostInvalid),
            ("Host: u@a\r\n", .hostInvalid), ("Host: a,b\r\n", .hostInvalid),
            ("Host: a:b\r\n", .hostInvalid), ("Host: a:1:2\r\n", .hostInvalid),
            ("Host: a:70000\r\n", .hostInvalid), ("Host: :80\r\n", .hostInvalid),
            ("Host: [::1\r\n", .hostInvalid), ("Host: [::g]\r\n", .hostInvalid),
            ("Host: [1::2::3]\r\n", .hostInvalid), ("Host: [::1]x\r\n", .hostInvalid),
            ("Host: a..b\r\n", .hostInvalid), ("Host: .a\r\n", .hostInvalid),
            ("Host: http://a\r\n", .hostInvalid), ("Host: a?b\r\n", .hostInvalid),
            ("Host: a#b\r\n", .hostInvalid), ("Host: a%41\r\n", .hostInvalid),
            ("Host: a\\b\r\n", .hostInvalid), ("Host: \u{e9}\r\n", .hostInvalid),
        ]
    )
    func host(fields: String, error: HTTP1Error) {
        expect("GET / HTTP/1.1\r\n\(fields)\r\n", error)
        if error != .hostMissing {
            expect("GET http://good.example/ HTTP/1.1\r\n\(fields)\r\n", error)
        }
    }

    @Test(
        "RFC 9112 §5: a field line has one form",
        arguments: [
            ("A : b", HTTP1Error.whitespaceBeforeColon), ("A\t: b", .whitespaceBeforeColon),
            (": b", .fieldNameEmpty), ("A", .colonMissing), ("A B: c", .whitespaceBeforeColon),
            ("A\u{0}: b", .fieldNameInvalid), ("A(: b", .fieldNameInvalid),
            ("\u{e9}: b", .fieldNameInvalid), ("A: b\u{0}c", .fieldValueInvalid),
            ("A: b\u{1}c", .fieldValueInvalid), ("A: b\u{7f}c", .fieldValueInvalid),
            ("A: b\u{b}", .fieldValueInvalid), ("A: b\r\n c", .lineFolding),
            ("A: b\r\n\tc", .lineFolding), ("\u{1}A: b", .fieldNameInvalid),
            ("Content-Length : 5", .whitespaceBeforeColon),
            ("Transfer-Encoding\t: chunked", .whitespaceBeforeColon),
            ("Transfer\u{0}-Encoding: chunked", .fieldNameInvalid),
            ("Transfer_Encoding: chunked", .fieldNameInvalid),
            ("content_LENGTH: 0", .fieldNameInvalid),
        ]
    )
    func fieldLine(line: String, error: HTTP1Error) {
        expect("GET / HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n", error)
    }

    @Test(
        "RFC 9112 §6.3: a length that could be read in two ways is none",
        arguments: [
            ("Content-Length: 5\r\nContent-Length: 5", HTTP1Error.contentLengthRepeated),
            ("Content-Length: 5\r\nContent-Length: 6", .contentLengthRepeated),
            ("Content-Length: 5, 5", .contentLengthInvalid),
            ("Content-Length: +5", .contentLengthInvalid),
            ("Content-Length: -5", .contentLengthInvalid),
            ("Content-Length: 0x5", .contentLengthInvalid),
            ("Content-Length: 5 5", .contentLengthInvalid),
            ("Content-Length: 05", .contentLengthInvalid),
            ("Content-Length: ", .contentLengthInvalid),
            ("Content-Length: 1_0", .contentLengthInvalid),
            ("Content-Length: 9223372036854775808", .contentLengthOverflow),
            ("Content-Length: 18446744073709551621", .contentLengthOverflow),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", .contentLengthWithTransferEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", .contentLengthWithTransferEncoding),
        ]
    )
    func contentLength(fields: String, error: HTTP1Error) {
        expect("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n", error)
    }

    @Test(
        "RFC 9112 §6.1: chunked, once and alone, is the only transfer coding",
        arguments: [
            ("Transfer-Encoding: xchunked", HTTP1Error.transferEncodingInvalid),
            ("Transfer-Encoding: chunked, identity", .transferEncodingInvalid),
            ("Transfer-Encoding: identity", .transferEncodingInvalid),
            ("Transfer-Encoding: gzip", .transferEncodingInvalid),
            ("Transfer-Encoding: gzip, chunked", .transferCodingUnsupported),
            ("Transfer-Encoding: chunked, chunked", .transferEncodingInvalid),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .transferEncodingInvalid),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", .transferEncodingInvalid),
            ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", .transferEncodingInvalid),
            ("Transfer-Encoding: ", .transferEncodingInvalid),
            ("Transfer-Encoding: ,chunked", .transferEncodingInvalid),
            ("Transfer-Encoding: chunked;q=1", .transferEncodingInvalid),
            ("Transfer-Encoding: \"chunked\"", .transferEncodingInvalid),
            ("Transfer-Encoding: chun ked", .transferEncodingInvalid),
            ("Transfer-Encoding: \u{b}chunked", .fieldValueInvalid),
            ("Transfer-Encoding: chunked\u{0}", .fieldValueInvalid),
        ]
    )
    func transferEncoding(fields: String, error: HTTP1Error) {
        expect("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n", error)
    }

    @Test("RFC 9112 §6.1: HTTP/1.0 has no transfer coding")
    func transferEncodingInHTTP10() {
        expect(
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .transferEncodingInHTTP10
        )
    }

    @Test("RFC 9110 §10.1.1: an unknown expectation gets 417")
    func expectation() {
        expect("POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", .expectationUnknown)
        #expect(HTTP1Error.expectationUnknown.requestStatus == 417)
    }

    @Test("RFC 9110 §7.6.1: Connection is a list of tokens, and not of many")
    func connection() {
        expect("GET / HTTP/1.1\r\nHost: a\r\nConnection: a b\r\n\r\n", .connectionInvalid)
        let many = Array(repeating: "x", count: 33).joined(separator: ",")
        expect("GET / HTTP/1.1\r\nHost: a\r\nConnection: \(many)\r\n\r\n", .connectionInvalid)
    }

    @Test("Limits are answered with 414 and 431, as soon as they are passed")
    func limits() {
        let limits = HTTP1Limits(
            fieldSectionBytesMax: 64,
            fieldLinesMax: 3,
            requestTargetBytesMax: 10
        )
        expect("GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n", nil, limits)
        expect("GET /1234567890", .requestTargetTooLong, limits)
        expect("GET /12345?7890", .requestTargetTooLong, limits)
        expect("GET / HTTP/1.1\r\nA:\r\nB:\r\nC:\r\nD:", .fieldLinesTooMany, limits)
        let long = String(repeating: "x", count: 70)
        expect("GET / HTTP/1.1\r\nA: \(long)", .fieldSectionTooLarge, limits)
        expect("GET / HTTP/1.1\r\n\(long)", .fieldSectionTooLarge, limits)
        #expect(HTTP1Error.requestTargetTooLong.requestStatus == 414)
        #expect(HTTP1Error.fieldLinesTooMany.requestStatus == 431)
        #expect(HTTP1Error.fieldSectionTooLarge.requestStatus == 431)
    }

    @Test("A head with more lines than any before is read whole")
    func growsTable() throws {
        let fields = (0..<90).map { "X-\($0): \($0)\r\n" }.joined()
        let octets = Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8)
        let read = try #require(try readRequest(octets))
        #expect(read.fields.count == 91)
        #expect(read.fields.last == "X-89: 89")
        #expect(try readRequestByOctets(octets) == read)
    }

    private func expect(
        _ request: String,
        _ error: HTTP1Error?,
        _ limits: HTTP1Limits = HTTP1Limits(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        // U+00E9 and the like stand for the octets of ISO 8859-1.
        let octets = request.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
        let whole = Outcome { try readRequest(octets, limits: limits) }
        let split = Outcome { try readRequestByOctets(octets, limits: limits) }
        if let error {
            #expect(whole == .failed(error), sourceLocation: sourceLocation)
        }
        #expect(split == whole, sourceLocation: sourceLocation)
    }
}
