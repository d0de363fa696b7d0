import FleetMessages
import FleetModel
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Sessions of the fleet's server")
struct SessionTests {
    let bench = FleetBench()

    @Test("a second session of a node replaces the first, which is told so")
    func replaced() async throws {
        try await bench.remember("edge-1")
        let first = try await bench.session("edge-1")
        let second = try await bench.session("edge-1")
        #expect(try await first.goodbye().reason == .replaced)
        try await second.send(.heartbeat(WireHeartbeat()))
        guard case .heartbeatAnswer = try await second.next() else {
            Issue.record("the second session does not answer")
            return
        }
        #expect(try await bench.directory.node("edge-1")?.isConnected == true)
    }

    @Test("a node that was removed before its Hello is not admitted")
    func removedBeforeHello() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.connect("edge-1")
        try await bench.directory.remove("edge-1", note: note)
        try await peer.send(.hello(peer.hello()))
        #expect(try await peer.goodbye().reason == .removed)
        #expect(try await bench.directory.node("edge-1") == nil)
    }

    @Test("a removed node does not pass for the one that has its name now")
    func removedAndReplaced() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.connect("edge-1")
        try await bench.directory.remove("edge-1", note: note)
        bench.issuer.state.withLock { $0.generation = 2 }
        guard case .joinAccepted = try await bench.join("edge-1") else {
            Issue.record("the new node did not join")
            return
        }
        try await peer.send(.hello(peer.hello()))
        #expect(try await peer.goodbye().reason == .removed)
        let other = try await bench.connect(record("edge-1", generation: 2))
        try await other.send(.hello(other.hello()))
        guard case .welcome = try await other.next() else {
            Issue.record("the new node is not welcome")
            return
        }
    }

    @Test("a node that was revoked before its Hello is told so")
    func revokedBeforeHello() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.connect("edge-1")
        try await bench.directory.revoke("edge-1", note: note)
        try await peer.send(.hello(peer.hello()))
        #expect(try await peer.goodbye().reason == .revoked)
    }

    @Test("a node that joins again keeps its session and its drain")
    func joinsAgain() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        try await bench.directory.drain("edge-1", note: note)
        guard case .command = try await peer.next() else {
            Issue.record("no command")
            return
        }
        guard case .joinAccepted = try await bench.join("edge-1") else {
            Issue.record("not accepted")
            return
        }
        let node = try await bench.directory.node("edge-1")
        #expect(node?.isConnected == true)
        #expect(node?.state == .draining)
    }

    @Test("a node may change its labels, but for those that its token asks for")
    func labels() async throws {
        let joined = record(
            "edge-1",
            labels: ["site": "ams", "rack": "1"],
            tokenLabels: ["site": "ams"]
        )
        try await bench.fleet.read { $0.remember([joined]) }
        let peer = try await bench.connect(joined)
        try await peer.send(.hello(peer.hello(labels: ["site": "fra", "rack": "2"])))
        guard case .welcome = try await peer.next() else {
            Issue.record("not welcome")
            return
        }
        #expect(try await bench.directory.node("edge-1")?.labels == ["site": "ams", "rack": "2"])
        try await peer.send(.hello(peer.hello(labels: [:])))
        #expect(try await bench.directory.node("edge-1")?.labels == ["site": "ams"])
    }

    @Test("a revoked node is told so twice over, and its socket closes within the second")
    func revocation() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        try await bench.directory.revoke("edge-1", note: note)
        guard case .command(let command) = try await peer.next() else {
            Issue.record("no command")
            return
        }
        #expect(command.kind == .revoke)
        #expect(try await peer.goodbye().reason == .revoked)
        await bench.loop.advanceTime(by: .milliseconds(Limits.goodbyeMilliseconds))
        #expect(!peer.channel.isActive)
        #expect(try await bench.directory.node("edge-1")?.state == .revoked)
        #expect(bench.store.state.withLock { $0.calls } == ["revoke edge-1"])
        let again = try await bench.connect("edge-1")
        try await again.send(.hello(again.hello()))
        #expect(try await again.goodbye().reason == .revoked)
    }

    @Test("a peer that takes nothing for half a minute is cut off")
    func stalled() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        try await peer.setWritable(false)
        try await bench.pass(seconds: Int(Limits.stallSeconds), peer)
        #expect(peer.channel.isActive)
        try await bench.pass(seconds: 2, peer)
        #expect(!peer.channel.isActive)
    }

    @Test("a silent node is told so after half a minute")
    func silent() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        await bench.loop.advanceTime(by: .seconds(29))
        #expect(try await peer.pending().isEmpty)
        await bench.loop.advanceTime(by: .seconds(2))
        #expect(try await peer.goodbye().reason == .timeout)
    }

    @Test("a server that stops says goodbye to its nodes")
    func stops() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        try await bench.fleet.read { $0.stop() }
        #expect(try await peer.goodbye().reason == .shutdown)
        await #expect(throws: ChannelError.self) { try await bench.connect("edge-1") }
    }
}
