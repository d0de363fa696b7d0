import FleetMessages
import FleetModel
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Versions on their way to the nodes")
struct RolloutTests {
    let bench = FleetBench()
    let first: SignedManifest
    let second: SignedManifest

    init() throws {
        first = try signed(try manifest(routes: 3), version: 1)
        second = try signed(try manifest(routes: 3, changed: 1), version: 2)
    }

    private func states(_ version: UInt64 = 2) async throws -> [String: RolloutStatus.State] {
        let nodes = try await bench.directory.rollout(version).nodes
        return Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, $0.state) })
    }

    @Test("an offer is encoded once for all nodes that serve the same, and each is sent it whole")
    func encodedOnce() async throws {
        let names = (0..<20).map { "edge-\($0)" }
        try await bench.fleet.read { [names] fleet in fleet.remember(names.map { record($0) }) }
        bench.store.commit(first)
        var peers: [TestPeer] = []
        for name in names { peers.append(try await bench.session(name, active: first)) }
        try await bench.commit(second)
        for peer in peers {
            guard case .manifestDelta(let delta) = try await peer.next() else {
                Issue.record("\(peer.name) was not sent a delta")
                return
            }
            #expect(octets(delta.baseDigest) == first.head.digest.octets)
            #expect(delta.head.version == 2)
        }
        #expect(bench.store.state.withLock { $0.manifestReadings } == 1)
    }

    @Test("a node that serves what no version was is sent the whole manifest")
    func unknownBase() async throws {
        try await bench.remember("edge-1")
        let stranger = try signed(try manifest(routes: 9), version: 1)
        let peer = try await bench.session("edge-1", active: stranger)
        try await bench.commit(second)
        guard case .manifest(let manifest) = try await peer.next() else {
            Issue.record("no manifest")
            return
        }
        #expect(manifest.head.version == 2)
    }

    @Test("a node that serves the head is told no more than that")
    func notModified() async throws {
        try await bench.remember("edge-1")
        try await bench.commit(second)
        let peer = try await bench.session("edge-1", active: second)
        guard case .notModified(let message) = try await peer.next() else {
            Issue.record("it was sent something")
            return
        }
        #expect(message.head.version == 2)
        #expect(try await bench.directory.node("edge-1")?.state == .steady)
    }

    @Test("more nodes than may be sent everything at once are told to ask again")
    func fullSyncs() async throws {
        let count = Limits.fullSyncCountMax
        let names = (0...count).map { "edge-\($0)" }
        try await bench.fleet.read { [names] fleet in fleet.remember(names.map { record($0) }) }
        try await bench.commit(first)
        var peers: [TestPeer] = []
        for name in names { peers.append(try await bench.session(name)) }
        for peer in peers.dropLast() {
            guard case .manifest = try await peer.next() else {
                Issue.record("\(peer.name) was not sent the manifest")
                return
            }
        }
        guard case .deferred(let message) = try await peers[count].next() else {
            Issue.record("the last one was not told to wait")
            return
        }
        #expect((500...2_000).contains(message.retryAfterMilliseconds))
        try await peers[0].report(.received, of: first)
        try await peers[count].send(.hello(peers[count].hello()))
        guard case .manifest = try await peers[count].next() else {
            Issue.record("it was told to wait again")
            return
        }
    }

    @Test("a rollout knows who has the version, who refused it, and who is not waited for")
    func rollout() async throws {
        try await bench.remember("applies", "drains", "lost", "refuses", "waits")
        try await bench.commit(first)
        bench.store.commit(second)
        var peers: [String: TestPeer] = [:]
        for name in ["applies", "drains", "refuses", "waits"] {
            peers[name] = try await bench.session(name, active: first)
        }
        try await bench.commit(second)
        #expect(
            try await states() == [
                "applies": .pending, "drains": .pending, "lost": .pending, "refuses": .pending,
                "waits": .pending,
            ]
        )
        try await bench.directory.drain("drains", note: note)
        try await peers["applies"]?.report(.active, of: second)
        let problem = Problem(kind: .route, name: "route-1", field: "path", message: "taken")
        try await peers["refuses"]?.report(.rejected(.content, [problem]), of: second)
        await bench.loop.advanceTime(by: .seconds(6))
        #expect(
            try await states() == [
                "applies": .applied, "drains": .excluded, "lost": .excluded, "refuses": .rejected,
                "waits": .pending,
            ]
        )
        let status = try await bench.directory.rollout(2)
        #expect(!status.isDecided)
        #expect(status.nodes.first { $0.name == "refuses" }?.problems == [problem])
        let fleet = try await bench.directory.status()
        #expect(fleet.head?.version == 2)
        #expect(fleet.countByState[.unreachable] == 1 && fleet.countByState[.stale] == 1)
        #expect(fleet.rejections.map(\.name) == ["refuses"])
        try await peers["waits"]?.report(.active, of: second)
        #expect(try await bench.directory.rollout(2).isDecided)
        await #expect(throws: FleetCommandError.versionUnknown(9)) {
            try await bench.directory.rollout(9)
        }
    }

    @Test("a rejected version is not sent again, in a new session neither; retry sends it")
    func rejected() async throws {
        try await bench.remember("edge-1")
        try await bench.commit(second)
        let peer = try await bench.session("edge-1")
        guard case .manifest = try await peer.next() else {
            Issue.record("no manifest")
            return
        }
        let problem = Problem(kind: .route, name: "route-1", field: "path", message: "taken")
        try await peer.report(.rejected(.content, [problem]), of: second)
        let again = try await bench.connect("edge-1")
        var hello = again.hello()
        hello.quarantinedDigests = [wireOctets(second.head.digest.octets)]
        try await again.send(.hello(hello))
        guard case .welcome = try await again.next() else {
            Issue.record("not welcome")
            return
        }
        #expect(try await again.pending().isEmpty)
        #expect(try await bench.directory.node("edge-1")?.problems == [problem])
        try await bench.directory.retry("edge-1")
        guard case .command(let command) = try await again.next(), command.kind == .retry else {
            Issue.record("no command")
            return
        }
        try await again.send(.hello(again.hello()))
        guard case .manifest = try await again.next() else {
            Issue.record("not sent again")
            return
        }
    }
}
