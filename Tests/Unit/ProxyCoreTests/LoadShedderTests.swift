import Testing

@testable import ProxyCore

@Suite("Which requests a worker refuses")
struct LoadShedderTests {
    private let millisecond: UInt64 = 1_000_000

    private func refusals(_ shedder: inout LoadShedder, of count: Int) -> Int {
        (0..<count).count { _ in shedder.sheds() }
    }

    @Test("None while the loop keeps up")
    func none() {
        var shedder = LoadShedder(limit: 100 * millisecond)
        for _ in 0..<100 { shedder.note(lag: 74 * millisecond) }
        #expect(shedder.share == 0 && refusals(&shedder, of: 1000) == 0)
    }

    @Test("One pause, however long, is no overload; neither are a few after each other")
    func pauses() {
        var shedder = LoadShedder(limit: 100 * millisecond)
        for _ in 0..<10 {
            for lag in [5000, 400, 100, 20] as [UInt64] { shedder.note(lag: lag * millisecond) }
            for _ in 0..<20 { shedder.note(lag: 2 * millisecond) }
            #expect(shedder.share == 0)
        }
    }

    @Test("The share grows while the lag stays, spread evenly, and never is all")
    func grows() {
        var shedder = LoadShedder(limit: 100 * millisecond)
        for _ in 0..<7 { shedder.note(lag: 150 * millisecond) }
        let early = shedder.share
        #expect(early < LoadShedder.whole / 4)
        for _ in 0..<50 { shedder.note(lag: 150 * millisecond) }
        #expect(shedder.share > early)
        #expect(refusals(&shedder, of: 640) == 240)
        let eight = refusals(&shedder, of: 8)
        #expect(eight == 3)
    }

    @Test("It stays between the bounds, shrinks below, and is gone soon after the loop has slept")
    func shrinks() {
        var shedder = LoadShedder(limit: 100 * millisecond)
        for _ in 0..<60 { shedder.note(lag: 150 * millisecond) }
        for _ in 0..<60 { shedder.note(lag: 60 * millisecond) }
        #expect(refusals(&shedder, of: 64) == 24)
        for _ in 0..<20 { shedder.note(lag: 0) }
        #expect(shedder.share == 0 && refusals(&shedder, of: 64) == 0)
    }

    @Test("A limit of any size")
    func bounds() {
        var shedder = LoadShedder(limit: .max)
        for _ in 0..<20 { shedder.note(lag: .max) }
        #expect(shedder.share <= LoadShedder.whole)
        shedder = LoadShedder(limit: 1)
        for _ in 0..<20 { shedder.note(lag: .max) }
        #expect(shedder.share <= LoadShedder.whole)
    }
}
