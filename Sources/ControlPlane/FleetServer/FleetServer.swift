package import FleetProtocol
package import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// The control plane's listener for nodes: TLS 1.3, ALPN `weir/1`, a client certificate from all but those who join.
///
/// `start` before anything else; `headChanged` after each new version; `directory` for the admin API.
package final class FleetServer: Sendable {
    /// Who the server is, and whom it believes.
    package struct Identity: Sendable {
        /// DER: the server's certificate with the name `control.weir`, then the authority's.
        let certificateChain: [[UInt8]]
        /// DER of the server certificate's key.
        let privateKey: [UInt8]
        /// DER: whose client certificates are accepted.
        let authorityCertificates: [[UInt8]]
        /// What nodes are told of it.
        let trust: FleetTrust
    }

    /// Where to listen and who the server is.
    package struct Settings: Sendable {
        package let host: String
        /// 0 lets the system choose.
        package let port: Int
        /// Who the server is at first.
        let identity: Identity
        /// Seconds between certificates of a node; nil is the limit's.
        let renewalSeconds: Int64?
    }

    /// What the admin API knows and may do.
    package let directory: FleetDirectory

    private let settings: Settings
    private let fleet: FleetLoop
    private let group: MultiThreadedEventLoopGroup
    private let listener: NIOLoopBoundBox<(any Channel)?>
    private let saving: NIOLoopBoundBox<RepeatedTask?>
    /// What new connections begin with.
    private let tls: NIOLoopBoundBox<NIOSSLContext?>

    /// Prepares the server; nothing is bound yet.
    ///
    /// - Parameters:
    ///   - settings: Where to listen.
    ///   - store: Versions, nodes and material.
    ///   - issuer: Who decides which nodes are members.
    ///   - logger: For events.
    ///   - materialHeld: Called when all nodes that are to hold the material of a generation do; returns at once.
    package init(
        settings: Settings,
        store: any FleetStore,
        issuer: any CertificateIssuer,
        logger: Logger,
        materialHeld: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) {
        self.settings = settings
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        fleet = FleetLoop(
            loop: loop,
            store: store,
            issuer: issuer,
            logger: logger,
            materialHeld: materialHeld
        )
        listener = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
        saving = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
        tls = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
        directory = FleetDirectory(fleet: fleet)
    }

    /// Reads the head and the nodes from the store, then binds and accepts.
    ///
    /// - Returns: The bound address, for the line that says the server is ready.
    /// - Throws: What the store, the TLS settings or binding throw.
    package func start() async throws -> (host: String, port: Int) {
        let records = try await fleet.store.nodes()
        let head = try await fleet.store.head()
        let adjustments = try await fleet.store.endExpiredAdjustments()
        try await fleet.read { [settings] fleet in
            fleet.setAdjustments(adjustments)
            fleet.remember(records)
            fleet.renewalSeconds = settings.renewalSeconds ?? Limits.renewalSeconds
            if let head { fleet.setHead(head) }
        }
        try await identityChanged(to: settings.identity)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: Limits.writeBufferWaterMark)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1_024,
                    initial: 2_048,
                    maximum: Limits.readBytesMax
                )
            )
            .childChannelInitializer { [fleet, tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let context = tls.value else { throw ChannelError.inputClosed }
                    try Self.initialise(channel, fleet.onLoop, context)
                }
            }
        let channel = try await bootstrap.bind(host: settings.host, port: settings.port).get()
        try await fleet.loop.submit { [fleet, listener, saving] in
            listener.value = channel
            let period = TimeAmount.seconds(Limits.seenSavingSeconds)
            saving.value = fleet.loop.scheduleRepeatedTask(initialDelay: period, delay: period) {
                _ in
                fleet.onLoop.saveSeen()
            }
        }.get()
        let address = channel.localAddress
        return (address?.ipAddress ?? settings.host, address?.port ?? settings.port)
    }

    /// Tells every node which material there is, unless a newer generation was told; returns at once.
    ///
    /// What a version needs is told before the version is offered.
    package func materialChanged(to material: FleetMaterial) {
        fleet.loop.execute { [fleet] in
            fleet.onLoop.setMaterial(material)
        }
    }

    /// Has every node answer these challenges, and no others; returns at once.
    package func challengesChanged(to challenges: FleetChallenges) {
        fleet.loop.execute { [fleet] in
            fleet.onLoop.setChallenges(challenges)
        }
    }

    /// Takes over another certificate and whom to believe: for new connections, and by telling every node.
    ///
    /// Sessions of nodes whose certificate is of an authority that is believed no more end.
    ///
    /// - Throws: If the certificate or its key cannot be used; nothing is changed then.
    package func identityChanged(to identity: Identity) async throws {
        let context = try NIOSSLContext(configuration: Self.tlsConfiguration(identity))
        try await fleet.loop.submit { [fleet, tls] in
            tls.value = context
            fleet.onLoop.setTrust(identity.trust)
        }.get()
    }

    /// Offers a version that was just stored to every node, unless a newer one was offered; returns at once.
    package func headChanged(to version: SignedManifest) {
        fleet.loop.execute { [fleet] in
            fleet.onLoop.headChanged(to: version)
        }
    }

    /// Says goodbye to all nodes and stops listening.
    package func shutdown() async throws {
        let closed = try await fleet.loop.submit { [fleet, listener, saving] in
            saving.value?.cancel()
            fleet.onLoop.stop()
            let channel = listener.value
            listener.value = nil
            return channel?.close() ?? fleet.loop.makeSucceededVoidFuture()
        }.get()
        try await closed.get()
        try await group.shutdownGracefully()
    }

    private static func initialise(
        _ channel: any Channel,
        _ fleet: Fleet,
        _ tls: NIOSSLContext
    ) throws {
        guard fleet.accept() else { throw ChannelError.inputClosed }
        channel.closeFuture.assumeIsolated().whenComplete { _ in fleet.connectionClosed() }
        let operations = channel.pipeline.syncOperations
        try operations.addHandler(NIOSSLServerHandler(context: tls))
        try operations.addHandler(PeerHandshake(fleet: fleet))
    }

    private static func tlsConfiguration(_ identity: Identity) throws -> TLSConfiguration {
        let chain = try identity.certificateChain.map { octets in
            NIOSSLCertificateSource.certificate(
                try NIOSSLCertificate(bytes: octets, format: .der)
            )
        }
        let key = try NIOSSLPrivateKey(bytes: identity.privateKey, format: .der)
        let authorities = try identity.authorityCertificates.map {
            try NIOSSLCertificate(bytes: $0, format: .der)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain,
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = [PeerHandshake.applicationProtocol]
        configuration.trustRoots = .certificates(authorities)
        // Who joins has no certificate; who shows one must show a good one. A client may resume a session, whose
        // certificate is then not verified anew: NIOSSL has no setting against that. It still has the certificate,
        // and the issuer looks at its end and whether it was revoked each time.
        configuration.certificateVerification = .optionalVerification
        configuration.shutdownTimeout = .milliseconds(Limits.goodbyeMilliseconds)
        return configuration
    }
}
