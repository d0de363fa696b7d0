import AdminClient
import AdminMessages
import Testing

@Suite struct RolloutWatchTests {
    private func progress(
        _ states: RolloutAnswer.Node.State...
    ) -> RolloutWatch.Progress {
        let nodes = states.enumerated().map { index, state in
            RolloutAnswer.Node(name: "n\(index)", state: state, reason: nil, errors: [])
        }
        return RolloutWatch.progress(of: RolloutAnswer(version: 1, digest: "", nodes: nodes))
    }

    @Test("a rollout has ended when no node that counts is left to answer")
    func ends() {
        #expect(progress(.applied, .applied) == .ended(.applied))
        #expect(progress(.applied, .pending) == .waiting)
        #expect(progress(.applied, .excluded) == .ended(.applied))
    }

    @Test("without a node that counts there is nothing to wait for")
    func noNodes() {
        #expect(progress() == .ended(.noNodes))
        #expect(progress(.excluded, .excluded) == .ended(.noNodes))
    }

    @Test("a rejection is told after the others answered")
    func rejection() {
        #expect(progress(.rejected, .pending) == .waiting)
        #expect(progress(.rejected, .applied) == .ended(.rejected))
    }
}
