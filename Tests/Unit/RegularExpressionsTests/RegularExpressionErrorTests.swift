import Testing

@testable import RegularExpressions

@Suite("Refused patterns")
struct RegularExpressionErrorTests {
    private func refusal(_ pattern: String) -> RegularExpressionError? {
        do throws(RegularExpressionError) {
            _ = try RegularExpression(pattern: pattern)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "what is malformed is told with the part that is",
        arguments: [
            ("/a(b", "missing ): /a(b"), ("/a[b", "missing ]: [b"),
            ("a**", "bad repetition operator: **"),
            ("*a", "no argument for repetition operator: *"),
            ("[z-a]", "invalid character class range: z-a"),
            ("a\\", "trailing \\"), ("(?P<a-b>x)", "invalid named capture group: (?P<a-b>"),
        ]
    )
    func malformed(_ pattern: String, _ description: String) {
        #expect(refusal(pattern)?.description == description)
    }

    @Test("what takes more than linear time is refused, with a word on what there is instead")
    func unsupported() {
        for pattern in ["(?=a)b", "(?!a)b", "(?<=a)b", "(?<name>a)"] {
            guard case .syntaxUnsupported(let part)? = refusal(pattern) else {
                Issue.record("\(pattern) is not refused so")
                continue
            }
            #expect(pattern.hasPrefix(part))
            #expect(refusal(pattern)?.description.contains("(?P<name>...)") == true)
        }
        #expect(refusal("(a)\\1") == .syntaxUnsupported(part: "\\1"))
        #expect(refusal("(a)\\1")?.description.contains("back-references") == true)
    }

    @Test("characters beyond ASCII are refused with what to write for them")
    func beyondASCII() {
        #expect(refusal("/caf\u{e9}") == .characterBeyondASCII("\u{e9}"))
        let description = refusal("/caf\u{e9}")?.description
        #expect(
            description
                == "'\u{e9}' is beyond ASCII: write %C3%A9 as it is in a path, or \\xC3\\xA9"
        )
    }

    @Test("programs, patterns and numbers of groups are bounded")
    func bounds() {
        #expect(refusal("(x{1000}){1000}") == .repetitionInvalid(part: "{1000}"))
        #expect(refusal("x{1001}") == .repetitionInvalid(part: "{1001}"))
        #expect(refusal("x{1000}") == nil)
        #expect(refusal("x{1000}y{1000}") == .programTooLarge)
        #expect(refusal(String(repeating: "[a-z]{1000}", count: 90)) == .programTooLarge)
        #expect(refusal(String(repeating: "a", count: 1_024)) == nil)
        #expect(refusal(String(repeating: "a", count: 1_025)) == .patternTooLong)
        #expect(refusal(String(repeating: "(a)", count: 32)) == nil)
        #expect(refusal(String(repeating: "(a)", count: 33)) == .groupsTooMany)
        #expect(refusal(String(repeating: "(?:a)", count: 33)) == nil)
        let nested = String(repeating: "(?:", count: 250) + String(repeating: ")", count: 250)
        #expect(refusal(nested) == nil)
        for error in [RegularExpressionError.patternTooLong, .programTooLarge, .groupsTooMany] {
            #expect(!error.description.isEmpty)
        }
    }

    @Test("a group's name is no number, and no other group's")
    func names() {
        #expect(refusal("(?P<1>a)") == .groupNameInvalid("1"))
        #expect(refusal("(?P<a>a)(?:(?P<a>b))") == .groupNameRepeated("a"))
        #expect(refusal("(?P<a1>a)(?P<_>b)") == nil)
    }
}
