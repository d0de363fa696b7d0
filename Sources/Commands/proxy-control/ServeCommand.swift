import ACME
import AdminAPI
import ArgumentParser
import Authority
import ControlStore
import Credentials
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

    @Option(
        help: ArgumentHelp(
            "How long a key makes TLS session tickets, from 4s to 30d.",
            valueName: "time"
        )
    )
    var ticketPeriod = PeriodArgument(seconds: CredentialLimits.ticketPeriodSeconds)

    @Option(
        help: ArgumentHelp(
            "How long self-signed certificates are valid, from 4s to 3650d.",
            valueName: "time",
            visibility: .hidden
        )
    )
    var selfSignedLife = PeriodArgument(seconds: 86_400 * Int64(AuthorityLimits.selfSignedDays))

    @Option(
        help: ArgumentHelp(
            "How long a failed order at a certificate authority rests first, from 4s to 30d.",
            valueName: "time",
            visibility: .hidden
        )
    )
    var acmeRetry = PeriodArgument(seconds: ACMELimits.retrySecondsMin)

    @Option(
        help: ArgumentHelp(
            "How long certificates of nodes are valid, from 4s to 3650d.",
            valueName: "time",
            visibility: .hidden
        )
    )
    var nodeLife = PeriodArgument(seconds: 3600 * Int64(AuthorityLimits.nodeHours))

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
        let authority = try await Authority(store: store, nodeSeconds: nodeLife.seconds)
        let files = OperatorFiles(directory: directory)
        let tokenDigest = try await files.prepare(authority)

        let credentials = CredentialKeeper(
            store: store,
            authority: authority,
            settings: credentialSettings,
            clock: { Int64(realtimeNanoseconds() / 1_000_000) },
            logger: logger
        )
        let material = try await credentials.open()
        let stored = StoredFleet(store: store, authority: authority)
        let nodes = FleetServer(
            settings: try .init(
                host: fleet.host,
                port: fleet.port,
                authority: authority,
                renewalSeconds: nodeLife.seconds < 3600 ? nodeLife.seconds / 8 : nil
            ),
            store: stored,
            issuer: stored,
            logger: logger,
            materialHeld: { credentials.materialHeld($0) }
        )
        nodes.materialChanged(to: material)
        let fleetAddress = try await start(nodes)
        let orders = orderDesk(store, credentials, nodes, logger)
        let server = try AdminServer(
            .init(
                host: admin.host,
                port: admin.port,
                authority: authority,
                tokenDigest: tokenDigest
            ),
            service: AdminService(
                store: store,
                authority: authority,
                credentials: credentials,
                fleet: ServedFleet(nodes),
                authorityChanged: {
                    await Self.takeOver(authority, files, nodes, logger)
                },
                secretChanged: { await orders.secretChanged($0) }
            ),
            logger: logger,
            onBound: { host, port in
                let address = HostPort(host: host, port: port)
                Self.announce(address, fleetAddress, files, limit, logger, output)
            }
        )
        try await serve(nodes, server, credentials, orders, logger)
        try store.close()
        logger.notice("control.stopped")
    }

    /// What orders certificates for the nodes.
    private func orderDesk(
        _ store: SQLiteConfigStore,
        _ credentials: CredentialKeeper,
        _ nodes: FleetServer,
        _ logger: Logger
    ) -> OrderDesk {
        var settings = OrderDesk.Settings()
        settings.retrySeconds = acmeRetry.seconds
        return OrderDesk(
            store: store,
            keeper: credentials,
            nodes: .init(
                statuses: { try await nodes.directory.nodes() },
                challengesChanged: { nodes.challengesChanged(to: $0) },
                materialChanged: { nodes.materialChanged(to: $0) }
            ),
            settings: settings,
            clock: { Int64(realtimeNanoseconds() / 1_000_000) },
            logger: logger
        )
    }

    private var credentialSettings: CredentialKeeper.Settings {
        var settings = CredentialKeeper.Settings()
        settings.ticketPeriodSeconds = ticketPeriod.seconds
        settings.selfSignedSeconds = selfSignedLife.seconds
        return settings
    }

    /// Tells nodes and operators' files which authorities are trusted now; what fails is done at the next start.
    private static func takeOver(
        _ authority: Authority,
        _ files: OperatorFiles,
        _ nodes: FleetServer,
        _ logger: Logger
    ) async {
        do {
            var trusted: [TrustedAuthority]
            repeat {
                trusted = authority.trusted
                try files.writeAuthorities(authority)
                try await nodes.identityChanged(to: FleetServer.Identity(authority))
                // Two changes at once may come here in any order: what is in force last is taken over last.
            } while authority.trusted != trusted
            logger.notice("control.authority_changed")
        } catch {
            logger.error(
                "control.authority_pending",
                metadata: ["error": "\(error)", "remedy": "restart proxy-control"]
            )
        }
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
        _ credentials: CredentialKeeper,
        _ orders: OrderDesk,
        _ logger: Logger
    ) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [
                FleetService(server: nodes), CredentialService(keeper: credentials, server: nodes),
                OrderService(desk: orders), server, Notifier(logger: logger),
            ],
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

/// Renews certificates and rotates ticket keys while the process runs.
private struct CredentialService: Service {
    let keeper: CredentialKeeper
    let server: FleetServer

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await keeper.run { server.materialChanged(to: $0) }
        }
    }
}

/// Orders certificates at authorities while the process runs.
private struct OrderService: Service {
    let desk: OrderDesk

    func run() async throws {
        await cancelWhenGracefulShutdown { await desk.run() }
    }
}

/// A length of time as an argument: `30s`, `5m`, `8h`, `90d`.
struct PeriodArgument: ExpressibleByArgument {
    let seconds: Int64

    /// That many seconds.
    init(seconds: Int64) {
        self.seconds = seconds
    }

    /// Reads digits and a unit.
    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        let units: [Substring: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let count = Int64(digits), count <= 1_000_000_000,
            let unit = units[argument.dropFirst(digits.count)],
            (4...(3650 * 86_400)).contains(count * unit)
        else { return nil }
        seconds = count * unit
    }

    /// As it is shown in help texts.
    var defaultValueDescription: String {
        seconds % 86_400 == 0 ? "\(seconds / 86_400)d" : "\(seconds / 3600)h"
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
