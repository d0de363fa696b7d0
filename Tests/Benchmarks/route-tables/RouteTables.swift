import ArgumentParser
import FleetModel
import Routing
import SnapshotCompiler
import SystemCalls

/// How long the parts of compiling many routes take, without a node around them.
@main
struct RouteTablesBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route-tables",
        abstract: "Time what becomes of many routes, from their file to a worker's table.",
        discussion: """
            Each line is one shape of routes, and the best of the rounds in milliseconds of processor time:
              read      the document as JSON, into a checked configuration, as proxyctl and the control plane do
              compile   a stored version into a snapshot, as a node does before it serves it
              table     one worker's route table, which each worker builds for each listener
              shadowed  the search for routes that are never taken, as validate and apply do
            """
    )

    @Option(help: "Number of routes.")
    var routes = 50_000

    @Option(help: "The shapes to measure; all of them without.")
    var shapes: [Shape] = []

    @Option(help: "Rounds, of which the best counts.")
    var rounds = 3

    func validate() throws {
        guard (1...1_000_000).contains(routes) else {
            throw ValidationError("--routes \(routes): 1 to 1,000,000 are wanted")
        }
        guard (1...100).contains(rounds) else {
            throw ValidationError("--rounds \(rounds): 1 to 100 are wanted")
        }
    }

    func run() throws {
        print(Self.row(["shape", "read", "compile", "table", "shadowed"]))
        for shape in shapes.isEmpty ? Shape.allCases : shapes { try measure(shape) }
    }

    private func measure(_ shape: Shape) throws {
        let document = Array(shape.document(routes).utf8)
        var configuration: Configuration?
        let read = try best {
            configuration = try Configuration(
                document: try JSONReader.read(document, file: "routes.json")
            )
        }
        guard let configuration else { return }
        let file = SnapshotFile(configuration)
        let compile = try best { _ = try Snapshot(file: file) }
        var table: RouteTable?
        let build = try best {
            table = RouteTable(routes: configuration.routes, listener: "web")
        }
        let shadowed = try best { _ = ShadowedRoutes.find(in: configuration) }
        guard table != nil else { return }
        print(Self.row([shape.rawValue] + [read, compile, build, shadowed].map(Self.text)))
    }

    /// The shortest of the rounds.
    private func best(_ body: () throws -> Void) throws -> UInt64 {
        var best = UInt64.max
        for _ in 0..<rounds {
            let start = threadCPUNanoseconds()
            try body()
            best = min(best, threadCPUNanoseconds() - start)
        }
        return best
    }

    private static func text(_ nanoseconds: UInt64) -> String {
        String((nanoseconds + 500_000) / 1_000_000)
    }

    private static func row(_ cells: [String]) -> String {
        cells.map { $0 + String(repeating: " ", count: max(1, 12 - $0.count)) }.joined()
    }
}

/// What the routes have in common.
enum Shape: String, CaseIterable, ExpressibleByArgument {
    /// A host each.
    case hosts
    /// A prefix each, on one host.
    case prefixes
    /// A hundred hosts with as many prefixes each, of three segments.
    case mixed
    /// One host and path, and another value of a field each.
    case fields
    /// A regular expression each, ten on a host.
    case expressions
    /// A prefix each, with rewriting and a policy.
    case rich

    /// A configuration with so many routes.
    func document(_ count: Int) -> String {
        let routes = (0..<count).map { number in
            #"{"name":"r\#(number)",\#(route(number))"upstream":"u"}"#
        }
        return """
            {"listeners":[{"name":"web","address":"0.0.0.0:80"}],
             "upstreams":[{"name":"u","endpoints":[{"address":"127.0.0.1:9001"}]}],
             "policies":[{"name":"p","headers":{"request":{"set":{"x-route":"${route}"}}}}],
             "routes":[\(routes.joined(separator: ",\n"))]}
            """
    }

    private func route(_ number: Int) -> String {
        switch self {
        case .hosts: #""hosts":["shop\#(number).example.com"],"#
        case .prefixes: #""match":{"path":{"prefix":"/api/v1/service-\#(number)"}},"#
        case .mixed:
            #""hosts":["h\#(number % 100).example.com"],"match":{"path":{"prefix":"/api/v\#(number % 7)/s\#(number)"}},"#
        case .fields:
            #""match":{"path":{"prefix":"/api"},"headers":[{"name":"x-tenant","exact":"t\#(number)"}]},"#
        case .expressions:
            #""hosts":["h\#(number / 10).example.com"],"match":{"path":{"regex":"/s\#(number)/([0-9]+)"}},"#
        case .rich:
            #""match":{"path":{"prefix":"/s\#(number)"}},"rewrite":{"prefix":"/internal/\#(number)"},"policies":["p"],"#
        }
    }
}
