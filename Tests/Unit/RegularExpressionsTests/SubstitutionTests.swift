import Testing

@testable import RegularExpressions

@Suite("Substitutions")
struct SubstitutionTests {
    private let expression: RegularExpression

    init() throws {
        expression = try RegularExpression(pattern: "/(?P<kind>[a-z]+)/([0-9]+)(x)?")
    }

    private func expand(_ template: String, _ text: String = "/items/42") throws -> String {
        let substitution = try Substitution(template, for: expression)
        var captures = Captures()
        #expect(try expression.captures(whole: octets(text).span, into: &captures))
        var output = octets("> ")
        try substitution.expand(captures, of: octets(text).span, into: &output, octetsMax: 100)
        return String(decoding: output.dropFirst(2), as: UTF8.self)
    }

    private func refusal(_ template: String) -> Substitution.ParseError? {
        do throws(Substitution.ParseError) {
            _ = try Substitution(template, for: expression)
            return nil
        } catch {
            return error
        }
    }

    @Test("groups are named by number, by number in braces and by name")
    func groups() throws {
        #expect(try expand("/v2/$1-${2}") == "/v2/items-42")
        #expect(try expand("${kind}${kind}") == "itemsitems")
        #expect(try expand("$0$$1") == "/items/42$1")
        #expect(try expand("[$3]") == "[]")
        #expect(try expand("[$3]", "/a/1x") == "[x]")
        #expect(try expand("") == "")
        #expect(try expand("plain {text} }") == "plain {text} }")
        #expect(try expand("${2}0") == "420")
        #expect(try expand("$001") == "items")
    }

    @Test("what is wrong is told with its place")
    func errors() {
        #expect(refusal("/a$") == .dollarAlone(place: 3))
        #expect(refusal("/$kind") == .dollarAlone(place: 2))
        #expect(refusal("$$$") == .dollarAlone(place: 3))
        #expect(refusal("a${") == .nameMissing(place: 2))
        #expect(refusal("a${}") == .nameMissing(place: 2))
        #expect(refusal("a${kind") == .nameMissing(place: 2))
        #expect(refusal("$4") == .numberUnknown("4", place: 1))
        #expect(refusal("ab$10") == .numberUnknown("10", place: 3))
        #expect(
            refusal("${99999999999999999999}") == .numberUnknown("99999999999999999999", place: 1)
        )
        #expect(refusal("/${Kind}") == .nameUnknown("Kind", place: 2))
        #expect(refusal("/caf\u{e9}") == .characterBeyondASCII("\u{e9}", place: 5))
        #expect(refusal(String(repeating: "a", count: 1_025)) == .templateTooLong)
        #expect(refusal(String(repeating: "a", count: 1_024)) == nil)
        #expect(
            refusal("ab$10")?.description
                == "character 3: the pattern has no group 10; write ${1} before a digit"
        )
        #expect(refusal("/${Kind}")?.description == "character 2: the pattern has no group 'Kind'")
    }

    @Test("a result is as long as the caller takes, and else nothing is written")
    func lengths() throws {
        let substitution = try Substitution("/$1/", for: expression)
        var captures = Captures()
        let text = octets("/items/42")
        #expect(try expression.captures(whole: text.span, into: &captures))
        var output = octets("ab")
        try substitution.expand(captures, of: text.span, into: &output, octetsMax: 9)
        #expect(output == octets("ab/items/"))
        for most in [0, 2, 8, 15] {
            #expect(throws: MatchError.resultTooLong) {
                try substitution.expand(captures, of: text.span, into: &output, octetsMax: most)
            }
            #expect(output == octets("ab/items/"))
        }
    }

    @Test(
        "every match is replaced, from left to right, and none within another",
        arguments: [
            ("b+", "[$0]", "abba", "a[bb]a"), ("ana", "X", "banana", "bXna"),
            ("x*", "-", "axb", "-a-b-"),
            ("x*", "-", "", "-"), ("z", "-", "abc", "abc"), ("^a", "b", "aaa", "baa"),
            ("$", "!", "ab", "ab!"),
            ("_", "-", "a_b_c_", "a-b-c-"), ("(a)(b)?", "$2$1", "abaa", "baaa"),
            ("", ".", "ab", ".a.b."),
        ]
    )
    func replaces(_ pattern: String, _ template: String, _ text: String, _ wanted: String) throws {
        let expression = try RegularExpression(pattern: pattern)
        let substitution = try Substitution(template, for: expression)
        var captures = Captures()
        var output = octets(">")
        _ = try expression.replaceMatches(
            in: octets(text).span,
            with: substitution,
            captures: &captures,
            into: &output,
            octetsMax: 100
        )
        #expect(String(decoding: output, as: UTF8.self) == ">" + wanted)
    }

    @Test("matches beyond 100, and results beyond what the caller takes, are errors")
    func replacementBounds() throws {
        let expression = try RegularExpression(pattern: "a")
        let substitution = try Substitution("bb", for: expression)
        var captures = Captures()
        func replace(_ count: Int, _ most: Int, _ output: inout [UInt8]) throws(MatchError) -> Int {
            let text = [UInt8](repeating: UInt8(ascii: "a"), count: count)
            return try expression.replaceMatches(
                in: text.span,
                with: substitution,
                captures: &captures,
                into: &output,
                octetsMax: most
            )
        }
        var output = octets(">")
        #expect(throws: MatchError.matchesTooMany) { try replace(101, 10_000, &output) }
        #expect(throws: MatchError.resultTooLong) { try replace(100, 200, &output) }
        #expect(throws: MatchError.resultTooLong) { try replace(1, 0, &output) }
        #expect(output == octets(">"))
        #expect(try replace(100, 201, &output) == 100)
        #expect(output.count == 201)
    }
}
