import FleetMessages
import FleetModel
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Certificates of sessions")
struct CertificateTests {
    let bench = FleetBench()

    /// Asks for a certificate and returns the answer.
    private func renew(_ peer: TestPeer) async throws -> WireRenewed {
        var message = WireRenew()
        message.certificateRequest = wireOctets([1])
        try await peer.send(.renew(message), correlation: 5)
        while true {
            if case .renewed(let renewed) = try await peer.next() { return renewed }
        }
    }

    @Test("a node is given one certificate a minute, in a new session too")
    func renewalLimit() async throws {
        try await bench.remember("edge-1", "edge-2")
        let peer = try await bench.session("edge-1")
        #expect(try await renew(peer).refusal.isEmpty)
        #expect(try await !renew(peer).refusal.isEmpty)
        let again = try await bench.session("edge-1")
        #expect(try await !renew(again).refusal.isEmpty)
        let other = try await bench.session("edge-2")
        #expect(try await renew(other).refusal.isEmpty)
        #expect(bench.issuer.state.withLock { $0.renewals } == 2)
        try await bench.pass(seconds: Int(Limits.renewalSeconds), again)
        #expect(try await renew(again).refusal.isEmpty)
        #expect(bench.issuer.state.withLock { $0.renewals } == 3)
    }

    @Test("a session ends when the certificate that began it does")
    func ends() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        bench.clock.milliseconds = 1_800_086_400_999
        await bench.loop.advanceTime(by: .seconds(1))
        #expect(try await peer.pending().isEmpty)
        bench.clock.milliseconds += 1
        await bench.loop.advanceTime(by: .seconds(1))
        let (reason, detail) = try await peer.goodbye()
        #expect(reason == .unknownNode)
        #expect(detail.contains("expired"))
    }

    @Test("a session whose certificate was renewed lives as long as the new one")
    func renewed() async throws {
        try await bench.remember("edge-1")
        let peer = try await bench.session("edge-1")
        bench.issuer.state.withLock { $0.renewedUntilSeconds = 1_800_090_000 }
        #expect(try await renew(peer).refusal.isEmpty)
        bench.clock.milliseconds = 1_800_086_401_000
        await bench.loop.advanceTime(by: .seconds(1))
        #expect(try await peer.pending().isEmpty)
        bench.clock.milliseconds = 1_800_090_001_000
        await bench.loop.advanceTime(by: .seconds(1))
        #expect(try await peer.goodbye().reason == .unknownNode)
    }
}
