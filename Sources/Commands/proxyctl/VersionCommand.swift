import AdminClient
import AdminMessages
import ArgumentParser
import FleetModel
import Foundation
import Presentation

/// `proxyctl version`.
struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version of proxyctl and of the control plane, if it is there."
    )

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let session = Session(options)
        let server = await serverVersion(session)
        let value: OutputValue = [
            "client": ["build": .string(buildVersion)],
            "server": server.map { server in
                [
                    "build": .string(server.build), "cluster": .string(server.cluster),
                    "epoch": OutputValue(server.epoch as UInt64?),
                ]
            } ?? nil,
        ]
        session.print(value) { _ in
            var lines = ["proxyctl       \(buildVersion)"]
            if let server {
                lines.append("proxy-control  \(visible(server.build))")
                lines.append("cluster        \(visible(server.cluster)), epoch \(server.epoch)")
            }
            return lines
        }
    }

    /// What the control plane says of itself; without a context or an answer, proxyctl's own version is enough.
    private func serverVersion(_ session: Session) async -> ServerAnswer? {
        guard FileManager.default.fileExists(atPath: session.contextsPath) else {
            return nil
        }
        do {
            return try await session.withClient { try await $0.server() }
        } catch {
            Output.note(Failure(error)?.message ?? "\(error)")
            return nil
        }
    }
}
