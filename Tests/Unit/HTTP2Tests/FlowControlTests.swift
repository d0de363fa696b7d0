import Testing

@testable import HTTP2

@Suite("RFC 9113 §5.2, §6.9 flow control of what is sent")
struct SendingWindowTests {
    private func serving(_ settings: [UInt8] = Wire.settings()) -> Endpoint {
        let end = Endpoint(.server)
        end.feed(Wire.preface + settings + Wire.settingsAcknowledgement)
        end.feed(Wire.headers(1, Wire.get) + Wire.headers(3, Wire.get))
        for stream: UInt32 in [1, 3] { end.send(stream, Wire.ok, end: false) }
        _ = end.sent()
        end.seen = []
        return end
    }

    @Test("§6.9.1: no more is sent than both windows and the frame size allow")
    func allowance() {
        let end = serving()
        #expect(end.allowance(1) == 16384)
        let content = [UInt8](repeating: 1, count: 70000)
        #expect(end.write(1, content) == 65535)
        #expect(end.sent().map(\.payload.count) == [16384, 16384, 16384, 16383])
        #expect(
            [end.allowance(1), end.allowance(3)] == [0, 0],
            "the connection's window is empty"
        )
        end.feed(Wire.windowUpdate(0, 10))
        #expect(end.seen.last == .windowOpened(0))
        #expect([end.allowance(1), end.allowance(3)] == [0, 10])
        end.feed(Wire.windowUpdate(1, 4))
        #expect(end.seen.last == .windowOpened(1))
        #expect(end.allowance(1) == 4)
        let before = end.seen.count
        end.feed(Wire.windowUpdate(1, 4) + Wire.windowUpdate(0, 1))
        #expect(end.seen.count == before, "only an empty window opens")
    }

    @Test("§6.9: a window of one octet is used")
    func oneOctet() {
        let end = serving(Wire.settings((4, 1)))
        #expect(end.write(1, [7, 8, 9], end: true) == 1)
        #expect(end.sent() == [Sent(type: 0, flags: 0, stream: 1, payload: [7])])
        end.feed(Wire.windowUpdate(1, 2))
        #expect(end.write(1, [8, 9], end: true) == 2)
        #expect(end.sent() == [Sent(type: 0, flags: 1, stream: 1, payload: [8, 9])])
    }

    @Test("§6.9.1: END_STREAM without content needs no window")
    func emptyEnd() {
        let end = serving(Wire.settings((4, 0)))
        #expect(end.allowance(1) == 0)
        #expect(end.write(1, [], end: true) == 0)
        #expect(end.sent() == [Sent(type: 0, flags: 1, stream: 1, payload: [])])
    }

    @Test("§6.9.2: INITIAL_WINDOW_SIZE changes windows that are open, below 0 too")
    func negativeWindow() {
        let end = serving(Wire.settings((4, 3)))
        #expect(end.write(1, [1, 2, 3, 4]) == 3)
        end.feed(Wire.settings((4, 2)))
        #expect(end.allowance(1) == 0)
        end.feed(Wire.windowUpdate(1, 1))
        #expect(end.allowance(1) == 0, "the window is 0")
        #expect(end.seen == [.settingsChanged])
        end.feed(Wire.windowUpdate(1, 1))
        #expect(end.seen.last == .windowOpened(1))
        #expect([end.allowance(1), end.allowance(3)] == [1, 2])
        end.feed(Wire.settings((4, 100)))
        #expect([end.allowance(1), end.allowance(3)] == [99, 100])
        end.feed(Wire.headers(5, Wire.get))
        #expect(end.allowance(5) == 100)
    }

    @Test("§6.9.2: the connection's window is not changed by SETTINGS")
    func connectionWindow() {
        let end = serving(Wire.settings((4, 0x7fff_ffff)))
        #expect(end.write(1, [UInt8](repeating: 0, count: 65536)) == 65535)
    }

    @Test("§6.9: an increment of 0 is an error, of the stream or the connection")
    func zeroIncrement() {
        expectFailure(.windowIncrementZero, [Wire.windowUpdate(0, 0)])
        expectFailure(.windowIncrementZero, [Wire.windowUpdate(0, 0x8000_0000)])
        expectReset(1, .windowIncrementZero, [Wire.headers(1, Wire.get), Wire.windowUpdate(1, 0)])
        let code = [HTTP2Error.windowIncrementZero.code, StreamError.windowIncrementZero.code]
        #expect(code == [.protocolError, .protocolError])
    }

    @Test("§6.9.1: a window above 2^31-1 is an error, of the stream or the connection")
    func overflow() {
        expectFailure(
            .windowOverflow,
            [Wire.windowUpdate(0, 0x7fff_ffff - 65535), Wire.windowUpdate(0, 1)]
        )
        expectReset(
            1,
            .windowOverflow,
            [Wire.headers(1, Wire.get), Wire.windowUpdate(1, 0x7fff_ffff)]
        )
        expectFailure(
            .initialWindowOverflow,
            [Wire.headers(1, Wire.get), Wire.windowUpdate(1, 1), Wire.settings((4, 0x7fff_ffff))]
        )
        let codes = [
            HTTP2Error.windowOverflow.code, HTTP2Error.initialWindowOverflow.code,
            StreamError.windowOverflow.code,
        ]
        #expect(codes == [ErrorCode](repeating: .flowControlError, count: 3))
    }

    @Test("§6.9.1: 2^31-1 itself is a window")
    func largest() {
        let result = outcome([
            Wire.headers(1, Wire.get), Wire.windowUpdate(1, 0x7fff_ffff - 65535),
            Wire.windowUpdate(0, 0x7fff_ffff - 65535),
        ])
        #expect(result.seen.count == 1)
    }

    @Test("§4.2: field sections longer than a frame go on in CONTINUATION")
    func continuations() {
        let end = serving()
        let long = String(repeating: "~", count: 40000)
        end.send(1, [("x-long", long)], end: true)
        let sent = end.sent()
        #expect(sent.map(\.type) == [1, 9, 9])
        #expect(sent.map(\.flags) == [1, 0, 4])
        #expect(sent.map(\.payload.count).dropLast() == [16384, 16384])
        let client = Endpoint(.client)
        client.feed(Wire.settings())
        client.request()
        client.feed(
            sent.flatMap { frame in
                frame.type == 1
                    ? Wire.headers(1, Wire.ok, end: false)
                        + Wire.frame(1, flags: 1, 1, frame.payload)
                    : Wire.frame(frame.type, flags: frame.flags, 1, frame.payload)
            }
        )
        #expect(client.seen.last == .trailers(1, ["x-long: \(long)"]))
    }
}

