import FleetModel
import Logging
import Testing

@testable import AdminAPI

@Suite("Parts of the admin API")
struct PartsTests {
    @Test(
        "an address to listen on is read as operators write it",
        arguments: [
            ("127.0.0.1:7443", "127.0.0.1", 7443), ("[::1]:0", "::1", 0),
            ("name:65535", "name", 65535),
        ]
    )
    func readsAddresses(text: String, host: String, port: Int) throws {
        let address = try #require(HostPort(text))
        #expect(address == HostPort(host: host, port: port))
        #expect(address.description == text)
    }

    @Test(
        "what is no address is not taken for one",
        arguments: [
            "", "a", ":1", "a:", "a:65536", "a:-1", "a:+1", "::1:80", "a b:1", "http://a:1",
        ]
    )
    func refusesAddresses(text: String) {
        #expect(HostPort(text) == nil)
    }

    @Test("a wildcard address is reached over loopback")
    func findsLocalAddresses() {
        #expect(HostPort(host: "0.0.0.0", port: 1).local.description == "127.0.0.1:1")
        #expect(HostPort(host: "::", port: 1).local.description == "[::1]:1")
        #expect(HostPort(host: "10.0.0.1", port: 1).local.description == "10.0.0.1:1")
    }

    @Test("RFC 9110 §13.1.1: If-Match is *, or a list of quoted versions")
    func readsExpectations() throws {
        #expect(try Expectation("*") == .any)
        #expect(try Expectation("\"7\"") == .versions([7]))
        #expect(try Expectation(" \"7\" , \"0\"") == .versions([7, 0]))
        // A tag that is none of ours is in order, and matches nothing.
        #expect(try Expectation("\"abc\", W/\"7\"") == .versions([.max, .max]))
        for text in ["", "7", "\"", "W/7", ","] {
            #expect(throws: AdminError.self, "\(text)") { try Expectation(text) }
        }
    }

    @Test("fields of a log line are quoted where they are not one plain word")
    func quotesFields() {
        #expect(EventLogHandler.quoted("eu-1") == "eu-1")
        #expect(EventLogHandler.quoted("") == "\"\"")
        #expect(EventLogHandler.quoted("a b") == "\"a b\"")
        #expect(EventLogHandler.quoted("a\"\\\n\u{1B}") == #""a\"\\\n\u001b""#)
    }

    @Test("repeats of an event are left out, and their number told with the next one")
    func limitsRepeats() {
        let output = EventLogOutput()
        var admitted = 0
        for _ in 0..<200 where output.admit("node.refused", now: 5) != nil { admitted += 1 }
        #expect(admitted == AdminLimits.logRepeatsMax)
        #expect(output.admit("node.joined", now: 5) == 0)
        let later = 6 + AdminLimits.logWindowSeconds * 1_000_000_000
        #expect(output.admit("node.refused", now: later) == 200 - AdminLimits.logRepeatsMax)
    }

    @Test("moments are RFC 3339 with milliseconds")
    func writesMoments() {
        #expect(timestamp(0) == "1970-01-01T00:00:00.000Z")
        #expect(timestamp(1_800_000_000_007) == "2027-01-15T08:00:00.007Z")
    }

    @Test("a list of resources becomes the document that makes them")
    func writesDocuments() throws {
        #expect(String(decoding: documentOctets([]), as: UTF8.self) == "{}")
        let text = """
            {"listeners":[{"address":"0.0.0.0:1","name":"a"},{"address":"0.0.0.0:2","name":"b"}],\
            "routes":[{"name":"r","respond":{"status":200}}],"hiding":{"server":"keep"},\
            "logging":{"access":{"format":"off"}}}
            """
        let configuration = try Configuration(json: text)
        #expect(String(decoding: documentOctets(configuration.resources), as: UTF8.self) == text)
    }
}
