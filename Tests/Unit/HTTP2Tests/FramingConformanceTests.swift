import Testing

@testable import HTTP2

@Suite("RFC 9113 §3.4 connection preface")
struct PrefaceTests {
    @Test("A server sends SETTINGS first, and the window that it opens")
    func serverPreface() {
        let end = Endpoint(.server)
        let sent = end.sent()
        #expect(sent.map(\.type) == [4, 8])
        #expect(sent.last == .windowUpdate(0, 1024 * 1024 - 65535))
        #expect(sent[0].payload.starts(with: [0, 3, 0, 0, 0, 128]))
    }

    @Test("A client sends the 24 octets, then SETTINGS without push")
    func clientPreface() {
        let end = Endpoint(.client)
        let output = end.connection.takeOutput()
        #expect(output.starts(with: Wire.preface))
        let sent = Sent.frames(Array(output.dropFirst(24)))
        #expect(sent.map(\.type) == [4, 8])
        #expect(sent[0].payload.starts(with: [0, 2, 0, 0, 0, 0]))
    }

    @Test("What a server sends first, a client takes, and the other way round")
    func agree() {
        let (server, client) = (Endpoint(.server), Endpoint(.client))
        server.feed(client.connection.takeOutput())
        client.feed(server.connection.takeOutput())
        server.feed(client.connection.takeOutput())
        #expect(server.seen == [.settingsChanged])
        let both = [
            client.connection.isSettingsAcknowledged, server.connection.isSettingsAcknowledged,
        ]
        #expect(both == [true, true])
        let settings = client.connection.peerSettings
        #expect(settings.concurrentStreamsMax == 128)
    }

    @Test("Any octet that differs is an error at once")
    func invalid() {
        for place in Wire.preface.indices {
            let end = Endpoint(.server)
            _ = end.sent()
            var octets = Wire.preface
            octets[place] ^= 0x20
            end.feed(Array(octets[...place]))
            #expect(end.seen == [.failed(.prefaceInvalid)])
            #expect(end.sent() == [.goAway(0, .protocolError)])
        }
    }

    @Test("The first frame is SETTINGS, for both ends", arguments: [0, 1, 3, 6, 8, 0xee])
    func settingsFirst(type: UInt8) {
        let server = Endpoint(.server)
        server.feed(Wire.preface + Wire.frame(type, 1, [0, 0, 0, 1]))
        #expect(server.seen == [.failed(.settingsMissing)])
        let client = Endpoint(.client)
        client.feed(Wire.frame(type, 1, [0, 0, 0, 1]))
        #expect(client.seen == [.failed(.settingsMissing)])
    }

    @Test("An acknowledgement is not the first SETTINGS")
    func acknowledgementFirst() {
        let client = Endpoint(.client)
        client.feed(Wire.settingsAcknowledgement)
        #expect(client.seen == [.failed(.settingsMissing)])
    }

    @Test("After an error every call throws it again, and nothing is written")
    func staysFailed() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.get) + Wire.ping([1]))
        #expect(end.seen.last == .failed(.frameLengthInvalid))
        _ = end.sent()
        var index = 0
        #expect(throws: HTTP2Error.frameLengthInvalid) {
            try end.connection.next(Wire.ping().span, at: &index, now: 0)
        }
        #expect(index == 0)
        end.connection.goAway(.noError)
        end.connection.announceGoAway()
        end.connection.reset(1, .cancel)
        #expect(!end.ping(1))
        #expect(!end.send(1, Wire.ok, end: true))
        #expect(end.sent() == [])
    }
}

@Suite("RFC 9113 §4 frames")
struct FrameTests {
    @Test("§4.1: unknown types are ignored, on any stream, of any length")
    func unknownTypes() {
        let result = outcome([
            Wire.frame(0x0a, flags: 0xff, 0), Wire.frame(0xff, 7, [1, 2, 3]),
            Wire.frame(0xee, flags: 4, 2, [UInt8](repeating: 9, count: 300)),
            Wire.headers(1, Wire.get),
        ])
        #expect(result.seen.count == 1)
        #expect(result.sent == [])
    }

