@testable import FleetModel
import HTTP2
import HTTPSemantics
@testable import ProxyCore
import Testing

@Suite("What checks say and take for an answer")
struct CheckDialogueTests {
    private func probe(
        _ path: String = "/healthz",
        statuses: [ClosedRange<Int>] = [200...299],
        body: String = ""
    ) -> HealthCheck.HTTPProbe {
        HealthCheck.HTTPProbe(path: path, statuses: statuses, host: nil, body: body)
    }

    /// What a check comes to when an answer comes at once, or in two pieces, whatever the place; `nil` while it waits.
    private func verdict(
        _ answer: String,
        _ probe: HealthCheck.HTTPProbe,
        ends: Bool = false
    ) -> CheckVerdict? {
        let octets = Array(answer.utf8)
        func feed(_ place: Int) -> CheckVerdict? {
            let dialogue = HTTP1CheckDialogue(probe, host: "a:1")
            if let verdict = dialogue.received(octets.span.extracting(first: place), now: 0) {
                return verdict
            }
            if let verdict = dialogue.received(octets.span.extracting(place...), now: 0) {
                return verdict
            }
            return ends ? dialogue.ended() : nil
        }
        let whole = feed(octets.count)
        for place in octets.indices { #expect(feed(place) == whole, "split at \(place)") }
        return whole
    }

    @Test("HTTP/1.1: a GET that says who asks, and that nothing follows")
    func asks() {
        let dialogue = HTTP1CheckDialogue(probe("/up?a=b"), host: "[::1]:80")
        #expect(
            String(decoding: dialogue.output, as: UTF8.self)
                == "GET /up?a=b HTTP/1.1\r\nhost: [::1]:80\r\nuser-agent: weir-health-check\r\n"
                + "connection: close\r\n\r\n"
        )
    }