@Suite("RFC 9113 §5.2, §6.9 flow control of what is received")
struct ReceivingWindowTests {
    static let limits = HTTP2Limits(streamWindowBytes: 1000, connectionWindowBytes: 70000)

    @Test("§6.9: windows are given back when half of them was used and is not needed any more")
    func windowUpdates() {
        let end = Endpoint(.server, Self.limits)
        end.feed(Wire.preface + Wire.settings() + Wire.settingsAcknowledgement)
        end.feed(Wire.headers(1, Wire.post, end: false))
        _ = end.sent()
        end.feed(Wire.data(1, [UInt8](repeating: 0, count: 900), padding: 9))
        end.connection.consumed(1, flowBytes: 499)
        #expect(end.sent() == [])
        end.connection.consumed(1, flowBytes: 1)
        #expect(end.sent() == [.windowUpdate(1, 500)])
        end.connection.consumed(1, flowBytes: 410)
        end.feed(Wire.data(1, [UInt8](repeating: 0, count: 590)))
        #expect(
            end.seen.last == .data(1, [UInt8](repeating: 0, count: 1490), end: false, flow: 1500)
        )
        end.feed(Wire.data(1, [0]))
        #expect(end.seen.last == .violation(1, .windowExceeded))
        #expect(end.sent() == [.reset(1, .flowControlError)])
    }

    @Test("§6.9.1: more than a stream's window is an error of the stream")
    func streamWindow() {
        expectReset(
            1,
            .windowExceeded,
            limits: Self.limits,
            [
                Wire.headers(1, Wire.post, end: false),
                Wire.data(1, [UInt8](repeating: 0, count: 991), padding: 9),
            ]
        )
        #expect(StreamError.windowExceeded.code == .flowControlError)
    }

    @Test("§6.9.1: more than the connection's window is an error of the connection")
    func connectionWindow() {
        let limits = HTTP2Limits(streamWindowBytes: 1 << 20, connectionWindowBytes: 65535)
        var input = [Wire.headers(1, Wire.post, end: false)]
        let full = [UInt8](repeating: 0, count: 16384)
        for _ in 0..<3 { input.append(Wire.data(1, full)) }
        input.append(Wire.data(1, Array(full.dropLast())))
        #expect(outcome(limits: limits, input).sent == [])
        expectFailure(.windowExceeded, limits: limits, input + [Wire.data(1, [0])])
        #expect(HTTP2Error.windowExceeded.code == .flowControlError)
    }

    @Test("§6.9.2: a window below the default counts from its acknowledgement on")
    func smallWindow() {
        let end = Endpoint(.server, Self.limits)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.post, end: false))
        end.feed(Wire.data(1, [UInt8](repeating: 0, count: 2000)))
        end.connection.consumed(1, flowBytes: 2000)
        end.feed(Wire.settingsAcknowledgement + Wire.headers(3, Wire.post, end: false))
        end.feed(Wire.data(3, [UInt8](repeating: 0, count: 1001)))
        #expect(end.seen.last == .violation(3, .windowExceeded))
        end.feed(Wire.data(1, [UInt8](repeating: 0, count: 1001)))
        #expect(end.seen.last == .violation(1, .windowExceeded))
    }

    @Test("What is held of a stream that is reset goes back to the connection")
    func resetGivesBack() {
        let limits = HTTP2Limits(streamWindowBytes: 65535, connectionWindowBytes: 65535)
        let full = [UInt8](repeating: 0, count: 16384)
        let end = Endpoint(.server, limits)
        end.feed(Wire.preface + Wire.settings() + Wire.settingsAcknowledgement)
        _ = end.sent()
        // Given back by the peer's reset, by ours, by a violation, and after both ends.
        for (number, ends) in ["peer", "here", "violation", "ended"].enumerated() {
            let stream = UInt32(2 * number + 1)
            end.feed(Wire.headers(stream, Wire.post, end: false))
            end.feed(Wire.data(stream, full) + Wire.data(stream, full, end: ends == "ended"))
            switch ends {
            case "peer": end.feed(Wire.reset(stream))
            case "here": end.connection.reset(stream, .cancel)
            case "violation": end.feed(Wire.windowUpdate(stream, 0))
            default:
                end.send(stream, Wire.ok, end: true)
                #expect(!end.sent().contains { $0.type == 8 })
                end.connection.reset(stream, .noError)
            }
            let sent = end.sent()
            #expect(sent.contains(.windowUpdate(0, 32768)), "\(ends)")
            #expect(sent.contains { $0.type == 3 } == (number == 1 || number == 2))
            end.connection.consumed(stream, flowBytes: 5)
        }
        let active = end.connection.activeCount
        let left = end.connection.streams.count
        #expect([active, left] == [0, 0])
    }

    @Test("Content that is refused goes back to the connection at once")
    func refusedContent() {
        let content = [UInt8](repeating: 0, count: 600)
        let refusals: [[[UInt8]]] = [
            [Wire.headers(1, Wire.get), Wire.data(1, content)],
            [Wire.headers(1, Wire.post, end: false), Wire.data(1, content + content)],
            [
                Wire.headers(1, Wire.post, end: false), Wire.windowUpdate(1, 0),
                Wire.data(1, content),
            ],
            [
                Wire.headers(1, Wire.post + [("content-length", "1")], end: false),
                Wire.data(1, content, padding: 7),
            ],
        ]
        for input in refusals {
            let end = Endpoint(.server, Self.limits)
            end.feed(Wire.preface + Wire.settings() + Wire.settingsAcknowledgement)
            for frame in input { end.feed(frame) }
            let window = end.connection.receiveWindow
            let unreturned = end.connection.unreturned
            #expect(window < 70000)
            #expect(window + unreturned == 70000)
        }
    }

    @Test("A stream that ended is kept until its content has gone on")
    func heldAfterEnd() {
        let end = Endpoint(.client)
        end.feed(Wire.settings())
        end.request()
        end.feed(Wire.headers(1, Wire.ok, end: false) + Wire.data(1, [1, 2, 3], end: true))
        let active = end.connection.activeCount
        let held = end.connection.streams.count
        #expect([active, held] == [0, 1])
        end.feed(Wire.windowUpdate(1, 0) + Wire.reset(1))
        #expect(end.seen.last == .data(1, [1, 2, 3], end: true, flow: 3))
        end.connection.consumed(1, flowBytes: 2)
        end.connection.consumed(1, flowBytes: 1)
        let left = end.connection.streams.count
        #expect(left == 0)
        end.feed(Wire.data(1, [1]))
        #expect(end.seen.last == .failed(.streamEnded))
    }
}
