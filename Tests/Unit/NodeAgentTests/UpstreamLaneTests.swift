import FleetMessages
import FleetModel
import FleetProtocol
import SwiftProtobuf
import Testing
import Upstreams

@testable import NodeAgent

@Suite("What a node keeps of operators' wishes, and what it says of upstreams")
struct UpstreamLaneTests {
    private func entry(
        _ endpoint: String,
        _ action: WireAdjustmentAction,
        weight: UInt32 = 0,
        until: Int64 = 0,
        endedBy version: UInt64 = 0
    ) -> WireAdjustment {
        .with {
            ($0.upstream, $0.endpoint, $0.action) = ("shop", endpoint, action)
            ($0.weight, $0.untilUnixMilliseconds, $0.endedByVersion) = (weight, until, version)
        }
    }

    private func shelf(_ entries: WireAdjustment...) -> AdjustmentShelf {
        var shelf = AdjustmentShelf()
        _ = shelf.received(
            .with {
                $0.generation = 5
                $0.entries = entries
            }
        )
        return shelf
    }

    @Test("an endpoint may be out of use and have another weight at once")
    func both() {
        let shelf = shelf(
            entry("a:1", .drain),
            entry("a:1", .weight, weight: 7),
            entry("a:2", .disable)
        )
        #expect(
            shelf.wishes(now: 0, serving: 1) == [
                "shop": [
                    "a:1": OperatorWish(word: .drained, weight: 7),
                    "a:2": OperatorWish(word: .disabled),
                ]
            ]
        )
    }

    @Test("time ends a wish, and the next end is known")
    func time() {
        let shelf = shelf(
            entry("a:1", .drain, until: 100),
            entry("a:2", .drain, until: 200),
            entry("a:3", .drain)
        )
        func endpoints(_ now: Int64) -> [String] {
            (shelf.wishes(now: now, serving: 1)["shop"] ?? [:]).keys.sorted()
        }
        #expect(endpoints(99) == ["a:1", "a:2", "a:3"] && shelf.nextEnd(after: 99) == 100)
        #expect(endpoints(100) == ["a:2", "a:3"] && shelf.nextEnd(after: 100) == 200)
        #expect(endpoints(200) == ["a:3"] && shelf.nextEnd(after: 200) == nil)
    }

    @Test("a wish that a version ended is kept to until that version is served")
    func version() {
        let shelf = shelf(entry("a:1", .drain, endedBy: 8))
        #expect(shelf.wishes(now: 0, serving: 7) != [:])
        #expect(shelf.wishes(now: 0, serving: nil) != [:])
        #expect(shelf.wishes(now: 0, serving: 8) == [:])
        #expect(shelf.wishes(now: 0, serving: 9) == [:])
    }

    @Test("a reset is done once, however often it is told")
    func resets() throws {
        var shelf = shelf()
        let message = WireAdjustments.with {
            $0.generation = 9
            $0.resets = [
                .with { ($0.upstream, $0.endpoint, $0.generation) = ("shop", "a:1", 5) },
                .with { ($0.upstream, $0.endpoint, $0.generation) = ("shop", "a:2", 8) },
            ]
        }
        #expect(shelf.received(message) == [EndpointName(upstream: "shop", address: "a:2")])
        #expect(shelf.received(message).isEmpty)
        var again = try AdjustmentShelf(archive: shelf.archive)
        #expect(again.received(message).isEmpty)
    }

    @Test("a file holds it all, and a damaged one is refused")
    func archive() throws {
        let shelf = shelf(entry("a:1", .weight, weight: 10_000, until: 77, endedBy: 3))
        let octets = shelf.archive
        #expect(try AdjustmentShelf(archive: octets).message == shelf.message)
        for index in octets.indices {
            var bad = octets
            bad[index] ^= 1
            #expect(throws: AdjustmentShelf.Fault.self) { try AdjustmentShelf(archive: bad) }
            #expect(throws: AdjustmentShelf.Fault.self) {
                try AdjustmentShelf(archive: Array(octets.prefix(index)))
            }
        }
    }

    // MARK: Reports

    private func status(
        _ address: String,
        _ availability: Availability = .available,
        requests: Int = 0,
        checked: UInt64? = nil,
        reason: String = "",
        isDiscovered: Bool = false
    ) -> EndpointStatus {
        let parts = address.split(separator: ":")
        return EndpointStatus(
            address: NetworkAddress(
                host: .name(String(parts[0])),
                port: UInt16(parts[1]) ?? 0
            ),
            availability: availability,
            reason: reason,
            sinceUnixNanoseconds: 1,
            lastCheck: checked.map {
                .init(unixNanoseconds: $0 * 1_000_000, nanoseconds: 1_500_000, failure: nil)
            },
            weight: 1,
            connections: 0,
            requests: requests,
            isDiscovered: isDiscovered
        )
    }

    private func upstream(_ endpoints: EndpointStatus..., note: String = "") -> UpstreamStatus {
        UpstreamStatus(name: "shop", isPanicking: false, endpoints: endpoints, note: note)
    }

    /// The addresses that a report names, and the state of each.
    private func said(_ reports: [WireUpstreamReport]) -> [String] {
        reports.flatMap(\.upstreams).flatMap { upstream in
            upstream.endpoints.map { "\($0.endpoint) \($0.availability)" }
                + upstream.gone.map { "\($0) gone" }
        }
    }

    @Test("the first report is whole, even of nothing; later ones say what has changed")
    func differences() {
        var reporter = UpstreamReporter()
        let first = reporter.next([], .all)
        #expect(first.count == 1 && first[0].begins)
        #expect(reporter.next([], .all).isEmpty)
        #expect(
            said(reporter.next([upstream(status("a:1"), status("a:2"))], .changes)) == [
                "a:1 healthy", "a:2 healthy",
            ]
        )
        let ejected = [upstream(status("a:1"), status("a:2", .ejected))]
        #expect(said(reporter.next(ejected, .changes)) == ["a:2 ejected"])
        #expect(reporter.next(ejected, .changes).isEmpty)
        let found = [upstream(status("a:1"), status("a:2", .ejected, isDiscovered: true))]
        #expect(said(reporter.next(found, .changes)) == ["a:2 ejected"])
        #expect(said(reporter.next([upstream(status("a:1"))], .changes)) == ["a:2 gone"])
        let noted = reporter.next([upstream(status("a:1"), note: "panic")], .changes)
        #expect(noted.first?.upstreams.first?.note == "panic" && said(noted).isEmpty)
        #expect(said(reporter.next([], .changes)) == ["a:1 gone"])
    }

    @Test("numbers wait for the next whole look, but where requests are to come to an end")
    func numbers() {
        var reporter = UpstreamReporter()
        _ = reporter.next([upstream(status("a:1"), status("a:2", .drained, requests: 3))], .all)
        let busy = [
            upstream(status("a:1", requests: 5, checked: 9), status("a:2", .drained, requests: 1))
        ]
        #expect(said(reporter.next(busy, .changes)) == ["a:2 drained"])
        #expect(said(reporter.next(busy, .all)) == ["a:1 healthy"])
        #expect(reporter.next(busy, .all).isEmpty)
    }

    @Test("long reports come in pieces that pass the checks; of too many the number is told")
    func pieces() throws {
        let count = FleetProtocol.Limits.reportedEndpointTotalMax + 7
        let long = String(repeating: "ü", count: 400)
        var upstreams = (0..<3).map { index in
            UpstreamStatus(
                name: "small-\(index)",
                isPanicking: false,
                endpoints: [status("b:\(index)")]
            )
        }
        let many = UpstreamStatus(
            name: "shop",
            isPanicking: true,
            endpoints: (0..<count).map { status("a:\($0)", .unhealthy, reason: long) },
            note: long
        )
        upstreams.insert(many, at: 1)
        var reporter = UpstreamReporter()
        let reports = reporter.next(upstreams, .all)
        for report in reports {
            let frame = FleetMessage.upstreamReport(report).frame()
            #expect(try FleetMessage(frame) == .upstreamReport(report))
        }
        #expect(reports.map(\.begins) == [true] + Array(repeating: false, count: reports.count - 1))
        #expect(Set(reports.map(\.omitted)) == [10])
        #expect(said(reports).count == FleetProtocol.Limits.reportedEndpointTotalMax)
        #expect(Set(said(reports)).count == said(reports).count)
        #expect(said(reporter.next([], .all)).allSatisfy { $0.hasSuffix("gone") })
    }
}
