import EventLoop
import SystemCalls
import Testing

private final class Recorder: EventHandler {
    var events: [Readiness] = []
    var deadlineCount = 0
    var resumeCount = 0
    var onDeadline: (() -> Void)?

    func ready(_ readiness: Readiness) { events.append(readiness) }

    func deadlinePassed() {
        deadlineCount += 1
        onDeadline?()
    }

    func resume() { resumeCount += 1 }
}

@Suite("EventLoop")
struct EventLoopTests {
    @Test("A handler hears of its descriptor until it is unregistered")
    func readiness() throws {
        let loop = try EventLoop()
        let wakeUp = try WakeUp()
        let recorder = Recorder()
        let place = try loop.registerLevelTriggered(recorder, descriptor: wakeUp.number)
        loop.tick(timeoutMilliseconds: 0)
        #expect(recorder.events.isEmpty)
        wakeUp.signal()
        loop.tick(timeoutMilliseconds: 1000)
        #expect(recorder.events == [.readable])
        loop.unregister(place)
        loop.tick(timeoutMilliseconds: 0)
        #expect(recorder.events.count == 1)
        #expect(loop.handlerCount == 0)
    }

    @Test("A descriptor that is not watched any more wakes nobody, and can be watched again")
    func unwatched() throws {
        let loop = try EventLoop()
        let wakeUp = try WakeUp()
        let recorder = Recorder()
        let place = try loop.registerLevelTriggered(recorder, descriptor: wakeUp.number)
        wakeUp.signal()
        loop.unregister(place, descriptor: wakeUp.number)
        loop.tick(timeoutMilliseconds: 0)
        #expect(recorder.events.isEmpty)
        // An old registration does not end a new one's watch.
        let again = try loop.registerLevelTriggered(recorder, descriptor: wakeUp.number)
        loop.unregister(place, descriptor: wakeUp.number)
        loop.tick(timeoutMilliseconds: 1000)
        #expect(recorder.events == [.readable])
        loop.unregister(again, descriptor: wakeUp.number)
        #expect(loop.handlerCount == 0)
    }

    @Test("Lag is measured while the loop has work, and is none where it slept")
    func lag() throws {
        let loop = try EventLoop()
        var measures: [UInt64] = []
        loop.watchLag { measures.append($0) }
        loop.tick(timeoutMilliseconds: 0)
        while measures.isEmpty { loop.tick(timeoutMilliseconds: 0) }
        #expect(measures.allSatisfy { $0 > 0 })
        measures = []
        while measures.isEmpty { loop.tick(timeoutMilliseconds: 20) }
        #expect(measures.last == 0)
        loop.watchLag(nil)
        measures = []
        loop.tick(timeoutMilliseconds: 20)
        loop.tick(timeoutMilliseconds: 0)
        #expect(measures.isEmpty)
    }

    @Test("A deadline passes once, and not before its time")
    func deadline() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        let place = loop.register(recorder)
        let due = LoopInstant.now.advanced(by: 20_000_000)
        loop.setDeadline(of: place, at: due)
        recorder.onDeadline = { #expect(loop.now >= due) }
        while recorder.deadlineCount == 0 { loop.tick(timeoutMilliseconds: 1) }
        loop.tick(timeoutMilliseconds: 20)
        #expect(recorder.deadlineCount == 1)
    }

    @Test("A deadline that moved later, or was taken back, does not pass at its old time")
    func movedDeadline() throws {
        let loop = try EventLoop()
        let handlers = [Recorder(), Recorder(), Recorder()]
        let places = handlers.map { loop.register($0) }
        let (moved, cleared, witness) = (handlers[0], handlers[1], handlers[2])
        for place in places {
            loop.setDeadline(of: place, at: LoopInstant.now.advanced(by: 1_000_000))
        }
        loop.setDeadline(of: places[0], at: LoopInstant.now.advanced(by: 60_000_000_000))
        loop.setDeadline(of: places[1], at: .never)
        while witness.deadlineCount == 0 { loop.tick(timeoutMilliseconds: 1) }
        loop.tick(timeoutMilliseconds: 20)
        #expect(moved.deadlineCount == 0)
        #expect(cleared.deadlineCount == 0)
        loop.setDeadline(of: places[0], at: LoopInstant.now.advanced(by: 1_000_000))
        while moved.deadlineCount == 0 { loop.tick(timeoutMilliseconds: 1) }
    }

    @Test("Deferred work runs once at the end of a tick, and what it defers in the next")
    func deferral() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        let place = loop.register(recorder)
        loop.resumeLater(place)
        loop.resumeLater(place)
        loop.tick(timeoutMilliseconds: 0)
        #expect(recorder.resumeCount == 1)
        loop.resumeLater(place)
        loop.unregister(place)
        loop.tick(timeoutMilliseconds: 0)
        #expect(recorder.resumeCount == 1)
    }

    @Test("Messages of another thread run on the loop, in order")
    func mailbox() throws {
        let loop = try EventLoop()
        let mailbox = loop.mailbox
        nonisolated(unsafe) var seen: [Int] = []
        let thread = try Thread.start(name: "poster") {
            // SAFETY: only the loop's thread touches `seen`.
            for number in 0..<100 { mailbox.post { unsafe seen.append(number) } }
        }
        // SAFETY: as above.
        while unsafe seen.count < 100 { loop.tick(timeoutMilliseconds: 1000) }
        thread.join()
        #expect(unsafe seen == Array(0..<100))
    }
}
