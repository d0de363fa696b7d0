import FleetModel
import Foundation
import Logging
import NIOCore

/// The way from other threads to the fleet's state, all of which is confined to one event loop.
///
/// One loop serves the whole fleet: a change reaches 1,000 nodes with 1,000 small writes of shared octets, about
/// 20 ms of it, and in return no fact is ever seen half changed and nothing is locked.
final class FleetLoop: Sendable {
    let loop: any EventLoop
    let store: any FleetStore
    let issuer: any CertificateIssuer
    let library: OfferLibrary
    let logger: Logger
    /// The time in milliseconds since 1970-01-01 UTC.
    let clock: @Sendable () -> Int64
    /// Called when all nodes that are to hold the material of a generation do; returns at once.
    let materialHeld: @Sendable (UInt64) -> Void
    private let fleet: NIOLoopBoundBox<Fleet?>

    init(
        loop: any EventLoop,
        store: any FleetStore,
        issuer: any CertificateIssuer,
        logger: Logger,
        clock: (@Sendable () -> Int64)? = nil,
        materialHeld: @escaping @Sendable (UInt64) -> Void = { _ in }
    ) {
        self.materialHeld = materialHeld
        (self.loop, self.store, self.issuer) = (loop, store, issuer)
        self.logger = logger
        self.clock = clock ?? { Int64(Date.now.timeIntervalSince1970 * 1_000) }
        library = OfferLibrary(store: store)
        fleet = NIOLoopBoundBox.makeBoxSendingValue(nil, eventLoop: loop)
    }

    /// The state; only on the loop.
    var onLoop: Fleet {
        if let known = fleet.value { return known }
        let made = Fleet(owner: self)
        fleet.value = made
        return made
    }

    /// Runs `body` on the loop and waits for it.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Fleet) throws -> Value
    ) async throws -> Value {
        try await loop.submit { try body(self.onLoop) }.get()
    }

    /// Does `work` off the loop and calls `body` with what came of it, on the loop.
    func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value,
        then body: @escaping (Result<Value, any Error>) -> Void
    ) {
        loop.makeFutureWithTask(work).assumeIsolated().whenComplete(body)
    }
}
