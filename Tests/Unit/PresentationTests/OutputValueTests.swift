import Foundation
import Presentation
import Testing

@Suite struct OutputValueTests {
    static let sample: OutputValue = [
        "name": "web", "b": [.integer(2), .number(1.5), true, nil], "a": [:], "empty": [],
        "nested": ["z": "1", "y": "two words"],
    ]

    @Test("JSON has sorted keys and keeps null, empty and nested values")
    func json() {
        #expect(
            Self.sample.compactJSON
                == #"{"a":{},"b":[2,1.5,true,null],"empty":[],"name":"web","nested":{"y":"two words","z":"1"}}"#
        )
        #expect(
            OutputValue.object(["b": [.integer(1)], "a": nil]).json
                == "{\n  \"a\": null,\n  \"b\": [\n    1\n  ]\n}"
        )
    }

    @Test("JSON strings escape what RFC 8259 §7 demands, and controls that steer a terminal")
    func escapes() {
        #expect(OutputValue("a\"\\\n\u{1}\u{9B}é").compactJSON == #""a\"\\\n\u0001\u009bé""#)
    }

    @Test("no number is written that JSON cannot hold")
    func numbers() {
        #expect(OutputValue(Double.nan as Double?) == .null)
        #expect(OutputValue(2.0 as Double?).compactJSON == "2")
        #expect(OutputValue(UInt64.max as UInt64?).compactJSON == String(Int64.max))
    }

    @Test("YAML puts the name first, nests lists of mappings, and takes leading keys")
    func yaml() {
        let value: OutputValue = [
            "routes": [["upstream": "u", "name": "r", "hosts": ["a", "*.b"]]],
            "listeners": [["name": "web", "address": "0.0.0.0:80"]],
        ]
        #expect(
            value.yaml(leading: ["listeners", "routes"]) == """
                listeners:
                  - name: web
                    address: 0.0.0.0:80
                routes:
                  - name: r
                    hosts:
                      - a
                      - "*.b"
                    upstream: u

                """
        )
    }

    @Test(
        "YAML quotes every string that a reader could take for something else",
        arguments: [
            ("web", "web"), ("1500ms", "1500ms"), ("64KiB", "64KiB"),
            ("127.0.0.1:80", "127.0.0.1:80"), ("10:20", "\"10:20\""),
            ("off", "\"off\""), ("True", "\"True\""), ("1", "\"1\""), ("1.2", "\"1.2\""),
            ("2027-06-30", "\"2027-06-30\""), ("0x1F", "\"0x1F\""), ("1e5", "\"1e5\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""), ("a:", "\"a:\""), ("- a", "\"- a\""), ("a #b", "\"a #b\""),
            ("/p", "/p"),
            ("${host}", "\"${host}\""), ("a\nb", "\"a\\nb\""), ("text/plain", "text/plain"),
        ]
    )
    func quoting(_ text: String, _ expected: String) {
        #expect(OutputValue.string(text).yaml() == expected + "\n")
    }

    @Test("any JSON reads into a value and comes out the same")
    func roundTrip() throws {
        let text = #"{"a":[1,-2.5,"x",null,true,{}],"b":{"c":""}}"#
        let value = try JSONDecoder().decode(OutputValue.self, from: Data(text.utf8))
        #expect(value.compactJSON == text)
    }
}

@Suite struct TimesTests {
    @Test("relative times name their two largest units")
    func relative() throws {
        let now = try #require(parseTime("2026-11-24T12:00:00Z"))
        let ago = { (seconds: Double) in
            relativeTime(now.addingTimeInterval(-seconds), now: now)
        }
        #expect(ago(0.4) == "now")
        #expect(ago(12) == "12s ago")
        #expect(ago(185) == "3m 5s ago")
        #expect(ago(1200) == "20m ago")
        #expect(ago(7800) == "2h 10m ago")
        #expect(ago(500_000) == "5d ago")
        #expect(ago(-3600) == "in 1h")
    }

    @Test("times with and without a fraction are read, others are not")
    func parsing() {
        #expect(parseTime("2026-11-24T12:00:00.25Z") != nil)
        #expect(parseTime("yesterday") == nil)
    }

    @Test("numbers keep the digits that matter")
    func numbers() {
        #expect(milliseconds(0.4159) == "0.42ms")
        #expect(milliseconds(3.14) == "3.1ms")
        #expect(milliseconds(120.4) == "120ms")
        #expect(shortDuration(seconds: 0.0031) == "3.1ms")
        #expect(rate(0) == "0")
        #expect(rate(12.54) == "12.5")
        #expect(rate(1_239_876) == "1,239,876")
        #expect(percentage(0) == "0%")
        #expect(percentage(0.0002) == "0.02%")
        #expect(percentage(0.125) == "12.5%")
        #expect(percentage(0.0999) == "10.0%")
    }
}
