import ControlStore
import FleetMessages
import FleetModel
import NIOCore
import SwiftProtobuf
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Adjustments and the shared view of upstreams")
struct UpstreamTests {
    private let endpoint = EndpointName(upstream: "shop", address: "10.0.0.1:80")

    private static func drained(
        _ generation: UInt64,
        until: Int64? = nil,
        endedByVersion: UInt64? = nil
    ) -> StoredAdjustments {
        let entry = StoredAdjustment(
            endpoint: EndpointName(upstream: "shop", address: "10.0.0.1:80"),
            adjustment: .drain,
            untilMilliseconds: until,
            settings: Digest(hashing: []),
            author: "ops",
            createdMilliseconds: 0,
            endedByVersion: endedByVersion
        )
        return StoredAdjustments(generation: generation, entries: [entry])
    }

    /// The next message, which must be of this type.
    private func adjustments(to peer: TestPeer) async throws -> WireAdjustments {
        guard case .adjustments(let message) = try await peer.next() else {
            Issue.record("no adjustments")
            return WireAdjustments()
        }
        return message
    }

    private func report(
        _ address: String,
        _ availability: WireEndpointAvailability,
        begins: Bool = false
    ) -> FleetMessage {
        .upstreamReport(
            .with {
                $0.begins = begins
                $0.upstreams = [
                    .with {
                        $0.upstream = "shop"
                        $0.endpoints = [
                            .with { ($0.endpoint, $0.availability) = (address, availability) }
                        ]
                    }
                ]
            }
        )
    }

    @Test("a change goes to every node at once and is acknowledged; who comes later is told too")
    func fastLane() async throws {
        let bench = FleetBench()
        try await bench.remember("a", "b", "c")
        let peer = try await bench.session("a")
        bench.store.state.withLock { $0.adjustments = Self.drained(7) }
        let made = try await bench.directory.adjust(
            endpoint,
            .put(.drain, untilMilliseconds: nil),
            note: note
        )
        #expect(made.nodes.map(\.state) == [.pending, .excluded, .excluded])
        let told = try await adjustments(to: peer)
        #expect(told.generation == 7)
        #expect(told.entries.map(\.action) == [.drain] && told.entries[0].upstream == "shop")
        try await peer.send(
            .adjustmentsStatus(
                .with {
                    $0.generation = 7
                    $0.problem = "disk full"
                }
            )
        )
        let after = try await bench.directory.adjustments()
        #expect(after.nodes.map(\.state) == [.applied, .excluded, .excluded])
        #expect(after.nodes[0].problem == "disk full")
        let late = try await bench.session("b")
        #expect(try await adjustments(to: late) == told)
        #expect(try await bench.directory.adjustments().nodes[1].state == .pending)
        // An older list is not taken over, nor told.
        try await bench.fleet.read { $0.setAdjustments(Self.drained(6)) }
        #expect(try await peer.pending().isEmpty)
    }

    @Test("a reset is told with its generation, to those that come later too")
    func reset() async throws {
        let bench = FleetBench()
        try await bench.remember("a", "b")
        let peer = try await bench.session("a")
        bench.store.state.withLock { $0.adjustments = .init(generation: 9, entries: []) }
        _ = try await bench.directory.adjust(endpoint, .reset, note: note)
        let told = try await adjustments(to: peer)
        #expect(told.resets.map(\.generation) == [9] && told.resets[0].endpoint == "10.0.0.1:80")
        #expect(try await adjustments(to: try await bench.session("b")) == told)
    }

    @Test("what a version ended is told before the version, with its number")
    func version() async throws {
        let bench = FleetBench()
        try await bench.remember("a")
        try await bench.fleet.read { $0.setAdjustments(Self.drained(2)) }
        let peer = try await bench.session("a")
        #expect(try await adjustments(to: peer).entries[0].endedByVersion == 0)
        bench.store.state.withLock { $0.adjustments = Self.drained(3, endedByVersion: 4) }
        let version = try signed(try manifest(routes: 1), version: 4)
        bench.store.commit(version)
        try await bench.fleet.read { $0.headChanged(to: version) }
        #expect(try await adjustments(to: peer).entries[0].endedByVersion == 4)
        guard case .manifest = try await peer.next() else {
            Issue.record("the version was not offered")
            return
        }
        // A store that fails keeps no version from the nodes.
        bench.store.state.withLock { $0.isBroken = true }
        let next = try signed(try manifest(routes: 2), version: 5)
        try await bench.fleet.read { $0.headChanged(to: next) }
        guard case .manifest(let offer) = try await peer.next() else {
            Issue.record("the next version was not offered")
            return
        }
        #expect(offer.head.version == 5)
    }

