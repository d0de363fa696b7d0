import Cryptography
import FleetMessages
import FleetModel
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import FleetProtocol
@testable import FleetServer

@Suite("Material on its way to the nodes")
struct MaterialTests {
    let bench = FleetBench()
    private let old = Digest(hashing: [1])
    private let new = Digest(hashing: [2])

    /// A list of one certificate.
    private func material(
        _ generation: UInt64,
        serve: Digest,
        next: Digest? = nil
    ) -> FleetMaterial {
        FleetMaterial(
            generation: generation,
            assignments: [
                .init(name: "shop", resource: Digest(hashing: [9]), serve: serve, next: next)
            ],
            ticketKeys: [
                .init(
                    name: [UInt8](repeating: 1, count: 16),
                    octets: SecretBytes([UInt8](repeating: 2, count: 64))
                )
            ]
        )
    }

    private func tell(_ material: FleetMaterial) async throws {
        try await bench.fleet.read { $0.setMaterial(material) }
    }

    private func status(_ generation: UInt64, holding: Digest...) -> FleetMessage {
        var status = WireMaterialStatus()
        status.generation = generation
        status.held = holding.map { wireOctets($0.octets) }
        return .materialStatus(status)
    }

    /// The next message, which must be a list.
    private func list(_ peer: TestPeer) async throws -> WireMaterialList? {
        guard case .materialList(let list) = try await peer.next() else {
            Issue.record("\(peer.name) was not sent a list")
            return nil
        }
        guard case .ticketKeys = try await peer.next() else {
            Issue.record("\(peer.name) was not sent keys of tickets")
            return nil
        }
        return list
    }

    @Test(
        "a node hears of material before the version, and is given what the list names and nothing else"
    )
    func gives() async throws {
        try await bench.remember("edge-1")
        let version = try signed(try manifest(routes: 2), version: 1)
        var kept = WireMaterial()
        kept.digest = wireOctets(old.octets)
        kept.kind = .authority
        kept.content = wireOctets([1])
        bench.store.state.withLock { [kept, old] in $0.material = [old: kept] }
        try await tell(material(7, serve: old, next: new))
        try await bench.commit(version)
        let peer = try await bench.session("edge-1")
        let told = try await list(peer)
        #expect(told?.generation == 7 && told?.assignments.first?.name == "shop")
        guard case .manifest = try await peer.next() else {
            Issue.record("no manifest")
            return
        }
        var want = WireWantMaterial()
        want.digests = [old, new, Digest(hashing: [3])].map { wireOctets($0.octets) }
        try await peer.send(.wantMaterial(want))
        #expect(try await peer.next() == .material(kept))
        for part in ["does not keep", "not for what this node serves"] {
            guard case .material(let refused) = try await peer.next() else {
                Issue.record("no answer")
                return
            }
            #expect(refused.refusal.contains(part) && refused.content.isEmpty)
        }
        bench.store.state.withLock { $0.isBroken = true }
        want.digests = [wireOctets(old.octets)]
        try await peer.send(.wantMaterial(want))
        guard case .material(let refused) = try await peer.next() else {
            Issue.record("no answer")
            return
        }
        #expect(refused.refusal.contains("cannot read"))
    }

    @Test("without certificates nothing is sent, and an older list never replaces a newer one")
    func nothing() async throws {
        try await bench.remember("edge-1")
        try await tell(FleetMaterial(generation: 1, assignments: [], ticketKeys: []))
        try await bench.commit(try signed(try manifest(routes: 2), version: 1))
        let peer = try await bench.session("edge-1")
        guard case .manifest = try await peer.next() else {
            Issue.record("no manifest")
            return
        }
        try await tell(material(3, serve: new))
        let told = try await list(peer)
        #expect(told?.generation == 3)
        try await tell(material(2, serve: old))
        try await tell(material(4, serve: old))
        #expect(try await list(peer)?.generation == 4)
    }

    @Test("what is next is told to be held once all nodes with a session have said so")
    func heldByAll() async throws {
        try await bench.remember("edge-1", "edge-2", "edge-3")
        let one = try await bench.session("edge-1")
        let two = try await bench.session("edge-2")
        try await tell(material(5, serve: old))
        try await one.send(status(5, holding: old))
        try await tell(material(6, serve: old, next: new))
        #expect(bench.held.all.isEmpty)
        try await one.send(status(6, holding: old, new))
        // Not all of it, and then of another list.
        try await two.send(status(6, holding: old))
        try await two.send(status(5, holding: old, new))
        #expect(bench.held.all.isEmpty)
        try await two.send(status(6, holding: new))
        #expect(bench.held.all == [6])
        try await two.send(status(6, holding: new))
        #expect(bench.held.all == [6])
        let statuses = try await bench.directory.nodes()
        #expect(statuses.first { $0.name == "edge-2" }?.material.held == [new])
    }

    @Test("a node whose session ends is not waited for, and nobody is if there is no session")
    func gone() async throws {
        try await bench.remember("edge-1", "edge-2")
        try await tell(material(5, serve: old, next: new))
        #expect(bench.held.all == [5])
        let one = try await bench.session("edge-1")
        let two = try await bench.session("edge-2")
        try await tell(material(6, serve: old, next: new))
        try await one.send(status(6, holding: new))
        #expect(bench.held.all == [5])
        try await two.channel.close().get()
        await bench.loop.run()
        #expect(bench.held.all == [5, 6])
    }

