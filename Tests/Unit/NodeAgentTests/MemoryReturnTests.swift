import Testing

@testable import NodeAgent

@Suite("Memory that goes back to the system")
struct MemoryReturnTests {
    private static let base = 30 << 20
    private static let high = base + Limits.freeBytesKept + 1

    @Test("Nothing is given back near the least that was resident, or when nothing is known")
    func restsAtTheLeast() {
        var memory = MemoryReturn()
        for octets in [0, Self.base, Self.high - 1, Self.base - 1, 0] {
            let isDue = memory.isDue(resident: octets)
            #expect(!isDue)
        }
    }

    @Test("What a burst has left is given back at once, and again while it brings much")
    func givesBack() {
        var memory = MemoryReturn()
        _ = memory.isDue(resident: Self.base)
        for _ in 0..<3 {
            let isDue = memory.isDue(resident: Self.high)
            #expect(isDue)
            memory.returned(before: Self.high, after: Self.base)
        }
    }

    @Test("Attempts that bring little become rare, and a quiet moment forgets that")
    func backsOff() {
        var memory = MemoryReturn()
        _ = memory.isDue(resident: Self.base)
        var attempts = 0
        for _ in 0..<100 where memory.isDue(resident: Self.high) {
            attempts += 1
            memory.returned(before: Self.high, after: Self.high)
        }
        #expect((5...12).contains(attempts))
        _ = memory.isDue(resident: Self.base)
        let isDue = memory.isDue(resident: Self.high)
        #expect(isDue)
    }
}
