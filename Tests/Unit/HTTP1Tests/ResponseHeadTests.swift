import HTTP1
import HTTPSemantics
import Testing

@Suite("Response heads")
struct ResponseHeadTests {
    @Test("RFC 9112 §4: a plain response is split into its parts, however it comes")
    func readsPlainResponse() throws {
        let octets = Array(
            "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nServer: x\r\n\r\nabc".utf8
        )
        var head = ResponseHead()
        let read = try #require(try readResponse(octets, &head))
        #expect(read.status == 404)
        #expect(read.reason == "Not Found")
        #expect(read.toGet == .length(3))
        #expect(read.toHead == BodyFraming.none)
        #expect(read.isPersistent)
        #expect(read.length == octets.count - 3)
        #expect(try readResponseByOctets(octets) == read)
    }

    @Test("RFC 9110 §5.1: every known name is recognised, in any case, first and last in a head")
    func recognisesNames() throws {
        let checked = FieldName.allCases.filter {
            ![.other, .contentLength, .transferEncoding].contains($0)
        }
        for name in checked {
            for text in ["\(name.text)", "\(name.text)".uppercased()] {
                for octets in [
                    "HTTP/1.1 200 OK\r\n\(text): a\r\nx-unknown-name: bcdefghijklmnop\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nx-unknown-name: bcdefghijklmnop\r\n\(text):\r\n\r\n",
                ] {
                    var head = ResponseHead()
                    let length = try head.decode(Array(octets.utf8).span, limits: HTTP1Limits())
                    #expect(length == octets.utf8.count)
                    let lines = head.fields.lines
                    let found = [lines[0].name, lines[1].name]
                    #expect(found.contains(name) && found.contains(.other), "\(text)")
                }
            }
        }
    }

    @Test(
        "RFC 9112 §6.3: framing of responses",
        arguments: [
            ("200 OK\r\n", BodyFraming.untilClose, BodyFraming.tunnel),
            ("200 \r\nContent-Length: 0\r\n", .length(0), .tunnel),
            ("200\r\nTransfer-Encoding: chunked\r\n", .chunked, .tunnel),
            ("407 X\r\nContent-Length: 7\r\n", .length(7), .length(7)),
            ("204 No Content\r\nContent-Length: 7\r\n", .none, .none),
            ("304 Not Modified\r\nContent-Length: 7\r\n", .none, .none),
            ("304 Not Modified\r\nTransfer-Encoding: chunked\r\n", .none, .none),
            ("100 Continue\r\nContent-Length: 7\r\n", .none, .none),
            ("103 Early Hints\r\n", .none, .none),
            ("101 Switching Protocols\r\nUpgrade: x\r\n", .tunnel, .tunnel),
        ]
    )
    func framing(rest: String, toGet: BodyFraming, toConnect: BodyFraming) throws {
        let read = try #require(try readResponse("HTTP/1.1 \(rest)\r\n"))
        #expect(read.toGet == toGet)
        #expect(read.toConnect == toConnect)
        #expect(read.isInterim == (read.status < 200 && read.status != 101))
    }

    @Test("RFC 9112 §9.3: an HTTP/1.0 origin persists only when it says so")
    func persistence() throws {
        #expect(try readResponse("HTTP/1.0 200 OK\r\n\r\n")?.isPersistent == false)
        let kept = try readResponse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n")
        #expect(kept?.isPersistent == true)
        let closed = try readResponse("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        #expect(closed?.isPersistent == false)
    }

    @Test(
        "RFC 9112 §6.3: nothing is sent behind a 204 that announces content",
        arguments: [
            ("", true), ("Content-Length: 0\r\n", true), ("Content-Length: 5\r\n", false),
            ("Transfer-Encoding: chunked\r\n", false),
        ]
    )
    func noContent(fields: String, isPersistent: Bool) throws {
        let read = try readResponse("HTTP/1.1 204 No Content\r\n\(fields)\r\n")
        #expect(read?.isPersistent == isPersistent)
    }

    @Test(
        "RFC 9112 §4, §5, §6: a response that could be read in two ways is refused",
        arguments: [
            ("HTTP/1.1 20 OK\r\n\r\n", HTTP1Error.statusCodeInvalid),
            ("HTTP/1.1 2000 OK\r\n\r\n", .statusCodeInvalid),
            ("HTTP/1.1 099 OK\r\n\r\n", .statusCodeInvalid),
            ("HTTP/1.1 600 OK\r\n\r\n", .statusCodeInvalid),
            ("HTTP/1.1 +20 OK\r\n\r\n", .statusCodeInvalid),
            ("HTTP/1.1  200 OK\r\n\r\n", .statusCodeInvalid),
            ("HTTP/1.1\t200 OK\r\n\r\n", .statusLineInvalid),
            ("HTTP/2.0 200 OK\r\n\r\n", .versionUnsupported),
            ("ICY 200 OK\r\n\r\n", .versionInvalid), ("\r\nHTTP/1.1 200 OK\r\n", .versionInvalid),
            ("HTTP/1.1 200 O\u{1}K\r\n\r\n", .statusLineInvalid),
            ("HTTP/1.1 200 OK\n\r\n", .bareLineFeed),
            ("HTTP/1.1 200 OK\r\nA: b\n\r\n", .bareLineFeed),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", .lineFolding),
            ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .whitespaceBeforeColon),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                .contentLengthRepeated
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", .contentLengthInvalid),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                .contentLengthWithTransferEncoding
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .transferEncodingInvalid),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncodingInHTTP10),
        ]
    )
    func refuses(response: String, error: HTTP1Error) {
        let octets = Array(response.utf8)
        #expect(Outcome { try readResponse(response) } == .failed(error))
        #expect(Outcome { try readResponseByOctets(octets) } == .failed(error))
    }
}
