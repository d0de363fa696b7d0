import Testing

@testable import HTTP2

@Suite("RFC 9113 §6.5 SETTINGS")
struct SettingsTests {
    @Test("§6.5.3: SETTINGS are acknowledged in order; values count from then on")
    func acknowledged() {
        let result = outcome([
            Wire.settings((1, 0), (3, 7), (4, 1), (5, 20000), (6, 9), (8, 1), (0xabcd, 5)),
            Wire.settings((4, 2), (4, 3)), Wire.settings((4, 3)),
        ])
        #expect(result.seen == [.settingsChanged, .settingsChanged])
        #expect(result.sent == [Sent](repeating: .settingsAcknowledgement, count: 3))
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings((1, 0), (3, 7), (4, 1), (5, 20000), (6, 9), (8, 1)))
        let settings = end.connection.peerSettings
        #expect(settings.headerTableBytes == 0 && settings.concurrentStreamsMax == 7)
        #expect(settings.initialWindowBytes == 1 && settings.frameBytesMax == 20000)
        #expect(settings.fieldSectionBytesMax == 9 && settings.allowsExtendedConnect)
    }

    @Test(
        "§6.5.2: values that a setting cannot have",
        arguments: [
            (2, 2, .settingEnablePushInvalid), (4, 0x8000_0000, .settingWindowInvalid),
            (4, .max, .settingWindowInvalid), (5, 16383, .settingFrameSizeInvalid),
            (5, 0x100_0000, .settingFrameSizeInvalid), (8, 2, .settingConnectProtocolInvalid),
            (9, 2, .settingPrioritiesInvalid),
        ] as [(UInt16, UInt32, HTTP2Error)]
    )
    func invalid(name: UInt16, value: UInt32, error: HTTP2Error) {
        expectFailure(error, [Wire.settings((name, value))])
        let code: ErrorCode = error == .settingWindowInvalid ? .flowControlError : .protocolError
        #expect(error.code == code)
    }

    @Test("§6.5.2: a server must not enable push; a client may say either")
    func push() {
        expectFailure(.settingEnablePushInvalid, at: .client, [Wire.settings((2, 1))])
        #expect(outcome([Wire.settings((2, 1)), Wire.settings((2, 0))]).sent.count == 2)
    }

    @Test("RFC 8441 §3: what was allowed is not taken back")
    func connectProtocol() {
        expectFailure(
            .settingConnectProtocolInvalid,
            at: .client,
            [Wire.settings((8, 1)), Wire.settings((8, 0))]
        )
    }

    @Test("§6.5: an acknowledgement of nothing")
    func unsolicitedAcknowledgement() {
        expectFailure(.acknowledgementUnexpected, [Wire.settingsAcknowledgement])
    }

    @Test("§6.5: an acknowledgement with a payload")
    func acknowledgementWithPayload() {
        expectFailure(.frameLengthInvalid, [Wire.frame(4, flags: 1, 0, [0, 4, 0, 0, 0, 1])])
    }

    @Test("Settings in a frame are bounded")
    func tooMany() {
        let payload = [UInt8](repeating: 0xff, count: 65 * 6)
        expectFailure(.settingsTooMany, [Wire.frame(4, 0, payload)])
    }

    @Test("RFC 7541 §4.2: the smallest table size in a frame is told, then the last one")
    func tableSizes() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings((1, 0), (1, 100)) + Wire.headers(1, Wire.get))
        _ = end.sent()
        end.send(1, Wire.ok, end: true)
        #expect(end.sent()[0].payload == [0x20, 0x3f, 69, 0x88])
    }

    @Test("The peer may close between frames, not within one or within a field block")
    func betweenFrames() {
        let end = Endpoint(.server)
        func isBetween() -> Bool { end.connection.isBetweenFrames }
        #expect(!isBetween())
        end.feed(Wire.preface)
        #expect(isBetween())
        end.feed(Wire.settings() + [0])
        #expect(!isBetween())
        end.feed(Array(Wire.headers(1, Wire.post, end: false, done: false).dropFirst()))
        #expect(!isBetween())
        end.feed(Wire.continuation(1, []))
        #expect(isBetween())
        end.feed(Array(Wire.data(1, [1, 2]).dropLast()))
        #expect(!isBetween())
        end.feed([2])
        #expect(isBetween())
    }
}
