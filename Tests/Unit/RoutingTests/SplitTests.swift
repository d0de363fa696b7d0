import FleetModel
import HTTP1
import HTTPSemantics
import Routing
import Testing

@Suite("Splits")
struct SplitTests {
    private static func split(_ weights: [Int], _ cohort: Cohort? = nil) throws -> Split {
        let names = weights.indices.map { "u\($0)" }
        let upstreams = names.map { #"{"name":"\#($0)","endpoints":[{"address":"h:1"}]}"# }
        let sides = zip(names, weights).map { #"{"upstream":"\#($0)","weight":\#($1)}"# }
        let configuration = try Configuration(
            json: """
                {"upstreams":[\(upstreams.joined(separator: ","))],
                 "routes":[{"name":"r","split":[\(sides.joined(separator: ","))]}]}
                """
        )
        guard case .split(let split)? = configuration.routes.first?.action else {
            throw Missing()
        }
        return Split(split, cohort: cohort)
    }

    private struct Missing: Error {}

    private static func side(_ split: Split, _ request: Request) throws -> Split.Side {
        var head = RequestHead()
        let octets = Array(request.head.utf8)
        _ = try head.decode(octets.span, limits: HTTP1Limits())
        let client = try #require(IPAddress(request.client))
        return split.side(head, octets.span, client: ClientAddress(client))
    }

    @Test(
        "marks are spread by weight",
        arguments: [[95, 5], [1, 1, 1], [0, 3, 1], [10_000, 1], [7]]
    )
    func spreads(weights: [Int]) throws {
        let split = try Self.split(weights)
        var counts = weights.map { _ in 0 }
        let total = 40_000
        for number in 0..<total { counts[split.side(of: Array("mark-\(number)".utf8).span)] += 1 }
        let sum = weights.reduce(0, +)
        for (weight, count) in zip(weights, counts) {
            let expected = Double(total * weight) / Double(sum)
            #expect(abs(Double(count) - expected) <= 4.5 * expected.squareRoot() + 1)
        }
    }

    @Test("a change of weights moves only the clients between the marks")
    func movesFew() throws {
        let (before, after) = (try Self.split([95, 5]), try Self.split([90, 10]))
        for number in 0..<20_000 {
            let mark = Array("client-\(number)".utf8)
            let (old, new) = (before.side(of: mark.span), after.side(of: mark.span))
            #expect(old == new || (old, new) == (0, 1))
        }
    }

    @Test("the ends of the numbers belong to the first and the last side")
    func ends() throws {
        let split = try Self.split([1, 2, 1])
        #expect(split.side(of: UInt64(0)) == 0 && split.side(of: UInt64.max) == 2)
        #expect(split.side(of: UInt64(1) << 62) == 1 && split.side(of: (UInt64(1) << 62) - 1) == 0)
    }

    @Test("clients are told apart by address, field or cookie, and by nothing without a cohort")
    func cohorts() throws {
        var request = Request("h", "/")
        #expect(try Self.side(Self.split([1, 1]), request) == .open)
        let byField = try Self.split([1, 1], .header("x-user"))
        let byCookie = try Self.split([1, 1], .cookie("side"))
        #expect(try Self.side(byField, request) == .open)
        #expect(try Self.side(byCookie, request) == .openForCookie)
        request.fields = [
            ("X-User", "ann"), ("Cookie", "a=b; side=; c"), ("Cookie", "x=1;side=17"),
        ]
        #expect(try Self.side(byField, request) == .kept(byField.side(of: "ann".utf8.span)))
        #expect(try Self.side(byCookie, request) == .openForCookie)
        request.fields[1] = ("Cookie", "sides=1; side=17")
        #expect(try Self.side(byCookie, request) == .kept(byCookie.side(of: "17".utf8.span)))
        let byClient = try Self.split([1, 1], .clientAddress)
        let side = try Self.side(byClient, request)
        #expect(side != .open && side != .openForCookie)
        #expect(try Self.side(byClient, request) == side)
    }
}
