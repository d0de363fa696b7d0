import Authority
import Certificates
import ControlStore
import Cryptography
import FleetModel
import FleetServer
import Foundation
import Logging
import Synchronization
import Testing

@testable import Credentials

/// A store in a directory of its own, its keeper, and a clock that only the test moves.
private final class Bench: Sendable {
    static let start: Int64 = 1_800_000_000_000
    static let day: Int64 = 86_400_000

    let path: String
    let store: SQLiteConfigStore
    let authority: Authority
    private let time = Mutex(Bench.start)
    private let told = Mutex<[FleetMaterial]>([])

    init() async throws {
        path = FileManager.default.temporaryDirectory.path + "/weir-keeper-\(UUID().uuidString)"
        let clock = Box()
        store = try SQLiteConfigStore(StoreDirectory(path), clock: { clock.read() })
        authority = try await Authority(store: store, clock: { clock.read() })
        clock.set { [weak self] in self?.now ?? Bench.start }
    }

    deinit {
        // Nothing depends on what is left of a temporary directory.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The clock of the store, which is there before the bench is.
    private final class Box: Sendable {
        private let body = Mutex<@Sendable () -> Int64>({ Bench.start })

        func read() -> Int64 {
            let current = body.withLock { $0 }
            return current()
        }

        func set(_ new: @escaping @Sendable () -> Int64) {
            body.withLock { $0 = new }
        }
    }

    var now: Int64 { time.withLock { $0 } }

    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }

    /// A keeper as a process has it after its start.
    func keeper() async throws -> CredentialKeeper {
        let keeper = CredentialKeeper(
            store: store,
            authority: authority,
            clock: { [weak self] in self?.now ?? Bench.start },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        publish(try await keeper.open())
        return keeper
    }

    func publish(_ material: FleetMaterial) { told.withLock { $0.append(material) } }

    /// What nodes were told, in order.
    var published: [FleetMaterial] { told.withLock { $0 } }

    /// Makes a configuration the head, as the admin API does.
    func apply(_ configuration: Configuration, _ keeper: CredentialKeeper) async throws {
        let note = ChangeNote(author: "test")
        try await keeper.prepare(configuration, note: note)
        let outcome = try await store.apply(
            configuration.manifest,
            resources: configuration.resources,
            expected: nil,
            note: note,
            signer: authority
        )
        guard case .created(let version) = outcome else { return }
        publish(await keeper.headChanged(to: version.number, configuration))
    }
}

private func configuration(
    _ certificates: String,
    serving: String = "lab",
    hosts: String = #"["lab.example.com"]"#
) throws -> Configuration {
    try Configuration(
        json: """
            {"listeners": [{"name": "web", "address": "127.0.0.1:0", "protocol": "https",
                            "tls": {"certificates": ["\(serving)"]}}],
             "certificates": \(certificates),
             "routes": [{"name": "all", "hosts": \(hosts), "respond": {"status": 200}}]}
            """
    )
}

private let selfSigned = #"[{"name": "lab", "selfSigned": {"hosts": ["lab.example.com"]}}]"#

@Suite("Which material certificates have")
struct KeeperTests {
    @Test("a self-signed certificate is made once, and found again after a restart and a rollback")
    func makesOnce() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        #expect(bench.published.last?.assignments.isEmpty == true)
        #expect(bench.published.last?.ticketKeys.count == 2)
        let first = try configuration(selfSigned)
        try await bench.apply(first, keeper)
        let made = try #require(bench.published.last?.assignments.first)
        #expect(made.name == "lab" && made.next == nil)
        let other = selfSigned.replacing("]}}]", with: #", "x.example.com"]}}]"#)
        try await bench.apply(try configuration(other), keeper)
        let second = try #require(bench.published.last?.assignments.first)
        #expect(second.serve != made.serve && second.resource != made.resource)
        bench.advance(1_000)
        let restarted = try await bench.keeper()
        #expect(bench.published.last?.assignments == [second])
        try await bench.apply(first, restarted)
        #expect(bench.published.last?.assignments == [made])
        let generations = bench.published.map(\.generation)
        #expect(generations == generations.sorted() && Set(generations).count == generations.count)
    }

