import ControlStore
import Cryptography
import FleetServer
import Testing

@testable import Credentials

@Suite("Keys of session tickets")
struct TicketScheduleTests {
    /// Rotates as the keeper does, until nothing is due.
    private func rotate(_ schedule: inout TicketSchedule, at now: Int64) -> [[UInt8]] {
        var dropped: [[UInt8]] = []
        while schedule.isDue(at: now) {
            let made = schedule.keys.isEmpty ? now - schedule.periodMilliseconds : now
            dropped += schedule.add(StoredTicketKey(now: made)).map(\.name)
        }
        return dropped
    }

    @Test(
        "the next key is with the nodes for a whole period before it makes tickets, the past two after"
    )
    func rotation() {
        var schedule = TicketSchedule([], periodSeconds: 10)
        #expect(rotate(&schedule, at: 0).isEmpty)
        var orders = [schedule.ordered.map(\.name)]
        #expect(orders[0].count == 2)
        for period in 1...6 {
            let now = Int64(period) * 10_000
            #expect(!schedule.isDue(at: now - 1))
            let dropped = rotate(&schedule, at: now)
            orders.append(schedule.ordered.map(\.name))
            let (before, after) = (orders[period - 1], orders[period])
            // What makes tickets now was known before; what made them is known still.
            #expect(after[0] == before[1])
            #expect(after.contains(before[0]))
            #expect(!before.contains(after[1]))
            #expect(after.count == min(2 + period, 4))
            #expect(dropped.count == (period > 2 ? 1 : 0))
            #expect(dropped.allSatisfy { !after.contains($0) })
        }
    }

    @Test("keys come back from the vault in the order in which they were made")
    func restores() {
        var schedule = TicketSchedule([], periodSeconds: 10)
        for period in 0...4 { _ = rotate(&schedule, at: Int64(period) * 10_000) }
        let stored = schedule.keys.shuffled().compactMap { StoredTicketKey($0.secret) }
        let back = TicketSchedule(stored, periodSeconds: 10)
        #expect(back.ordered.map(\.name) == schedule.ordered.map(\.name))
        #expect(back.ordered.map(\.octets) == schedule.ordered.map(\.octets))
    }

    @Test("a key of the future, which a clock that was ahead has made, does not stop the rotation")
    func clockSetBack() {
        var schedule = TicketSchedule([], periodSeconds: 10)
        _ = rotate(&schedule, at: 1_000_000_000)
        #expect(schedule.isDue(at: 5_000))
        _ = schedule.add(StoredTicketKey(now: 5_000))
        #expect(!schedule.isDue(at: 5_000))
    }

    @Test("a secret of another kind or length is no key of tickets")
    func refuses() {
        let octets = SecretBytes([UInt8](repeating: 1, count: 64))
        let name = [UInt8](repeating: 0, count: 24)
        #expect(
            StoredTicketKey(VaultSecret(kind: .certificate, publicContent: name, content: octets))
                == nil
        )
        #expect(
            StoredTicketKey(VaultSecret(kind: .ticketKey, publicContent: [1], content: octets))
                == nil
        )
        #expect(
            StoredTicketKey(
                VaultSecret(kind: .ticketKey, publicContent: name, content: SecretBytes([1]))
            ) == nil
        )
    }
}