    @Test("§4.1: flags that are not defined for a type are ignored")
    func unknownFlags() {
        let result = outcome([
            Wire.ping(flags: 0xfe), Wire.frame(4, flags: 0xfe, 0, []),
            Wire.frame(8, flags: 0xff, 0, Wire.bits(1)),
            Wire.frame(1, flags: 0x05 | 0xd2, 1, Wire.hpack(Wire.get)),
        ])
        #expect(result.seen.last == .headers(1, Self.shown, end: true))
        #expect(result.sent.map(\.type) == [6, 4])
        #expect(result.sent.map(\.flags) == [1, 1])
    }

    @Test("§4.1: the reserved bits are ignored")
    func reservedBits() {
        let result = outcome([
            Wire.frame(1, flags: 5, 0x8000_0001, Wire.hpack(Wire.get)),
            Wire.frame(8, 0x8000_0000, Wire.bits(0x8000_0001)), Wire.ping(),
        ])
        #expect(result.seen == [.headers(1, Self.shown, end: true)])
        #expect(result.sent.map(\.type) == [6])
    }

    @Test("§4.2: payloads of 2^14 octets are taken")
    func largestFrame() {
        let content = [UInt8](repeating: 7, count: 16384)
        let result = outcome([
            Wire.headers(1, Wire.post, end: false), Wire.data(1, content, end: true),
        ])
        #expect(result.seen.last == .data(1, content, end: true, flow: 16384))
    }

    @Test("§4.2: larger ones are errors before their payload comes", arguments: 0...0x11)
    func tooLarge(type: UInt8) {
        expectFailure(.frameTooLarge, [Wire.frame(type, 1, length: 16385)])
        expectFailure(.frameTooLarge, at: .client, [Wire.frame(type, 1, length: 0xff_ffff)])
    }

    @Test("§4.2: a larger limit is announced and kept")
    func largerFrames() {
        let limits = HTTP2Limits(frameBytesMax: 20000)
        let first = Endpoint(.server, limits).sent()[0].payload
        #expect(first.suffix(6) == [0, 5, 0, 0, 0x4e, 0x20])
        let content = [UInt8](repeating: 7, count: 20000)
        let result = outcome(
            limits: limits,
            [Wire.headers(1, Wire.post, end: false), Wire.data(1, content)]
        )
        #expect(result.seen.last == .data(1, content, end: false, flow: 20000))
    }

    @Test("§4.3: a block that cannot be decompressed ends the connection")
    func compression() {
        let blocks: [[UInt8]] = [
            [0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], [0xc0], [0x00, 0x85], [0x40, 1, 0x61],
            [0x3f, 0xe2, 0x1f], [0x00, 0x01, 0x61, 0x81, 0x00],
        ]
        for block in blocks {
            expectFailure(.compressionInvalid, [Wire.frame(1, flags: 5, 1, block)])
        }
        #expect(HTTP2Error.compressionInvalid.code == .compressionError)
    }

    @Test("§4.3: a block is decompressed also when its stream is refused, so that the tables agree")
    func tablesAgree() {
        // Both put "x-a: b" into the table, and the last one takes it from there.
        let indexed: [UInt8] = [0x40, 3, 0x78, 0x2d, 0x61, 1, 0x62]
        let request = Wire.hpack(Wire.get)
        let result = outcome(
            limits: HTTP2Limits(streamsMax: 1),
            [
                Wire.headers(1, Wire.get, end: false),
                Wire.frame(1, flags: 5, 3, request + indexed), Wire.data(1, [], end: true),
                Wire.reset(1), Wire.frame(1, flags: 5, 5, request + [0xbe]),
            ]
        )
        #expect(result.seen.last == .headers(5, Self.shown + ["x-a: b"], end: true))
    }

    static let shown = [
        ":method GET", ":scheme https", ":authority a.example", ":path /",
    ]
}

@Suite("RFC 9113 §6 frame definitions")
struct FrameDefinitionTests {
    @Test("§6.1, §6.2, §6.3, §6.4, §6.10: frames of streams are not for the connection")
    func streamRequired() {
        expectFailure(.streamRequired, [Wire.data(0, [1])])
        expectFailure(.streamRequired, [Wire.headers(0, Wire.get)])
        expectFailure(.streamRequired, [Wire.priority(0, on: 1)])
        expectFailure(.streamRequired, [Wire.reset(0)])
        expectFailure(.continuationUnexpected, [Wire.continuation(0, [])])
    }

