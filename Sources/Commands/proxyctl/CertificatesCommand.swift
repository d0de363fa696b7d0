import AdminClient
import AdminMessages
import ArgumentParser
import Foundation
import Presentation

/// `proxyctl certs`.
struct CertificatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "List the certificates that nodes serve, the first to end first.",
        discussion: """
            A row for each certificate of the configuration and what it has: the names that
            it is for, who issued it, when it ends, and how many nodes hold and serve it.
            Renewed material is held by all nodes before any serves it; until then there are
            two rows. No key is ever shown.

            EXAMPLES
              proxyctl certs
              proxyctl certs --all
              proxyctl certs -o json
            """
    )

    @OptionGroup var options: GlobalOptions

    @Flag(help: "What the head does not name too: the control plane keeps it for older versions.")
    var all = false

    func run() async throws {
        let session = Session(options)
        try await session.withClient { client in
            let certificates = try await client.certificates().filter { all || $0.uses != nil }
            let report = CertificateReport(certificates)
            session.print(report.value) { report.rendered($0, now: Date()) }
        }
    }
}
