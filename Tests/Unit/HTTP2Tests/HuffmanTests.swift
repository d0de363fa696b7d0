import Testing

@testable import HTTP2

@Suite("Huffman code, RFC 7541 §5.2")
struct HuffmanTests {
    private func coded(_ string: [UInt8]) -> [UInt8] {
        var output: [UInt8] = [0x5a]
        let count = HuffmanCode.encodedCount(string.span)
        HuffmanCode.encode(string.span, encodedCount: count, to: &output)
        #expect(output.count == count + 1)
        return Array(output[1...])
    }

    private func read(_ string: [UInt8]) throws(HPACKError) -> [UInt8] {
        var output: [UInt8] = [0x5a]
        try HuffmanCode.decode(string.span, into: &output)
        return Array(output[1...])
    }

    @Test("Every octet alone and beside every other is read as it was written")
    func pairs() throws {
        for first in UInt8.min...UInt8.max {
            #expect(try read(coded([first])) == [first])
            for second in UInt8.min...UInt8.max {
                let string = [first, second, first]
                #expect(try read(coded(string)) == string)
            }
        }
    }

    @Test("Strings of every length up to 100 octets are read as they were written")
    func lengths() throws {
        var random = SplitMix64(seed: 3)
        for count in 0...100 {
            for bound in [UInt8(0x7f), UInt8.max] {
                let string = (0..<count).map { _ in UInt8.random(in: 0...bound, using: &random) }
                #expect(try read(coded(string)) == string)
            }
        }
    }

    @Test("Whatever is read without an error is written the same")
    func canonical() {
        var random = SplitMix64(seed: 4)
        var readCount = 0
        for _ in 0..<20_000 {
            let string = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                UInt8.random(in: 0...UInt8.max, using: &random)
            }
            // Most random strings end in bits that are no padding.
            guard let found = try? read(string) else { continue }
            readCount += 1
            #expect(coded(found) == string)
        }
        #expect(readCount > 500)
    }
}
