import DNS
import Testing

@Suite("Responses of name servers")
struct DNSResponseTests {
    @Test("addresses of both families, once each, with the least time")
    func addresses() throws {
        let v4 = message(answers: [
            record(questionName, 1, seconds: 60, [192, 0, 2, 1]),
            record(name("API.Example"), 1, seconds: 30, [192, 0, 2, 2]),
            record(questionName, 1, seconds: 90, [192, 0, 2, 1]),
            record(name("other.example"), 1, seconds: 1, [192, 0, 2, 3]),
            record(questionName, 1, seconds: 1, [192, 0, 2, 4], class: 3),
        ])
        let response = try read(v4).get()
        #expect(response.addresses == [.v4(0xC000_0201), .v4(0xC000_0202)])
        #expect(response.seconds == 30 && response.code == 0 && response.droppedCount == 0)
        let octets = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [5]
        let v6 = message("api.example", 28, answers: [record(questionName, 28, seconds: 5, octets)])
        #expect(try read(v6, .aaaa).get().addresses == [.v6(high: 0x2001_0DB8_0000_0000, low: 5)])
    }

    @Test("aliases are followed, and bound the time; what they do not lead to is left out")
    func aliases() throws {
        let octets = message(answers: [
            record(name("b.example"), 1, seconds: 60, [192, 0, 2, 1]),
            record(name("a.example"), 5, seconds: 20, name("b.example")),
            record(questionName, 5, seconds: 40, name("A.example")),
            record(name("c.example"), 1, seconds: 5, [192, 0, 2, 9]),
        ])
        let response = try read(octets).get()
        #expect(response.addresses == [.v4(0xC000_0201)] && response.seconds == 20)
        let loop = message(answers: [
            record(questionName, 5, seconds: 40, name("a.example")),
            record(name("a.example"), 5, seconds: 40, questionName),
        ])
        #expect(try read(loop).get().addresses == [])
    }

    @Test("services with targets behind pointers")
    func services() throws {
        let place = 12 + name("_api._tcp.example").count - name("example").count
        let target = [UInt8(2)] + Array("S1".utf8) + [0xC0, UInt8(place)]
        let octets = message(
            "_api._tcp.example",
            33,
            answers: [
                record(questionName, 33, seconds: 9, [0, 10, 0, 5, 0, 80] + target),
                record(questionName, 33, seconds: 8, [0, 0, 0, 0, 0, 0, 0]),
            ]
        )
        let response = try read(octets, .srv).get()
        #expect(response.seconds == 8)
        #expect(response.services.map(\.target.hostName) == ["s1.example", nil])
        let first = try #require(response.services.first)
        #expect(first.priority == 10 && first.weight == 5 && first.port == 80)
    }

    @Test("RFC 2308 §5: what is not there holds as long as the zone and its record say")
    func negative() throws {
        let content = name("ns.example") + name("root.example") + [UInt8](repeating: 0, count: 16)
        let zone = record(name("example"), 6, seconds: 100, content + [0, 0, 0, 30])
        let missing = message(flags: 0x8183, authorities: [zone])
        let response = try read(missing).get()
        #expect(response.code == 3 && response.seconds == 30 && response.addresses.isEmpty)
        let short = record(name("example"), 6, seconds: 7, content + [0, 0, 0, 30])
        #expect(try read(message(authorities: [short])).get().seconds == 7)
        #expect(try read(message()).get().seconds == nil)
    }

    @Test("RFC 2181 §8: a time with the highest bit is none")
    func hugeTime() throws {
        let octets = message(answers: [
            record(questionName, 1, seconds: 0xFFFF_FFFF, [192, 0, 2, 1])
        ])
        #expect(try read(octets).get().seconds == 0)
    }

