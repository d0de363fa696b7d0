import FleetModel
import GRDB
import Testing

@testable import ControlStore

@Suite("Adjustments of endpoints")
struct AdjustmentTests {
    let scratch: Scratch
    let store: SQLiteConfigStore
    let clock = TestClock()
    let signer: TestSigner
    let first = EndpointName(upstream: "shop", address: "10.0.0.1:80")
    let second = EndpointName(upstream: "shop", address: "10.0.0.2:80")

    init() async throws {
        scratch = try Scratch()
        store = try scratch.open(clock: clock)
        signer = try TestSigner()
        try await apply(#"[{"address":"10.0.0.1:80"},{"address":"10.0.0.2:80","weight":2}]"#)
    }

    /// Makes a version with these endpoints.
    private func apply(_ endpoints: String?, more: String = "") async throws {
        var resources: [Resource] = [
            Resource(kind: .upstream, name: "other", content: Array(#"{"name":"other"}"#.utf8))
        ]
        if let endpoints {
            let content = #"{"endpoints":\#(endpoints),\#(more)"name":"shop"}"#
            resources.append(
                Resource(kind: .upstream, name: "shop", content: Array(content.utf8))
            )
        }
        _ = try await store.apply(
            try makeManifest(resources),
            resources: resources,
            expected: nil,
            note: note,
            signer: signer
        )
    }

    @discardableResult
    private func put(
        _ adjustment: EndpointAdjustment,
        on endpoint: EndpointName,
        until: Int64? = nil,
        isDiscovered: Bool = false
    ) async throws -> StoredAdjustments {
        try await store.adjust(
            endpoint,
            .put(adjustment, untilMilliseconds: until),
            isDiscovered: isDiscovered,
            note: note
        )
    }

    private func change(
        _ change: AdjustmentChange,
        on endpoint: EndpointName
    ) async throws -> StoredAdjustments {
        try await store.adjust(endpoint, change, isDiscovered: false, note: note)
    }

    private func actions() async throws -> [String] {
        try await store.audit(before: nil, limit: 20).map { "\($0.action) \($0.subject)" }
            .filter { $0.hasPrefix("upstream") }
    }

    @Test("each change makes a generation and an audit row; the same again makes neither")
    func changes() async throws {
        let empty = try await store.adjustments()
        #expect(empty == StoredAdjustments(generation: 1, entries: []))
        let drained = try await put(.drain, on: first)
        #expect(drained.generation > empty.generation)
        #expect(drained.inForce.map(\.adjustment) == [.drain])
        #expect(drained.inForce.first?.author == "ops")
        #expect(try await put(.drain, on: first) == drained)
        let weighed = try await put(.weight(5), on: first, until: clock.now + 60_000)
        #expect(weighed.inForce.map(\.adjustment) == [.drain, .weight(5)])
        // Disabling takes the place of draining; the weight stays.
        let disabled = try await put(.disable, on: first)
        #expect(disabled.inForce.map(\.adjustment) == [.disable, .weight(5)])
        let used = try await change(.undrain, on: first)
        #expect(used.inForce.map(\.adjustment) == [.weight(5)])
        #expect(try await change(.undrain, on: first) == used)
        let reset = try await change(.reset, on: first)
        #expect(reset.entries.isEmpty && reset.generation > used.generation)
        // A reset is told to nodes even if nothing was adjusted.
        #expect(try await change(.reset, on: first).generation > reset.generation)
        #expect(
            try await actions() == [
                "upstream.reset \(first)", "upstream.reset \(first)", "upstream.undrain \(first)",
                "upstream.disable \(first)", "upstream.weight \(first)", "upstream.drain \(first)",
            ]
        )
        let detail = try await store.audit(before: nil, limit: 20)
            .first { $0.action == "upstream.weight" }?.detail
        #expect(detail == "weight 5, for 60 s: because")
    }

    @Test("what the head does not name cannot be adjusted, unless a node has discovered it")
    func unknown() async throws {
        let stranger = EndpointName(upstream: "shop", address: "10.0.0.9:80")
        await #expect(throws: StoreError.upstreamUnknown("none")) {
            try await put(.drain, on: EndpointName(upstream: "none", address: "10.0.0.1:80"))
        }
        await #expect(throws: StoreError.endpointUnknown("shop", "10.0.0.9:80")) {
            try await put(.drain, on: stranger)
        }
        // Without discovery nobody can have discovered it.
        await #expect(throws: StoreError.endpointUnknown("shop", "10.0.0.9:80")) {
            try await put(.drain, on: stranger, isDiscovered: true)
        }
        try await apply("[]", more: #""discovery":{"dns":"shop.internal:80"},"#)
        await #expect(throws: StoreError.endpointUnknown("shop", "10.0.0.9:80")) {
            try await put(.drain, on: stranger)
        }
        let all = try await put(.drain, on: stranger, isDiscovered: true)
        #expect(all.inForce.map(\.endpoint) == [stranger])
        try await apply("[]", more: #""discovery":{"dns":"shop.internal:81"},"#)
        #expect(try await store.adjustments().inForce.isEmpty)
    }

