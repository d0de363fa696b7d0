package import Authority
import Cryptography
import FleetModel
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle

/// The listener of the admin API: HTTPS, TLS 1.2 or later, HTTP/1.1.
///
/// Graceful shutdown stops accepting, ends idle connections, and lets requests finish.
package struct AdminServer: Service {
    /// Where to listen and who the server is.
    package struct Settings: Sendable {
        /// An address or a name.
        package let host: String
        /// 0 lets the system choose.
        package let port: Int
        /// The server's certificate with its key.
        let identity: AdminIdentity
        /// SHA-256 of the admin token.
        let tokenDigest: [UInt8]

        /// A listener with a fresh certificate of the authority for `host` and the host's own names.
        ///
        /// - Throws: `AuthorityError` if its key fails.
        package init(
            host: String,
            port: Int,
            authority: Authority,
            tokenDigest: [UInt8]
        ) throws {
            (self.host, self.port, self.tokenDigest) = (host, port, tokenDigest)
            identity = try AdminIdentity(authority, host: host)
        }
    }

    private let settings: Settings
    private let router: AdminRouter
    private let tls: TLSConfiguration
    private let logger: Logger
    private let onBound: @Sendable (_ host: String, _ port: Int) async -> Void

    /// Prepares the server; nothing is bound yet.
    ///
    /// - Parameters:
    ///   - settings: Where to listen and who the server is.
    ///   - service: Does the work.
    ///   - logger: Gets a line for every change and every failure.
    ///   - onBound: Called once with the bound address.
    /// - Throws: If the certificate or its key cannot be used.
    package init(
        _ settings: Settings,
        service: AdminService,
        logger: Logger,
        onBound: @escaping @Sendable (_ host: String, _ port: Int) async -> Void
    ) throws {
        self.settings = settings
        self.logger = logger
        self.onBound = onBound
        router = AdminRouter(service, tokenDigest: settings.tokenDigest, logger: logger)
        let credentials = try settings.identity.credentials()
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: credentials.chain,
            privateKey: credentials.key
        )
        tls.sslContextCallback = { [identity = settings.identity] _, promise in
            promise.completeWith(Result { try identity.override() })
        }
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        tls.shutdownTimeout = AdminLimits.lingerTime
        self.tls = tls
    }

    /// Binds and serves until graceful shutdown.
    ///
    /// - Throws: What binding throws.
    package func run() async throws {
        let connections = ConnectionRegistry()
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [connections.handler],
            idleTimeout: AdminLimits.idleTime,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: AdminLimits.headerBytesMax,
                maxHeaderListSize: AdminLimits.headerBytesMax,
                maxHeaderFieldCount: AdminLimits.headerFieldsMax
            )
        )
        // Hummingbird has its own words for what happens to connections; they are for its developers.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            router: router.router(),
            server: try .tls(.http1(configuration: channel), tlsConfiguration: tls),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    AdminLimits.connectionsMax
                )
            ),
            onServerRunning: { [settings, onBound] channel in
                let address = channel.localAddress
                await onBound(
                    address?.ipAddress ?? settings.host,
                    address?.port ?? settings.port
                )
            },
            logger: quiet
        )
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run() }
                group.addTask { await Self.endStragglers(connections) }
                // The other one waits for the application's end, or was cancelled with it.
                try await group.next()
                group.cancelAll()
            }
        } catch let error as IOError {
            throw ListenFailure(error, host: settings.host, port: settings.port)
        }
    }

    /// Waits for the server to be stopped, and then ends what is still open after a while.
    private static func endStragglers(_ connections: ConnectionRegistry) async {
        // Cancelled means that nothing is left to wait for.
        try? await gracefulShutdown()
        while !Task.isCancelled {
            try? await Task.sleep(for: AdminLimits.stopDuration)
            connections.closeAll()
        }
        connections.closeAll()
    }
}

/// An address that cannot be listened on.
package struct ListenFailure: Error, Sendable, CustomStringConvertible {
    /// One line for people.
    package let description: String

    /// Says which address it is, and why it failed.
    package init(_ error: any Error, host: String, port: Int) {
        var reason = "\(error)"
        if let error = error as? IOError {
            // "bind(descriptor:ptr:bytes:): Address already in use) (errno: 98)"
            let words = error.description.split(separator: "): ").last ?? ""
            reason = String(words.prefix { $0 != "(" && $0 != ")" })
            while reason.hasSuffix(" ") { reason.removeLast() }
        }
        description = "cannot listen on \(HostPort(host: host, port: port)): \(reason)"
    }
}
