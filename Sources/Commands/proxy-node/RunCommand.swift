import ArgumentParser
import FleetModel
import NodeAgent
import SystemCalls

/// `proxy-node run`.
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a node: of a fleet with --data and --control, or alone with --snapshot.",
        discussion: """
            Once the admin address is bound and the node serves, or knows why it cannot yet, one line goes
            to standard error:
              ready admin=HOST:PORT
            The admin address answers /metrics, /healthz, /readyz (200 only while a version is served and the
            node does not drain) and /config.

            SIGTERM and SIGINT drain and end it; a second one ends it at once. SIGUSR1 opens log files again,
            SIGHUP reads the certificates of --certificates again.
            A node that has joined starts from DIR with the control plane away. 'proxy-node upgrade' replaces it.
            """
    )

    @Option(
        help: ArgumentHelp("The node's directory.", valueName: "dir"),
        completion: .directory
    )
    var data: String?

    @Option(
        help: ArgumentHelp(
            "The control plane's addresses for nodes, separated by commas.",
            valueName: "host:port,…"
        )
    )
    var control: ControlAddresses?

    @Option(
        help: ArgumentHelp(
            "The file with the join token; needed once. It may be missing afterwards.",
            valueName: "file"
        ),
        completion: .file()
    )
    var tokenFile: String?

    @Option(help: ArgumentHelp("The node's name (default: the host's name).", valueName: "name"))
    var name: String?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "A label of the node, for groups and zones of the configuration; may be given again.",
            valueName: "key=value"
        )
    )
    var labels: [Label] = []

    @Option(
        help: ArgumentHelp(
            "Serve this file, which 'proxyctl compile' made, without a control plane.",
            valueName: "file"
        ),
        completion: .file()
    )
    var snapshot: String?

    @Option(
        help: ArgumentHelp(
            "With --snapshot: where certificates are, as NAME.crt and NAME.key, and NAME.pem of authorities.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var certificates: String?

    @Option(
        help: ArgumentHelp(
            "Threads that serve (default: the CPUs that the process may use).",
            valueName: "count"
        )
    )
    var workers: Int?

    @Option(
        help: ArgumentHelp(
            "The admin address; port 0 lets the system choose.",
            valueName: "host:port"
        )
    )
    var admin = HostPort(host: "127.0.0.1", port: 9901)

    @Option(
        help: ArgumentHelp(
            "How long exchanges may go on when the node drains, such as 30s or 5m.",
            valueName: "duration"
        )
    )
    var drainTimeout = Seconds(count: 30)

    @Flag(help: "Log debug events too.")
    var debug = false

    @Flag(help: .hidden)
    var takeOver = false

    func validate() throws {
        if let workers, !(1...1024).contains(workers) {
            throw ValidationError("--workers \(workers): it must be 1 to 1024")
        }
        guard snapshot == nil else {
            if takeOver { throw ValidationError("--take-over is for 'proxy-node upgrade' alone") }
            if data != nil || control != nil || tokenFile != nil || name != nil {
                throw ValidationError(
                    "--snapshot is for a node alone: leave out --data, --control, --token-file and --name"
                )
            }
            return try checkLabels()
        }
        guard certificates == nil else {
            throw ValidationError("--certificates is for a node alone, with --snapshot")
        }
        guard data != nil, control != nil else {
            throw ValidationError("name --data DIR and --control HOST:PORT, or --snapshot FILE")
        }
        if let name, let fault = ResourceName.fault(in: name) {
            throw ValidationError("--name: \(fault)")
        }
        try checkLabels()
    }

    private func checkLabels() throws {
        if Set(labels.map(\.key)).count < labels.count {
            throw ValidationError("--label: a key is given twice")
        }
    }

    func run() throws {
        let settings = NodeSettings(
            source: source,
            admin: admin,
            workerCount: workers ?? availableCPUCount(),
            drainTimeout: .seconds(drainTimeout.count),
            showsDebug: debug,
            labels: Dictionary(labels.map { ($0.key, $0.value) }) { first, _ in first },
            certificates: certificates,
            arguments: Array(CommandLine.arguments.dropFirst()),
            takesOver: takeOver
        )
        try NodeProcess(settings).run()
    }

    private var source: NodeSettings.Source {
        if let snapshot { return .snapshot(snapshot) }
        return .fleet(
            FleetSettings(
                directory: data ?? ".",
                controls: control?.addresses ?? [],
                tokenFile: tokenFile,
                name: name
            )
        )
    }
}

extension HostPort: ExpressibleByArgument {
    /// Reads an option's value.
    package init?(argument: String) { self.init(argument) }

    /// How help shows it.
    package var defaultValueDescription: String { description }
}

/// `host:port,host:port`.
struct ControlAddresses: ExpressibleByArgument {
    let addresses: [HostPort]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let addresses = parts.compactMap { HostPort(String($0)) }
        guard addresses.count == parts.count, addresses.allSatisfy({ $0.port > 0 }) else {
            return nil
        }
        self.addresses = addresses
    }
}

/// `key=value`.
struct Label: ExpressibleByArgument {
    let key: String
    let value: String

    init?(argument: String) {
        guard let separator = argument.firstIndex(of: "="), separator > argument.startIndex,
            argument.utf8.count <= 256
        else { return nil }
        key = String(argument[..<separator])
        value = String(argument[argument.index(after: separator)...])
    }
}

/// `30s`, `5m`, `1h` or `500ms`, at least 0.
struct Seconds: ExpressibleByArgument {
    let count: Double

    init(count: Double) {
        self.count = count
    }

    init?(argument: String) {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        for (unit, factor) in units where argument.hasSuffix(unit) {
            guard let number = UInt32(argument.dropLast(unit.count)) else { continue }
            count = Double(number) * factor
            return
        }
        return nil
    }

    var defaultValueDescription: String { "\(Int(count))s" }
}