    @Test(
        "it is renewed at two thirds of its life, and served when all nodes hold it, over a restart too"
    )
    func renews() async throws {
        let bench = try await Bench()
        var keeper = try await bench.keeper()
        try await bench.apply(try configuration(selfSigned), keeper)
        let old = try #require(bench.published.last?.assignments.first)
        bench.advance(59 * Bench.day)
        await keeper.look(bench.publish)
        #expect(bench.published.last?.assignments.first?.next == nil)
        bench.advance(2 * Bench.day)
        await keeper.look(bench.publish)
        let step = try #require(bench.published.last)
        let next = try #require(step.assignments.first?.next)
        #expect(step.assignments.first?.serve == old.serve && next != old.serve)
        // Nothing more is made while nodes are waited for.
        await keeper.look(bench.publish)
        #expect(bench.published.last?.assignments.first?.next == next)
        // A process that ended here goes on with the same.
        bench.advance(1_000)
        keeper = try await bench.keeper()
        let again = try #require(bench.published.last)
        #expect(again.assignments == step.assignments)
        await keeper.held(step.generation, bench.publish)
        #expect(bench.published.last?.generation == again.generation)
        await keeper.held(again.generation, bench.publish)
        #expect(bench.published.last?.assignments.first?.serve == next)
        #expect(bench.published.last?.assignments.first?.next == nil)
        let actions = try await bench.store.audit(before: nil, limit: 50).map(\.action)
        #expect(actions.filter { $0 == "certificate.issue" }.count == 2)
        #expect(actions.filter { $0 == "certificate.serve" }.count == 1)
        #expect(try await keeper.warnings().isEmpty)
    }

    @Test("keys of tickets are rotated by the clock and kept over restarts")
    func rotates() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        let first = try #require(bench.published.last).ticketKeys.map(\.name)
        bench.advance(8 * 3_600_000 - 1)
        await keeper.look(bench.publish)
        #expect(bench.published.count == 1)
        bench.advance(1)
        await keeper.look(bench.publish)
        let second = try #require(bench.published.last).ticketKeys.map(\.name)
        #expect(second.count == 3 && second[0] == first[1] && second[2] == first[0])
        _ = try await bench.keeper()
        #expect(bench.published.last?.ticketKeys.map(\.name) == second)
    }

    @Test("what a configuration names must be kept, of the right kind, in force, and for its hosts")
    func checks() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        let material = try bench.authority.selfSigned(hosts: ["lab.example.com"])
        try await bench.store.putSecrets(
            [VaultSecret(material)],
            note: ChangeNote(author: "test")
        )
        func files(_ digest: String?) -> String {
            let field = digest.map { #", "digest": "\#($0)""# } ?? ""
            return #"[{"name": "lab", "files": {"certificate": "a", "key": "b"\#(field)}}]"#
        }
        func problems(_ text: String, hosts: String = #"["lab.example.com"]"#) async throws
            -> [String]
        {
            try await keeper.check(try configuration(text, hosts: hosts), isDryRun: false)
                .problems.map { "\($0.path): \($0.message)" }
        }
        let good = files(material.digest.hex)
        #expect(try await problems(good) == [])
        #expect(try await problems(selfSigned) == [])
        let missing = try await problems(files(nil))
        #expect(missing.count == 1 && missing[0].contains("certificates[lab].files.digest"))
        let unknown = files(Digest(hashing: [1]).hex)
        #expect(try await problems(unknown).first?.contains("does not keep") == true)
        let dry = try await keeper.check(try configuration(unknown), isDryRun: true)
        #expect(dry.problems.isEmpty)
        let uncovered = try await problems(good, hosts: #"["lab.example.com", "*.example.com"]"#)
        #expect(uncovered.count == 1 && uncovered[0].contains("routes[all].hosts"))
        bench.advance(80 * Bench.day)
        let late = try await keeper.check(try configuration(good), isDryRun: false)
        #expect(late.problems.isEmpty && late.warnings.count == 1)
        bench.advance(11 * Bench.day)
        #expect(try await problems(good).first?.contains("ended at") == true)
        bench.advance(-92 * Bench.day)
        #expect(try await problems(good).first?.contains("begins at") == true)
    }

    private func ordered(_ certificates: String) throws -> Configuration {
        let names = #"["shop", "twin"]"#
        return try Configuration(
            json: """
                {"listeners": [{"name": "web", "address": "127.0.0.1:0", "protocol": "https",
                                "tls": {"certificates": \(certificates.contains("twin") ? names : #"["shop"]"#)}}],
                 "certificates": [\(certificates)],
                 "routes": [{"name": "all", "hosts": ["shop.example.com"], "respond": {"status": 200}}]}
                """
        )
    }

    private func order(_ name: String, hosts: String = #""Shop.example.com""#) -> String {
        #"{"name": "\#(name)", "hosts": [\#(hosts)], "acme": {"directory": "https://ca.example/dir", "#
            + #""challenge": "tls-alpn-01"}}"#
    }

    @Test(
        "an ordered certificate is a temporary one first, and what is issued is held before it is served"
    )
    func orders() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        let (shop, twin) = (order("shop"), order("twin"))
        try await bench.apply(try ordered(shop + "," + twin), keeper)
        let temporary = try #require(bench.published.last).assignments
        #expect(
            temporary.map(\.name) == ["shop", "twin"] && temporary.allSatisfy { $0.next == nil }
        )
        // Both want the same of the same authority.
        let subjects = await keeper.orderSubjects()
        let subject = try #require(subjects.first)
        #expect(subjects.count == 1 && subject.keys.map(\.name) == ["shop", "twin"])
        #expect(subject.source.hosts == ["shop.example.com"])
        #expect(try await keeper.headCertificates().allSatisfy(\.isTemporary))
        #expect(try await keeper.warnings().count == 2)

        let issued = try bench.authority.selfSigned(hosts: ["shop.example.com"])
        #expect(await !keeper.have(issued.digest, subject))
        bench.publish(try await keeper.take(issued.digest, VaultSecret(issued), for: subject))
        let step = try #require(bench.published.last)
        #expect(step.assignments.map(\.serve) == temporary.map(\.serve))
        #expect(step.assignments.allSatisfy { $0.next == issued.digest })
        #expect(await keeper.have(issued.digest, subject))
        await keeper.held(step.generation, bench.publish)
        let served = try #require(bench.published.last).assignments
        #expect(served.allSatisfy { $0.serve == issued.digest && $0.next == nil })
        // Taken up again, it changes nothing.
        bench.publish(try await keeper.take(issued.digest, nil, for: subject))
        #expect(bench.published.last?.assignments == served)
    }

