import FleetMessages
import FleetModel
import NIOCore
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
}
