import Testing

@testable import RegularExpressions

@Suite("Sets of regular expressions")
struct RegularExpressionSetTests {
    private func make(_ patterns: [String]) throws(RegularExpressionError) -> RegularExpressionSet {
        var expressions: [RegularExpression] = []
        for pattern in patterns { expressions.append(try RegularExpression(pattern: pattern)) }
        return try RegularExpressionSet(expressions)
    }

    private func matches(_ set: RegularExpressionSet, _ text: String) throws(MatchError) -> [Int] {
        var indices: [Int] = []
        try set.appendMatches(whole: octets(text).span, to: &indices)
        return indices
    }

    @Test("a text has every pattern that is the whole of it, in their order")
    func order() throws {
        let set = try make(["/a.*", ".*", "/b", "/a/[0-9]+", "", "/a"])
        #expect(try matches(set, "/a/7") == [0, 1, 3])
        #expect(try matches(set, "/a") == [0, 1, 5])
        #expect(try matches(set, "") == [1, 4])
        #expect(try matches(set, "/b") == [1, 2])
    }

    @Test("what an array held before stays")
    func appends() throws {
        let set = try make(["b", "[ab]"])
        var indices = [9, 7]
        try set.appendMatches(whole: octets("b").span, to: &indices)
        #expect(indices == [9, 7, 0, 1])
        let long = [UInt8](repeating: 0, count: 96 * 1_024 + 1)
        #expect(throws: MatchError.textTooLong) {
            try set.appendMatches(whole: long.span, to: &indices)
        }
        #expect(indices == [9, 7, 0, 1])
    }

    @Test("the empty set matches nothing")
    func empty() throws {
        let set = try make([])
        #expect(try matches(set, "") == [])
        #expect(set.partCount == 0)
    }

    @Test("1,000 patterns that begin with different literals are looked for in few passes")
    func manyLiterals() throws {
        let set = try make((0..<1_000).map { "/service-\($0)/users/([0-9]+)/orders/([^/]+)" })
        #expect(set.partCount <= 4)
        for index in stride(from: 0, to: 1_000, by: 37) {
            #expect(try matches(set, "/service-\(index)/users/1/orders/x") == [index])
            #expect(try matches(set, "/service-\(index)/users/x/orders/1") == [])
        }
    }

    @Test("1,000 patterns that begin alike are divided, and a text that has them all is told so")
    func manyAlike() throws {
        let set = try make((0..<1_000).map { ".*/x\($0)/.*" })
        #expect(set.partCount == 32)
        var text = ""
        for index in 0..<1_000 { text += "/x\((index * 619) % 1_000)/a" }
        #expect(try matches(set, text) == Array(0..<1_000))
        #expect(try matches(set, "/x7/x999/") == [7, 999])
        #expect(try matches(set, "/x1000/") == [])
    }

    @Test("a set says what its patterns say one by one", arguments: 0..<20)
    func sameAsAlone(_ seed: Int) throws {
        var generator = Numbers(seed: UInt64(seed))
        let pieces = [
            "a", "b", "/", "[ab]", "(a|b)*", ".*", "b{2,4}", "a?", "(?i)A", "\\d+", "^", "$",
        ]
        let expressions = try (0..<60).map { _ in
            let count = Int.random(in: 0...5, using: &generator)
            let pattern = (0..<count).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }
            return try RegularExpression(pattern: pattern.joined())
        }
        let set = try RegularExpressionSet(expressions)
        for _ in 0..<50 {
            let count = Int.random(in: 0...8, using: &generator)
            let text = (0..<count).map { _ in
                octets("ab/1")[Int.random(in: 0..<4, using: &generator)]
            }
            var indices: [Int] = []
            try set.appendMatches(whole: text.span, to: &indices)
            let alone = try expressions.indices.filter {
                try expressions[$0].matchesWhole(text.span)
            }
            #expect(indices == alone, "seed \(seed): \(text)")
        }
    }

    @Test("parts that have no room for their states are divided, until none has any")
    func divided() throws {
        let expressions = try (0..<20).map { try RegularExpression(pattern: "/\($0)/[a-z]*") }
        let wanted = try (0..<20).map { index in
            try matches(RegularExpressionSet(expressions), "/\(index)/x")
        }
        var sets: [RegularExpressionSet] = []
        var isRefused = false
        for room in stride(from: 500, through: 60_000, by: 500) {
            do throws(RegularExpressionError) {
                sets.append(try RegularExpressionSet(expressions) { _ in room })
            } catch {
                #expect(error == .memoryExhausted)
                isRefused = true
            }
        }
        for set in sets {
            for index in 0..<20 { #expect(try matches(set, "/\(index)/x") == wanted[index]) }
        }
        let counts = Set(sets.map(\.partCount))
        #expect(wanted == (0..<20).map { [$0] })
        #expect(isRefused && counts.contains { $0 > 1 }, "\(counts)")
    }

    @Test("parts hold what a text can leave possible, and every pattern once")
    func plan() {
        var plan = RegularExpressionPlan()
        for index in 0..<100 { plan.append(index, prefix: octets("/api/"), instructions: 1) }
        for index in 100..<200 { plan.append(index, prefix: octets("/\(index)"), instructions: 1) }
        for index in 200..<210 { plan.append(index, prefix: [], instructions: 10_000) }
        let parts = plan.parts()
        #expect(parts.joined().sorted() == Array(0..<210))
        for part in parts {
            #expect(part == part.sorted())
            let chain = part.filter { $0 < 100 || $0 >= 200 }
            #expect(chain.count <= 32)
            #expect(part.filter { $0 >= 200 }.count <= 1)
        }
    }
}

/// Numbers that a seed determines (SplitMix64).
struct Numbers: RandomNumberGenerator {
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
