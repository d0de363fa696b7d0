import ControlStore
import Cryptography
import FleetModel
import Testing

@testable import Authority

@Suite("The change from one CA to another")
struct RotationTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// SHA-256 of the CA at the end of a chain.
    private func issuer(_ chain: [[UInt8]]) -> [UInt8] { chain.last.map { sha256($0) } ?? [] }

    private func isMember(_ authority: Authority, _ certificate: [UInt8]) async throws -> Bool {
        guard case .member = try await authority.identify(certificate: certificate) else {
            return false
        }
        return true
    }

    @Test("while there are two, nodes are given the next one's and servers the current one's")
    func overlap() async throws {
        let (_, authority) = try await scratch.open()
        let old = authority.fingerprint
        let before = try await authority.join("edge-1")
        let token = try await authority.token()
        try await authority.rotate(note: note)
        #expect(authority.trusted.map(\.isNext) == [false, true])
        #expect(authority.fingerprint == old)
        #expect(authority.issuerFingerprint == authority.trusted[1].fingerprint)
        #expect(authority.issuerFingerprint != old)
        #expect(issuer(try authority.fleetServerIdentity().chain) == old)
        #expect(issuer(try authority.adminServerIdentity().chain) == old)

        // What was made before works on, and leads to certificates of the next one.
        #expect(try await isMember(authority, before.chain[0]))
        let joined = try await authority.join(
            tokenText: token,
            name: "edge-2",
            labels: [:],
            request: try makeRequest("edge-2")
        )
        #expect(issuer(joined.chain) == authority.issuerFingerprint)
        let renewed = try await authority.renew(
            node: "edge-1",
            request: try makeRequest("edge-1")
        )
        #expect(issuer(renewed) == authority.issuerFingerprint)
        #expect(try await isMember(authority, renewed[0]))

        // Another call makes no third one.
        let trusted = authority.trusted
        try await authority.rotate(note: note)
        #expect(authority.trusted == trusted)
    }

    @Test("a retired CA vouches for nobody, and unused tokens that name it are revoked")
    func retirement() async throws {
        let (store, authority) = try await scratch.open()
        let before = try await authority.join("edge-1")
        let token = try await authority.token()
        try await authority.rotate(note: note)
        let next = authority.issuerFingerprint
        let renewed = try await authority.renew(
            node: "edge-1",
            request: try makeRequest("edge-1")
        )
        #expect(try await authority.retire(note: note) == 1)
        #expect(authority.trusted.map(\.fingerprint) == [next])
        #expect(authority.fingerprint == next && authority.issuerFingerprint == next)
        #expect(issuer(try authority.fleetServerIdentity().chain) == next)
        #expect(issuer(try authority.adminServerIdentity().chain) == next)
        #expect(try await isMember(authority, renewed[0]))
        #expect(try await !isMember(authority, before.chain[0]))
        await #expect(throws: AuthorityError.tokenOfAnotherCluster) {
            try await authority.join(
                tokenText: token,
                name: "edge-2",
                labels: [:],
                request: try makeRequest("edge-2")
            )
        }
        #expect(try await store.audit(before: nil, limit: 1).first?.action == "authority.retire")
        try await authority.join("edge-2")
        await #expect(throws: AuthorityError.rotationMissing) {
            try await authority.retire(note: note)
        }
    }

    @Test("each step holds over a restart")
    func restarts() async throws {
        /// What a start finds, after a step of its own; nothing of it is left when this returns.
        func start(
            _ step: (Authority) async throws -> Void = { _ in }
        ) async throws -> (trusted: [TrustedAuthority], manifestKey: [UInt8]) {
            let (store, authority) = try await scratch.open()
            let found = (authority.trusted, authority.manifestKey.rawOctets)
            try await step(authority)
            try store.close()
            return found
        }
        let first = try await start { try await $0.rotate(note: note) }
        let both = try await start { _ = try await $0.retire(note: note) }
        #expect(both.trusted.count == 2 && both.trusted[0] == first.trusted[0])
        let last = try await start()
        #expect(last.trusted.map(\.fingerprint) == [both.trusted[1].fingerprint])
        #expect(last.manifestKey == first.manifestKey)
    }

    @Test("a certificate that lives for seconds begins a quarter of that before now")
    func shortLife() async throws {
        let clock = scratch.clock
        let store = try SQLiteConfigStore(
            StoreDirectory("\(scratch.path)/short"),
            clock: { clock.now }
        )
        let authority = try await Authority(
            store: store,
            nodeSeconds: 8,
            clock: { clock.now }
        )
        let leaf = try Certificate(der: try await authority.join("edge-1").chain[0])
        #expect(leaf.notAfterSeconds - clock.now / 1_000 == 8)
        #expect(leaf.notAfterSeconds - leaf.notBeforeSeconds == 10)
        let server = try Certificate(der: try authority.fleetServerIdentity().chain[0])
        #expect(clock.now / 1_000 - server.notBeforeSeconds == 300)
    }
}
