@testable import NodeAgent
import Testing

private let order = UpgradeOrder(program: "/new", arguments: ["run"], timeout: .seconds(9))

/// A sequence after the first `steps` events of an upgrade that succeeds.
private func sequence(after steps: Int) -> UpgradeSequence {
    var sequence = UpgradeSequence()
    if steps > 0 { _ = sequence.requested(order) }
    if steps > 1 { _ = sequence.settled() }
    if steps > 2 { _ = sequence.gathered() }
    if steps > 3 { sequence.launched(process: 7) }
    if steps > 4 { _ = sequence.tookOver(process: 7, version: HandoverMessage.version) }
    if steps > 5 { _ = sequence.ready(except: ["gone"]) }
    if steps > 6 { _ = sequence.steppedBack() }
    if steps > 7 { _ = sequence.serving() }
    return sequence
}

@Suite("UpgradeSequence")
struct UpgradeSequenceTests {
    @Test("Each step leads to the next one, and the old process goes last")
    func success() {
        var sequence = UpgradeSequence()
        #expect(sequence.requested(order) == [.settle])
        #expect(sequence.settled() == [.gather])
        #expect(sequence.gathered() == [.launch(order)])
        sequence.launched(process: 7)
        #expect(sequence.tookOver(process: 7, version: HandoverMessage.version) == nil)
        #expect(sequence.ready(except: ["gone"]) == [.stepBack])
        #expect(sequence.steppedBack() == [.sayGo])
        let isGoneEarly = sequence.isGone
        #expect(!isGoneEarly)
        #expect(sequence.serving() == [.retire(except: ["gone"])])
        let isGone = sequence.isGone
        #expect(isGone)
    }

    @Test(
        "A failure at any step leaves the old process serving",
        arguments: zip(
            0...8,
            [
                [],
                [.reportFailure("x")], [.reportFailure("x")], [.reportFailure("x")],
                [.endSuccessor, .reportFailure("x")], [.endSuccessor, .reportFailure("x")],
                [.endSuccessor, .returnToService, .reportFailure("x")],
                [.endSuccessor, .returnToService, .reportFailure("x")],
                [],
            ] as [[UpgradeSequence.Action]]
        )
    )
    func failure(steps: Int, expected: [UpgradeSequence.Action]) {
        var sequence = sequence(after: steps)
        #expect(sequence.failed("x") == expected)
        // The same failure is often noticed twice: a closed connection and an ended process.
        #expect(sequence.failed("y") == [])
        let isFrozen = sequence.isFrozen
        #expect(!isFrozen)
    }

    @Test("Events of a step that has passed, or was given up, are without effect", arguments: 0...8)
    func late(steps: Int) {
        var sequence = sequence(after: steps)
        if steps != 1 { #expect(sequence.settled() == []) }
        var again = UpgradeSequence()
        _ = again.requested(order)
        _ = again.failed("x")
        #expect(again.settled() == [])
        #expect(again.gathered() == [])
        #expect(again.ready(except: []) == [])
        #expect(again.steppedBack() == [])
        #expect(again.serving() == [])
    }

    @Test("Only the process that was started may take over, and only once")
    func strangers() {
        var sequence = sequence(after: 4)
        #expect(sequence.tookOver(process: 8, version: HandoverMessage.version) != nil)
        #expect(sequence.tookOver(process: 7, version: "0") != nil)
        #expect(sequence.tookOver(process: 7, version: HandoverMessage.version) == nil)
        #expect(sequence.tookOver(process: 7, version: HandoverMessage.version) != nil)
    }

    @Test("What is served stays as it is from the look at it to the end of the upgrade")
    func frozen() {
        let states = (0...8).map { steps in
            let sequence = sequence(after: steps)
            return sequence.isFrozen
        }
        #expect(states == [false, false, true, true, true, true, true, true, false])
    }
}

@Suite("HandoverMessage")
struct HandoverMessageTests {
    @Test("A message is read as it was written, empty fields too")
    func roundTrip() {
        let message = HandoverMessage(.listener, ["web", "", "127.0.0.1:80"])
        #expect(HandoverMessage(octets: message.octets) == message)
        #expect(HandoverMessage(octets: HandoverMessage(.go).octets) == HandoverMessage(.go))
    }

    @Test("A NUL in a field cannot make two fields of it")
    func forged() {
        let message = HandoverMessage(.failed, ["a\0b"])
        #expect(HandoverMessage(octets: message.octets)?.fields == ["ab"])
    }

    @Test("What is no message is none", arguments: ["", "go", "nonsense\0", "\0", "go\0x"])
    func nonsense(text: String) {
        #expect(HandoverMessage(octets: Array(text.utf8)) == nil)
    }

    @Test("Listeners come in pairs, and half a pair is none")
    func pairs() {
        let message = HandoverMessage(.done, ["1", "2", "b", "9", "web", "a:1", "api"])
        #expect(message.listeners(from: 4).map(\.name) == ["web"])
    }
}
