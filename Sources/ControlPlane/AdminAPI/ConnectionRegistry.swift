import NIOCore
import Synchronization

/// The open connections of the admin listener, so that a stop does not wait for the slowest client.
final class ConnectionRegistry: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    /// A handler that keeps its connection in the registry for as long as it is open.
    var handler: any RemovableChannelHandler & Sendable { Member(registry: self) }

    /// Ends all connections, whatever they are doing.
    func closeAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    private final class Member: ChannelInboundHandler, RemovableChannelHandler, Sendable {
        typealias InboundIn = NIOAny

        private let registry: ConnectionRegistry

        init(registry: ConnectionRegistry) {
            self.registry = registry
        }

        func handlerAdded(context: ChannelHandlerContext) {
            let channel = context.channel
            registry.channels.withLock { $0[ObjectIdentifier(channel)] = channel }
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            let channel = context.channel
            _ = registry.channels.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }
}
