import ArgumentParser
import NodeAgent
import SystemCalls

/// `proxy-node upgrade`.
struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade",
        abstract: "Replace a running node by a new process, without losing a connection.",
        discussion: """
            The running node of DIR starts the new process, by default with the program that runs this command
            and with its own options. The new process gets the listening sockets, reads the version that was
            stored last, and serves it. Then the old one accepts no more, finishes what it has until its
            --drain-timeout, and ends. What waits to be accepted meanwhile is accepted by the new one.

            Ports and the admin address stay, whatever chose them. The control plane keeps the node, and a node
            that is drained stays drained.

            If the new process cannot be started, ends, cannot serve, or takes longer than --timeout, it is
            ended, and the old one goes on as if nothing had been asked.

            The new process has the environment, user, limits and service of the old one, whoever asks. Only the
            node's user and root may ask. A node that runs with --snapshot has no directory and is not replaced
            in this way.

            EXAMPLES
              install -m 0755 proxy-node /usr/local/bin/ && proxy-node upgrade --data /var/lib/weir-node
              proxy-node upgrade --data DIR -- --control 10.0.0.1:7444 --workers 8

            EXIT CODES
              0 the new process serves        1 it does not, and the old one goes on    2 usage
              3 no node runs in DIR           4 another upgrade is under way
            """
    )

    @Option(
        help: ArgumentHelp("The directory of the running node.", valueName: "dir"),
        completion: .directory
    )
    var data: String

    @Option(
        help: ArgumentHelp(
            "The program to start (default: the one that runs this command).",
            valueName: "file"
        ),
        completion: .file()
    )
    var program: String?

    @Option(
        help: ArgumentHelp(
            "How long the new process may take until it serves, such as 30s or 5m.",
            valueName: "duration"
        )
    )
    var timeout = Seconds(count: Limits.upgradeSecondsDefault)

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp(
            "After '--': options of 'proxy-node run' for the new process, all but --data, in place of those of the running one.",
            valueName: "options"
        )
    )
    var options: [String] = []

    func validate() throws {
        guard timeout.count > 0 else { throw ValidationError("--timeout must be more than 0") }
        // Options that 'run' would refuse are refused here, before a process is started with them.
        guard !options.isEmpty else { return }
        do {
            _ = try RunCommand.parse(["--data", data] + options)
        } catch {
            throw ValidationError("after '--': \(RunCommand.message(for: error))")
        }
    }

    func run() throws {
        let directory = try resolved(data)
        let order = UpgradeOrder(
            program: try program.map(resolved) ?? programPath(),
            arguments: options.isEmpty ? [] : ["run", "--data", directory] + options,
            timeout: .seconds(timeout.count)
        )
        let request = UpgradeRequest(directory: directory, order: order)
        do throws(UpgradeRequest.Failure) {
            let outcome = try request.run { process in
                ProxyNode.note("the new process is \(process); waiting until it serves")
            }
            report(outcome)
        } catch {
            throw UpgradeError(error)
        }
    }

    /// The node has a working directory of its own.
    private func resolved(_ path: String) throws(UpgradeError) -> String {
        do throws(SystemCallError) {
            return try absolutePath(path)
        } catch  where error.errno == .noSuchFile && path == data {
            throw UpgradeError(.notRunning("no node runs in \(path): there is no such directory"))
        } catch {
            throw UpgradeError(.failed("\(path): \(error.errno.message)"))
        }
    }

    private func report(_ outcome: UpgradeRequest.Outcome) {
        print("old process  \(outcome.oldProcess), finishing what it has")
        print("new process  \(outcome.newProcess), build \(outcome.build)")
        let rest = outcome.listenerCount - outcome.listeners.count
        let more = rest > 0 ? " and \(rest) more" : ""
        let names = outcome.listeners.joined(separator: " ")
        print("listeners    \(outcome.listenerCount == 0 ? "none" : names)\(more)")
    }
}

/// Why an upgrade did not happen, with the exit code for it.
struct UpgradeError: Error, CustomStringConvertible {
    let description: String
    let code: ExitCode

    init(_ failure: UpgradeRequest.Failure) {
        switch failure {
        case .notRunning(let reason): (description, code) = (reason, ExitCode(3))
        case .busy:
            description = "another upgrade of this node is under way; nothing was changed"
            code = ExitCode(4)
        case .failed(let reason):
            (description, code) = ("the node was not replaced: \(reason)", .failure)
        }
    }
}