    @Test("§6.5, §6.7, §6.8: frames of the connection are not for streams")
    func streamForbidden() {
        expectFailure(.streamForbidden, [Wire.frame(4, 1)])
        expectFailure(.streamForbidden, [Wire.frame(4, flags: 1, 1)])
        expectFailure(.streamForbidden, [Wire.frame(6, 1, [1, 2, 3, 4, 5, 6, 7, 8])])
        expectFailure(.streamForbidden, [Wire.frame(7, 1, [0, 0, 0, 0, 0, 0, 0, 0])])
        expectFailure(.streamForbidden, [Wire.frame(0x10, 1, [0, 0, 0, 1])])
    }

    @Test(
        "§6.3 to §6.9: lengths that a type does not have",
        arguments: [
            (3, [0, 3, 5]), (4, [1, 5, 7]), (6, [0, 7, 9]), (7, [0, 7]), (8, [0, 3, 5]),
            (0x10, [0, 3]),
        ] as [(UInt8, [Int])]
    )
    func lengths(type: UInt8, lengths: [Int]) {
        for length in lengths {
            let stream: UInt32 = type == 3 ? 1 : 0
            let payload = [UInt8](repeating: 0, count: length)
            expectFailure(
                .frameLengthInvalid,
                [Wire.headers(1, Wire.post, end: false), Wire.frame(type, stream, payload)]
            )
        }
        #expect(HTTP2Error.frameLengthInvalid.code == .frameSizeError)
    }

    @Test("§6.1: padding is taken off and counts for flow control")
    func paddedData() {
        let result = outcome([
            Wire.headers(1, Wire.post, end: false), Wire.data(1, [1, 2, 3], padding: 5),
            Wire.data(1, [4], padding: 0), Wire.data(1, [], end: true, padding: 255),
        ])
        #expect(result.seen.last == .data(1, [1, 2, 3, 4], end: true, flow: 9 + 2 + 256))
        #expect(result.sent == [])
    }

    @Test("§6.1: padding as long as the payload or longer is an error")
    func dataPadding() {
        let open = Wire.headers(1, Wire.post, end: false)
        expectFailure(.paddingInvalid, [open, Wire.frame(0, flags: 8, 1, [4, 0, 0, 0])])
        expectFailure(.paddingInvalid, [open, Wire.frame(0, flags: 8, 1, [255])])
        expectFailure(.frameLengthInvalid, [open, Wire.frame(0, flags: 8, 1, [])])
    }

    @Test("§6.2: padding and priority of HEADERS are taken off")
    func paddedHeaders() {
        let block = Wire.hpack(Wire.get)
        let result = outcome([
            Wire.frame(
                1,
                flags: 0x2d,
                1,
                [3] + Wire.bits(0x8000_0000) + [200] + block + [0, 0, 0]
            ),
            Wire.frame(1, flags: 0x0d, 3, [0] + block),
            Wire.frame(1, flags: 0x25, 5, Wire.bits(3) + [0] + block),
        ])
        #expect(result.seen == [1, 3, 5].map { .headers($0, FrameTests.shown, end: true) })
    }

    @Test("§6.2: padding longer than what is left, and fields that are cut off")
    func headersPadding() {
        expectFailure(.paddingInvalid, [Wire.frame(1, flags: 0x0d, 1, [4, 0x82, 0x86])])
        expectFailure(.frameLengthInvalid, [Wire.frame(1, flags: 0x0d, 1, [])])
        expectFailure(.frameLengthInvalid, [Wire.frame(1, flags: 0x25, 1, [0, 0, 0, 0])])
        expectFailure(.frameLengthInvalid, [Wire.frame(1, flags: 0x2d, 1, [0, 0, 0, 0, 0])])
        expectFailure(
            .paddingInvalid,
            [Wire.frame(1, flags: 0x2d, 1, [1, 0, 0, 0, 0, 0])]
        )
    }

    @Test("§6.3: PRIORITY is ignored on streams in any state")
    func priority() {
        let result = outcome([
            Wire.priority(7, on: 1), Wire.headers(1, Wire.post, end: false),
            Wire.priority(1, on: 7), Wire.reset(1), Wire.priority(1, on: 3),
            Wire.headers(3, Wire.get),
        ])
        #expect(result.seen.count == 3)
        #expect(result.sent == [])
    }

    @Test("§6.3: PRIORITY of another length is an error of the stream")
    func priorityLength() {
        expectReset(
            1,
            .priorityLengthInvalid,
            [Wire.headers(1, Wire.get), Wire.frame(2, 1, [0, 0, 0, 0])]
        )
        expectFailure(.frameLengthInvalid, [Wire.frame(2, 1, [0, 0, 0, 0, 0, 0])])
    }

