import FleetModel
import NameResolution
import Testing

@testable import Resolution

@Suite("Lookups of names")
struct NameLookupTests {
    private let domains = ["one.example", "two.example"]

    /// A response with a code, and records: a type, a time and a content each.
    private func response(_ type: QuestionType, code: UInt8 = 0, _ contents: [[UInt8]] = [])
        -> NameServerAnswer.Outcome
    {
        var octets: [UInt8] = [0, 1, 0x81, 0x80 | code, 0, 1, 0, UInt8(contents.count)]
        octets += [0, 0, 0, 0, 1, 0x61, 0, 0, UInt8(type.rawValue), 0, 1]
        for content in contents {
            octets += [0xC0, 12, 0, UInt8(type.rawValue), 0, 1, 0, 0, 0, 60, 0]
            octets += [UInt8(content.count)] + content
        }
        return .message(octets)
    }

    private func service(_ priority: UInt8, _ weight: UInt8, _ port: UInt8, _ name: [UInt8])
        -> [UInt8]
    {
        [0, priority, 0, weight, 0, port] + name
    }

    @Test("a name with enough dots is tried as it stands first, one with fewer last")
    func candidates() {
        var dotted = NameLookup("a.b", .services, domains: domains, dots: 1)
        #expect(dotted.next() == .ask("a.b", [.srv]))
        #expect(dotted.received(response(.srv, code: 3), .srv) == .ask("a.b.one.example", [.srv]))
        #expect(dotted.received(response(.srv, code: 3), .srv) == .ask("a.b.two.example", [.srv]))
        let end = dotted.received(response(.srv, code: 3), .srv)
        #expect(end == .finished(.failure(.noSuchName(seconds: nil))))
        var bare = NameLookup("a", .addresses, domains: ["one.example"], dots: 1)
        #expect(bare.next() == .ask("a.one.example", [.a, .aaaa]))
        #expect(bare.received(response(.a, code: 3), .a) == .wait)
        #expect(bare.received(response(.aaaa, code: 3), .aaaa) == .ask("a", [.a, .aaaa]))
    }

    @Test("where no server answers, no other candidate is tried")
    func stopsAtFailure() {
        var lookup = NameLookup("a.b", .addresses, domains: domains, dots: 1)
        _ = lookup.next()
        #expect(lookup.received(.failed("timeout"), .a) == .wait)
        let end = lookup.received(response(.aaaa), .aaaa)
        #expect(end == .finished(.failure(.unanswered("timeout"))))
    }

    @Test("one family's addresses are enough, whatever becomes of the other")
    func oneFamily() {
        let answer = NameAnswer(addresses: [.v4(0xC000_0201)], seconds: 60)
        for other in [response(.aaaa), response(.aaaa, code: 3), .failed("timeout")] {
            var lookup = NameLookup("a", .addresses, domains: [], dots: 0)
            _ = lookup.next()
            #expect(lookup.received(other, .aaaa) == .wait)
            let end = lookup.received(response(.a, [[192, 0, 2, 1]]), .a)
            #expect(end == .finished(.success(answer)))
        }
    }

    @Test("a name without records is another failure than no name")
    func failures() {
        var lookup = NameLookup("a", .addresses, domains: [], dots: 0)
        _ = lookup.next()
        #expect(lookup.received(response(.a), .a) == .wait)
        #expect(lookup.received(response(.a), .a) == .wait)
        let end = lookup.received(response(.aaaa), .aaaa)
        #expect(end == .finished(.failure(.noRecords(seconds: nil))))
        var broken = NameLookup("a", .services, domains: [], dots: 0)
        _ = broken.next()
        guard case .finished(.failure(.unanswered)) = broken.received(.message([1, 2]), .srv) else {
            Issue.record("an answer that cannot be read is none")
            return
        }
    }

    @Test("RFC 2782: a target of the root is no service, and so is one whose name is none")
    func services() {
        var lookup = NameLookup("a", .services, domains: [], dots: 0)
        _ = lookup.next()
        let none = response(.srv, [service(0, 0, 80, [0]), service(0, 0, 80, [1, 0x20, 0])])
        #expect(lookup.received(none, .srv) == .finished(.failure(.noRecords(seconds: 60))))
        var other = NameLookup("a", .services, domains: [], dots: 0)
        _ = other.next()
        let found = response(
            .srv,
            [service(2, 1, 80, [1, 0x62, 0]), service(1, 5, 81, [1, 0x63, 0])]
        )
        let answer = NameAnswer(
            addresses: [],
            services: [
                NameAnswer.Service(host: "c", port: 81, priority: 1, weight: 5),
                NameAnswer.Service(host: "b", port: 80, priority: 2, weight: 1),
            ],
            seconds: 60
        )
        #expect(other.received(found, .srv) == .finished(.success(answer)))
    }
}
