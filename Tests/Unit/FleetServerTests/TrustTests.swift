import FleetMessages
import FleetModel
import FleetProtocol
import NIOCore
import NIOEmbedded
import Testing

@testable import FleetServer

@Suite("Whom nodes are to believe")
struct TrustTests {
    let bench = FleetBench()
    let first = Digest(hashing: [1])
    let second = Digest(hashing: [2])

    private func setTrust(_ authorities: [Digest], issuer: Digest) async throws {
        let trust = FleetTrust(authorities: authorities, issuer: issuer)
        try await bench.fleet.read { $0.setTrust(trust) }
    }

    private func nextTrust(_ peer: TestPeer) async throws -> WireTrust {
        while true {
            if case .trust(let trust) = try await peer.next() { return trust }
        }
    }

    private func report(_ peer: TestPeer, _ authorities: [Digest], _ issuer: Digest) async throws {
        var message = WireTrustStatus()
        message.authorities = authorities.map { wireOctets($0.octets) }
        message.issuer = wireOctets(issuer.octets)
        try await peer.send(.trustStatus(message))
    }

    private func isSettled(_ name: String, on authority: Digest) async throws -> Bool {
        try await bench.fleet.read { $0.nodes[name]?.trust.isSettled(on: authority) ?? false }
    }

    @Test("nodes are told behind Welcome and when it changes, and confirm with both facts")
    func telling() async throws {
        try await bench.remember("edge-1")
        try await setTrust([first], issuer: first)
        let peer = try await bench.connect("edge-1")
        try await peer.send(.hello(peer.hello()))
        guard case .welcome = try await peer.next() else {
            Issue.record("no Welcome")
            return
        }
        #expect(try await nextTrust(peer).authorities == [wireOctets(first.octets)])
        try await setTrust([first, second], issuer: second)
        let told = try await nextTrust(peer)
        #expect(told.authorities == [first, second].map { wireOctets($0.octets) })
        #expect(told.issuer == wireOctets(second.octets))

        try await report(peer, [first, second], first)
        #expect(try await !isSettled("edge-1", on: second))
        try await report(peer, [first], second)
        #expect(try await !isSettled("edge-1", on: second))
        try await report(peer, [first, second], second)
        #expect(try await isSettled("edge-1", on: second))
    }

    @Test(
        "a retirement ends the sessions of those whose certificate is of what is believed no more"
    )
    func retirement() async throws {
        try await bench.remember("edge-1", "edge-2", "edge-3")
        try await setTrust([first, second], issuer: second)
        let settled = try await bench.session("edge-1")
        let behind = try await bench.session("edge-2")
        let silent = try await bench.session("edge-3")
        try await report(settled, [first, second], second)
        try await report(behind, [first, second], first)
        try await setTrust([second], issuer: second)
        for peer in [behind, silent] {
            while true {
                guard case .goodbye(let goodbye) = try await peer.next() else { continue }
                #expect(goodbye.reason == .unknownNode && goodbye.detail.contains("retired"))
                break
            }
        }
        _ = try await nextTrust(settled)
        let rest = try await settled.pending()
        #expect(rest.allSatisfy { $0.type != FrameType.goodbye.rawValue })
    }

    @Test("a certificate of another authority is replaced at once, however new it is")
    func renewal() async throws {
        try await bench.remember("edge-1")
        try await setTrust([first], issuer: first)
        let peer = try await bench.session("edge-1")
        try await report(peer, [first], first)
        func renew() async throws -> WireRenewed {
            var message = WireRenew()
            message.certificateRequest = wireOctets([1])
            try await peer.send(.renew(message), correlation: 5)
            while true {
                if case .renewed(let renewed) = try await peer.next() { return renewed }
            }
        }
        #expect(try await renew().refusal.isEmpty)
        #expect(try await !renew().refusal.isEmpty)
        try await setTrust([first, second], issuer: second)
        #expect(try await renew().refusal.isEmpty)
    }
}
