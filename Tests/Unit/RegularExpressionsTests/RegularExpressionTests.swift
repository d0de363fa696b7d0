import Testing

@testable import RegularExpressions

@Suite("Regular expressions")
struct RegularExpressionTests {
    @Test("the whole of a text is compared, not a part of it")
    func whole() throws {
        let expression = try RegularExpression(pattern: "/items/[0-9]+")
        #expect(try matchesWhole(expression, "/items/17"))
        #expect(try !matchesWhole(expression, "/items/17/parts"))
        #expect(try !matchesWhole(expression, "/all/items/17"))
        #expect(try !matchesWhole(expression, ""))
        let alternatives = try RegularExpression(pattern: "/a|/ab")
        #expect(try matchesWhole(alternatives, "/ab"))
    }

    @Test("groups are found by number and by name, and those that took no part are nil")
    func captures() throws {
        let expression = try RegularExpression(pattern: "/(?P<kind>[a-z]+)/([0-9]+)(-x)?(/?)")
        #expect(expression.groupCount == 4)
        #expect(expression.groupNames == ["kind": 1])
        var captures = Captures()
        #expect(captures.count == 0 && captures[0] == nil)
        #expect(try expression.captures(whole: octets("/items/42").span, into: &captures))
        #expect(captures.count == 5)
        #expect(captures[0] == 0..<9)
        #expect(captures[1] == 1..<6)
        #expect(captures[2] == 7..<9)
        #expect(captures[3] == nil)
        #expect(captures[4] == 9..<9)
        #expect(captures[5] == nil && captures[-1] == nil && captures[.max] == nil)
        #expect(try !expression.captures(whole: octets("/items/").span, into: &captures))
        #expect(captures.count == 0 && captures[1] == nil)
    }

    @Test("one value for captures serves expressions with different numbers of groups")
    func capturesAgain() throws {
        var captures = Captures()
        for count in [3, 0, 32, 1] {
            let pattern = String(repeating: "(a)", count: count) + "b"
            let expression = try RegularExpression(pattern: pattern)
            let text = octets(String(repeating: "a", count: count) + "b")
            #expect(try expression.captures(whole: text.span, into: &captures))
            #expect(captures.count == count + 1)
            for group in 0..<count { #expect(captures[group + 1] == group..<(group + 1)) }
        }
    }

    @Test("the first match is the leftmost, from where the search begins")
    func firstMatch() throws {
        let expression = try RegularExpression(pattern: "b+")
        let text = octets("abbabbb")
        var captures = Captures()
        #expect(try expression.firstMatch(in: text.span, into: &captures))
        #expect(captures[0] == 1..<3)
        #expect(try expression.firstMatch(in: text.span, from: 3, into: &captures))
        #expect(captures[0] == 4..<7)
        #expect(try !expression.firstMatch(in: text.span, from: 7, into: &captures))
        let first = try RegularExpression(pattern: "^b")
        #expect(try !first.firstMatch(in: text.span, from: 1, into: &captures))
    }

    @Test("a place outside the text is an error and no match")
    func firstMatchOutside() throws {
        let expression = try RegularExpression(pattern: "")
        var captures = Captures()
        for place in [-1, 2, .max, .min] {
            #expect(throws: MatchError.self) {
                try expression.firstMatch(in: octets("a").span, from: place, into: &captures)
            }
        }
    }

    @Test("every octet is a character: NUL, a line feed, and those beyond ASCII")
    func everyOctet() throws {
        let any = try RegularExpression(pattern: ".")
        let beyond = try RegularExpression(pattern: "[\\x80-\\xFF]")
        let negated = try RegularExpression(pattern: "[^/]+")
        for octet in UInt8.min...UInt8.max {
            #expect(try matchesWhole(any, [octet]))
            #expect(try matchesWhole(beyond, [octet]) == (octet >= 0x80))
            let text: [UInt8] = [octet, 0, octet]
            #expect(try matchesWhole(negated, text) == (octet != UInt8(ascii: "/")))
        }
        let utf8 = try RegularExpression(pattern: "caf\\xC3\\xA9")
        #expect(try matchesWhole(utf8, "café"))
        let nul = try RegularExpression(pattern: "a\0b")
        #expect(try matchesWhole(nul, "a\0b"))
        #expect(try !matchesWhole(nul, "a"))
    }

    @Test("the empty text and the empty pattern match each other")
    func empty() throws {
        let expression = try RegularExpression(pattern: "")
        let optional = try RegularExpression(pattern: "(a)?()")
        var captures = Captures()
        #expect(try matchesWhole(expression, ""))
        #expect(try !matchesWhole(expression, "a"))
        #expect(try optional.captures(whole: octets("").span, into: &captures))
        #expect(captures[0] == 0..<0 && captures[1] == nil && captures[2] == 0..<0)
    }

    @Test(
        "patterns that keep other engines busy for ever end",
        arguments: [
            ("(a*)*b", "b"), ("(a|aa)+$", ""), ("(.*)*(.*)*(.*)*x", "x"),
            ("(a|b)*a(a|b){600}", nil),
            ("(?:a?){600}a{600}", nil), ("([a-z]+)+\\d", "1"),
        ]
    )
    func pathological(_ pattern: String, _ end: String?) throws {
        let expression = try RegularExpression(pattern: pattern)
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 60_000)
        var captures = Captures()
        let matches = try expression.matchesWhole(text.span)
        #expect(try expression.captures(whole: text.span, into: &captures) == matches)
        if let end {
            #expect(try matchesWhole(expression, text + octets(end)))
            #expect(matches == end.isEmpty)
        }
    }

    @Test("96 KiB are matched, and nothing is said of more")
    func longTexts() throws {
        let expression = try RegularExpression(pattern: "a*")
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 96 * 1_024 + 1)
        var captures = Captures()
        #expect(try matchesWhole(expression, Array(text.dropLast())))
        #expect(throws: MatchError.textTooLong) { try expression.matchesWhole(text.span) }
        #expect(throws: MatchError.textTooLong) {
            try expression.captures(whole: text.span, into: &captures)
        }
        #expect(throws: MatchError.textTooLong) {
            try expression.firstMatch(in: text.span, into: &captures)
        }
        #expect(captures.count == 0)
    }

    @Test("one object serves several threads at a time")
    func threads() async throws {
        let expression = try RegularExpression(pattern: ".*a.{8}/(x|y)[0-9]{1,3}")
        let wrong = await withTaskGroup(of: Int.self) { group in
            for thread in 0..<8 {
                group.addTask {
                    var captures = Captures()
                    var wrong = 0
                    for index in 0..<300 {
                        let middle = String(repeating: "a", count: (index &* 7 &+ thread) % 40)
                        let text = octets("\(middle)a12345678/x\(index)")
                        let found = try? expression.captures(whole: text.span, into: &captures)
                        if found != true || captures[0] != 0..<text.count { wrong += 1 }
                        if (try? matchesWhole(expression, Array(text.dropLast(4)))) != false {
                            wrong += 1
                        }
                    }
                    return wrong
                }
            }
            return await group.reduce(0, +)
        }
        #expect(wrong == 0)
    }
}
