import FleetMessages
import Foundation
import Testing

@testable import FleetProtocol

/// The folder of the test vectors: `proto/vectors/NAME.hex`, one frame each, in hexadecimal.
private let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "proto/vectors")

private func hex(_ octets: [UInt8]) -> String {
    octets.enumerated().map { index, octet in
        let digits = String(octet, radix: 16)
        let end = index == octets.count - 1 || index % 32 == 31 ? "\n" : " "
        return (digits.count == 1 ? "0" : "") + digits + end
    }.joined()
}

private func octets(hex text: String) -> [UInt8] {
    text.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
}

/// `WEIR_WRITE_VECTORS=1` writes the vector of a new message; one that changes means that the protocol did.
@Suite("Test vectors of the fleet protocol")
struct VectorTests {
    @Test("Every message encodes to its vector, and the vector decodes to the message")
    func vectors() throws {
        for (name, message) in try sampleMessages() {
            let file = folder.appending(path: "\(name).hex")
            let encoded = message.frame(correlation: 5).encoded()
            if ProcessInfo.processInfo.environment["WEIR_WRITE_VECTORS"] == "1" {
                try hex(encoded).write(to: file, atomically: true, encoding: .utf8)
            }
            let vector = octets(hex: try String(contentsOf: file, encoding: .utf8))
            #expect(encoded == vector, "\(name)")
            var decoder = FrameDecoder(payloadBytesMax: Limits.framePayloadBytesMax)
            var offset = 0
            let frame = try #require(try decoder.next(vector.span, offset: &offset))
            #expect(frame.correlation == 5)
            #expect(try FleetMessage(frame) == message, "\(name)")
        }
    }

    @Test("There is a vector for every type of frame, and no other")
    func completeness() throws {
        let samples = try sampleMessages()
        #expect(Set(samples.map(\.message.type)) == Set(FrameType.allCases))
        let files = try FileManager.default.contentsOfDirectory(
            atPath: folder.path(percentEncoded: false)
        )
        #expect(Set(files) == Set(samples.map { "\($0.name).hex" }))
    }

    @Test("Mutated vectors are decoded or refused, and never trap")
    func mutations() throws {
        var random = SplitMix64(seed: 2_026)
        for (_, message) in try sampleMessages() {
            let payload = message.frame().payload
            for _ in 0..<400 {
                var mutated = payload
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    mutate(&mutated, &random)
                }
                let frame = Frame(type: message.type.rawValue, correlation: 1, payload: mutated)
                if let decoded = try? FleetMessage(frame) {  // Refused is as good as decoded.
                    _ = decoded.frame().encoded()
                }
            }
        }
    }

    private func mutate(_ octets: inout [UInt8], _ random: inout SplitMix64) {
        guard !octets.isEmpty else { return }
        let index = Int.random(in: octets.indices, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: octets[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: octets[index] = [0, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
        case 2: octets.removeSubrange(index...)
        default: octets.insert(UInt8.random(in: 0...255, using: &random), at: index)
        }
    }
}

/// A small generator with a seed, for tests that must repeat.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15  // Wraps by design, as do the products below.
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