    @Test("what is to end by itself is ended in the store at its time")
    func expiry() async throws {
        let bench = FleetBench()
        try await bench.remember("a")
        let end = bench.clock.milliseconds + 3_000
        bench.store.state.withLock { $0.adjustments = Self.drained(2, until: end) }
        try await bench.fleet.read { $0.setAdjustments(Self.drained(2, until: end)) }
        let peer = try await bench.session("a")
        _ = try await adjustments(to: peer)
        try await bench.pass(seconds: 2, peer)
        #expect(!bench.store.state.withLock { $0.calls }.contains("end expired"))
        bench.store.state.withLock { $0.adjustments = .init(generation: 3, entries: []) }
        try await bench.pass(seconds: 2, peer)
        var messages: [FleetMessage] = []
        while !messages.contains(where: { $0.type == .adjustments }) {
            messages.append(try await peer.next())
        }
        #expect(bench.store.state.withLock { $0.calls }.contains("end expired"))
        #expect(messages.last == .adjustments(.with { $0.generation = 3 }))
    }

    @Test("reports are kept by node, until it begins anew, is revoked or removed")
    func reports() async throws {
        let bench = FleetBench()
        try await bench.remember("a", "b")
        let (a, b) = (try await bench.session("a"), try await bench.session("b"))
        try await a.send(report("10.0.0.1:80", .healthy, begins: true))
        try await a.send(report("10.0.0.2:80", .ejected))
        try await b.send(report("10.0.0.1:80", .unhealthy, begins: true))
        var seen = try await bench.directory.upstreams()
        #expect(seen.map(\.node) == ["a", "b"] && seen.map(\.isStale) == [false, false])
        #expect(seen[0].upstreams.endpoints["shop"]?["10.0.0.2:80"]?.availability == .ejected)
        #expect(seen[1].upstreams.endpoints["shop"]?["10.0.0.1:80"]?.availability == .unhealthy)
        #expect(try await bench.fleet.read { $0.reportedEndpointCount } == 3)
        let gone = WireUpstreamReport.with {
            $0.upstreams = [
                .with {
                    $0.upstream = "shop"
                    $0.gone = ["10.0.0.2:80"]
                }
            ]
        }
        try await a.send(.upstreamReport(gone))
        #expect(try await bench.directory.upstreams()[0].upstreams.count == 1)
        try await a.send(report("10.0.0.3:80", .healthy, begins: true))
        seen = try await bench.directory.upstreams()
        #expect(seen[0].upstreams.endpoints["shop"]?.keys.sorted() == ["10.0.0.3:80"])
        try await b.channel.close().get()
        #expect(try await bench.directory.upstreams().map(\.isStale) == [false, true])
        try await bench.directory.remove("b", note: note)
        #expect(try await bench.directory.upstreams().map(\.node) == ["a"])
        #expect(try await bench.fleet.read { $0.reportedEndpointCount } == 1)
        // What a node has discovered may be adjusted.
        let found = EndpointName(upstream: "shop", address: "10.0.0.3:80")
        _ = try await bench.directory.adjust(found, .reset, note: note)
        #expect(bench.store.state.withLock { $0.calls }.contains("adjust discovered \(found)"))
    }

    @Test("what holds for an upstream is kept where it has no endpoint, of so many at most")
    func notesWithoutEndpoints() {
        var upstreams = NodeUpstreams()
        func take(_ names: [String], _ note: String, begins: Bool = false) {
            let message = WireUpstreamReport.with { report in
                report.begins = begins
                report.upstreams = names.map { name in
                    .with { ($0.upstream, $0.note) = (name, note) }
                }
            }
            upstreams.take(message, room: 10)
        }
        take(["shop"], "pool.test does not resolve", begins: true)
        #expect(upstreams.notes == ["shop": "pool.test does not resolve"])
        take(["shop"], "")
        #expect(upstreams.notes.isEmpty && upstreams.count == 0)
        take((0..<2_000).map { "shop-\($0)" }, "nothing is found")
        #expect(upstreams.notes.count == 1_000)
    }

    @Test("of too many endpoints the number is kept")
    func omission() {
        var upstreams = NodeUpstreams()
        let message = WireUpstreamReport.with { report in
            report.begins = true
            report.upstreams = [
                .with { upstream in
                    upstream.upstream = "shop"
                    upstream.endpoints = (0..<10).map { index in
                        .with { ($0.endpoint, $0.availability) = ("10.0.0.\(index):80", .healthy) }
                    }
                }
            ]
        }
        upstreams.take(message, room: 4)
        #expect(upstreams.count == 4 && upstreams.omitted == 6)
        #expect(upstreams.endpoints["shop"]?.count == 4)
        upstreams.take(message, room: 20)
        #expect(upstreams.count == 10 && upstreams.omitted == 0)
        // Known ones change where no room is left.
        var change = message
        change.begins = false
        change.upstreams[0].endpoints[0].availability = .ejected
        upstreams.take(change, room: 0)
        #expect(upstreams.count == 10 && upstreams.omitted == 0)
        #expect(upstreams.endpoints["shop"]?["10.0.0.0:80"]?.availability == .ejected)
    }
}
