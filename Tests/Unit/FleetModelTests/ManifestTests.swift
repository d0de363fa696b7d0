import FleetModel
import Testing

@Suite("Digests, manifests and deltas")
struct ManifestTests {
    private func entry(_ kind: ResourceKind, _ name: String, _ content: String) -> ManifestEntry {
        Resource(kind: kind, name: name, content: Array(content.utf8)).entry
    }

    private func routes(_ names: [String]) throws -> Manifest {
        try Manifest(entries: names.map { entry(.route, $0, $0) })
    }

    @Test("FIPS 180-4: the digests of known messages")
    func hashes() {
        let vectors = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
        for (message, digest) in vectors {
            #expect(Digest(hashing: Array(message.utf8)).hex == digest)
        }
    }

    @Test("a digest reads and writes 64 hexadecimal digits and 32 octets, and nothing else")
    func convertsDigests() throws {
        let digest = Digest(hashing: [])
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(octets: digest.octets) == digest)
        #expect(Digest(hex: String(digest.hex.dropLast())) == nil)
        #expect(Digest(hex: digest.hex + "0") == nil)
        #expect(Digest(hex: digest.hex.replacing("e", with: "g")) == nil)
        #expect(Digest(octets: digest.octets.dropLast()) == nil)
        #expect(digest.short == "e3b0c44298fc")
        #expect(digest[0] == 0xE3 && digest[31] == 0x55)
    }

    @Test("the digest of a manifest is fixed for ever")
    func fixesDigest() throws {
        #expect(
            Manifest.empty.digest == Digest(hashing: Array("weir manifest 1\0".utf8))
        )
        let manifest = try Manifest(entries: [
            entry(.listener, "web", "{}"), entry(.route, "b", "{}"), entry(.route, "a", "{}"),
        ])
        let input = Manifest.digestInput(manifest.entries)
        #expect(input.count == 16 + (1 + 2 + 3 + 32) + 2 * (1 + 2 + 1 + 32))
        #expect(Array(input[16..<22]) == [1, 0, 3] + Array("web".utf8))
        #expect(
            manifest.digest.hex
                == "cefe5653b4fc3eb6d320bd5bcc32db820da28e67039db2d4082c56b1fe166c46"
        )
    }

    @Test("entries out of order, twice, or with a bad name are no manifest")
    func refusesEntries() throws {
        #expect(throws: Manifest.Fault.outOfOrder(kind: .listener, name: "web")) {
            try Manifest(entries: [entry(.route, "a", ""), entry(.listener, "web", "")])
        }
        #expect(throws: Manifest.Fault.outOfOrder(kind: .upstream, name: "a")) {
            try Manifest(entries: [entry(.upstream, "b", ""), entry(.upstream, "a", "")])
        }
        #expect(throws: Manifest.Fault.duplicate(kind: .route, name: "a")) {
            try Manifest(entries: [entry(.route, "a", "1"), entry(.route, "a", "2")])
        }
        #expect(throws: Manifest.Fault.badName(kind: .hiding, name: "other")) {
            try Manifest(entries: [entry(.hiding, "other", "")])
        }
        #expect(throws: Manifest.Fault.badName(kind: .route, name: "")) {
            try Manifest(entries: [entry(.route, "", "")])
        }
    }

    @Test("moving one route costs one insertion and one drop")
    func movesCheaply() throws {
        let old = try routes(["a", "b", "c", "d", "e"])
        let new = try routes(["e", "a", "b", "c", "d"])
        let delta = ManifestDelta(from: old, to: new)
        #expect(
            delta.operations == [.insert(new.entries[0]), .keep(4), .drop(1)]
        )
        #expect(try delta.apply(to: old) == new)
    }

    @Test("deltas between random manifests lead from one to the other")
    func appliesRandomDeltas() throws {
        var generator = SeededGenerator(seed: 20_260_611)
        for _ in 0..<300 {
            let old = try randomManifest(&generator)
            let new = try randomManifest(&generator)
            let delta = ManifestDelta(from: old, to: new)
            let result = try delta.apply(to: old)
            #expect(result == new && result.digest == new.digest)
            let same = ManifestDelta(from: old, to: old)
            #expect(same.isEmpty && same.insertions.isEmpty)
            #expect(same.operations == (old.entries.isEmpty ? [] : [.keep(old.entries.count)]))
        }
    }

    @Test("a delta that a peer got wrong is refused, never applied in part")
    func refusesBadDeltas() throws {
        let old = try routes(["a", "b", "c"])
        let new = try routes(["a", "c"])
        func delta(_ operations: [ManifestDelta.Operation]) -> ManifestDelta {
            ManifestDelta(base: old.digest, result: new.digest, operations: operations)
        }
        #expect(throws: ManifestDelta.Fault.countOutOfRange(4)) {
            try delta([.keep(4)]).apply(to: old)
        }
        #expect(throws: ManifestDelta.Fault.countOutOfRange(.max)) {
            try delta([.keep(1), .drop(.max)]).apply(to: old)
        }
        #expect(throws: ManifestDelta.Fault.countOutOfRange(0)) {
            try delta([.keep(0), .keep(3)]).apply(to: old)
        }
        #expect(throws: ManifestDelta.Fault.baseNotUsedUp(remaining: 1)) {
            try delta([.keep(2)]).apply(to: old)
        }
        #expect(throws: ManifestDelta.Fault.otherResult(expected: new.digest, found: old.digest)) {
            try delta([.keep(3)]).apply(to: old)
        }
        #expect(throws: ManifestDelta.Fault.otherBase(expected: old.digest, found: new.digest)) {
            try delta([.keep(2)]).apply(to: new)
        }
        let twice = Manifest.Fault.duplicate(kind: .route, name: "a")
        #expect(throws: ManifestDelta.Fault.notAManifest(twice)) {
            try delta([.keep(3), .insert(old.entries[0])]).apply(to: old)
        }
    }

    /// Upstreams by name, then routes in random order; contents of two kinds.
    private func randomManifest(_ generator: inout SeededGenerator) throws -> Manifest {
        let names = (0..<20).map { "r\($0)" }.filter { _ in Bool.random(using: &generator) }
        let upstreams = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { name in
            entry(.upstream, name, String(Int.random(in: 0..<2, using: &generator)))
        }
        let shuffled = names.shuffled(using: &generator).map { name in
            entry(.route, name, String(Int.random(in: 0..<2, using: &generator)))
        }
        return try Manifest(entries: upstreams + shuffled)
    }
}

/// SplitMix64, so that a run can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
