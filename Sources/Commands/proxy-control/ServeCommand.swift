import AdminAPI
import ArgumentParser
import Authority
import ControlStore
import FleetModel
import FleetServer
import Logging
import ServiceLifecycle
import SystemCalls
import UnixSignals

/// `proxy-control serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the control plane.",
        discussion: """
            On first start the directory gets the cluster's CA, its keys and an admin token.
            Once both addresses are bound, one line goes to standard error:
              ready admin=HOST:PORT fleet=HOST:PORT
            and DIR/proxyctl.yaml is a context for 'proxyctl --config'.
            SIGTERM and SIGINT stop it; nodes go on serving what they have.
            """
    )

    @OptionGroup var data: DataOptions

    @Option(
        help: ArgumentHelp(
            "The admin API's address; port 0 lets the system choose.",
            valueName: "host:port"
        )
    )
    var admin = HostPort(host: "127.0.0.1", port: 7443)

    @Option(
        help: ArgumentHelp(
            "The address for nodes; port 0 lets the system choose.",
            valueName: "host:port"
        )
    )
    var fleet = HostPort(host: "127.0.0.1", port: 7444)

    @Option(help: "Least level of what is logged.")
    var logLevel = LogLevel.info

    func run() async throws {
        ignoreBrokenPipes()
        let output = EventLogOutput()
        defer { output.flush() }
        let level = logLevel.level
        LoggingSystem.bootstrap { _ in EventLogHandler(level: level, output: output) }
        let logger = Logger(label: "weir")
        let limit = try raiseDescriptorLimit()

        let directory = try StoreDirectory(data.directory)
        let store = try SQLiteConfigStore(directory)
        let authority = try await Authority(store: store)
        let files = OperatorFiles(directory: directory)
        let tokenDigest = try await files.prepare(authority)

        let stored = StoredFleet(store: store, authority: authority)
        let nodes = FleetServer(
            settings: try .init(host: fleet.host, port: fleet.port, authority: authority),
            store: stored,
            issuer: stored,
            logger: logger
        )
        let fleetAddress = try await start(nodes)
        let server = try AdminServer(
            .init(
                host: admin.host,
                port: admin.port,
                authority: authority,
                tokenDigest: tokenDigest
            ),
            service: AdminService(store: store, authority: authority, fleet: ServedFleet(nodes)),
            logger: logger,
            onBound: { host, port in
                let address = HostPort(host: host, port: port)
                Self.announce(address, fleetAddress, files, limit, logger, output)
            }
        )
        try await serve(nodes, server, logger)
        try store.close()
        logger.notice("control.stopped")
    }

    private func start(_ nodes: FleetServer) async throws -> HostPort {
        do {
            let (host, port) = try await nodes.start()
            return HostPort(host: host, port: port)
        } catch {
            throw ListenFailure(error, host: fleet.host, port: fleet.port)
        }
    }

    /// Runs both servers until a signal or until one fails; the last service is stopped first.
    private func serve(
        _ nodes: FleetServer,
        _ server: AdminServer,
        _ logger: Logger
    ) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [FleetService(server: nodes), server, Notifier(logger: logger)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }
        )
        configuration.maximumGracefulShutdownDuration = .seconds(10)
        try await ServiceGroup(configuration: configuration).run()
    }

    /// Says that both addresses are bound: to the operator's files, to people, to systemd.
    private static func announce(
        _ admin: HostPort,
        _ fleet: HostPort,
        _ files: OperatorFiles,
        _ descriptorLimit: Int,
        _ logger: Logger,
        _ output: EventLogOutput
    ) {
        do {
            try files.writeContext(server: "https://\(admin.local)")
        } catch {
            logger.error("control.context_unwritten", metadata: ["error": "\(error)"])
        }
        logger.notice(
            "control.started",
            metadata: ["build": "\(buildVersion)", "descriptors": "\(descriptorLimit)"]
        )
        output.write("ready admin=\(admin) fleet=\(fleet)\n")
        notifyServiceManager("READY=1")
    }
}

/// The fleet's server as a service: it runs since `start`, and stops with the others.
private struct FleetService: Service {
    let server: FleetServer

    func run() async throws {
        // Cancelled is stopped too: another service has failed.
        try? await gracefulShutdown()
        try await server.shutdown()
    }
}

/// Tells systemd and the log that the process is about to end.
private struct Notifier: Service {
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        notifyServiceManager("STOPPING=1")
        logger.notice("control.stopping")
    }
}

/// Least level of what is logged.
enum LogLevel: String, CaseIterable, ExpressibleByArgument {
    case debug, info, notice, warning, error

    var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
