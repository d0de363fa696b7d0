import Testing

@testable import HTTP2

@Suite("RFC 9113 §10.5 denial of service")
struct FloodTests {
    /// Feeds an input again and again at one moment.
    ///
    /// - Returns: How often it was taken, and the error at the end.
    private func flood(
        _ limits: HTTP2Limits = HTTP2Limits(),
        most: Int = 20_000,
        takesOutput: Bool = true,
        before: [[UInt8]] = [],
        _ input: (Int) -> [UInt8]
    ) -> (count: Int, error: HTTP2Error?) {
        let end = Endpoint(.server, limits)
        end.feed(Wire.preface + Wire.settings() + Wire.settingsAcknowledgement)
        for octets in before { end.feed(octets) }
        for count in 0..<most {
            end.seen = []
            end.feed(input(count))
            if takesOutput { _ = end.sent() }
            if case .failed(let error)? = end.seen.last {
                #expect(error.code == .enhanceYourCalm)
                return (count, error)
            }
        }
        return (most, nil)
    }

    private func expect(
        _ found: (count: Int, error: HTTP2Error?),
        _ error: HTTP2Error,
        _ range: ClosedRange<Int>,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(found.error == error, sourceLocation: sourceLocation)
        #expect(range.contains(found.count), "after \(found.count)", sourceLocation: sourceLocation)
    }

    @Test("Rapid Reset: streams that are opened and reset at once")
    func rapidReset() {
        let found = flood { count in
            Wire.headers(UInt32(2 * count + 1), Wire.get) + Wire.reset(UInt32(2 * count + 1))
        }
        expect(found, .resetsTooMany, 500...500)
    }

    @Test("MadeYouReset: streams that are opened and broken, in every way")
    func madeYouReset() {
        let ways: [(UInt32) -> [UInt8]] = [
            { Wire.windowUpdate($0, 0) }, { Wire.windowUpdate($0, 0x7fff_ffff) },
            { Wire.data($0, [1]) }, { Wire.headers($0, [("x", "y")]) },
            { Wire.priority($0, on: $0) }, { Wire.frame(2, $0, [1]) },
        ]
        for way in ways {
            let found = flood { count in
                Wire.headers(UInt32(2 * count + 1), Wire.get) + way(UInt32(2 * count + 1))
            }
            expect(found, .provokedResetsTooMany, 200...200)
        }
        let malformed = flood { Wire.headers(UInt32(2 * $0 + 1), []) }
        expect(malformed, .provokedResetsTooMany, 200...200)
        let refused = flood(HTTP2Limits(streamsMax: 0)) {
            Wire.headers(UInt32(2 * $0 + 1), Wire.get)
        }
        expect(refused, .provokedResetsTooMany, 200...200)
    }

    @Test("CONTINUATION: a block without end is refused before it is held")
    func continuations() {
        let open = Wire.headers(1, Wire.get, done: false)
        let empty = flood(before: [open]) { _ in Wire.continuation(1, [], done: false) }
        expect(empty, .continuationsTooMany, 32...32)
        let full = [UInt8](repeating: 0, count: 16384)
        let large = flood(before: [open]) { _ in Wire.continuation(1, full, done: false) }
        expect(large, .fieldBlockTooLarge, 7...7)
        // The header of the frame is enough.
        let limits = HTTP2Limits(fieldSectionBytesMax: 1000)
        expectFailure(
            .fieldBlockTooLarge,
            limits: limits,
            [Wire.frame(1, flags: 4, 1, length: 2001)]
        )
    }

    @Test("Frames that cost little to send and something to take")
    func controlFrames() {
        expect(flood { _ in Wire.ping() }, .pingsTooOften, 500...500)
        expect(flood { _ in Wire.settings() }, .settingsTooOften, 49...49)
        expect(flood { _ in Wire.ping(flags: 1) }, .glitchesTooOften, 500...500)
        expect(flood { _ in Wire.priority(1, on: 3) }, .prioritiesTooOften, 1000...1000)
        expect(flood { _ in Wire.priorityUpdate(1, "i") }, .prioritiesTooOften, 1000...1000)
        expect(flood { _ in Wire.frame(0xee) }, .prioritiesTooOften, 1000...1000)
        expect(flood { _ in Wire.windowUpdate(0, 1) }, .windowUpdatesTooOften, 4000...4000)
        expect(flood { _ in Wire.goAway(0) }, .glitchesTooOften, 500...500)
        let open = Wire.headers(1, Wire.post, end: false)
        let empty = flood(before: [open]) { _ in Wire.data(1, []) }
        expect(empty, .emptyDataTooOften, 100...100)
        let padded = flood(before: [open]) { _ in Wire.data(1, [], padding: 3) }
        expect(padded, .emptyDataTooOften, 100...100)
        let resets = flood(before: [open, Wire.reset(1)]) { _ in Wire.reset(1) }
        expect(resets, .resetsTooMany, 499...499)
    }