    @Test("more records than the limit are counted, not kept")
    func tooMany() throws {
        let answers = (0..<1005).map {
            record(questionName, 1, seconds: 1, [10, 0] + integer($0))
        }
        let response = try read(message(answers: answers)).get()
        #expect(response.addresses.count == Limits.recordsMax && response.droppedCount == 5)
    }

    @Test("messages that are no answer to the question are refused")
    func refused() {
        #expect(read(message(flags: 0x0180)) == .failure(.notAResponse))
        #expect(read(message(flags: 0xA980)) == .failure(.notAResponse))
        #expect(read(message("api.example", 28)) == .failure(.questionMismatch))
        #expect(read(message(questionCount: 0)) == .failure(.questionCountInvalid))
        #expect(read(message(questionCount: 2)) == .failure(.questionCountInvalid))
        let short = message(answers: [record(questionName, 1, seconds: 1, [192, 0, 2])])
        #expect(read(short) == .failure(.contentLengthInvalid))
        let alias = record(questionName, 5, seconds: 1, name("a.example") + [0])
        #expect(read(message(answers: [alias])) == .failure(.contentLengthInvalid))
    }

    @Test("RFC 1035 §4.1.4: pointers that lead forward, to themselves or round are refused")
    func pointers() {
        let start = message().count
        for target in [start, start + 2, start + 40, 0x3FFF] {
            let owner = [0xC0 | UInt8(target >> 8), UInt8(target & 0xFF)]
            let octets = message(answers: [record(owner, 1, seconds: 1, [192, 0, 2, 1])])
            #expect(read(octets) == .failure(.pointerInvalid), "to \(target)")
        }
        // A label, and a pointer back to it: round and round.
        let round: [UInt8] = [1, 0x61, 0xC0, UInt8(start)]
        let octets = message(answers: [record(round, 1, seconds: 1, [192, 0, 2, 1])])
        #expect(read(octets) == .failure(.pointerInvalid))
        for first: UInt8 in [0x40, 0x80] {
            let other = message(answers: [record([first, 0], 1, seconds: 1, [192, 0, 2, 1])])
            #expect(read(other) == .failure(.labelTypeInvalid))
        }
    }

    @Test("a name has at most 255 octets")
    func longName() {
        let label = [UInt8(63)] + [UInt8](repeating: 0x61, count: 63)
        let longest = label + label + label + [61] + [UInt8](repeating: 0x61, count: 61) + [0]
        #expect(longest.count == 255)
        let fits = message(answers: [record(longest, 1, seconds: 1, [192, 0, 2, 1])])
        #expect((try? read(fits).get()) != nil)
        let longer = label + label + label + [62] + [UInt8](repeating: 0x61, count: 62) + [0]
        let octets = message(answers: [record(longer, 1, seconds: 1, [192, 0, 2, 1])])
        #expect(read(octets) == .failure(.nameTooLong))
    }

    @Test("cut anywhere before the end of its records, a message is refused and nothing traps")
    func cut() {
        let srv = message(
            "_api._tcp.example",
            33,
            answers: [
                record(name("x.example"), 5, seconds: 5, name("y.example")),
                record(questionName, 33, seconds: 9, [0, 1, 0, 5, 0, 80] + questionName),
            ]
        )
        for count in 0..<srv.count {
            #expect(read(Array(srv[..<count]), .srv) == .failure(.truncated), "after \(count)")
        }
        for index in srv.indices {
            for bit in 0..<8 {
                var other = srv
                other[index] ^= 1 << UInt8(bit)
                _ = read(other, .srv)
            }
        }
    }

    @Test("targets that are no host names have none")
    func oddTargets() {
        #expect(DNSName(labels: [Array("a b".utf8), Array("example".utf8)]).hostName == nil)
        #expect(DNSName(labels: [Array("a.b".utf8)]).hostName == nil)
        #expect(DNSName(labels: []).hostName == nil)
        #expect(DNSName(labels: [Array("a_1-b".utf8), Array("x".utf8)]).hostName == "a_1-b.x")
    }
}
