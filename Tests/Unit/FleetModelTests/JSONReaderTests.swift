import FleetModel
import Testing

@Suite("JSON documents")
struct JSONReaderTests {
    private func read(_ text: String) throws -> ConfigurationNode {
        try JSONReader.read(Array(text.utf8))
    }

    private func refusal(_ octets: [UInt8]) -> Problem? {
        do {
            _ = try JSONReader.read(octets)
            return nil
        } catch {
            return error.problems.first
        }
    }

    private func refusal(_ text: String) -> Problem? { refusal(Array(text.utf8)) }

    @Test("RFC 8259: values keep their text, their order and their places")
    func readsValues() throws {
        let node = try read(
            "{\"a\": [1, -2.50e+3,\n true, null], \"é\":\"x\\u00e9\\ud83d\\ude00\"}"
        )
        let entries = try #require(node.entries)
        #expect(entries.map(\.key) == ["a", "é"])
        let items = try #require(entries[0].value.items)
        #expect(items.map(\.text) == ["1", "-2.50e+3", "true", "null"])
        #expect(items[2].place == Place(file: "", line: 2, column: 2))
        #expect(entries[1].value.text == "xé😀")
        #expect(entries[1].value.place == Place(file: "", line: 2, column: 19))
    }

    @Test(
        "what is not JSON is refused with its place",
        arguments: [
            ("", "1:1", "ends too early"), ("{\"a\":1,}", "1:8", "double quotes"),
            ("[1,]", "1:4", "value must start"), ("[01]", "1:2", "start with 0"),
            ("{\"a\":1,\n \"a\":2}", "2:2", "already set at 1:2"), ("\"a\nb\"", "1:3", "control"),
            ("\"\\ud800\"", "1:2", "surrogate"), ("\"\\x\"", "1:2", "escape"),
            ("[1 2]", "1:4", "comma"), ("{} x", "1:4", "after the end"), ("tru", "1:1", "value"),
            ("[1.]", "1:4", "digit"), ("\"abc", "1:1", "no end"), ("NaN", "1:1", "value"),
        ]
    )
    func refuses(text: String, place: String, message: String) throws {
        let problem = try #require(refusal(text))
        #expect(problem.place.description == place)
        #expect(problem.message.contains(message), "\(problem.message)")
    }

    @Test("octets that are not UTF-8, and a byte order mark, are refused")
    func refusesOtherEncodings() throws {
        #expect(refusal([0x22, 0xC3, 0x28, 0x22])?.message == "a string that is not UTF-8")
        #expect(refusal([0x22, 0xED, 0xA0, 0x80, 0x22])?.message == "a string that is not UTF-8")
        let marked = try #require(refusal([0xEF, 0xBB, 0xBF, 0x7B, 0x7D]))
        #expect(marked.message.contains("byte order mark"))
    }

    @Test("every proper beginning of a document is refused, and none traps")
    func refusesTruncation() {
        let text = Array(#"{"a":[1,{"b":"\u00e9\n"},true],"c":null,"d":-1.5e3}"#.utf8)
        for end in 0..<text.count { #expect(refusal(Array(text[..<end])) != nil) }
    }

    @Test("depth, number of values and size have limits")
    func keepsLimits() {
        let deep = String(repeating: "[", count: ModelLimits.depthMax)
        let closing = String(repeating: "]", count: ModelLimits.depthMax)
        #expect(refusal(deep + closing) == nil)
        #expect(refusal("[" + deep + closing + "]")?.message.contains("deeper") == true)
        #expect(refusal(String(repeating: "[", count: 1 << 20))?.message.contains("deeper") == true)
        let many = "[" + String(repeating: "0,", count: ModelLimits.valueCountMax) + "0]"
        #expect(refusal(many)?.message.contains("values") == true)
        let long = [UInt8](repeating: 0x20, count: ModelLimits.documentBytesMax + 1)
        #expect(refusal(long)?.message.contains("longer") == true)
    }

    @Test("writing what was read gives the shortest form, with the fewest escapes")
    func writes() throws {
        let node = try read(#" { "b" : [ 1, "\u0001\/\"\\\n\u00e9" ], "a" : { } } "#)
        let compact = String(decoding: JSONWriter.compact(node), as: UTF8.self)
        #expect(compact == #"{"b":[1,"\u0001/\"\\\né"],"a":{}}"#)
        let again = try JSONReader.read(JSONWriter.indented(node))
        #expect(JSONWriter.compact(again) == JSONWriter.compact(node))
    }
}