    @Test("Frames for a stream that we reset")
    func afterReset() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.post, end: false))
        end.connection.reset(1, .cancel)
        for _ in 0..<500 { end.feed(Wire.headers(1, [("x", "y")])) }
        #expect(end.seen.count == 2)
        end.feed(Wire.headers(1, [("x", "y")]))
        #expect(end.seen.last == .failed(.glitchesTooOften))
    }

    @Test("Answers to requests that we cancelled are no flood, and neither are a server's resets")
    func cancelled() {
        let end = Endpoint(.client)
        end.feed(Wire.settings())
        for count in 0..<3000 {
            let stream = end.request()
            if count % 2 == 0 { end.connection.reset(stream, .cancel) }
            end.feed(Wire.headers(stream, Wire.ok, end: false) + Wire.data(stream, [1]))
            end.feed(Wire.reset(stream))
            end.seen.removeAll { $0 != .failed(.glitchesTooOften) }
            _ = end.connection.takeOutput()
        }
        let isFailed = end.connection.isFailed
        #expect(!isFailed)
    }

    @Test("A window that is opened octet by octet")
    func dribble() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings((4, 0)) + Wire.headers(1, Wire.get))
        end.send(1, Wire.ok, end: false)
        var count = 0
        while count < 10_000, end.seen.last != .failed(.windowUpdatesTooOften) {
            end.feed(Wire.windowUpdate(1, 1))
            end.write(1, [7])
            _ = end.connection.takeOutput()
            count += 1
        }
        // Four thousand octets make up for three of the frames.
        #expect((4001...4005).contains(count))
    }

    @Test("A peer that does not read its answers")
    func answers() {
        // Time passes, so that the budget of PING is not what ends it.
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings())
        var count = 0
        while count < 10_000, end.seen.last != .failed(.answersNotRead) {
            end.now += 20_000_000
            end.feed(Wire.ping())
            count += 1
        }
        #expect((3800...3900).contains(count), "after \(count)")
        let held = end.connection.output.count
        #expect(held < 66_000)
    }

    @Test("What is often but slow goes on for ever")
    func slow() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings())
        for count in 0..<2000 {
            end.now += 110_000_000
            let stream = UInt32(2 * count + 1)
            end.feed(Wire.headers(stream, Wire.get) + Wire.reset(stream) + Wire.ping())
            end.feed(Wire.windowUpdate(0, 1))
            _ = end.sent()
        }
        let isFailed = end.connection.isFailed
        #expect(!isFailed)
    }

    @Test("WINDOW_UPDATE frames for what we send are no flood")
    func windowUpdatesForData() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.get))
        end.send(1, Wire.ok, end: false)
        let content = [UInt8](repeating: 7, count: 8192)
        for _ in 0..<4000 {
            end.write(1, content)
            for _ in 0..<4 { end.feed(Wire.windowUpdate(0, 2048) + Wire.windowUpdate(1, 2048)) }
            _ = end.connection.takeOutput()
        }
        #expect(end.seen.last == .headers(1, FrameTests.shown, end: true))
        #expect(end.allowance(1) == 16384)
    }

    @Test("Every budget lets its burst through, and its rate after it", arguments: Flood.allCases)
    func budgets(flood: Flood) {
        var budgets = FloodBudgets()
        var now: UInt64 = 5
        func spend(_ count: UInt64) -> Bool {
            (0..<count).allSatisfy { _ in budgets.spend(flood, now: now) }
        }
        #expect(spend(flood.burst))
        #expect(!spend(1))
        now += 1_000_000_000
        #expect(spend(flood.perSecond))
        #expect(!spend(1))
        budgets.give(2, of: flood)
        #expect(spend(2))
        #expect(!spend(1))
        budgets.give(1_000_000, of: flood)
        #expect(spend(flood.burst))
        #expect(HTTP2Error(flood).code == .enhanceYourCalm)
    }

    @Test("Every error has a code and a reason")
    func errors() {
        for error in HTTP2Error.allCases {
            #expect(error.code != .noError && error.reason.utf8CodeUnitCount > 9)
        }
        for error in StreamError.allCases {
            #expect(error.code != .noError && error.reason.utf8CodeUnitCount > 9)
        }
    }
}
