import FleetModel
import HTTP1
import HTTPSemantics
import Routing

/// A route in the words of a test.
struct Rule {
    enum Path {
        case exact(String)
        case prefix(String)
        case regex(String)

        var json: String {
            switch self {
            case .exact(let path): #""path":{"exact":"\#(path)"}"#
            case .prefix(let path): #""path":{"prefix":"\#(path)"}"#
            case .regex(let pattern): #""path":{"regex":"\#(pattern)"}"#
            }
        }
    }

    let name: String
    let hosts: [String]?
    let path: Path?
    let listeners: [String]?
    /// The other conditions as JSON, such as `"methods":["GET"]`.
    let conditions: [String]
    let exceptions: [String]

    init(
        _ name: String,
        _ hosts: [String]?,
        _ path: Path?,
        listeners: [String]? = nil,
        _ conditions: [String] = [],
        not exceptions: [String] = []
    ) {
        (self.name, self.hosts, self.path, self.listeners) = (name, hosts, path, listeners)
        (self.conditions, self.exceptions) = (conditions, exceptions)
    }

    var json: String {
        var fields = [#""name":"\#(name)""#, #""respond":{"status":200}"#]
        if let hosts { fields.append(#""hosts":\#(list(hosts))"#) }
        if let listeners { fields.append(#""listeners":\#(list(listeners))"#) }
        var match = conditions
        if let path { match.append(path.json) }
        if !exceptions.isEmpty { match.append(#""not":{\#(exceptions.joined(separator: ","))}"#) }
        if !match.isEmpty { fields.append(#""match":{\#(match.joined(separator: ","))}"#) }
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

/// A request in the words of a test.
struct Request {
    var method = "GET"
    let host: String
    let path: String
    var query: String?
    var fields: [(name: String, value: String)] = []
    var client = "192.0.2.1"

    init(_ host: String, _ path: String) {
        (self.host, self.path) = (host, path)
    }

    var head: String {
        let target = path + (query.map { "?" + $0 } ?? "")
        // HTTP/1.0 alone does without a host.
        let version = host.isEmpty ? "HTTP/1.0" : "HTTP/1.1\r\nhost: \(host)"
        let lines = fields.map { "\r\n\($0.name): \($0.value)" }.joined()
        return "\(method) \(target) \(version)\(lines)\r\n\r\n"
    }
}

extension RouteTable {
    /// What the table decides, by both of its ways, which must agree; no match where the head is none.
    ///
    /// The table's marks are the routes' numbers.
    func decision(_ request: Request, _ routes: [Route]) -> RouteDecision {
        var head = RequestHead()
        let octets = Array(request.head.utf8)
        let path = Array(request.path.utf8)
        guard let client = IPAddress(request.client).map(ClientAddress.init),
            (try? head.decode(octets.span, limits: HTTP1Limits())) == octets.count
        else { preconditionFailure("no request: \(request.head)") }
        let decision = explain(head, octets.span, path: path.span, client: client, routes: routes)
        let match = match(head, octets.span, path: path.span, client: client)
        precondition(decision.match?.route == match?.route, "explain and match differ")
        precondition(match.map { Int($0.mark) == $0.route } ?? true, "another route's mark")
        return decision
    }
}

struct Table {
    let table: RouteTable
    let routes: [Route]

    init(_ rules: [Rule]) throws {
        routes = try configuration(rules).routes
        table = RouteTable(
            routes: routes,
            listener: "web",
            marks: routes.indices.map { UInt32($0) }
        )
    }

    func match(_ host: String, _ path: String) -> String? {
        match(Request(host, path))
    }

    func match(_ request: Request) -> String? {
        decision(request).match.map { routes[$0.route].name }
    }

    func decision(_ request: Request) -> RouteDecision {
        table.decision(request, routes)
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
