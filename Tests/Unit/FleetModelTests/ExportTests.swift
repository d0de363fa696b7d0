import FleetModel
import Foundation
import Testing

@Suite("Export, difference, schema and reference")
struct ExportTests {
    private let full = #"""
        {"listeners": [{"name": "web", "address": "0.0.0.0:8080"}],
         "upstreams": [{"name": "u", "endpoints": [{"address": "a:80"}, {"address": "b:80"}]},
                       {"name": "1e5", "endpoints": [{"address": "c:80"}]}],
         "routes": [{"name": "b", "upstream": "u", "hosts": ["*.example.com"]},
                    {"name": "a", "respond": {"status": 200, "headers": {"x": "y: #z"},
                     "body": " \"two\"\nlines\u0009\u2028é # 'x'\\"}},
                    {"name": "off", "upstream": "1e5"}],
         "hiding": {"via": "", "responseHeaders": []}, "logging": {"access": "off"}}
        """#

    private func configuration(_ json: String) throws -> Configuration {
        try Configuration(json: json)
    }

    @Test("an exported document makes the same digest again")
    func roundTrips() throws {
        let before = try configuration(full)
        #expect(try configuration(before.documentJSON).manifest == before.manifest)
        #expect(try Configuration(document: before.document).manifest == before.manifest)
        #expect(Configuration.empty.documentYAML == "{}\n")
    }

    @Test("exported YAML is in block style, names first, and quotes what a reader could misread")
    func writesYAML() throws {
        #expect(
            try configuration(full).documentYAML == #"""
                listeners:
                  - name: web
                    address: "0.0.0.0:8080"
                upstreams:
                  - name: "1e5"
                    endpoints:
                      - address: c:80
                  - name: u
                    endpoints:
                      - address: a:80
                      - address: b:80
                routes:
                  - name: b
                    hosts: ["*.example.com"]
                    upstream: u
                  - name: a
                    respond:
                      status: 200
                      headers:
                        x: "y: #z"
                      body: " \"two\"\nlines\t\u2028é # 'x'\\"
                  - name: "off"
                    upstream: "1e5"
                hiding:
                  responseHeaders: []
                  via: ""
                logging:
                  access:
                    format: "off"

                """#
        )
    }

    private func differences(_ old: String, _ new: String) throws -> [String] {
        FieldDifference.between(
            try configuration(old).resources,
            try configuration(new).resources
        ).map { "\($0.path): \($0.old ?? "-") -> \($0.new ?? "-")" }
    }

    @Test("a difference names each field once, and nothing that is the same")
    func compares() throws {
        #expect(try differences(full, full) == [])
        let changed =
            full.replacing(#""address": "0.0.0.0:8080""#, with: #""address": "0.0.0.0:80""#)
            .replacing(#"{"address": "b:80"}"#, with: #"{"address": "b:80", "weight": 3}"#)
            .replacing(#"{"address": "a:80"}, "#, with: "")
            .replacing(#""hosts": ["*.example.com"]"#, with: #""timeouts": {"total": "5s"}"#)
            .replacing(#","hiding""#, with: "")
        #expect(
            try differences(full, changed) == [
                "listeners[web].address: 0.0.0.0:8080 -> 0.0.0.0:80",
                #"upstreams[u].endpoints[a:80]: {"address":"a:80"} -> -"#,
                "upstreams[u].endpoints[b:80].weight: - -> 3",
                #"routes[b].hosts: ["*.example.com"] -> -"#,
                #"routes[b].timeouts: - -> {"total":"5s"}"#,
            ]
        )
    }

    @Test("routes that move, resources that come and resources that go are differences")
    func comparesResources() throws {
        func routes(_ names: String...) -> String {
            let routes = names.map { #"{"name":"\#($0)","respond":{}}"# }
            return #"{"routes":[\#(routes.joined(separator: ","))]}"#
        }
        #expect(
            try differences(routes("a", "b", "c"), routes("c", "a", "b")) == [
                "routes[c].(order): 3 -> 1"
            ]
        )
        #expect(
            try differences(routes("a", "b"), routes("b", "c")) == [
                #"routes[a]: {"name":"a","respond":{}} -> -"#,
                #"routes[c]: - -> {"name":"c","respond":{}}"#,
            ]
        )
        #expect(
            try differences("{}", #"{"logging":{"access":"off"}}"#)
                == [#"logging: - -> {"access":{"format":"off"}}"#]
        )
    }

    @Test("the schema is JSON and knows every section")
    func writesSchema() throws {
        let schema = try JSONReader.read(Array(Settings.jsonSchema.utf8))
        #expect(schema["$schema"]?.text == "https://json-schema.org/draft/2020-12/schema")
        let sections = try #require(schema["properties"]?.entries)
        #expect(Set(sections.map(\.key)) == Set(ResourceKind.allCases.map(\.section)))
        let listener = schema["properties"]?["listeners"]?["items"]
        #expect(listener?["required"]?.items?.compactMap(\.text) == ["name", "address"])
        #expect(listener?["properties"]?["protocol"]?["enum"]?.items?.count == 4)
        let upstream = schema["properties"]?["upstreams"]?["items"]
        let policy = schema["properties"]?["policies"]?["items"]
        #expect(policy?["properties"]?["cache"]?["not"] != nil)
        #expect(upstream?["properties"]?["balance"]?["enum"]?.items?.count == 6)
    }

    /// With `WEIR_UPDATE_DOCS` in the environment the page is written instead.
    @Test("docs/config-reference.md is what the table says")
    func comparesReference() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "docs/config-reference.md")
        if ProcessInfo.processInfo.environment["WEIR_UPDATE_DOCS"] != nil {
            try Data(Settings.reference.utf8).write(to: page)
        }
        #expect(try String(contentsOf: page, encoding: .utf8) == Settings.reference)
    }

    @Test("every setting has help on one line without a full stop")
    func hasHelp() {
        for settings in Settings.all {
            for setting in settings.record.settings {
                #expect(!setting.help.isEmpty && !setting.help.hasSuffix("."), "\(setting.name)")
                #expect(!setting.help.contains("\n"))
            }
        }
        #expect(Set(Settings.all.map(\.kind)) == Set(ResourceKind.allCases))
    }
}
