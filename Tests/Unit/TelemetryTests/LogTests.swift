import Bytes
import Synchronization
import SystemCalls
import Testing

@testable import Telemetry

@Suite("LogText")
struct LogTextTests {
    private func json(_ octets: [UInt8]) -> String {
        var buffer = Buffer(capacity: 4096)
        LogText.appendJSON(octets.span, to: &buffer)
        return text(buffer)
    }

    @Test("Plain text and well-formed UTF-8 stay as they are")
    func plain() {
        for text in ["", "/a/b?c", "longer than eight octets", "ä€😀 and more", "ﬀ\u{A0}"] {
            #expect(json(Array(text.utf8)) == text)
        }
    }

    @Test("Quotation marks, line breaks, terminal controls and broken UTF-8 are escaped")
    func hostile() {
        #expect(json(Array("a\"b\\c\nd\re\tf".utf8)) == "a\\\"b\\\\c\\nd\\re\\tf")
        #expect(json([0x1B, 0x5B, 0x7F, 0x00]) == "\\u001b[\\u007f\\u0000")
        #expect(json([0x61, 0xC2, 0x9B, 0x62]) == "a\\u009bb")
        for broken: [UInt8] in [
            [0xFF], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xC3], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
        ] {
            let expected = String(repeating: "\\ufffd", count: broken.count)
            #expect(json([0x78] + broken) == "x" + expected)
            #expect(json(broken + [0x78]) == expected + "x")
        }
    }

    @Test("Every octet at every place of a word leaves printable, well-formed text")
    func everyOctet() {
        for octet in UInt8.min...UInt8.max {
            for place in 0..<12 {
                var octets = [UInt8](repeating: 0x61, count: 12)
                octets[place] = octet
                let escaped = json(octets)
                #expect(escaped.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
                var buffer = Buffer(capacity: 128)
                LogText.appendHexEscaped(octets.span, to: &buffer)
                #expect(text(buffer).utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 })
            }
        }
    }
}

@Suite("Access log")
struct AccessLogTests {
    private var record: AccessRecord {
        var record = AccessRecord()
        record.unixNanoseconds = 1_795_530_995_007_000_000
        record.durationNanoseconds = 1_234_567
        record.status = 200
        record.contentBytes = 17
        record.version = 3
        return record
    }

