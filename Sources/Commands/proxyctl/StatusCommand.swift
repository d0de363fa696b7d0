import AdminClient
import ArgumentParser
import Foundation
import Presentation

/// `proxyctl status`.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the fleet is, on one screen.",
        discussion: """
            Nodes by state and version, drift, rejections, and the traffic of the whole
            fleet.

            EXAMPLES
              proxyctl status --watch
              proxyctl status -o json
            """
    )

    @OptionGroup var options: GlobalOptions

    @Flag(name: .shortAndLong, help: "Redraw until interrupted.")
    var watch = false

    @Option(help: "Time between two looks with --watch.")
    var interval = DurationArgument(seconds: 2)

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            if watch {
                try await session.redraw(every: interval) {
                    let status = try await client.status()
                    return (StatusReport.value(of: status), { StatusReport(status).rendered($0) })
                }
            } else {
                let status = try await client.status()
                session.print(StatusReport.value(of: status)) { StatusReport(status).rendered($0) }
            }
        }
    }
}

extension Session {
    /// Shows one state after the other; a control plane that is away for a while is said and waited for.
    func redraw(
        every interval: DurationArgument,
        _ look: () async throws -> (value: OutputValue, lines: (Palette) -> [String])
    ) async throws {
        let screen = Screen(isTerminal: Output.isTerminal)
        var isFirst = true
        while true {
            do {
                let (value, lines) = try await look()
                switch format {
                case .table:
                    Output.write(screen.frame(lines(Output.palette), isFirst: isFirst))
                case .json: Output.print([value.compactJSON])
                case .yaml: Output.write("---\n" + value.yaml())
                }
            } catch let error as AdminClientError {
                // The first failure ends the command: it is more likely a wrong context than a restart.
                guard !isFirst, let failure = Failure(error), failure.status == .unreachable else {
                    throw error
                }
                Output.error(failure.message ?? "")
            }
            isFirst = false
            try await Task.sleep(for: interval.duration)
        }
    }
}