    @Test("time ends what was put for a while, and says so")
    func expiry() async throws {
        try await put(.drain, on: first, until: clock.now + 1_000)
        let kept = try await put(.weight(0), on: second)
        #expect(try await store.endExpiredAdjustments() == kept)
        clock.now += 1_000
        let after = try await store.endExpiredAdjustments()
        #expect(after.inForce.map(\.endpoint) == [second])
        #expect(after.generation > kept.generation)
        let row = try #require(try await store.audit(before: nil, limit: 1).first)
        #expect(row.action == "upstream.adjustment_end" && row.author == "proxy-control")
        #expect(row.subject == "\(first)" && row.detail.contains("time"))
        // It ends with any other change too, if nobody looked.
        try await put(.drain, on: first, until: clock.now + 10)
        clock.now += 10
        #expect(try await put(.disable, on: second).inForce.map(\.endpoint) == [second, second])
    }

    @Test("a version ends the adjustments of endpoints that it changes or removes, and no others")
    func versions() async throws {
        try await put(.drain, on: first)
        let before = try await put(.weight(7), on: second)
        // Another field of the upstream is nothing to its endpoints.
        try await apply(
            #"[{"address":"10.0.0.2:80","weight":2},{"address":"10.0.0.1:80"}]"#,
            more: #""balance":"random","#
        )
        #expect(try await store.adjustments() == before)
        try await apply(#"[{"address":"10.0.0.1:80"},{"address":"10.0.0.2:80","weight":3}]"#)
        let after = try await store.adjustments()
        #expect(after.generation > before.generation)
        #expect(after.inForce.map(\.endpoint) == [first])
        // Nodes keep to it until they serve that version.
        #expect(after.entries.first { $0.endpoint == second }?.endedByVersion == 3)
        let row = try #require(try await store.audit(before: nil, limit: 1).first)
        #expect(row.action == "upstream.adjustment_end" && row.subject == "\(second)")
        #expect(row.detail.contains("version 3"))
        // The upstream goes, and comes back with a rollback: what was ended stays ended.
        try await apply(nil)
        #expect(try await store.adjustments().inForce.isEmpty)
        _ = try await store.rollback(to: 1, expected: nil, note: note, signer: signer)
        #expect(try await store.adjustments().inForce.isEmpty)
        // Put again, it takes the place of the one that was ended.
        let again = try await put(.weight(1), on: second)
        #expect(again.entries.filter { $0.endpoint == second }.map(\.endedByVersion) == [nil])
        // In the end nobody serves the version before any more.
        clock.now += StoreLimits.endedAdjustmentMilliseconds + 1
        #expect(try await store.endExpiredAdjustments().entries.map(\.endpoint) == [second])
    }

    @Test("a rollback ends them as an apply does")
    func rollback() async throws {
        try await apply(#"[{"address":"10.0.0.1:80","weight":9},{"address":"10.0.0.2:80"}]"#)
        try await put(.drain, on: first)
        _ = try await store.rollback(to: 1, expected: nil, note: note, signer: signer)
        let ended = try await store.adjustments().entries
        #expect(ended.map(\.endedByVersion) == [3])
    }

    @Test("there is a limit, of which a change of what is there takes nothing")
    func limit() async throws {
        let count = StoreLimits.adjustmentsMax
        let list = (0..<count + 1).map { #"{"address":"10.1.\#($0 / 256).\#($0 % 256):80"}"# }
        try await apply("[" + list.joined(separator: ",") + "]")
        func name(_ index: Int) -> EndpointName {
            EndpointName(upstream: "shop", address: "10.1.\(index / 256).\(index % 256):80")
        }
        try await put(.drain, on: name(0))
        // One by one they would take minutes: each is durable.
        try await store.write { db in
            for index in 1..<count {
                try db.execute(
                    sql: """
                        INSERT INTO adjustments
                        SELECT upstream, ?, aspect, action, weight, until_ms, settings, author,
                            created_ms, ended_version, ended_ms
                        FROM adjustments WHERE endpoint = ?
                        """,
                    arguments: [
                        "10.1.\(index / 256).\(index % 256):80", "10.1.0.0:80",
                    ]
                )
            }
        }
        await #expect(throws: StoreError.adjustmentsFull) { try await put(.drain, on: name(count)) }
        try await put(.disable, on: name(0))
        #expect(try await store.adjustments().inForce.count == count)
    }

    @Test("they are there after a restart, and the generation goes on")
    func restart() async throws {
        let before = try await put(.drain, on: first)
        try scratch.copyAsCrashed("data", to: "other")
        let other = try scratch.open("other", clock: clock)
        #expect(try await other.adjustments() == before)
        #expect(before.generation >= UInt64(clock.now))
    }
}