    @Test("a node that says nothing is waited for as long as the limit says")
    func hangs() async throws {
        try await bench.remember("edge-1", "edge-2")
        let one = try await bench.session("edge-1")
        let two = try await bench.session("edge-2")
        try await tell(material(6, serve: old, next: new))
        try await one.send(status(6, holding: new))
        try await bench.pass(seconds: 30, one, two)
        #expect(bench.held.all.isEmpty)
        try await bench.pass(seconds: 2, one, two)
        #expect(bench.held.all == [6])
    }

    /// East and west with a certificate each, and a listener for all without any.
    private func grouping() throws -> Configuration {
        try Configuration(
            json: """
                {"listeners": [
                    {"name": "web", "address": "0.0.0.0:80"},
                    {"name": "e", "address": "0.0.0.0:443", "protocol": "https", "tls": {"certificates": ["e"]}},
                    {"name": "w", "address": "0.0.0.0:444", "protocol": "https", "tls": {"certificates": ["w"]}}],
                 "certificates": [{"name": "e", "selfSigned": {"hosts": ["e.example"]}},
                                  {"name": "w", "selfSigned": {"hosts": ["w.example"]}}],
                 "groups": [{"name": "e", "nodes": {"region": "e"}, "listeners": ["e"]},
                            {"name": "w", "nodes": {"region": "w"}, "listeners": ["w"]}]}
                """
        )
    }

    private func regional(_ generation: UInt64, next: Digest? = nil) throws -> FleetMaterial {
        let resource = Digest(hashing: [9])
        return FleetMaterial(
            generation: generation,
            assignments: [
                .init(name: "e", resource: resource, serve: old, next: next),
                .init(name: "w", resource: resource, serve: Digest(hashing: [3]), next: nil),
            ],
            ticketKeys: material(generation, serve: old).ticketKeys,
            grouping: try grouping()
        )
    }

    @Test("a node is told of the material that its groups need, and given no other")
    func groups() async throws {
        try await bench.remember("east", "west", "none")
        var kept = WireMaterial()
        kept.digest = wireOctets(old.octets)
        kept.kind = .authority
        kept.content = wireOctets([1])
        bench.store.state.withLock { [kept, old] in $0.material = [old: kept] }
        try await tell(try regional(7))
        var want = WireWantMaterial()
        want.digests = [wireOctets(old.octets)]
        for (name, labels, expected) in [
            ("east", ["region": "e"], ["e"]), ("west", ["region": "w"], ["w"]), ("none", [:], []),
        ] {
            let peer = try await bench.session(name, labels: labels)
            guard case .materialList(let list) = try await peer.next(),
                case .ticketKeys(let keys) = try await peer.next()
            else {
                Issue.record("\(name) was not told")
                return
            }
            #expect(list.generation == 7 && list.assignments.map(\.name) == expected)
            #expect(keys.keys.count == expected.count)
            try await peer.send(.wantMaterial(want))
            guard case .material(let answer) = try await peer.next() else {
                Issue.record("no answer")
                return
            }
            #expect(answer.refusal.isEmpty == (name == "east"))
            #expect(answer.content.isEmpty == (name != "east"))
        }
    }

    @Test("what is next is waited for by those alone who need it")
    func groupsHold() async throws {
        try await bench.remember("east", "west")
        let east = try await bench.session("east", labels: ["region": "e"])
        _ = try await bench.session("west", labels: ["region": "w"])
        try await tell(try regional(5, next: new))
        #expect(bench.held.all.isEmpty)
        try await east.send(status(5, holding: old, new))
        #expect(bench.held.all == [5])
    }

    @Test("labels that a token asked for decide, whatever a node says, and it is told of them")
    func tokenLabels() async throws {
        let bound = record("east", tokenLabels: ["region": "e"])
        try await bench.fleet.read { $0.remember([bound]) }
        try await tell(try regional(7))
        let peer = try await bench.connect(bound)
        try await peer.send(.hello(peer.hello(labels: ["region": "w"])))
        guard case .welcome(let welcome) = try await peer.next() else {
            Issue.record("not welcomed")
            return
        }
        #expect(welcome.labels == ["region": "e"])
        #expect(try await list(peer)?.assignments.map(\.name) == ["e"])
    }

    @Test("more pieces than may wait end the session")
    func tooMany() async throws {
        try await bench.remember("edge-1")
        try await tell(material(6, serve: old))
        let peer = try await bench.session("edge-1", takes: 0)
        var want = WireWantMaterial()
        want.digests = (0..<FleetProtocol.Limits.materialDigestCountMax).map {
            wireOctets(Digest(hashing: [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)]).octets)
        }
        // The last ones meet a closed channel.
        for _ in 0..<4 { try? await peer.send(.wantMaterial(want)) }
        let status = try await bench.directory.node("edge-1")
        #expect(status?.isConnected == false)
    }
}
