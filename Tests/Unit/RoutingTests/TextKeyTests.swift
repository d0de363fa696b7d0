import Bytes
@testable import Routing
import Testing

@Suite("TextKey")
struct TextKeyTests {
    @Test("Texts of every length are equal to themselves and to no other")
    func lengths() {
        for length in 0...24 {
            let octets = (0..<length).map { UInt8(ascii: "a") + UInt8($0) }
            let key = Self.key(octets)
            #expect(!key.isCut && key.count == UInt32(length))
            #expect(Self.key(octets, behind: 9) == key)
            #expect(Self.key(octets.map { $0 - 0x20 }).lowercased == key)
            #expect(Self.key(octets + [0]) != key)
            for index in 0..<length {
                var other = octets
                other[index] = 0
                #expect(Self.key(other) != key)
            }
        }
    }

    @Test("Longer texts are told apart by their lengths and their first 24 octets")
    func longTexts() {
        let octets = [UInt8](repeating: 7, count: 30)
        #expect(Self.key(octets).isCut)
        #expect(Self.key(octets + [7]) != Self.key(octets))
        #expect(Self.key(octets.dropLast() + [8]) == Self.key(octets))
    }

    private static func key(_ text: [UInt8], behind count: Int = 0) -> TextKey {
        let octets = [1, 2, 3] + text + [UInt8](repeating: 4, count: count)
        return TextKey(octets.span, 3..<3 + text.count)
    }
}
