import Bytes
import HTTP1
import HTTPSemantics
import Testing

@Suite("Request heads")
struct RequestHeadTests {
    @Test("RFC 9112 §3: a plain request is split into its parts")
    func readsPlainRequest() throws {
        let octets = Array(
            "GET /a/b?x=1&y=2 HTTP/1.1\r\nHost: Example.com:8080\r\nAccept:  text/html \t\r\n\r\nrest"
                .utf8
        )
        let read = try #require(try readRequest(octets))
        #expect(read.method == "GET")
        #expect(read.knownMethod == .get)
        #expect(read.path == "/a/b")
        #expect(read.query == "x=1&y=2")
        #expect(read.host == "Example.com")
        #expect(read.port == 8080)
        #expect(read.framing == .none)
        #expect(read.isPersistent)
        #expect(read.fields == ["Host: Example.com:8080", "Accept: text/html"])
        #expect(read.length == octets.count - 4)
    }

    @Test("A head read octet by octet is the head read at once")
    func readsSplitAtEveryOctet() throws {
        for sample in samples {
            let octets = Array(sample.utf8)
            let whole = Outcome { try readRequest(octets) }
            #expect(Outcome { try readRequestByOctets(octets) } == whole, "\(sample)")
            for cut in 0..<octets.count {
                var head = RequestHead()
                let split = Outcome { () throws -> ReadRequest? in
                    if let first = try readRequest(Array(octets[..<cut]), &head) { return first }
                    return try readRequest(octets, &head)
                }
                #expect(split == whole, "\(sample) cut at \(cut)")
            }
        }
    }

    @Test("A head is used again without a trace of the message before")
    func readsAgain() throws {
        var head = RequestHead()
        let first = Array(
            "POST http://a.example/?q HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
                .utf8
        )
        let second = Array("GET / HTTP/1.1\r\nHost: c.example\r\n\r\n".utf8)
        let fresh = try readRequest(second)
        _ = try readRequest(first, &head)
        #expect(try readRequest(second, &head) == fresh)
    }

    private let samples = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /x?y HTTP/1.0\r\nContent-Length: 3\r\nX-Long-Unknown-Name: \t va\tlue with blanks \t \r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://u.example:81/p?q HTTP/1.1\r\nHost: other\r\nTransfer-Encoding: Chunked\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: b\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n",
        "GET / HTTP/1.01\r\nHost: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
    ]
}
