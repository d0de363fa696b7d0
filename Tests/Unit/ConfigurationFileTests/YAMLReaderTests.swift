import ConfigurationFile
import FleetModel
import Testing

@Suite("YAML documents")
struct YAMLReaderTests {
    private func read(_ text: String) throws(ConfigurationProblems) -> ConfigurationNode {
        try readYAML(Array(text.utf8), file: "a.yaml")
    }

    private func refusal(_ text: String) -> Problem? {
        do {
            _ = try read(text)
            return nil
        } catch {
            return error.problems.first
        }
    }

    private func json(_ text: String) throws -> String {
        String(decoding: JSONWriter.compact(try read(text)), as: UTF8.self)
    }

    @Test("scalars are text, whatever YAML would take them for")
    func keepsText() throws {
        let text = """
            a: off
            b: 1.2
            c: 2027-06-30
            d: 0600
            e: "x\\u00e9\\n"
            f: 'it''s'
            g: 10:20
            h:
            i: ~
            """
        #expect(
            try json(text)
                == #"{"a":"off","b":"1.2","c":"2027-06-30","d":"0600","e":"xé\n","f":"it's","#
                + #""g":"10:20","h":"","i":"~"}"#
        )
    }

    @Test("places are lines and columns in characters, from 1")
    func knowsPlaces() throws {
        let node = try read("# é\n\"ä\": [1, x]\nb:\n  - c: d # e\n    é: f\n")
        #expect(node["ä"]?.items?[1].place == Place(file: "a.yaml", line: 2, column: 10))
        let inner = try #require(node["b"]?.items?.first?.entries)
        #expect(inner[0].keyPlace == Place(file: "a.yaml", line: 4, column: 5))
        #expect(inner[1].keyPlace == Place(file: "a.yaml", line: 5, column: 5))
        #expect(inner[1].value.place == Place(file: "a.yaml", line: 5, column: 8))
    }

    @Test(
        "all block and flow forms are read",
        arguments: [
            ("- a\n- - b\n  - c\n-\n  d: e\n", #"["a",["b","c"],{"d":"e"}]"#),
            ("a:\n- b\n- c: d\n  e: f\ng: h\n", #"{"a":["b",{"c":"d","e":"f"}],"g":"h"}"#),
            (
                "{a: [b, {c: d}], e: 'f, g', \"h\": i#j}",
                #"{"a":["b",{"c":"d"}],"e":"f, g","h":"i#j"}"#
            ),
            (
                "a: |\n  x: *y\n   &z\n\n  - !t\nb: >-\n    p\n    q\n",
                #"{"a":"x: *y\n &z\n\n- !t\n","b":"p q"}"#
            ),
            ("- |2\n    *x\n- y\n", #"["  *x\n","y"]"#),
            ("- >\n\n  *x\n\n- y\n", #"["\n*x\n","y"]"#),
            ("a: one\n  *two \"three\n  'four\nb: c\n", #"{"a":"one *two \"three 'four","b":"c"}"#),
            ("a: \"one\n  *two # 'x\n\n  three\"\n", #"{"a":"one *two # 'x\nthree"}"#),
            ("a: [one\n  \"two, 'b c']\n", #"{"a":["one \"two","b c"]}"#),
            ("---\n# c\na: b\n...\n", #"{"a":"b"}"#), ("\u{FEFF}a: b", #"{"a":"b"}"#),
            ("a: b\r\nc:\r\n  - d\r\n", #"{"a":"b","c":["d"]}"#), ("x", #""x""#),
            ("a:    # c\n  # c\n  b: c\n", #"{"a":{"b":"c"}}"#),
            ("a: b#c *d &e !f", #"{"a":"b#c *d &e !f"}"#),
            (
                "when: 'path.startsWith(\"/.\")'\nurl: http://a/*?b&c!",
                #"{"when":"path.startsWith(\"/.\")","url":"http://a/*?b&c!"}"#
            ),
        ]
    )
    func readsForms(text: String, expected: String) throws {
        #expect(try json(text) == expected)
    }

    @Test(
        "what hides or repeats meaning is refused with its place",
        arguments: [
            ("a: &x 1", "1:4", "anchors"), ("a: [b, *x]", "1:8", "aliases"),
            ("hosts: [*.example.com]", "1:9", "quotes"), ("a: !!str b", "1:4", "tags"),
            ("- &x a\n- *x", "1:3", "anchors"), ("&x a: b", "1:1", "anchors"),
            ("*x : b", "1:1", "aliases"), ("a: |\n  x\n*y : z", "3:1", "aliases"),
            ("a: b\n---\nc: d", "2:1", "one document"),
            ("a: b\n...\n---\nc: d", "3:1", "one document"),
            ("%YAML 1.2\n---\na: b", "1:1", "directives"), ("? a\n: b", "1:1", "marked with ?"),
            ("{? a : b}", "1:2", "marked with ?"), ("a: b\na: c", "1:1", "more than once"),
            ("<<: {a: b}", "1:1", "merge keys"), ("[a]: b", "1:1", "single value"),
            ("a: \"b", "1:4", "no end"), ("a: 'b", "1:4", "no end"), ("a: [b", "2:1", ""),
            ("a: b: c", "1:5", "mapping values"), ("a:\n\t- b", "2:1", ""), ("", "1:1", "nothing"),
            ("# only a comment\n", "1:1", "nothing"), ("a: b\u{0}", "1:5", "control"),
            ("a: b\u{2028}*c", "1:5", "line separator"), ("a: 'é\u{1}'", "1:6", "control"),
        ]
    )
    func refuses(text: String, place: String, message: String) throws {
        let problem = try #require(refusal(text))
        #expect(problem.message.contains(message), "\(problem)")
        if text != "a: [b" { #expect(problem.place.description == "a.yaml:" + place, "\(problem)") }
    }

    @Test("depth is refused before libyaml sees it, in brackets and in indentation")
    func boundsDepth() throws {
        for opening in ["[", "{a: ", "- ", "[{a: "] {
            let problem = try #require(refusal(String(repeating: opening, count: 200_000)))
            #expect(problem.message.contains("deeper"), "\(opening)")
        }
        var steps = ""
        for depth in 0..<1000 { steps += String(repeating: " ", count: depth) + "a:\n" }
        #expect(try #require(refusal(steps)).message.contains("deeper"))
        let deepest = ModelLimits.depthMax
        let legal = String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)
        #expect(refusal(legal) == nil)
        #expect(try #require(refusal("[\(legal)]")).message.contains("deeper"))
    }

    @Test("size and number of values have limits")
    func boundsSize() throws {
        let long = [UInt8](repeating: 0x20, count: YAMLLimits.documentBytesMax + 1)
        #expect(throws: ConfigurationProblems.self) { try readYAML(long, file: "a") }
        let many = String(repeating: "- a\n", count: YAMLLimits.valueCountMax + 1)
        #expect(try #require(refusal(many)).message.contains("values"))
    }

    @Test("an alias bomb is refused at its first anchor")
    func refusesAliasBomb() throws {
        var bomb = "a0: &a0 [x, x]\n"
        for level in 1..<30 { bomb += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        #expect(try #require(refusal(bomb)).place.line == 1)
    }

    @Test("octets that are not UTF-8 are refused")
    func refusesOtherEncodings() {
        #expect(throws: ConfigurationProblems.self) {
            try readYAML([0x61, 0x3A, 0x20, 0xC3, 0x28], file: "a")
        }
        #expect(throws: ConfigurationProblems.self) {
            try readYAML([0xFF, 0xFE, 0x61, 0x00], file: "a")
        }
    }

    @Test("no beginning of the contract's example traps")
    func survivesTruncation() throws {
        let octets = try Fixtures.fleet()
        for end in stride(from: 0, to: octets.count, by: 37) {
            _ = try? readYAML(Array(octets[..<end]), file: "a")  // Only a trap would be a fault.
        }
    }
}
