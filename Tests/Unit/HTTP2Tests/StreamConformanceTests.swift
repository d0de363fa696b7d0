import HTTPSemantics
import Testing

@testable import HTTP2

@Suite("RFC 9113 §5.1 stream states")
struct StreamStateTests {
    static let open = Wire.headers(1, Wire.post, end: false)
    static let ended = Wire.headers(1, Wire.get)

    @Test("Idle: only HEADERS and PRIORITY may come")
    func idle() {
        expectFailure(.streamIdle, [Wire.data(1, [1])])
        expectFailure(.streamIdle, [Wire.reset(1)])
        expectFailure(.streamIdle, [Wire.windowUpdate(1, 1)])
        expectFailure(.continuationUnexpected, [Wire.continuation(1, [])])
        // Above the highest, while one is open; and the other side's.
        expectFailure(.streamIdle, [Self.open, Wire.data(3, [1])])
        expectFailure(.streamIdle, [Self.open, Wire.windowUpdate(2, 1)])
        expectFailure(.streamIdle, [Self.open, Wire.reset(2)])
        #expect(HTTP2Error.streamIdle.code == .protocolError)
    }

    @Test("Half-closed (remote): DATA and HEADERS are errors of the stream, STREAM_CLOSED")
    func halfClosedRemote() {
        expectReset(1, .halfClosed, [Self.ended, Wire.data(1, [1])])
        expectReset(1, .halfClosed, [Self.ended, Wire.headers(1, [("x", "y")])])
        expectFailure(.continuationUnexpected, [Self.ended, Wire.continuation(1, [])])
        #expect(StreamError.halfClosed.code == .streamClosed)
    }

    @Test("Half-closed (remote): WINDOW_UPDATE, PRIORITY and RST_STREAM may come")
    func halfClosedRemoteAllowed() {
        let result = outcome([
            Self.ended, Wire.windowUpdate(1, 1), Wire.priority(1, on: 3), Wire.reset(1),
        ])
        #expect(result.seen.last == .reset(1, .cancel, .peer))
    }

    @Test("Half-closed (local): all may come")
    func halfClosedLocal() {
        let end = connected()
        end.feed(Self.open)
        end.send(1, Wire.ok, end: true)
        end.feed(Wire.windowUpdate(1, 9) + Wire.priority(1, on: 5) + Wire.data(1, [1]))
        #expect(end.seen.last == .data(1, [1], end: false, flow: 1))
        end.feed(Wire.headers(1, [("x", "y")]))
        #expect(end.seen.last == .trailers(1, ["x: y"]))
        #expect(!end.send(1, Wire.ok, end: true))
        end.feed(Wire.data(1, [1]))
        #expect(end.seen.last == .failed(.streamEnded))
    }

    @Test("Closed by the peer's RST_STREAM: DATA and HEADERS are errors, STREAM_CLOSED")
    func closedByPeer() {
        for request in [Self.open, Self.ended] {
            expectFailure(.streamEnded, [request, Wire.reset(1), Wire.data(1, [1])])
            expectFailure(.streamEnded, [request, Wire.reset(1), Wire.headers(1, [("x", "y")])])
            expectFailure(
                .continuationUnexpected,
                [request, Wire.reset(1), Wire.continuation(1, [])]
            )
        }
        #expect(HTTP2Error.streamEnded.code == .streamClosed)
    }

    @Test("Closed by END_STREAM of both: DATA and HEADERS are errors, STREAM_CLOSED")
    func closedByEnd() {
        for frame in [Wire.data(1, [1]), Wire.headers(1, Wire.get), Wire.data(1, [], end: true)] {
            let end = connected()
            end.feed(Self.ended)
            end.send(1, Wire.ok, end: true)
            end.feed(frame)
            #expect(end.seen.last == .failed(.streamEnded))
            #expect(end.sent().last == .goAway(1, .streamClosed))
        }
    }

    @Test("Closed by END_STREAM of both: WINDOW_UPDATE, RST_STREAM and PRIORITY are ignored")
    func closedByEndAllowed() {
        let end = connected()
        end.feed(Self.ended)
        end.send(1, Wire.ok, end: true)
        let before = end.seen
        end.feed(
            Wire.windowUpdate(1, 1) + Wire.windowUpdate(1, 0) + Wire.reset(1)
                + Wire.priority(1, on: 1)
        )
        #expect(end.seen == before)
        #expect(end.sent().map(\.type) == [1])
    }

