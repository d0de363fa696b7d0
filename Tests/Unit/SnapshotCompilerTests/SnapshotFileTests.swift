import FleetModel
import SnapshotCompiler
import Testing

@Suite("SnapshotFile")
struct SnapshotFileTests {
    private func sample(signature: [UInt8]?) throws -> SnapshotFile {
        let resources = [
            Resource(kind: .listener, name: "web", content: Array("{\"a\":1}".utf8)),
            Resource(kind: .route, name: "z", content: Array("{}".utf8)),
            Resource(kind: .route, name: "a", content: Array("{}".utf8)),
        ]
        return try #require(
            SnapshotFile(
                clusterID: Array(0..<16),
                epoch: 3,
                version: 7,
                signature: signature,
                manifest: try Manifest(entries: resources.map(\.entry)),
                contents: Dictionary(
                    resources.map { ($0.digest, $0.content) },
                    uniquingKeysWith: { first, _ in first }
                )
            )
        )
    }

    @Test("A file is read back as it was written, signed and not")
    func roundTrip() throws {
        for signature in [nil, [UInt8](repeating: 9, count: 64)] {
            let file = try sample(signature: signature)
            let read = try SnapshotFile(octets: file.encoded())
            #expect(read == file)
            #expect(read.resources.map(\.name) == ["web", "z", "a"])
        }
    }

    @Test("A file cut short anywhere is refused")
    func truncated() throws {
        let octets = try sample(signature: nil).encoded()
        for count in 0..<octets.count {
            #expect(throws: SnapshotFile.Fault.self) {
                try SnapshotFile(octets: Array(octets[..<count]))
            }
        }
        #expect(throws: SnapshotFile.Fault.checksumMismatch) {
            try SnapshotFile(octets: octets + [0])
        }
    }

    @Test("A file with any octet flipped is refused")
    func flipped() throws {
        let octets = try sample(signature: nil).encoded()
        for index in octets.indices {
            var flipped = octets
            flipped[index] ^= 0x10
            #expect(throws: SnapshotFile.Fault.self) { try SnapshotFile(octets: flipped) }
        }
    }

    @Test("A file without one of its contents cannot be made")
    func missing() throws {
        let file = try sample(signature: nil)
        #expect(
            SnapshotFile(
                clusterID: file.clusterID,
                epoch: 1,
                version: 1,
                signature: nil,
                manifest: file.manifest,
                contents: [:]
            ) == nil
        )
    }
}
