import FleetModel
import Resolution
import Testing

@Suite("What names led to, in a file")
struct NameMemoryTests {
    private let answers: [FollowedName: NameAnswer] = [
        FollowedName("api.test", .addresses): NameAnswer(
            addresses: [.v4(0xC000_0201), .v6(high: 0x2001_0DB8_0000_0000, low: 1)],
            seconds: 0
        ),
        FollowedName("a.test", .addresses, isAbsolute: true): NameAnswer(
            addresses: [.v4(1)],
            seconds: 0
        ),
        FollowedName("_api._tcp.test", .services): NameAnswer(
            addresses: [],
            services: [.init(host: "a.test", port: 65_535, priority: 1, weight: 0)],
            seconds: 0
        ),
    ]

    @Test("it is read as it was written")
    func roundTrip() {
        #expect(NameMemory.decode(NameMemory.encode(answers)) == answers)
        #expect(NameMemory.decode(NameMemory.encode([:])).isEmpty)
    }

    @Test("cut anywhere it says nothing")
    func cut() {
        let octets = NameMemory.encode(answers)
        // The last line may do without its end.
        for count in 0..<octets.count - 1 {
            #expect(NameMemory.decode(Array(octets[..<count])).isEmpty, "after \(count) octets")
        }
    }

    @Test(
        "a line that is none makes it say nothing",
        arguments: [
            "addresses a.test search 999.0.0.1", "addresses a.test search",
            "services a search b:1:2",
            "services a search b:70000:1:1", "addresses a.test maybe 192.0.2.1", "\u{0}",
            "a b c d e",
        ]
    )
    func damaged(line: String) {
        #expect(NameMemory.decode(Array("\(line)\nend\n".utf8)).isEmpty)
    }
}
