import Testing
import Upstreams

@Suite("The gRPC health protocol")
struct GRPCHealthTests {
    @Test("a question names the service, or none")
    func questions() {
        #expect(GRPCHealth.question("") == [0, 0, 0, 0, 0])
        #expect(GRPCHealth.question("a.B") == [0, 0, 0, 0, 5, 0x0A, 3] + Array("a.B".utf8))
        let long = String(repeating: "x", count: 300)
        #expect(
            GRPCHealth.question(long) == [0, 0, 0, 1, 47, 0x0A, 0xAC, 0x02] + Array(long.utf8)
        )
    }

    @Test(
        "answers: a status, fields that are not known, and the default of an absent field",
        arguments: [
            ([0x08, 0x01], GRPCHealth.Answer.serving), ([0x08, 0x02], .notServing),
            ([0x08, 0x03], .serviceUnknown), ([], .unknown), ([0x08, 0x00], .unknown),
            ([0x08, 0x2A], .unknown), ([0x08, 0x02, 0x08, 0x01], .serving),
            ([0x12, 0x02, 0xFF, 0xFF, 0x08, 0x01], .serving),
            ([0x15, 1, 2, 3, 4, 0x08, 0x01], .serving),
            ([0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x08, 0x01], .serving),
            ([0x08, 0x81, 0x80, 0x80, 0x00], .serving),
        ]
    )
    func answers(message: [UInt8], answer: GRPCHealth.Answer) {
        let octets = [0, 0, 0, 0, UInt8(message.count)] + message
        #expect(GRPCHealth.answer(octets.span) == answer)
        for count in 0..<octets.count {
            #expect(GRPCHealth.answer(octets.span.extracting(first: count)) == nil)
        }
    }

    @Test(
        "what is no answer is none",
        arguments: [
            [1, 0, 0, 0, 2, 0x08, 0x01], [0, 0, 0, 0, 3, 0x08, 0x01], [0, 0, 0, 0, 1, 0x08],
            [0, 0, 0, 0, 2, 0x0B, 0x01], [0, 0, 0, 0, 2, 0x15, 0x01],
            [0, 0, 0, 0, 2, 0x12, 0x05], [0, 255, 255, 255, 255, 0x08, 0x01],
            [0, 0, 0, 0, 11, 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            [0, 0, 0, 0, 11, 0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] as [[UInt8]]
    )
    func refuses(octets: [UInt8]) {
        #expect(GRPCHealth.answer(octets.span) == nil)
    }

    @Test("an answer that is too long is none")
    func refusesLength() {
        let count = GRPCHealth.answerBytesMax
        let message: [UInt8] = [0x12, 0xFB, 0x07] + [UInt8](repeating: 0, count: count - 8 + 1)
        let octets = [0, 0, 0, UInt8(message.count >> 8), UInt8(message.count & 255)] + message
        #expect(octets.count == count + 1)
        #expect(GRPCHealth.answer(octets.span) == nil)
    }
}
