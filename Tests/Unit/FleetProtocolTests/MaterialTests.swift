import FleetMessages
import FleetModel
import SwiftProtobuf
import Testing

@testable import FleetProtocol

@Suite("Material of certificates on its way to nodes")
struct MaterialTests {
    private let digest = Digest(hashing: [1])
    private let next = Digest(hashing: [2])

    private func message(_ name: String) throws -> FleetMessage {
        try #require(try sampleMessages().first { $0.name == name }?.message)
    }

    @Test(
        "A node hears of material before any version, asks for it, is given it and says what it holds"
    )
    func exchange() throws {
        var link = Link()
        let list = WireMaterialList.with {
            $0.generation = 3
            $0.assignments = [
                .with {
                    $0.name = "shop"
                    $0.resource = wireOctets(digest.octets)
                    $0.serve = wireOctets(digest.octets)
                    $0.next = wireOctets(next.octets)
                }
            ]
        }
        let keys = try message("ticket_keys")
        link.material = [.materialList(list), keys]
        for digest in [digest, next] {
            link.stock[digest] = .with {
                $0.digest = wireOctets(digest.octets)
                $0.refusal = "damaged"
            }
        }
        link.head = try signed(try manifest(routes: 1), version: 1)
        link.contents = [Digest(hashing: content(0)): content(0)]
        link.connect()
        let given = [digest, next].compactMap { link.stock[$0] }.map { FleetMessage.material($0) }
        #expect(link.told == [.materialList(list), keys] + given)
        #expect(link.reports.last?.outcome == .confirmed(lastGoodProblem: nil))
        var status = WireMaterialStatus()
        status.generation = 3
        status.held = [wireOctets(digest.octets)]
        link.perform(link.node.report(status))
        link.run()
        #expect(link.statuses == [status])
        #expect(link.nodeEnd == nil && link.controlEnd == nil)
    }

    @Test(
        "Lists, keys of tickets and challenges may be skipped by older nodes; what nodes send may not"
    )
    func ignorable() throws {
        for (name, message) in try sampleMessages() where message.type.rawValue >= 128 {
            let isIgnorable = message.frame().flags.contains(.ignorable)
            let skipped = [
                "material_list", "ticket_keys", "challenges", "trust", "adjustments",
                "upstream_report",
            ]
            #expect(isIgnorable == skipped.contains(name), "\(name)")
        }
    }

    @Test("Material is a certificate with a key, authorities without, or a refusal alone")
    func shapes() throws {
        guard case .material(let good) = try message("material") else { return }
        var bad: [WireMaterial] = []
        var changed = good
        changed.key = wireOctets([])
        bad.append(changed)
        changed = good
        changed.content = wireOctets([])
        bad.append(changed)
        changed = good
        changed.kind = .authority
        bad.append(changed)
        changed = good
        changed.kind = .unspecified
        bad.append(changed)
        changed = good
        changed.refusal = "and yet"
        bad.append(changed)
        changed = good
        changed.digest = wireOctets([1])
        bad.append(changed)
        for message in bad {
            #expect(throws: FleetProtocolError.self) {
                try FleetMessage(FleetMessage.material(message).frame())
            }
        }
        changed = good
        changed.content = wireOctets([UInt8](repeating: 0, count: Limits.materialBytesMax + 1))
        #expect(throws: FleetProtocolError.limitExceeded(.material, what: "content")) {
            try FleetMessage(FleetMessage.material(changed).frame())
        }
        changed.content = wireOctets([UInt8](repeating: 0, count: Limits.materialBytesMax))
        changed.key = wireOctets([UInt8](repeating: 0, count: Limits.materialKeyBytesMax))
        let frame = FleetMessage.material(changed).frame()
        #expect(frame.payload.count <= Limits.framePayloadBytesMax)
        #expect(try FleetMessage(frame) == .material(changed))
    }

    @Test("The longest list and the longest status fit their frames")
    func longest() throws {
        let name = String(repeating: "n", count: Limits.nameBytesMax)
        let list = WireMaterialList.with { list in
            list.generation = .max
            list.assignments = (0..<Limits.materialCountMax).map { _ in
                .with {
                    $0.name = name
                    $0.resource = wireOctets(digest.octets)
                    $0.serve = wireOctets(digest.octets)
                    $0.next = wireOctets(next.octets)
                }
            }
        }
        let status = WireMaterialStatus.with { status in
            status.held = (0..<Limits.materialDigestCountMax).map { _ in wireOctets(digest.octets) }
            status.served = (0..<Limits.materialCountMax).map { _ in
                .with {
                    $0.name = name
                    $0.digest = wireOctets(digest.octets)
                }
            }
            status.problem = String(repeating: "p", count: Limits.problemTextBytesMax)
        }
        for message in [FleetMessage.materialList(list), .materialStatus(status)] {
            let frame = message.frame()
            #expect(frame.payload.count <= Limits.framePayloadBytesMax)
            #expect(try FleetMessage(frame) == message)
        }
    }
}
