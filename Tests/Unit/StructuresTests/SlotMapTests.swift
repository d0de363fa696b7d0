import Structures
import Testing

@Suite("SlotMap")
struct SlotMapTests {
    @Test("A key finds its element until that is taken out, and nothing afterwards")
    func staleKeys() {
        var map = SlotMap<String>()
        let first = map.insert("a")
        #expect(first != 0)
        #expect(map[first] == "a")
        #expect(map.remove(first) == "a")
        let second = map.insert("b")
        #expect(second != first)
        #expect(map[first] == nil)
        #expect(map.remove(first) == nil)
        #expect(map[second] == "b")
        #expect(map[0] == nil)
        #expect(map[.max] == nil)
    }

    @Test("Random insertions and removals agree with a dictionary", arguments: [1, 2, 3])
    func model(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var map = SlotMap<Int>()
        var model: [UInt64: Int] = [:]
        var retired: [UInt64] = []
        for step in 0..<20_000 {
            if model.isEmpty || random.next() % 5 < 3 {
                let key = map.insert(step)
                #expect(model[key] == nil)
                model[key] = step
            } else {
                let keys = Array(model.keys.prefix(8))
                let key = keys[Int(random.next() % UInt64(keys.count))]
                #expect(map.remove(key) == model.removeValue(forKey: key))
                retired.append(key)
            }
            #expect(map.count == model.count)
        }
        for (key, value) in model { #expect(map[key] == value) }
        for key in retired { #expect(map[key] == nil) }
        var seen = 0
        map.forEach { key, value in
            seen += 1
            #expect(model[key] == value)
        }
        #expect(seen == model.count)
    }
}

@Suite("Queue")
struct QueueTests {
    @Test("Elements leave in the order in which they came", arguments: [1, 2, 3])
    func model(seed: UInt64) {
        var random = SeededNumbers(seed: seed)
        var queue = Queue<Int>()
        var model: [Int] = []
        for step in 0..<5_000 {
            if random.next() % 9 < 5 {
                queue.append(step)
                model.append(step)
            } else {
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count)
            #expect(queue.first == model.first)
        }
        queue.removeAll()
        #expect(queue.isEmpty)
    }
}

@Suite("CounterCells")
struct CounterCellsTests {
    @Test("Numbers are added to, taken from and replaced on their own")
    func arithmetic() {
        let cells = CounterCells(count: 3)
        cells.add(0)
        cells.add(0, 41)
        cells.add(1, 5)
        cells.subtract(1, 2)
        cells.set(2, 7)
        #expect((cells[0], cells[1], cells[2]) == (42, 3, 7))
    }
}

/// Numbers that a seed determines (SplitMix64).
struct SeededNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
