import FleetModel
import Routing
import Testing

@Suite("Routing")
struct RouteTableTests {
    @Test("The more specific host wins over the longer path")
    func hostBeforePath() throws {
        let table = try Table([
            Rule("any", nil, .exact("/a/b")),
            Rule("wide", ["*.example.com"], .prefix("/a")),
            Rule("wider", ["*.com"], .exact("/a/b")),
            Rule("exact", ["shop.example.com"], .prefix("/")),
        ])
        #expect(table.match("shop.example.com", "/a/b") == "exact")
        #expect(table.match("www.example.com", "/a/b") == "wide")
        #expect(table.match("a.b.example.com", "/a/b") == "wide")
        #expect(table.match("other.com", "/a/b") == "wider")
        #expect(table.match("example.com", "/a/b") == "wider")
        #expect(table.match("com", "/a/b") == "any")
        #expect(table.match("", "/a/b") == "any")
        #expect(table.match("[::1]", "/a/b") == "any")
    }

    @Test("A host without a route for the path falls back to less specific hosts")
    func fallsBack() throws {
        let table = try Table([
            Rule("exact", ["shop.example.com"], .prefix("/shop")),
            Rule("wild", ["*.example.com"], .prefix("/wild")),
            Rule("any", nil, .prefix("/any")),
        ])
        #expect(table.match("shop.example.com", "/shop/1") == "exact")
        #expect(table.match("shop.example.com", "/wild") == "wild")
        #expect(table.match("shop.example.com", "/any/1") == "any")
        #expect(table.match("shop.example.com", "/none") == nil)
        #expect(table.match("www.example.com", "/shop") == nil)
    }

    @Test("An exact path wins over the longest prefix, and that over shorter ones and no path")
    func pathOrder() throws {
        let table = try Table([
            Rule("none", nil, nil),
            Rule("root", nil, .prefix("/")),
            Rule("a", nil, .prefix("/a")),
            Rule("a-b", nil, .prefix("/a/b/")),
            Rule("exact", nil, .exact("/a/b/c")),
            Rule("exact-slash", nil, .exact("/a/b/")),
        ])
        #expect(table.match("h", "/a/b/c") == "exact")
        #expect(table.match("h", "/a/b/c/") == "a-b")
        #expect(table.match("h", "/a/b") == "a-b")
        #expect(table.match("h", "/a/b/") == "exact-slash")
        #expect(table.match("h", "/a/bc") == "a")
        #expect(table.match("h", "/a") == "a")
        #expect(table.match("h", "/ab") == "root")
        #expect(table.match("h", "/") == "root")
    }

    @Test("A prefix matches whole segments only")
    func prefixBySegment() throws {
        let table = try Table([Rule("long", nil, .prefix("/segment-of-twenty-octets/b"))])
        #expect(table.match("h", "/segment-of-twenty-octets/b") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/b/") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/b/c") == "long")
        #expect(table.match("h", "/segment-of-twenty-octets/bc") == nil)
        #expect(table.match("h", "/segment-of-twenty-octets") == nil)
        #expect(table.match("h", "/segment-of-twenty-octets//b") == nil)
    }

    @Test("Of equal routes the first in the file wins")
    func fileOrder() throws {
        let table = try Table([
            Rule("first", ["a.example"], .prefix("/x")),
            Rule("second", ["a.example"], .prefix("/x/")),
        ])
        #expect(table.match("a.example", "/x") == "first")
    }

    @Test("Hosts match in any case and with a final dot")
    func hostSpelling() throws {
        let table = try Table([
            Rule("exact", ["shop.example.com"], nil), Rule("wild", ["*.example.org"], nil),
        ])
        #expect(table.match("Shop.EXAMPLE.com.", "/") == "exact")
        #expect(table.match("A.Example.ORG", "/") == "wild")
        #expect(table.match(".example.org", "/") == "wild")
        #expect(table.match("xexample.org", "/") == nil)
    }

    @Test("Only routes of the listener are in its table")
    func listeners() throws {
        let configuration = try configuration(
            [Rule("one", nil, nil, listeners: ["a"]), Rule("two", nil, nil, listeners: ["b"])],
            listeners: ["a", "b", "c"]
        )
        func match(_ listener: String) -> Int? {
            RouteTable(routes: configuration.routes, listener: listener)
                .match(host: "h".utf8.span, path: "/".utf8.span)
        }
        #expect(match("a") == 0)
        #expect(match("b") == 1)
        #expect(match("c") == nil)
    }

    @Test("explain names the rules that hold")
    func explains() throws {
        let table = try Table([Rule("r", ["*.example.com"], .prefix("/a/"))])
        let found = table.table.explain(host: "x.example.com".utf8.span, path: "/a/b".utf8.span)
        let match = try #require(found)
        #expect(match.reason == "host is under *.example.com, longest prefix is /a")
    }