    @Test("§5.3.1 of RFC 7540: a stream that depends on itself")
    func selfDependency() {
        expectReset(1, .selfDependency, [Wire.headers(1, Wire.get), Wire.priority(1, on: 1)])
        let block = Wire.bits(1) + [16] + Wire.hpack(Wire.get)
        expectReset(1, .selfDependency, [Wire.frame(1, flags: 0x25, 1, block)])
        expectFailure(.selfDependency, [Wire.priority(1, on: 1)])
    }

    @Test("§6.4: RST_STREAM ends a stream, whatever its code")
    func reset() {
        let result = outcome([
            Wire.headers(1, Wire.get), Wire.reset(1, 0xfeed), Wire.reset(1),
            Wire.windowUpdate(1, 5),
        ])
        #expect(result.seen.last == .reset(1, ErrorCode(rawValue: 0xfeed), .peer))
        #expect(result.sent == [])
    }

    @Test("§6.6: PUSH_PROMISE is an error from either side")
    func pushPromise() {
        let promise = Wire.frame(5, flags: 4, 1, Wire.bits(2) + Wire.hpack(Wire.get))
        expectFailure(.pushPromiseUnexpected, [Wire.headers(1, Wire.get), promise])
        expectFailure(.pushPromiseUnexpected, at: .client, [promise]) { $0.request() }
        #expect(HTTP2Error.pushPromiseUnexpected.code == .protocolError)
    }

    @Test("§6.7: PING is answered with its payload, an answer is not")
    func ping() {
        let result = outcome([Wire.ping(), Wire.ping([9, 9, 9, 9, 9, 9, 9, 9], flags: 1)])
        #expect(result.seen == [])
        #expect(
            result.sent == [Sent(type: 6, flags: 1, stream: 0, payload: [1, 2, 3, 4, 5, 6, 7, 8])]
        )
    }

    @Test("§6.7: the answer to our PING is told, once")
    func ownPing() {
        let answer = Wire.ping([0, 0, 0, 0, 0, 0, 1, 2], flags: 1)
        let result = outcome([answer, answer]) {
            #expect($0.ping(0x102))
            #expect(!$0.ping(3))
        }
        #expect(result.seen == [.pingAcknowledged(0x102)])
    }

    @Test("§6.8: GOAWAY is told with its code, its debug data is passed over")
    func goAway() {
        let result = outcome([
            Wire.goAway(9, 2, debug: Array("why".utf8)), Wire.headers(1, Wire.get),
        ])
        #expect(result.seen.first == .goAway(9, .internalError))
        #expect(result.seen.count == 2)
        expectFailure(.goAwayIncreased, [Wire.goAway(3), Wire.goAway(5)])
    }

    @Test("§6.10: CONTINUATION joins a field block")
    func continuation() {
        let block = Wire.hpack(Wire.get)
        let result = outcome([
            Wire.frame(1, flags: 1, 1, Array(block[..<5])),
            Wire.continuation(1, Array(block[5..<9]), done: false),
            Wire.continuation(1, [], done: false), Wire.continuation(1, Array(block[9...])),
        ])
        #expect(result.seen == [.headers(1, FrameTests.shown, end: true)])
    }

    @Test("§6.2, §6.10, §5.5: nothing comes between the parts of a field block")
    func interrupted() {
        let open = Wire.headers(1, Wire.get, done: false)
        let others = [
            Wire.data(1, [1]), Wire.headers(3, Wire.get), Wire.headers(1, Wire.get),
            Wire.priority(1, on: 3), Wire.reset(1), Wire.settings(), Wire.ping(), Wire.goAway(0),
            Wire.windowUpdate(1, 1), Wire.continuation(3, []), Wire.frame(0xee, 1),
        ]
        for other in others { expectFailure(.continuationExpected, [open, other]) }
    }

    @Test("§6.10: CONTINUATION only behind a block that has not ended")
    func unexpectedContinuation() {
        expectFailure(.continuationUnexpected, [Wire.continuation(1, [])])
        let request = Wire.headers(1, Wire.post, end: false)
        expectFailure(.continuationUnexpected, [request, Wire.continuation(1, [])])
        expectFailure(
            .continuationUnexpected,
            [request, Wire.data(1, [1]), Wire.continuation(1, [])]
        )
    }
}