    private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("A JSON record has its keys in the documented order and null for what is not there")
    func jsonRecord() {
        var formatter = AccessRecordFormatter()
        var buffer = Buffer(capacity: 4096)
        var record = self.record
        record.error = .connectionRefused
        let none: [UInt8] = []
        formatter.appendJSON(
            record,
            client: octets("192.0.2.1").span,
            method: octets("GET").span,
            host: octets("a.example").span,
            path: octets("/x\"").span,
            route: octets("r").span,
            upstream: octets("u").span,
            endpoint: none.span,
            requestID: octets("id").span,
            to: &buffer
        )
        #expect(
            text(buffer)
                == "{\"time\":\"2026-11-24T14:36:35.007Z\",\"client\":\"192.0.2.1\","
                + "\"method\":\"GET\",\"scheme\":\"http\",\"host\":\"a.example\",\"path\":\"/x\\\"\","
                + "\"status\":200,\"bytes\":17,\"seconds\":0.001234,\"route\":\"r\","
                + "\"upstream\":\"u\",\"endpoint\":null,\"version\":3,\"request_id\":\"id\","
                + "\"protocol\":\"HTTP/1.1\",\"error\":\"connection_refused\"}\n"
        )
    }

    @Test("A combined record is what Apache and nginx write")
    func combinedRecord() {
        var formatter = AccessRecordFormatter()
        var buffer = Buffer(capacity: 4096)
        let none: [UInt8] = []
        formatter.appendCombined(
            record,
            client: octets("192.0.2.1").span,
            method: octets("GET").span,
            path: octets("/ä\"").span,
            referer: none.span,
            userAgent: octets("curl/8").span,
            to: &buffer
        )
        #expect(
            text(buffer)
                == "192.0.2.1 - - [24/Nov/2026:14:36:35 +0000] \"GET /\\xc3\\xa4\\x22 HTTP/1.1\" "
                + "200 17 \"-\" \"curl/8\"\n"
        )
    }

    @Test("Records reach the file whole, after a reopen the new one, however long their fields are")
    func file() throws {
        let path = "/tmp/weir-log-\(processID())-\(randomNumber())"
        defer { for name in [path, path + ".1"] { try? removeFile(name) } }
        let writer = try LogWriter(.file(path))
        let recorder = AccessRecorder(writer: writer, format: .json)
        let long = [UInt8](repeating: 0xFF, count: 50_000)
        let none: [UInt8] = []
        func append(_ path: [UInt8]) {
            recorder.append(
                record,
                client: path.span,
                method: path.span,
                host: path.span,
                path: path.span,
                route: path.span,
                upstream: path.span,
                endpoint: path.span,
                requestID: path.span,
                referer: none.span,
                userAgent: none.span
            )
        }
        append(long)
        append(octets("/a"))
        recorder.flush()
        #expect(!recorder.hasRecords)
        writer.stop()
        let lines = try readFile(path, octetsMax: 1 << 20).split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.first == UInt8(ascii: "{") && $0.last == UInt8(ascii: "}") })
        #expect(writer.droppedCount == 0)
    }

    @Test("A share of the records is written")
    func sampling() throws {
        let path = "/tmp/weir-log-\(processID())-\(randomNumber())"
        defer { try? removeFile(path) }
        let writer = try LogWriter(.file(path))
        let recorder = AccessRecorder(writer: writer, format: .combined, share: 0.25)
        let none: [UInt8] = []
        for _ in 0..<100 {
            recorder.append(
                record,
                client: none.span,
                method: none.span,
                host: none.span,
                path: none.span,
                route: none.span,
                upstream: none.span,
                endpoint: none.span,
                requestID: none.span,
                referer: none.span,
                userAgent: none.span
            )
        }
        recorder.flush()
        writer.stop()
        let lines = try readFile(path, octetsMax: 1 << 20).split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 25)
    }

    @Test("A full disk costs records, which are counted, and nothing else")
    func fullDisk() throws {
        let writer = try LogWriter(.file("/dev/full"))
        let block = writer.lendBlock()
        block.buffer.append("line\n")
        block.recordCount = 1
        writer.submit(block)
        writer.stop()
        #expect(writer.failedCount == 1)
        let late = writer.lendBlock()
        late.recordCount = 2
        writer.submit(late)
        #expect(writer.droppedCount == 2)
    }
}

@Suite("EventLog")
struct EventLogTests {
    @Test("An event is one line with quoted values, and repeats are told later as a count")
    func repeats() {
        let lines = Mutex<[String]>([])
        let clock = Mutex<UInt64>(1_795_530_995_000_000_000)
        let log = EventLog(now: { clock.withLock { $0 } }) { line in
            lines.withLock { $0.append(line) }
        }
        for _ in 0..<20 {
            log.write(.warning, "upstream.connect_failed", ["upstream": "a b", "errno": "E\n"])
        }
        log.write(.warning, "upstream.connect_failed", ["upstream": "other"])
        clock.withLock { $0 += 11_000_000_000 }
        log.write(.warning, "upstream.connect_failed", ["upstream": "a b"])
        let written = lines.withLock { $0 }
        #expect(written.count == 7)
        #expect(
            written[0]
                == "2026-11-24T14:36:35.000Z warning upstream.connect_failed "
                + "upstream=\"a b\" errno=\"E\\n\"\n"
        )
        #expect(written[5].hasSuffix("upstream=other\n"))
        #expect(written[6].hasSuffix("upstream=\"a b\" suppressed=15\n"))
    }
}

private func text(_ buffer: borrowing Buffer) -> String {
    buffer.withReadable { octets in
        String(decoding: octets.indices.map { octets[$0] }, as: UTF8.self)
    }
}
