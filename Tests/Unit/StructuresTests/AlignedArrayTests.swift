@testable import Structures
import Testing

@Suite("AlignedArray")
struct AlignedArrayTests {
    private struct Element: BitwiseCopyable, Equatable {
        var number: UInt64
        var mark: UInt8
    }

    @Test("Elements stay when it grows, and can be replaced")
    func growth() {
        var array = AlignedArray<Element>()
        for number in 0..<1_000 {
            array.append(Element(number: UInt64(number), mark: 1))
            #expect(array.count == number + 1)
        }
        for number in stride(from: 0, to: 1_000, by: 3) { array[number].mark = 2 }
        for number in 0..<1_000 {
            #expect(
                array[number] == Element(number: UInt64(number), mark: number % 3 == 0 ? 2 : 1)
            )
        }
    }

    @Test("The first element is at the start of a line", arguments: [0, 1, 7, 5_000])
    func alignment(capacity: Int) {
        var array = AlignedArray<Element>(capacity: capacity)
        for _ in 0..<100 {
            array.append(Element(number: 0, mark: 0))
            // SAFETY: only the address is looked at.
            #expect(unsafe Int(bitPattern: array.elements) % 64 == 0)
        }
    }
}
