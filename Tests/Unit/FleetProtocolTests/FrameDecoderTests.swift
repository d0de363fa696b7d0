import FleetMessages
import Testing

@testable import FleetProtocol

/// All frames in `octets`, which are given to the decoder in pieces that end at `cuts`.
private func decode(
    _ octets: [UInt8],
    cuts: [Int] = [],
    payloadBytesMax: Int = Limits.framePayloadBytesMax
) throws(FleetProtocolError) -> (frames: [Frame], isBetweenFrames: Bool) {
    var decoder = FrameDecoder(payloadBytesMax: payloadBytesMax)
    var frames: [Frame] = []
    var start = 0
    for end in cuts + [octets.count] {
        let piece = Array(octets[start..<end])
        var offset = 0
        while let frame = try decoder.next(piece.span, offset: &offset) { frames.append(frame) }
        start = end
    }
    return (frames, decoder.isBetweenFrames)
}

@Suite("Frames")
struct FrameDecoderTests {
    private let frames = [
        Frame(type: 1, correlation: 7, payload: [1, 2, 3]),
        Frame(type: 0xffff, flags: .ignorable, correlation: .max, payload: []),
        Frame(type: 64, correlation: 0, payload: [UInt8](repeating: 9, count: 40)),
    ]

    @Test("A stream of frames comes out the same wherever it is cut")
    func everyCut() throws {
        let octets = frames.flatMap { $0.encoded() }
        for first in 0...octets.count {
            let found = try decode(octets, cuts: [first])
            #expect(found.frames == frames)
            #expect(found.isBetweenFrames)
        }
        #expect(try decode(octets, cuts: Array(1..<octets.count)).frames == frames)
    }

    @Test("A header has its numbers in network order")
    func header() {
        let octets = Frame(type: 0x0102, flags: .ignorable, correlation: 0x0304_0506, payload: [7])
            .encoded()
        #expect(octets == [0, 0, 0, 1, 1, 2, 0, 1, 3, 4, 5, 6, 7])
    }

    @Test("A truncated stream leaves the decoder within a frame")
    func truncated() throws {
        let octets = frames[0].encoded()
        for count in 1..<octets.count {
            let found = try decode(Array(octets.prefix(count)))
            #expect(found.frames.isEmpty)
            #expect(!found.isBetweenFrames)
        }
    }

    @Test("A length over the limit is refused with its fourth octet, before anything is allocated")
    func oversized() {
        let error = FleetProtocolError.frameOversized(bytes: 0xffff_ffff, max: 1 << 20)
        for cuts in [[], [1], [1, 2, 3]] {
            #expect(throws: error) { try decode([0xff, 0xff, 0xff, 0xff], cuts: cuts) }
        }
        #expect(throws: FleetProtocolError.frameOversized(bytes: 4, max: 3)) {
            try decode([0, 0, 0, 4], payloadBytesMax: 3)
        }
    }

    @Test("After an oversized frame nothing is decoded any more")
    func failedForGood() throws {
        var decoder = FrameDecoder(payloadBytesMax: 3)
        let good = Frame(type: 1, correlation: 0, payload: []).encoded()
        for octets in [[0, 0, 0, 9], good, good] as [[UInt8]] {
            var offset = 0
            do {
                _ = try decoder.next(octets.span, offset: &offset)
                Issue.record("the frame was accepted")
            } catch {
                #expect(error == FleetProtocolError.frameOversized(bytes: 9, max: 3))
            }
        }
    }

    @Test("The limit may be raised between frames")
    func raisedLimit() throws {
        var decoder = FrameDecoder(payloadBytesMax: 3)
        decoder.payloadBytesMax = 4
        let octets = Frame(type: 1, correlation: 0, payload: [1, 2, 3, 4]).encoded()
        var offset = 0
        #expect(try decoder.next(octets.span, offset: &offset)?.payload == [1, 2, 3, 4])
    }
}
