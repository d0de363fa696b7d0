import HTTP1
import HTTPSemantics
import Testing

/// What is accepted, and how it is read, by clause.
@Suite("Requests that are accepted")
struct RequestReadingTests {
    @Test("RFC 9112 §3.2.2: the authority of an absolute-form replaces Host")
    func absoluteForm() throws {
        let read = try #require(
            try readRequest("GET http://a.example:81/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n")
        )
        #expect(read.form == .absolute)
        #expect(read.host == "a.example")
        #expect(read.port == 81)
        #expect(read.path == "/p")
        #expect(read.query == "q")
        let bare = try #require(
            try readRequest("GET HTTP://a.example?q HTTP/1.1\r\nHost: b\r\n\r\n")
        )
        #expect(bare.path == "")
        #expect(bare.query == "q")
        #expect(bare.host == "a.example")
    }

    @Test("RFC 9112 §3.2.3, §3.2.4: CONNECT has an authority and OPTIONS may have an asterisk")
    func otherForms() throws {
        let connect = try #require(
            try readRequest("CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        )
        #expect(connect.form == .authority)
        #expect(connect.host == "[::1]")
        #expect(connect.port == 443)
        let options = try #require(
            try readRequest("OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n")
        )
        #expect(options.form == .asterisk)
        #expect(options.host == "a.example")
        #expect(options.path == "")
    }

    @Test(
        "RFC 9110 §4.2.1: hosts are names, IPv4 and IPv6 addresses, with or without a port",
        arguments: [
            ("a", "a", 0), ("A-b.C_d.example.", "A-b.C_d.example.", 0), ("a:80", "a", 80),
            ("a:", "a", 0), ("127.0.0.1:65535", "127.0.0.1", 65535), ("[::]", "[::]", 0),
            ("[2001:db8::1]:8080", "[2001:db8::1]", 8080),
            ("[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", 0),
            ("[::ffff:192.0.2.1]", "[::ffff:192.0.2.1]", 0),
        ] as [(String, String, UInt16)]
    )
    func hosts(value: String, host: String, port: UInt16) throws {
        let read = try #require(try readRequest("GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n"))
        #expect(read.host == host)
        #expect(read.port == port)
    }

    @Test("RFC 9112 §3.2: HTTP/1.0 may come without Host")
    func http10WithoutHost() throws {
        let read = try #require(try readRequest("GET / HTTP/1.0\r\n\r\n"))
        #expect(read.host == "")
        #expect(!read.isPersistent)
    }

    @Test(
        "RFC 9112 §9.3: persistence follows version and Connection",
        arguments: [
            ("1.1", "", true), ("1.1", "close", false), ("1.1", "keep-alive", true),
            ("1.1", "keep-alive, Close", false), ("1.0", "", false), ("1.0", "Keep-Alive", true),
            ("1.0", "keep-alive, close", false), ("1.1", "x, , close", false),
            ("1.1", "closed", true), ("1.2", "", true),
        ]
    )
    func persistence(version: String, options: String, persists: Bool) throws {
        let field = options.isEmpty ? "" : "Connection: \(options)\r\n"
        let read = try #require(
            try readRequest("GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n")
        )
        #expect(read.isPersistent == persists)
    }

    @Test("RFC 9112 §6.3: framing of requests")
    func framing() throws {
        func framing(_ fields: String) throws -> BodyFraming? {
            try readRequest("POST / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")?.framing
        }
        #expect(try framing("") == BodyFraming.none)
        #expect(try framing("Content-Length: 0\r\n") == .length(0))
        #expect(try framing("CONTENT-LENGTH:\t42 \r\n") == .length(42))
        #expect(try framing("Content-Length: 9223372036854775807\r\n") == .length(.max))
        #expect(try framing("Transfer-Encoding: cHuNkEd\r\n") == .chunked)
    }

    @Test("RFC 9110 §10.1.1: 100-continue is awaited only with content and in HTTP/1.1")
    func expectContinue() throws {
        func expects(_ version: String, _ length: Int) throws -> Bool? {
            try readRequest(
                """
                POST / HTTP/\(version)\r\nHost: a\r\nExpect: 100-Continue\r\n\
                Content-Length: \(length)\r\n\r\n
                """
            )?.expectsContinue
        }
        #expect(try expects("1.1", 5) == true)
        #expect(try expects("1.1", 0) == false)
        #expect(try expects("1.0", 5) == false)
    }

    @Test("RFC 9110 §7.6.1: nominated and connection-specific fields end here")
    func hopByHop() throws {
        let read = try #require(
            try readRequest(
                """
                GET / HTTP/1.1\r\nHost: a\r\nConnection: X-One, keep-alive, accept, Host\r\n\
                x-oNe: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: x\r\nProxy-Connection: x\r\n\
                X-Two: 2\r\nAccept: */*\r\nAccept-Language: en\r\n\r\n
                """
            )
        )
        #expect(read.forwarded == ["Host: a", "X-Two: 2", "Accept-Language: en"])
    }

    @Test("RFC 7239 §8.1: fields that only a proxy may send end here, spelt with other signs too")
    func disguised() throws {
        let read = try #require(
            try readRequest(
                """
                GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nx_real-ip: 1\r\n\
                X_Request_ID: 1\r\nX.Forwarded.For: 1\r\nx~forwarded-host: 1\r\nX+Real!IP: 1\r\n\
                X_Other: 1\r\n_: 1\r\nX.Forwarded.Fore: 1\r\nX.: 1\r\n\r\n
                """
            )
        )
        #expect(
            read.forwarded == ["Host: a", "X_Other: 1", "_: 1", "X.Forwarded.Fore: 1", "X.: 1"]
        )
    }

    @Test("RFC 9110 §9.3.2: a head that is refused says nothing of the method of the one before")
    func methodOfRefused() throws {
        var head = RequestHead()
        _ = try readRequest(Array("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), &head)
        #expect(throws: HTTP1Error.methodInvalid) {
            _ = try readRequest(Array("(\r\n".utf8), &head)
        }
        #expect(head.method == .other)
    }

    @Test("RFC 9110 §5.5: values keep inner white space and obs-text, and lose what is around them")
    func values() throws {
        let octets = Array(
            "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB: \t \r\nC:x\r\nD: x \t y\t\r\nE: ".utf8
        )
        let read = try #require(try readRequest(octets + [0xff, 0x80] + Array("\r\n\r\n".utf8)))
        #expect(read.fields[1...4] == ["A: ", "B: ", "C: x", "D: x \t y"])
        #expect(read.fields.count == 6)
    }

    @Test("RFC 9112 §2.2: one empty line before the request line is ignored")
    func leadingEmptyLine() throws {
        let read = try #require(try readRequest("\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(read.method == "GET")
        #expect(read.path == "/x")
        #expect(read.length == 30)
    }

    @Test("Every known field name is found in any case, and nothing else is")
    func fieldNames() {
        for name in FieldName.allCases where name != .other {
            let text = "\(name.text)"
            for spelling in [text, text.uppercased(), text.capitalized()] {
                let octets = Array(spelling.utf8)
                let found = FieldName.find(octets.span)
                #expect(found == name, "\(spelling)")
                for index in octets.indices {
                    var other = octets
                    other[index] ^= 0x80
                    let odd = FieldName.find(other.span)
                    #expect(odd == .other)
                    other[index] = octets[index] == 0x2d ? 0x0d : octets[index] &+ 1
                    let next = FieldName.find(other.span)
                    #expect(next != name)
                }
                let longer = FieldName.find(Array((spelling + "x").utf8).span)
                #expect(longer != name)
            }
        }
    }

    @Test("Every method is found, and only in its own case")
    func methods() throws {
        for method in Method.allCases where method != .other && method != .connect {
            let text = "\(method.text)"
            let read = try readRequest("\(text) / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(read?.knownMethod == method)
            let lower = try readRequest("\(text.lowercased()) / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(lower?.knownMethod == Method.other)
        }
    }
}

extension String {
    /// The first letter of each word in upper case, as most peers write field names.
    fileprivate func capitalized() -> String {
        split(separator: "-", omittingEmptySubsequences: false).map {
            $0.prefix(1).uppercased() + $0.dropFirst()
        }.joined(separator: "-")
    }
}
