import FleetMessages
import FleetModel
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Who is admitted")
struct AdmissionTests {
    let bench = FleetBench()

    private func counts() async throws -> [Int] {
        try await bench.fleet.read { [$0.connectionCount, $0.handshakeCount] }
    }

    @Test("strangers that say nothing count as handshakes until they are closed")
    func silentStrangers() async throws {
        var peers: [TestPeer] = []
        for _ in 0..<Limits.handshakeCountMax { peers.append(try await bench.stranger()) }
        await #expect(throws: ChannelError.self) { try await bench.stranger() }
        #expect(try await counts() == [Limits.handshakeCountMax, Limits.handshakeCountMax])
        await bench.loop.advanceTime(by: .seconds(11))
        #expect(try await peers[0].goodbye().reason == .timeout)
        #expect(try await counts() == [0, 0])
        _ = try await bench.stranger()
    }

    @Test("a member counts as a handshake until it is welcome, and as a connection until it closes")
    func members() async throws {
        try await bench.remember("edge-1", "edge-2")
        let peer = try await bench.connect("edge-1")
        #expect(try await counts() == [1, 1])
        try await peer.send(.hello(peer.hello()))
        guard case .welcome = try await peer.next() else {
            Issue.record("not welcome")
            return
        }
        #expect(try await counts() == [1, 0])
        try await bench.connect("edge-2").channel.close().get()
        #expect(try await counts() == [1, 0])
        try await peer.channel.close().get()
        #expect(try await counts() == [0, 0])
    }

    @Test("who joins is answered, closed and no longer counted")
    func joins() async throws {
        guard case .joinAccepted(let accepted) = try await bench.join("edge-1") else {
            Issue.record("not accepted")
            return
        }
        #expect(accepted.name == "edge-1")
        #expect(try await counts() == [0, 0])
        #expect(try await bench.directory.node("edge-1")?.state == .joining)
    }

    @Test("who is one too many is told when to come back, and is admitted then")
    func sessionBucket() async throws {
        let count = Int(Limits.admissionsBurst)
        let names = (0...count).map { "edge-\($0)" }
        try await bench.fleet.read { [names] fleet in fleet.remember(names.map { record($0) }) }
        for name in names.dropLast() {
            let peer = try await bench.session(name)
            try await peer.channel.close().get()
        }
        let last = try await bench.connect(names[count])
        try await last.send(.hello(last.hello()))
        guard case .goodbye(let goodbye) = try await last.next() else {
            Issue.record("it was admitted")
            return
        }
        #expect(goodbye.reason == .busy)
        #expect((100...1_100).contains(goodbye.retryAfterMilliseconds))
        await bench.loop.advanceTime(by: .milliseconds(Int64(goodbye.retryAfterMilliseconds)))
        _ = try await bench.session(names[count])
    }

    @Test("more joins than are decided at once are refused as unavailable, without the issuer")
    func joinBucket() async throws {
        for index in 0..<Int(Limits.joinsBurst) {
            guard case .joinAccepted = try await bench.join("edge-\(index)") else {
                Issue.record("join \(index) was refused")
                return
            }
        }
        guard case .joinRefused(let refused) = try await bench.join("edge-last") else {
            Issue.record("it was decided")
            return
        }
        #expect(refused.reason == .unavailable)
        #expect(try await bench.directory.node("edge-last") == nil)
    }

    @Test("a refusal of the issuer reaches the node with its reason")
    func refusal() async throws {
        bench.issuer.state.withLock { $0.refusal = JoinError(.tokenUsed, "the token was used") }
        guard case .joinRefused(let refused) = try await bench.join("edge-1") else {
            Issue.record("not refused")
            return
        }
        #expect(refused.reason == .tokenUsed && refused.detail == "the token was used")
        #expect(try await bench.directory.nodes().isEmpty)
    }
}