    @Test("Closed by our RST_STREAM: what was under way is ignored, its content given back")
    func closedHere() {
        let end = connected()
        end.feed(Self.open + Wire.headers(3, Wire.post, end: false))
        end.connection.reset(1, .cancel)
        end.connection.reset(3, .cancel)
        #expect(end.sent() == [.reset(1, .cancel), .reset(3, .cancel)])
        let before = end.seen
        let full = [UInt8](repeating: 1, count: 16384)
        for stream in [UInt32(1), 3] {
            for _ in 0..<16 { end.feed(Wire.data(stream, full)) }
        }
        end.feed(Wire.headers(1, [("x", "y")]) + Wire.windowUpdate(1, 1) + Wire.reset(1))
        #expect(end.seen == before)
        #expect(end.sent() == [.windowUpdate(0, 512 * 1024)])
    }

    @Test("Closed by our RST_STREAM: more than the stream's window cannot have been under way")
    func closedHereAndExceeded() {
        let end = connected()
        end.feed(Self.open)
        end.connection.reset(1, .cancel)
        let full = [UInt8](repeating: 1, count: 16384)
        for _ in 0..<16 { end.feed(Wire.data(1, full)) }
        let before = end.seen
        end.feed(Wire.data(1, [1]))
        #expect(end.seen == before + [.failed(.windowExceeded)])
    }

    @Test("A stream reset in the middle of a frame: the rest of it is passed over")
    func resetWithinFrame() {
        let end = connected()
        let frame = Wire.data(1, [1, 2, 3, 4], padding: 2)
        end.feed(Self.open + frame[..<12])
        #expect(end.seen.last == .data(1, [1, 2], end: false, flow: 2))
        end.connection.reset(1, .cancel)
        end.feed(Array(frame[12...]) + Wire.headers(3, Wire.get))
        #expect(end.seen.last == .headers(3, FrameTests.shown, end: true))
    }

    @Test("What was reset long ago is answered by RST_STREAM, not by the end of the connection")
    func forgotten() {
        let end = connected()
        for number in 0..<300 {
            let stream = UInt32(2 * number + 1)
            end.feed(Wire.headers(stream, Wire.post, end: false))
            end.connection.reset(stream, .cancel)
        }
        _ = end.sent()
        end.feed(Wire.data(1, [1]) + Wire.data(1, [1]) + Wire.headers(3, [("x", "y")]))
        #expect(end.seen.last == .violation(1, .forgotten))
        #expect(end.sent() == [.reset(1, .streamClosed)])
    }

    private func connected() -> Endpoint {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.settingsAcknowledgement)
        _ = end.sent()
        return end
    }
}

@Suite("RFC 9113 §5.1.1 stream identifiers")
struct StreamIdentifierTests {
    @Test("Clients use odd ones")
    func parity() {
        expectFailure(.streamIdentifierInvalid, [Wire.headers(2, Wire.get)])
        expectFailure(.streamIdentifierInvalid, at: .client, [Wire.headers(2, Wire.ok)]) {
            $0.request()
        }
        #expect(HTTP2Error.streamIdentifierInvalid.code == .protocolError)
    }

    @Test("Each is above the last")
    func increasing() {
        expectFailure(
            .streamIdentifierInvalid,
            [Wire.headers(5, Wire.get), Wire.headers(3, Wire.get)]
        )
    }

    @Test("The highest is taken, and none after it")
    func highest() {
        let last: UInt32 = 0x7fff_ffff
        let result = outcome([Wire.headers(1, Wire.get), Wire.headers(last, Wire.get)])
        #expect(result.seen.last == .headers(last, FrameTests.shown, end: true))
        expectReset(
            last,
            .halfClosed,
            [Wire.headers(last, Wire.get), Wire.headers(last, Wire.get)]
        )
        expectFailure(
            .streamIdentifierInvalid,
            [Wire.headers(last, Wire.get), Wire.headers(5, Wire.get)]
        )
    }

    @Test("A client opens 1, 3, 5 ... and answers only on them are taken")
    func client() {
        let result = outcome(at: .client, [Wire.headers(3, Wire.ok), Wire.headers(1, Wire.ok)]) {
            #expect([$0.request(), $0.request()] == [1, 3])
        }
        #expect(result.seen == [3, 1].map { .headers($0, [":status 200"], end: true) })
        expectFailure(.streamIdentifierInvalid, at: .client, [Wire.headers(3, Wire.ok)]) {
            $0.request()
        }
        expectFailure(.streamIdle, at: .client, [Wire.data(3, [1])]) { $0.request() }
        expectFailure(.streamEnded, at: .client, [Wire.headers(1, Wire.ok), Wire.data(1, [1])]) {
            $0.request()
        }
    }

    @Test("A stream that is opened and not announced is idle to the peer")
    func unannounced() {
        func open(_ end: Endpoint) { _ = end.connection.openStream(.get) }
        expectFailure(.streamIdle, at: .client, [Wire.windowUpdate(1, 1)], prepare: open)
        expectFailure(.streamIdle, at: .client, [Wire.headers(1, Wire.ok)], prepare: open)
        let result = outcome(at: .client, [Wire.headers(3, Wire.ok)]) {
            guard let stream = $0.connection.openStream(.get) else { return }
            $0.connection.reset(stream, .cancel)
            let left = $0.connection.output
            #expect(!Sent.frames(Array(left.dropFirst(24))).contains { $0.type == 3 })
            $0.request()
        }
        #expect(result.seen == [.headers(3, [":status 200"], end: true)])
    }
}

