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
                try await redraw(client, session)
            } else {
                let status = try await client.status()
                session.print(StatusReport.value(of: status)) { StatusReport(status).rendered($0) }
            }
        }
    }

    /// Shows one state after the other; a control plane that is away for a while is said and waited for.
    private func redraw(_ client: AdminClient, _ session: Session) async throws {
        let screen = Screen(isTerminal: Output.isTerminal)
        var isFirst = true
        while true {
            do {
                let status = try await client.status()
                switch session.format {
                case .table:
                    let lines = StatusReport(status).rendered(Output.palette)
                    Output.write(screen.frame(lines, isFirst: isFirst))
                case .json: Output.print([StatusReport.value(of: status).compactJSON])
                case .yaml: Output.write("---\n" + StatusReport.value(of: status).yaml())
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
