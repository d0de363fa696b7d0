import Testing

@testable import HTTP2

@Suite("RFC 9218 priorities")
struct PriorityTests {
    @Test(
        "§4: urgency and incremental, and the defaults for what is not right",
        arguments: [
            ("", 3, false), ("u=0", 0, false), ("u=7, i", 7, true), ("i, u=5", 5, true),
            ("i=?0", 3, false), ("i=?1", 3, true), ("u=8", 3, false), ("u=-1", 3, false),
            ("u", 3, false), ("u=1;x=2,\ti;q", 1, true), ("x=9,u=2", 2, false), (",,", 3, false),
            ("u=10", 3, false), ("i=1", 3, false), ("u=1,u=4", 4, false),
        ] as [(String, UInt8, Bool)]
    )
    func parse(value: String, urgency: UInt8, isIncremental: Bool) {
        let octets = Array(value.utf8)
        let priority = Priority(octets.span, 0..<octets.count)
        #expect(priority == Priority(urgency: urgency, isIncremental: isIncremental))
    }

    @Test("§7.1: PRIORITY_UPDATE changes a stream, also one that is not open yet")
    func update() {
        let end = Endpoint(.server)
        end.feed(Wire.preface + Wire.settings() + Wire.headers(1, Wire.get))
        end.feed(Wire.priorityUpdate(1, "u=1, i"))
        let changed = Priority(urgency: 1, isIncremental: true)
        #expect(end.seen.last == .priority(1, changed))
        end.feed(Wire.priorityUpdate(3, "u=6") + Wire.headers(3, Wire.get))
        end.connection.setPriority(3, Priority(urgency: 0))
        let both = [end.connection.priority(1), end.connection.priority(3)]
        #expect(both == [changed, Priority(urgency: 6)])
        for number in 0..<20 { end.feed(Wire.priorityUpdate(101 + 2 * UInt32(number), "i")) }
        let kept = end.connection.idlePriorities.count
        #expect(kept == HTTP2Limits.idlePrioritiesMax)
    }

    @Test("§7.1: errors of PRIORITY_UPDATE")
    func invalid() {
        expectFailure(.streamRequired, [Wire.priorityUpdate(0, "i")])
        expectFailure(.streamIdentifierInvalid, [Wire.priorityUpdate(2, "i")])
        expectFailure(.priorityUpdateUnexpected, at: .client, [Wire.priorityUpdate(1, "i")])
    }
}