    @Test("another version with the same hosts serves what was issued, as long as it is in force")
    func reuses() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        let issued = try bench.authority.selfSigned(hosts: ["shop.example.com"])
        try await bench.store.putSecrets([VaultSecret(issued)], note: ChangeNote(author: "test"))
        let source = try #require(try ordered(order("shop")).certificates.first?.order)
        var state = OrderState()
        state.digest = issued.digest.hex
        try await bench.store.setACME(
            OrderSubject.id(of: source),
            ACMERecord(secret: nil, state: state.text),
            adding: nil,
            note: ChangeNote(author: "test")
        )
        try await bench.apply(try ordered(order("shop")), keeper)
        #expect(bench.published.last?.assignments.map(\.serve) == [issued.digest])
        bench.advance(91 * Bench.day)
        try await bench.apply(try ordered(order("shop") + "," + order("twin")), keeper)
        let late = try #require(bench.published.last).assignments
        #expect(late.first?.serve == issued.digest && late.last?.serve != issued.digest)
        let other = order("shop", hosts: #""www.example.com""#)
        let different = try #require(
            try Configuration(
                json:
                    #"{"listeners": [{"name": "w", "address": "127.0.0.1:0", "protocol": "https", "#
                    + #""tls": {"certificates": ["shop"]}}], "certificates": [\#(other)]}"#
            ).certificates.first?.order
        )
        #expect(OrderSubject.id(of: different) != OrderSubject.id(of: source))
    }

    @Test("a listener on another port than authorities ask is warned of")
    func ports() async throws {
        let bench = try await Bench()
        let keeper = try await bench.keeper()
        let found = try await keeper.check(try ordered(order("shop")), isDryRun: false)
        #expect(found.problems.isEmpty && found.warnings.count == 1)
        #expect(found.warnings.first?.contains("asks port 443") == true)
    }

    @Test("what the store has of an order is read back, and what cannot be read is no order")
    func states() {
        var state = OrderState()
        state.order = "https://ca.example/order/1"
        state.failures = 3
        state.problem = "refused \"so\""
        state.windowStartSeconds = -5
        #expect(OrderState(ACMERecord(secret: nil, state: state.text)) == state)
        for text in ["", "{", "[]", #"{"failures": "many"}"#] {
            #expect(OrderState(ACMERecord(secret: nil, state: text)) == OrderState())
        }
    }
}
