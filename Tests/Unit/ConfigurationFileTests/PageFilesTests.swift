import FleetModel
import Foundation
import Testing

@testable import ConfigurationFile

@Suite("Files of error pages")
struct PageFilesTests {
    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("weir-pages-\(UUID().uuidString)").path

    private func inFolder(_ files: [String: [UInt8]], _ body: () throws -> Void) throws {
        try FileManager.default.createDirectory(
            atPath: folder + "/pages",
            withIntermediateDirectories: true
        )
        defer {
            // What is left over is removed by the system.
            try? FileManager.default.removeItem(atPath: folder)
        }
        for (name, octets) in files {
            try Data(octets).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        try body()
    }

    private func problems(_ load: () throws -> Configuration) -> [String] {
        do {
            _ = try load()
            return []
        } catch {
            return (error as? ConfigurationProblems)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test("a file's text is the page's body, and a page with a body is not read again")
    func readsPages() throws {
        let text = """
            policies:
              - name: pages
                errorPages:
                  "502-504": {file: pages/sorry.html, contentType: text/html}
                  "404": {file: nowhere.html, body: kept}
              - {name: tidy, headers: {request: {remove: [x-a]}}}
            """
        let files = [
            "fleet.yaml": Array(text.utf8), "pages/sorry.html": Array("<p>${host} ü</p>\n".utf8),
        ]
        try inFolder(files) {
            let configuration = try ConfigurationFile.load(["\(folder)/fleet.yaml"])
            let stored = configuration.resources.first { $0.name == "pages" }?.content ?? []
            let expected =
                #"{"errorPages":{"404":{"body":"kept","file":"nowhere.html"},"502-504":{"#
                + #""body":"<p>${host} ü</p>\n","contentType":"text/html","file":"pages/sorry.html"}},"#
                + #""name":"pages"}"#
            #expect(String(decoding: stored, as: UTF8.self) == expected)
            let again = try Configuration(document: configuration.document)
            #expect(again.policies == configuration.policies)
        }
    }

    @Test("every file that cannot be a page is a problem at the place that names it")
    func refusesFiles() throws {
        let text = """
            policies:
              - name: pages
                errorPages:
                  "404": {file: missing.html}
                  "500": {file: long.html}
                  "501": {file: binary.html}
                  "502": {file: pages}
                  "503": {file: template.html}
                  "504": {file: ""}
            """
        let files: [String: [UInt8]] = [
            "fleet.yaml": Array(text.utf8),
            "long.html": Array(repeating: 0x61, count: ModelLimits.errorPageBytesMax + 1),
            "binary.html": [0x61, 0xFF, 0xFE], "template.html": Array("${nonsense}".utf8),
        ]
        try inFolder(files) {
            let found = problems { try ConfigurationFile.load(["\(folder)/fleet.yaml"]) }
            let expected = [
                ("4:21", "no such file"), ("5:21", "longer than 256 KiB"), ("6:21", "not UTF-8"),
                ("7:21", "directory"), ("8:21", "unknown variable"), ("9:7", "file or a body"),
            ]
            #expect(found.count == expected.count, "\(found)")
            for (place, message) in expected {
                #expect(
                    found.contains {
                        $0.hasPrefix("\(folder)/fleet.yaml:\(place): ") && $0.contains(message)
                    },
                    "\(place) \(message): \(found)"
                )
            }
        }
    }
}