    @Test(
        "The table agrees with a plain reading of the contract",
        arguments: 1...20 as ClosedRange<UInt64>
    )
    func agreesWithPlainReading(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let hosts = ["a.test", "*.test", "b.a.test", "*.a.test", "*.b.a.test", "c.test"]
        let parts = ["a", "b", "ab", "segment-longer-than-16"]
        func path() -> String {
            let count = Int.random(in: 0...4, using: &random)
            let body = (0..<count).map { _ in
                "/" + (parts.randomElement(using: &random) ?? "")
            }.joined()
            return body.isEmpty || Bool.random(using: &random) ? body + "/" : body
        }
        let rules = (0..<30).map { number in
            let some = hosts.filter { _ in Int.random(in: 0...3, using: &random) == 0 }
            let pattern: Rule.Path? =
                switch Int.random(in: 0...7, using: &random) {
                case 0: nil
                case 1...3: .exact(path())
                default: .prefix(path())
                }
            return Rule("r\(number)", some.isEmpty ? nil : some, pattern)
        }
        let table = try Table(rules)
        for _ in 0..<400 {
            let host =
                ["a.test", "b.a.test", "c.b.a.test", "c.test", "d.test", "x", ""]
                .randomElement(using: &random) ?? ""
            let path = path()
            #expect(
                table.match(host, path) == plainMatch(rules, host, path),
                "seed \(seed): \(host) \(path)"
            )
        }
    }
}

/// A route in the words of a test.
struct Rule {
    enum Path {
        case exact(String)
        case prefix(String)
    }

    let name: String
    let hosts: [String]?
    let path: Path?
    let listeners: [String]?

    init(_ name: String, _ hosts: [String]?, _ path: Path?, listeners: [String]? = nil) {
        (self.name, self.hosts, self.path, self.listeners) = (name, hosts, path, listeners)
    }

    var json: String {
        var fields = [#""name":"\#(name)""#, #""respond":{"status":200}"#]
        if let hosts { fields.append(#""hosts":\#(list(hosts))"#) }
        if let listeners { fields.append(#""listeners":\#(list(listeners))"#) }
        switch path {
        case .exact(let path): fields.append(#""match":{"path":{"exact":"\#(path)"}}"#)
        case .prefix(let path): fields.append(#""match":{"path":{"prefix":"\#(path)"}}"#)
        case nil: break
        }
        return "{" + fields.joined(separator: ",") + "}"
    }

    private func list(_ texts: [String]) -> String {
        "[" + texts.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    }
}

func configuration(_ rules: [Rule], listeners: [String] = ["web"]) throws -> Configuration {
    let sockets = listeners.enumerated().map { number, name in
        #"{"name":"\#(name)","address":"127.0.0.1:\#(8000 + number)","protocol":"http"}"#
    }
    return try Configuration(
        json: """
            {"listeners":[\(sockets.joined(separator: ","))],
             "routes":[\(rules.map(\.json).joined(separator: ","))]}
            """
    )
}

struct Table {
    let table: RouteTable
    let names: [String]

    init(_ rules: [Rule]) throws {
        let routes = try configuration(rules).routes
        table = RouteTable(routes: routes, listener: "web")
        names = routes.map(\.name)
    }

    func match(_ host: String, _ path: String) -> String? {
        table.match(host: host.utf8.span, path: path.utf8.span).map { names[$0] }
    }
}

/// The contract read plainly: of all routes that hold, the best in the order of fleet.yaml.
func plainMatch(_ rules: [Rule], _ host: String, _ path: String) -> String? {
    var best: (score: [Int], name: String)?
    for (number, rule) in rules.enumerated() {
        guard let pathScore = plainScore(rule.path, path) else { continue }
        for pattern in rule.hosts.map({ $0.map(Optional.some) }) ?? [nil] {
            guard let hostScore = plainScore(host: pattern, host) else { continue }
            let score = hostScore + pathScore + [-number]
            if best.map({ $0.score.lexicographicallyPrecedes(score) }) ?? true {
                best = (score, rule.name)
            }
        }
    }
    return best?.name
}

private func plainScore(host pattern: String?, _ host: String) -> [Int]? {
    guard let pattern else { return [0, 0] }
    if !pattern.hasPrefix("*.") { return pattern == host ? [2, 0] : nil }
    let suffix = pattern.dropFirst()
    return host.hasSuffix(suffix) && host.count > suffix.count ? [1, suffix.count] : nil
}

private func plainScore(_ pattern: Rule.Path?, _ path: String) -> [Int]? {
    switch pattern {
    case nil: return [0, 0]
    case .exact(let exact): return exact == path ? [2, 0] : nil
    case .prefix(let prefix):
        var prefix = prefix[...]
        while prefix.hasSuffix("/") { prefix.removeLast() }
        return path == prefix || path.hasPrefix(prefix + "/") ? [1, prefix.count] : nil
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
