import Testing
import Upstreams

@Suite("Workers on which requests wait")
struct UpstreamStateTests {
    @Test("The next one behind the one that asks")
    func next() {
        let state = UpstreamState(connectionsMax: 1, waitingMax: 1)
        #expect(state.waitingWorker(after: 0, of: 4) == nil)
        state.note(isWaiting: true, on: 0)
        #expect(state.waitingWorker(after: 0, of: 4) == nil)
        #expect(state.waitingWorker(after: 3, of: 4) == 0)
        state.note(isWaiting: true, on: 2)
        #expect(state.waitingWorker(after: 0, of: 4) == 2)
        #expect(state.waitingWorker(after: 2, of: 4) == 0)
        state.note(isWaiting: false, on: 0)
        #expect(state.waitingWorker(after: 3, of: 4) == 2)
        #expect(state.waitingWorker(after: 0, of: 1) == nil)
        state.note(isWaiting: true, on: 70)
        #expect(state.waitingWorker(after: 69, of: 80) == 70)
    }

    @Test("No more wait than may")
    func limit() {
        let state = UpstreamState(connectionsMax: 1, waitingMax: 2)
        #expect(state.waiting.add() && state.waiting.add() && !state.waiting.add())
        #expect(state.waiting.isFull)
        state.waiting.remove()
        #expect(!state.waiting.isFull && state.waiting.add())
    }
}