@Suite("RFC 9113 §5.1.2 stream concurrency, §6.8 GOAWAY")
struct ConcurrencyTests {
    @Test("Streams above the limit are refused, and may be sent again")
    func refused() {
        let limits = HTTP2Limits(streamsMax: 2)
        let result = outcome(
            limits: limits,
            [
                Wire.headers(1, Wire.get), Wire.headers(3, Wire.get), Wire.headers(5, Wire.get),
                Wire.reset(1), Wire.headers(7, Wire.get),
            ]
        )
        #expect(result.seen.contains(.violation(5, .streamsTooMany)))
        #expect(result.seen.last == .headers(7, FrameTests.shown, end: true))
        #expect(result.sent == [.reset(5, .refusedStream)])
    }

    @Test("A client keeps to the server's limit and to its own")
    func clientLimit() {
        let end = Endpoint(.client, HTTP2Limits(streamsMax: 5))
        end.feed(Wire.settings((3, 2)))
        #expect([end.request(), end.request(), end.request()] == [1, 3, 0])
        end.feed(Wire.headers(1, Wire.ok))
        #expect([end.request(), end.request()] == [5, 0])
        end.feed(Wire.settings((3, 100)))
        let openable = end.connection.openableCount
        #expect(openable == 3)
        end.feed(Wire.settings((3, 0)))
        #expect(end.request() == 0)
    }

    @Test("Before the server's SETTINGS a client opens no more than 100")
    func beforeSettings() {
        let end = Endpoint(.client, HTTP2Limits(streamsMax: 1000))
        let opened = (0..<200).map { _ in end.request() }
        #expect(opened.filter { $0 != 0 }.count == 100)
    }

    @Test("Graceful: the first GOAWAY takes what is under way, the second names the last stream")
    func graceful() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.get))
        _ = end.sent()
        end.connection.announceGoAway()
        end.connection.announceGoAway()
        #expect(end.sent() == [.goAway(0x7fff_ffff, .noError)], "once")
        end.feed(Wire.headers(3, Wire.get))
        #expect(end.seen.last == .headers(3, FrameTests.shown, end: true))
        end.connection.goAway(.noError)
        #expect(end.sent() == [.goAway(3, .noError)])
        end.feed(Wire.headers(5, Wire.get))
        #expect(end.seen.last == .violation(5, .goingAway))
        #expect(end.sent() == [.reset(5, .refusedStream)])
        for stream: UInt32 in [1, 3] { end.send(stream, Wire.ok, end: true) }
        let active = end.connection.activeCount
        #expect(active == 0)
        end.connection.announceGoAway()
        #expect(end.sent().map(\.type) == [1, 1], "the last stream never goes up")
    }

    @Test("GOAWAY to a client: streams above the last are gone, the others go on")
    func toClient() {
        let end = Endpoint(.client)
        end.feed(Wire.settings())
        for _ in 0..<20 { end.request() }
        end.feed(Wire.goAway(5))
        #expect(end.seen.last == .goAway(5, .noError))
        let active = end.connection.activeCount
        #expect(active == 3)
        #expect(end.request() == 0)
        end.feed(Wire.headers(5, Wire.ok) + Wire.headers(7, Wire.ok))
        #expect(end.seen.last == .headers(5, [":status 200"], end: true))
    }
}

@Suite("The table of streams")
struct StreamTableTests {
    @Test("Streams are found by identifier, whatever was inserted and removed")
    func behavesLikeDictionary() {
        var generator = SeededGenerator(seed: 7)
        var table = StreamTable()
        var model: [UInt32: Int] = [:]
        for step in 0..<20_000 {
            let id = UInt32.random(in: 0..<400, using: &generator) * 2 + 1
            if let slot = table.find(id) {
                #expect(table.slots[slot].sendWindow == model[id])
                table.remove(at: slot)
                model[id] = nil
            } else {
                #expect(model[id] == nil)
                if model.count < 150 {
                    table.insert(
                        Stream(id: id, state: .open, sendWindow: step, receiveWindow: 0)
                    )
                    model[id] = step
                }
            }
            #expect(table.count == model.count)
        }
        #expect(table.slots.count <= 512)
    }

    @Test("A place of the table has 56 octets")
    func memory() {
        #expect(MemoryLayout<Stream>.stride == 56)
    }
}

/// Random numbers that are the same in each run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let mixed = (state ^ state >> 33) &* 0xff51_afd7_ed55_8ccd
        return mixed ^ mixed >> 33
    }
}
