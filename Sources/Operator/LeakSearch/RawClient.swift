internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Sends one request on a connection of its own, and takes what comes back as it comes.
///
/// A client library would hide what is looked for: interim heads, reason phrases, trailers. Certificates are not
/// verified: nothing secret is sent, and what is asked is what the listener tells anybody.
enum RawClient {
    /// Why nothing came back.
    struct Fault: Error, CustomStringConvertible {
        let description: String
        /// Whether no connection could be made.
        let isUnreachable: Bool
    }

    /// Sends a request.
    ///
    /// - Returns: All octets up to the end of the connection, or as many as the search looks at.
    /// - Throws: `Fault` when nothing came.
    static func exchange(_ request: LeakRequest) async throws(Fault) -> [UInt8] {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await connect(request)
        } catch {
            throw Fault(
                description: "no connection to \(request.place): \(error)",
                isUnreachable: true
            )
        }
        let octets = Gathered()
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await talk(request, channel, octets) }
                group.addTask {
                    try await Task.sleep(for: LeakSearchLimits.exchangeDuration)
                    throw CancellationError()
                }
                try await group.next()
                group.cancelAll()
            }
        } catch {
            // A listener may end its side in any way once it has answered.
        }
        let result = await octets.octets
        guard !result.isEmpty else {
            throw Fault(description: "no answer", isUnreachable: false)
        }
        return result
    }

    /// What has come so far.
    private actor Gathered {
        private(set) var octets: [UInt8] = []

        /// Takes more; `false` when it is enough.
        func add(_ buffer: ByteBuffer) -> Bool {
            octets += buffer.readableBytesView
            return octets.count < LeakSearchLimits.answerBytesMax
        }
    }

    private static func talk(
        _ request: LeakRequest,
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>,
        _ octets: Gathered
    ) async throws {
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: request.octets))
            for try await buffer in inbound {
                guard await octets.add(buffer) else { break }
            }
        }
    }

    private static func connect(
        _ request: LeakRequest
    ) async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["http/1.1"]
        let context = request.isSecure ? try NIOSSLContext(configuration: configuration) : nil
        let name = serverName(request)
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(LeakSearchLimits.connectDuration)
            .connect(host: request.place.host, port: request.place.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let handler = try NIOSSLClientHandler(
                            context: context,
                            serverHostname: name
                        )
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    /// The name to ask for in the handshake; an address is none (RFC 6066 §3).
    private static func serverName(_ request: LeakRequest) -> String? {
        let host = request.authority.prefix { $0 != ":" }
        guard host.contains(where: \.isLetter), !host.hasPrefix("[") else { return nil }
        return String(host)
    }
}
