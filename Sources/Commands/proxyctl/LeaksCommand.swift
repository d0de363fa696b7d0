import AdminClient
import AdminMessages
import ArgumentParser
import FleetModel
import Foundation
import LeakSearch
import Presentation

/// `proxyctl leaks`.
struct LeaksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leaks",
        abstract: "Ask the fleet, and list what responses tell of the inside.",
        discussion: """
            Sends GET, HEAD and OPTIONS for the hosts and paths of all routes, and
            requests that make origins fail, follows links on the same host, and looks
            for endpoints' addresses, ports and hosts, names of upstreams, products and
            stack traces: in status lines, fields, interim heads, trailers, and the
            first 64 KiB of text.

            What is inside is read from the head, a version, or files; what discovery
            has found, from the fleet, but not with files. Without URLs, every listener of HTTP is asked at its own address, on this machine where
            it listens on any; --address leads all connections elsewhere. Certificates
            are not verified. Exits with 3 when something was found.

            EXAMPLES
              proxyctl leaks
              proxyctl leaks https://shop.example.com/ -f fleet.yaml
              proxyctl leaks -f fleet.yaml --address 127.0.0.1:8443 -o json
            """
    )

    @OptionGroup var options: GlobalOptions

    @Argument(help: ArgumentHelp("URLs to begin at.", valueName: "url"))
    var urls: [String] = []

    @OptionGroup var source: ConfigurationSource

    @Option(help: ArgumentHelp("A file with more paths, one on each line.", valueName: "file"))
    var paths: String?

    @Option(help: "The most requests.")
    var max = LeakSearchLimits.requestsDefault

    @Option(help: "How many links away from the routes' paths to look.")
    var depth = LeakSearchLimits.depthDefault

    @Option(help: ArgumentHelp("Where all connections go.", valueName: "host:port"))
    var address: String?

    func validate() throws {
        if let address, HostPort(address) == nil {
            throw ValidationError("'\(address)' is not of the form HOST:PORT.")
        }
        guard (1...100_000).contains(max), (0...100).contains(depth) else {
            throw ValidationError("--max is 1 to 100000, and --depth 0 to 100.")
        }
        for url in urls {
            do throws(LeakBase.Fault) {
                _ = try LeakBase(url)
            } catch {
                throw ValidationError("'\(url)': \(error).")
            }
        }
    }

    func run() async throws {
        let session = Session(options)
        let configuration = try await source.configuration(session)
        let plan = LeakPlan(
            configuration,
            bases: try urls.map { try LeakBase($0) },
            place: address.flatMap { HostPort($0) },
            paths: try morePaths()
        )
        let crawl = LeakCrawl(
            configuration,
            discovered: try await discovered(configuration, session),
            requestsMax: max,
            depthMax: depth
        )
        let result = try await crawl.run(plan)
        for failure in result.failures.prefix(5) {
            Output.note("\(failure.url): \(failure.reason)")
        }
        if result.failures.count > 5 {
            Output.note("and \(result.failures.count - 5) more requests without an answer")
        }
        if result.skippedCount > 0 {
            Output.note("\(result.skippedCount) requests were left out: raise --max")
        }
        guard result.answerCount > 0 else {
            throw Failure(.unreachable, "nothing was answered")
        }
        let report = LeakReport(result)
        session.print(report.value) { report.rendered($0) }
        if !result.findings.isEmpty { throw Failure(.differences, nil) }
    }

    /// The endpoints that nodes have found, as the fleet knows them; none where nobody is asked.
    private func discovered(
        _ configuration: Configuration,
        _ session: Session
    ) async throws -> [String] {
        guard configuration.upstreams.contains(where: { $0.discovery != nil }) else { return [] }
        guard source.files.isEmpty else {
            Output.note(
                "what discovery finds is not looked for: only the fleet knows it, without -f"
            )
            return []
        }
        return try await session.withClient { client in
            try await client.upstreams().flatMap(\.endpoints).filter(\.discovered).map(\.address)
        }
    }

    /// The paths of the file, without empty lines and comments.
    private func morePaths() throws -> [String] {
        guard let paths else { return [] }
        guard let octets = FileManager.default.contents(atPath: paths) else {
            throw Failure(.failure, "\(paths): cannot be read")
        }
        return try String(decoding: octets, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
            .map { path in
                guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
                else {
                    throw Failure(.failure, "\(paths): '\(visible(path))' is not a path")
                }
                return path
            }
    }
}
