import EventLoop
import Resolution
import Testing

@Suite("When names are looked up again")
struct NameScheduleTests {
    private static let second: UInt64 = 1_000_000_000
    private let start = LoopInstant(nanoseconds: 1000 * second)

    private func after(_ seconds: UInt64) -> LoopInstant {
        start.advanced(by: seconds * Self.second)
    }

    @Test(
        "an answer holds as long as it says, between a second and five minutes",
        arguments: [(0, 1), (1, 1), (30, 30), (300, 300), (86_400, 300)] as [(UInt32, UInt64)]
    )
    func held(seconds: UInt32, expected: UInt64) {
        var schedule = NameSchedule(.held, now: start)
        #expect(schedule.next == start)
        schedule.answered(seconds: seconds, now: start, spread: 0)
        #expect(schedule.next == after(expected))
    }

    @Test("a fixed time counts whatever the answer says; the spread makes it shorter")
    func fixed() {
        var schedule = NameSchedule(.every(nanoseconds: 10 * Self.second), now: start)
        schedule.answered(seconds: 1, now: start, spread: 0)
        #expect(schedule.next == after(10))
        schedule.answered(seconds: 1, now: start, spread: 500)
        #expect(schedule.next == start.advanced(by: 10 * Self.second - 99 * Self.second / 100))
    }

    @Test("failed lookups are repeated after 1, 2, 4 … 10 s, and begin anew after an answer")
    func backOff() {
        var schedule = NameSchedule(.held, now: start)
        for delay: UInt64 in [1, 2, 4, 8, 10, 10, 10, 10] {
            let isEmptied = schedule.failed(.unanswered(""), now: start, spread: 0)
            #expect(!isEmptied && schedule.next == after(delay))
        }
        #expect(schedule.failingSince == start)
        schedule.answered(seconds: 5, now: start, spread: 0)
        #expect(schedule.failingSince == nil)
        _ = schedule.failed(.unanswered(""), now: start, spread: 0)
        #expect(schedule.next == after(1))
    }

    @Test("what is not there is given up after three more answers and 30 s, whichever is later")
    func emptied() {
        var schedule = NameSchedule(.held, now: start)
        let failure = LookupFailure.noSuchName(seconds: nil)
        for second: UInt64 in [0, 1, 3, 7, 15, 29] {
            #expect(schedule.failed(failure, now: after(second), spread: 0) == false)
        }
        #expect(schedule.failed(failure, now: after(30), spread: 0) == true)
        var slow = NameSchedule(.held, now: start)
        for second: UInt64 in [0, 40, 80] {
            #expect(slow.failed(failure, now: after(second), spread: 0) == false)
        }
        // Who does not answer says nothing of the name, in either direction.
        #expect(slow.failed(.unanswered(""), now: after(90), spread: 0) == false)
        #expect(slow.failed(.noRecords(seconds: 1), now: after(120), spread: 0) == true)
        var mended = NameSchedule(.held, now: start)
        for second: UInt64 in [0, 1, 3] {
            _ = mended.failed(failure, now: after(second), spread: 0)
        }
        mended.answered(seconds: 1, now: after(20), spread: 0)
        #expect(mended.failed(failure, now: after(40), spread: 0) == false)
    }
}
