import FleetMessages
import FleetModel
import FleetProtocol
import Logging
import NIOCore
import NIOSSL
import NIOTLS

/// Finds out who is at the other end once TLS is established, and puts the right `FleetConnection` in its place.
///
///     connected --TLS, ALPN weir/1--> no certificate -> stranger
///                                     certificate    -> asking the issuer -> member, or goodbye
final class PeerHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    static let applicationProtocol = "weir/1"

    private let fleet: Fleet
    /// Octets that arrived while the issuer was asked.
    private var early = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var isDecided = false
    private var isReplaced = false

    init(fleet: Fleet) {
        self.fleet = fleet
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: .seconds(Limits.handshakeSeconds)) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        decided()
    }

    func channelInactive(context: ChannelHandlerContext) {
        decided()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fleet.owner.logger.debug("fleet.handshake_failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
            guard negotiated == Self.applicationProtocol else {
                context.close(promise: nil)
                return
            }
            identify(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isReplaced {
            context.fireChannelRead(data)
            return
        }
        var buffer = unwrapInboundIn(data)
        early.writeBuffer(&buffer)
        let most = FleetProtocol.Limits.framePayloadBytesMaxUnauthenticated
        if early.readableBytes > most + FleetProtocol.Limits.frameHeaderBytes {
            context.close(promise: nil)
        }
    }

    private func identify(_ context: ChannelHandlerContext) {
        let certificate: [UInt8]?
        do {
            let peer = try context.pipeline.syncOperations.nioSSL_peerCertificate()
            certificate = try peer?.toDERBytes()
        } catch {
            context.close(promise: nil)
            return
        }
        guard let certificate else {
            replace(context, FleetConnection(fleet: fleet))
            return
        }
        let owner = fleet.owner
        owner.run({ [issuer = owner.issuer] in
            try await issuer.identify(certificate: certificate)
        }) { result in
            guard !self.isDecided else { return }
            switch result {
            case .success(.member(let record, let end)):
                let connection = FleetConnection(
                    member: record,
                    certificateEndSeconds: end,
                    fleet: self.fleet
                )
                self.replace(context, connection)
            case .success(.revoked(let name)):
                owner.logger.notice(
                    "node.refused",
                    metadata: ["node": "\(name)", "why": "revoked"]
                )
                self.refuse(context, goodbyeFrame(.revoked))
            case .success(.unknown(let reason)):
                owner.logger.warning("node.refused", metadata: ["why": "\(reason)"])
                self.refuse(context, goodbyeFrame(.unknownNode, detail: reason))
            case .failure(let error):
                owner.logger.error("node.identification_failed", metadata: ["error": "\(error)"])
                self.refuse(context, goodbyeFrame(.internal))
            }
        }
    }

    private func replace(_ context: ChannelHandlerContext, _ connection: FleetConnection) {
        let operations = context.pipeline.syncOperations
        do {
            try operations.addHandler(connection, position: .after(self))
        } catch {
            context.close(promise: nil)
            return
        }
        // From here on the connection counts itself.
        isReplaced = true
        if early.readableBytes > 0 { context.fireChannelRead(NIOAny(early)) }
        operations.removeHandler(self, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ goodbye: Frame) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: goodbye.encoded())), promise: nil)
        context.close(promise: nil)
    }

    private func decided() {
        guard !isDecided else { return }
        isDecided = true
        deadline?.cancel()
        if !isReplaced { fleet.handshakeEnded() }
    }
}
