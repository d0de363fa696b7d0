import Bytes
import Testing

@Suite("Octets of an array")
struct WordsTests {
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
