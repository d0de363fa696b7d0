import Bytes
import Testing

@Suite("Octets of an array")
struct WordsTests {
    @Test("A part of a word is loaded from any place of spans of any length")
    func parts() {
        let octets = (1...20).map { UInt8($0 | 0x80) }
        for length in 0...octets.count {
            let span = octets.span.extracting(first: length)
            for offset in 0...length {
                for count in 0...min(8, length - offset) {
                    let expected = (0..<count).reduce(UInt64(0)) {
                        $0 | UInt64(octets[offset + $1]) << UInt64(8 * $1)
                    }
                    #expect(span.word(at: offset, count: count) == expected)
                }
            }
        }
    }

    @Test("Octets are written over those that are there, up to the end")
    func replace() {
        var octets: [UInt8] = [0, 1, 2, 3]
        let source: [UInt8] = [7, 8, 9]
        octets.replace(at: 1, copying: source.span)
        #expect(octets == [0, 7, 8, 9])
        octets.replace(at: 4, copying: source.span.extracting(first: 0))
        octets.replace(at: 0, copying: source.span.extracting(first: 1))
        #expect(octets == [7, 7, 8, 9])
    }

    @Test("Octets without room are not written")
    func replaceWithoutRoom() async {
        await #expect(processExitsWith: .failure) {
            var octets: [UInt8] = [0, 1, 2, 3]
            let source: [UInt8] = [7, 8, 9]
            octets.replace(at: 2, copying: source.span)
        }
    }
}
