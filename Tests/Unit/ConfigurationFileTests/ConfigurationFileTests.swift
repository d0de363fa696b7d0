import ConfigurationFile
import FleetModel
import Foundation
import Testing

@Suite("Files of a configuration")
struct ConfigurationFileTests {
    private func document(_ text: String, _ file: String) throws -> ConfigurationNode {
        try readYAML(Array(text.utf8), file: file)
    }

    @Test("the contract's example has no unknown field, and every field that is not built is named")
    func knowsContract() throws {
        let node = try readYAML(try Fixtures.fleet(), file: "fleet.yaml")
        #expect(Configuration.contractProblems(of: node) == [])
        do {
            _ = try Configuration(document: node)
            Issue.record("the build does everything; drop this test")
        } catch {
            for problem in error.problems where !problem.message.contains("read by proxyctl") {
                #expect(problem.message.contains("not supported by this build"), "\(problem)")
                #expect(problem.line > 0 && problem.file == "fleet.yaml")
            }
            let paths = Set(error.problems.map(\.path))
            for path in ["policies[squeeze].compress", "apis", "consumers"] {
                #expect(paths.contains(path), "\(path)")
            }
        }
    }

    @Test("files are joined: lists in the order of the files, other sections once")
    func joins() throws {
        let first = try document("routes: [{name: b}]\nhiding: {via: a}", "a.yaml")
        let second = try document("listeners: []\nroutes: [{name: a}]", "b.yaml")
        let joined = try ConfigurationFile.merge([first, second])
        #expect(joined.entries?.map(\.key) == ["routes", "hiding", "listeners"])
        #expect(joined["routes"]?.items?.compactMap { $0["name"]?.text } == ["b", "a"])
        #expect(joined["routes"]?.items?[1].place.file == "b.yaml")
        let third = try document("logging: {}\nhiding: {}", "c.yaml")
        do {
            _ = try ConfigurationFile.merge([first, second, third])
            Issue.record("joined")
        } catch {
            #expect(error.description == "c.yaml:2:1: hiding: already set at a.yaml:2:1")
        }
    }

    @Test("problems name the file that they are in")
    func namesFiles() throws {
        let first = try document("listeners: [{name: web, address: '0.0.0.0:80'}]", "a.yaml")
        let second = try document("listeners:\n- {name: web, address: '0.0.0.0:81'}", "b.yaml")
        do {
            _ = try Configuration(document: try ConfigurationFile.merge([first, second]))
            Issue.record("accepted")
        } catch {
            #expect(
                error.description
                    == "b.yaml:2:10: listeners[web].name: the name is already taken at a.yaml:1:20"
            )
        }
    }

    @Test("a file is read by its kind, and what cannot be read says why")
    func readsFiles() throws {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "weir-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }  // Only tidiness is at stake.
        let yaml = directory.appending(path: "a.yaml")
        let json = directory.appending(path: "b.json")
        try Data("listeners: [{name: a, address: '0.0.0.0:80'}]".utf8).write(to: yaml)
        try Data(#"{"listeners": [{"name": "b", "address": "0.0.0.0:81"}]}"#.utf8).write(to: json)
        let configuration = try ConfigurationFile.load([yaml.path, json.path])
        #expect(configuration.listeners.map(\.name) == ["a", "b"])
        do {
            _ = try ConfigurationFile.read([directory.path, directory.path + "/none.yaml"])
            Issue.record("read")
        } catch {
            #expect(
                error.problems.map(\.message)
                    == [
                        "cannot be read: it is a directory",
                        "cannot be read: there is no such file",
                    ]
            )
        }
    }
}
