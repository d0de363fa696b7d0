import FleetModel
import Routing
import Testing

/// Random tables and requests, beside a matcher that reads the contract plainly: slow, and with no idea in common.
@Suite("Routing, plainly")
struct PlainMatcherTests {
    private static let hosts = ["a.test", "*.test", "b.a.test", "*.a.test", "*.b.a.test", "c.test"]
    private static let names = ["x-a", "x-b"]
    private static let values = ["1", "12", "2", ""]

    @Test(
        "the table agrees with a plain reading of the contract",
        arguments: 1...40 as ClosedRange<UInt64>
    )
    func agrees(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let rules = (0..<40).map { Self.rule($0, &random) }.filter { rule in
            // What could never match is refused, and is no route.
            (try? configuration([rule])) != nil
        }
        let table = try Table(rules)
        for _ in 0..<300 {
            let request = Self.request(&random)
            #expect(
                table.match(request) == plainMatch(table.routes, request),
                "seed \(seed): \(request.head)"
            )
        }
    }

    private static func path(_ random: inout SplitMix) -> String {
        let parts = ["a", "b", "ab", "segment-longer-than-16"]
        let count = Int.random(in: 0...4, using: &random)
        let body = (0..<count).map { _ in
            "/" + (parts.randomElement(using: &random) ?? "")
        }.joined()
        return body.isEmpty || Bool.random(using: &random) ? body + "/" : body
    }

    private static func pattern(_ random: inout SplitMix) -> Rule.Path? {
        switch Int.random(in: 0...9, using: &random) {
        case 0: nil
        case 1...3: .exact(path(&random))
        case 4, 5:
            .regex(
                ["/a.*", "/(a|b)+/?", "/.*b", "/[ab]/.*", ".*"].randomElement(using: &random) ?? ""
            )
        default: .prefix(path(&random))
        }
    }

    private static func value(_ random: inout SplitMix) -> String {
        let name = names.randomElement(using: &random) ?? ""
        let text = values.randomElement(using: &random) ?? ""
        let test =
            switch Int.random(in: 0...3, using: &random) {
            case 0: #""exact":"\#(text)""#
            case 1: #""prefix":"\#(text)""#
            case 2: #""regex":"[12]+""#
            default: #""present":\#(Bool.random(using: &random))"#
            }
        return #"[{"name":"\#(name)",\#(test)}]"#
    }

    private static func conditions(_ random: inout SplitMix, _ odds: Int) -> [String] {
        var conditions: [String] = []
        func isChosen() -> Bool { Int.random(in: 0..<odds, using: &random) == 0 }
        if isChosen() {
            let methods = [#"["GET"]"#, #"["POST","PUT"]"#]
            conditions.append(#""methods":\#(methods.randomElement(using: &random) ?? "")"#)
        }
        for field in ["headers", "query", "cookies"] where isChosen() {
            conditions.append(#""\#(field)":\#(value(&random))"#)
        }
        if isChosen() {
            let blocks = [#"["192.0.2.0/24"]"#, #"["192.0.2.7","2001:db8::/32"]"#]
            conditions.append(#""clients":\#(blocks.randomElement(using: &random) ?? "")"#)
        }
        return conditions
    }

    private static func rule(_ number: Int, _ random: inout SplitMix) -> Rule {
        let some = hosts.filter { _ in Int.random(in: 0...3, using: &random) == 0 }
        var exceptions = conditions(&random, 12)
        if Int.random(in: 0...12, using: &random) == 0, let path = pattern(&random) {
            exceptions.append(path.json)
        }
        return Rule(
            "r\(number)",
            some.isEmpty ? nil : some,
            pattern(&random),
            conditions(&random, 6),
            not: exceptions
        )
    }

    private static func request(_ random: inout SplitMix) -> Request {
        let hosts = ["a.test", "b.a.test", "c.b.a.test", "c.test", "d.test", "x", ""]
        var request = Request(hosts.randomElement(using: &random) ?? "", path(&random))
        request.method = ["GET", "POST", "PATCH"].randomElement(using: &random) ?? ""
        func pairs(_ joint: String) -> String {
            (0..<Int.random(in: 0...3, using: &random)).map { _ in
                "\(names.randomElement(using: &random) ?? "")=\(values.randomElement(using: &random) ?? "")"
            }.joined(separator: joint)
        }
        request.query = Bool.random(using: &random) ? pairs("&") : nil
        if Bool.random(using: &random) { request.fields.append(("Cookie", pairs("; "))) }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let name = names.randomElement(using: &random) ?? ""
            request.fields.append((name, values.randomElement(using: &random) ?? ""))
        }
        let clients = ["192.0.2.1", "192.0.2.7", "198.51.100.1", "2001:db8::1"]
        request.client = clients.randomElement(using: &random) ?? ""
        return request
    }
}

/// The contract read plainly: of all routes that hold, the best in the order of fleet.yaml.
private func plainMatch(_ routes: [Route], _ request: Request) -> String? {
    var best: (score: [Int], name: String)?
    for (number, route) in routes.enumerated() {
        guard let pathScore = plainScore(route.conditions.path, request.path),
            plainlyHolds(route.conditions, request), !plainlyExcludes(route.exceptions, request)
        else { continue }
        let count = { (list: RouteConditions) in
            list.headers.count + list.query.count + list.cookies.count
                + (list.methods.isEmpty ? 0 : 1) + (list.clients.isEmpty ? 0 : 1)
        }
        let conditionCount =
            count(route.conditions) + count(route.exceptions)
            + (route.exceptions.path == nil ? 0 : 1)
        for pattern in route.hosts.map({ $0.map(Optional.some) }) ?? [nil] {
            guard let hostScore = plainScore(host: pattern, request.host) else { continue }
            let score = hostScore + pathScore + [conditionCount, -number]
            if best.map({ $0.score.lexicographicallyPrecedes(score) }) ?? true {
                best = (score, route.name)
            }
        }
    }
    return best?.name
}

private func plainScore(host pattern: HostPattern?, _ host: String) -> [Int]? {
    switch pattern {
    case nil: [0, 0]
    case .exact(let name): name == host ? [2, 0] : nil
    case .wildcard(let suffix): host.hasSuffix("." + suffix) ? [1, suffix.count] : nil
    }
}

private func plainScore(_ pattern: PathPattern?, _ path: String) -> [Int]? {
    switch pattern {
    case nil: return [0, 0]
    case .regex(let text): return plainlyMatches(text, path) ? [1, 0] : nil
    case .exact(let exact): return exact == path ? [3, 0] : nil
    case .prefix(let prefix):
        let prefix = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        return path == prefix || path.hasPrefix(prefix + "/") ? [2, prefix.count] : nil
    }
}

/// Another engine than the table's.
private func plainlyMatches(_ pattern: String, _ text: String) -> Bool {
    guard let expression = try? Regex(pattern) else { return false }
    return text.wholeMatch(of: expression) != nil
}

/// Every value with a name, by the kind of condition.
private func plainValues(_ kind: String, _ name: String, _ request: Request) -> [String] {
    let pairs: [(String, String)]
    switch kind {
    case "headers": pairs = request.fields.map { ($0.name.lowercased(), $0.value) }
    case "query": pairs = plainPairs(request.query ?? "", "&")
    default:
        pairs = request.fields.filter { $0.name == "Cookie" }
            .flatMap { plainPairs($0.value, "; ") }
    }
    return pairs.filter { $0.0 == name }.map(\.1)
}

private func plainPairs(_ text: String, _ joint: String) -> [(String, String)] {
    guard !text.isEmpty else { return [] }
    return text.split(separator: joint).map { pair in
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}

private func plainlyHolds(_ condition: ValueCondition, _ values: [String]) -> Bool {
    switch condition.test {
    case .present(let isThere): values.isEmpty != isThere
    case .exact(let text): values.contains(text)
    case .prefix(let text): values.contains { $0.hasPrefix(text) }
    case .regex(let pattern): values.contains { plainlyMatches(pattern, $0) }
    }
}

/// Each single condition of a list, the path aside, and whether it holds.
private func plainTests(_ list: RouteConditions, _ request: Request) -> [Bool] {
    var tests: [Bool] = []
    if !list.methods.isEmpty { tests.append(list.methods.contains(request.method)) }
    for (kind, conditions) in [
        ("headers", list.headers), ("query", list.query), ("cookies", list.cookies),
    ] {
        for condition in conditions {
            tests.append(
                plainlyHolds(condition, plainValues(kind, condition.name, request))
            )
        }
    }
    if !list.clients.isEmpty, let client = IPAddress(request.client) {
        tests.append(list.clients.contains { $0.contains(client) })
    }
    return tests
}

private func plainlyHolds(_ list: RouteConditions, _ request: Request) -> Bool {
    plainTests(list, request).allSatisfy { $0 }
}

private func plainlyExcludes(_ list: RouteConditions, _ request: Request) -> Bool {
    if let path = list.path, plainScore(path, request.path) != nil { return true }
    return plainTests(list, request).contains(true)
}