    @Test("HTTP/1.1: statuses")
    func statuses() {
        let ok = "HTTP/1.1 204 No Content\r\n\r\n"
        #expect(verdict(ok, probe()) == .passed)
        #expect(verdict("HTTP/1.1 103 x\r\n\r\n" + ok, probe()) == .passed)
        #expect(verdict("HTTP/1.1 103 x\r\n\r\n", probe()) == nil)
        #expect(verdict("HTTP/1.1 302 x\r\nlocation: /\r\n\r\n", probe()) == .failed("status 302"))
        #expect(
            verdict("HTTP/1.0 404 x\r\n\r\n", probe(statuses: [200...200, 404...404])) == .passed
        )
        #expect(
            verdict("HTTP/1.1 101 x\r\nupgrade: x\r\n\r\n", probe()) == .failed("status 101")
        )
        guard case .failed(let why, _) = verdict("SSH-2.0-x\r\n", probe()) else {
            Issue.record("passed")
            return
        }
        #expect(why.hasPrefix("the answer is no HTTP/1.1"))
        #expect(
            verdict("HTTP/1.1 2", probe(), ends: true)
                == .failed("the connection ended before there was an answer")
        )
    }

    @Test("HTTP/1.1: a text in the content, however that is framed")
    func contents() {
        let probe = probe(body: "ready")
        let lacking = CheckVerdict.failed("the content lacks what it should contain")
        let head = "HTTP/1.1 200 OK\r\n"
        #expect(verdict(head + "content-length: 8\r\n\r\nreready!", probe) == .passed)
        #expect(verdict(head + "content-length: 4\r\n\r\nready", probe) == lacking)
        #expect(verdict(head + "content-length: 9\r\n\r\nread", probe) == nil)
        #expect(verdict(head + "content-length: 0\r\n\r\n", probe) == lacking)
        #expect(
            verdict(head + "transfer-encoding: chunked\r\n\r\n2\r\nre\r\n4\r\nady!\r\n", probe)
                == .passed
        )
        #expect(
            verdict(head + "transfer-encoding: chunked\r\n\r\n2\r\nre\r\n0\r\n\r\n", probe)
                == lacking
        )
        #expect(verdict(head + "\r\nis ready", probe) == .passed)
        #expect(verdict(head + "\r\nis read", probe, ends: true) == lacking)
        #expect(
            verdict(head + "content-length: 9\r\n\r\nread", probe, ends: true)
                == .failed("the connection ended within the answer")
        )
        #expect(verdict("HTTP/1.1 204 x\r\n\r\n", probe) == lacking)
    }

    @Test("HTTP/1.1: what stands behind the first 64 KiB is not looked at")
    func bounds() {
        func verdict(_ count: Int) -> CheckVerdict? {
            let dialogue = HTTP1CheckDialogue(probe(body: "ready"), host: "a")
            let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
            _ = dialogue.received(head.span, now: 0)
            let filling = [UInt8](repeating: 0x72, count: count)
            _ = dialogue.received(filling.span, now: 0)
            let end = Array("ready".utf8)
            return dialogue.received(end.span, now: 0)
        }
        #expect(verdict(ExpectedAnswer.contentBytesMax - 5) == .passed)
        #expect(
            verdict(ExpectedAnswer.contentBytesMax - 4)
                == .failed("the content lacks what it should contain")
        )
    }

    // MARK: HTTP/2

    /// The answers of a server of HTTP/2 to a check, taken whole and octet by octet.
    private func verdict(
        _ make: () -> HTTP2CheckDialogue,
        _ answer: (inout HTTP2Connection, UInt32) -> Void
    ) throws -> CheckVerdict? {
        var verdicts: [CheckVerdict?] = []
        for size in [Int.max, 1] {
            let dialogue = make()
            var server = HTTP2Connection(role: .server)
            let asked = dialogue.output
            dialogue.output = []
            var index = 0
            var stream: UInt32 = 0
            while let event = try server.next(asked.span, at: &index, now: 0) {
                if case .headers(let id, _) = event { stream = id }
            }
            answer(&server, stream)
            let octets = server.takeOutput()
            var verdict: CheckVerdict?
            var start = 0
            while verdict == nil, start < octets.count {
                let end = start + min(size, octets.count - start)
                verdict = dialogue.received(octets.span.extracting(start..<end), now: 0)
                start = end
            }
            verdicts.append(verdict)
        }
        #expect(verdicts[0] == verdicts[1])
        return verdicts[0]
    }

    private func head(
        _ server: inout HTTP2Connection,
        _ stream: UInt32,
        _ fields: [(name: String, value: String)],
        status: String? = "200",
        endStream: Bool = false
    ) {
        server.encodeHeaders(stream, endStream: endStream) { encoder, output in
            if let status {
                encoder.append(pseudo: .status, value: Array(status.utf8).span, to: &output)
            }
            for (name, value) in fields {
                let octets = Array(name.utf8)
                encoder.append(
                    name: octets.span,
                    value: Array(value.utf8).span,
                    known: FieldName.find(octets.span),
                    isSensitive: false,
                    to: &output
                )
            }
        }
    }

    @Test("HTTP/2: a status, and a text in the content")
    func http2() throws {
        func made(_ body: String) -> HTTP2CheckDialogue {
            HTTP2CheckDialogue(probe(body: body), host: "a:1", isSecure: false)
        }
        for isWhole in [true, false] {
            let passed = try verdict({ made("") }) { server, stream in
                head(&server, stream, [], endStream: isWhole)
            }
            #expect(passed == .passed)
        }
        let failed = try verdict({ made("") }) { server, stream in
            head(&server, stream, [], status: "503")
        }
        #expect(failed == .failed("status 503"))
        #expect(
            try verdict({ made("ready") }) { server, stream in
                head(&server, stream, [])
                let content = Array("is ready".utf8)
                server.writeData(stream, content.span, endStream: false)
            } == .passed
        )
        #expect(
            try verdict({ made("ready") }) { server, stream in
                head(&server, stream, [])
                let content = Array("is read".utf8)
                server.writeData(stream, content.span, endStream: true)
            } == .failed("the content lacks what it should contain")
        )
        let reset = try verdict({ made("") }) { server, stream in
            server.reset(stream, .refusedStream)
        }
        #expect(reset != nil && reset != .passed)
    }

    @Test(
        "gRPC: a status of the service, and one of the call",
        arguments: [
            ([0, 0, 0, 0, 2, 8, 1], "0", nil), ([0, 0, 0, 0, 2, 8, 2], "0", "NOT_SERVING"),
            ([0, 0, 0, 0, 0], "0", "UNKNOWN"), ([0, 0, 0, 0, 2, 8, 1], "14", "gRPC status 14"),
            ([], "5", "the server does not know the service (gRPC status 5)"),
            ([], "12", "the server has no health protocol (gRPC status 12)"),
            ([1, 2, 3], "0", "the answer is not of the health protocol"),
        ] as [([UInt8], String, String?)]
    )
    func grpc(content: [UInt8], status: String, failure: String?) throws {
        let verdict = try verdict({
            HTTP2CheckDialogue(service: "a.B", host: "a:1", isSecure: false)
        }) { server, stream in
            head(&server, stream, [("content-type", "application/grpc")])
            server.writeData(stream, content.span, endStream: false)
            head(&server, stream, [("grpc-status", status)], status: nil, endStream: true)
        }
        #expect(verdict == failure.map { .failed($0) } ?? .passed)
    }

    @Test("gRPC: an answer of trailers alone, of another status, and one that is too long")
    func grpcEdges() throws {
        func made() -> HTTP2CheckDialogue {
            HTTP2CheckDialogue(service: "", host: "a:1", isSecure: true)
        }
        let alone = try verdict(made) { server, stream in
            head(&server, stream, [("grpc-status", "12")], endStream: true)
        }
        #expect(alone == .failed("the server has no health protocol (gRPC status 12)"))
        let missing = try verdict(made) { server, stream in
            head(&server, stream, [], status: "404", endStream: true)
        }
        #expect(missing == .failed("status 404"))
        #expect(
            try verdict(made) { server, stream in
                head(&server, stream, [])
                let content = [UInt8](repeating: 0, count: 1025)
                server.writeData(stream, content.span, endStream: false)
            } == .failed("the answer is too long for the health protocol")
        )
    }
}
