import FleetModel
import FleetProtocol
import NIOCore

/// The first of some contents that a node asked for, as they are sent.
struct ContentChunks: Sendable {
    let payloads: [ChunkPayload]
    /// How many of the contents asked for, from the first on, they hold.
    let contentCount: Int
}

/// Encodes what nodes are sent, once for all that are sent the same.
///
/// It reads the store and encodes away from the event loop. Callers that ask for the same while it is being made
/// wait for the same task.
actor OfferLibrary {
    private struct OfferKey: Hashable {
        let version: Holding
        let base: Digest?
    }

    private let store: any FleetStore
    private var offers: [OfferKey: Task<EncodedOffer?, any Error>] = [:]
    private var offerOrder: [OfferKey] = []
    private var chunks: [[Digest]: Task<ContentChunks?, any Error>] = [:]
    private var chunkOrder: [(key: [Digest], bytes: Int)] = []

    init(store: any FleetStore) {
        self.store = store
    }

    /// The head as it is sent to nodes that serve `base`, or that serve nothing.
    ///
    /// - Returns: `nil` if no version has that base.
    /// - Throws: What the store throws; the next caller tries again.
    func offer(_ version: SignedManifest, base: Digest?) async throws -> EncodedOffer? {
        let key = OfferKey(version: Holding(version.head), base: base)
        if let known = offers[key] { return try await known.value }
        let task = Task { () throws -> EncodedOffer? in
            guard let base else { return EncodedOffer(version, delta: nil) }
            guard let manifest = try await store.manifest(base) else { return nil }
            return try await encode(version, over: manifest)
        }
        offers[key] = task
        offerOrder.append(key)
        if offerOrder.count > Limits.encodedOfferCountMax {
            offers[offerOrder.removeFirst()] = nil
        }
        do {
            return try await task.value
        } catch {
            offers[key] = nil
            offerOrder.removeAll { $0 == key }
            throw error
        }
    }

    /// The first of the contents with these digests in chunks: as many as are read ahead.
    ///
    /// - Parameter digests: At least one, none twice.
    /// - Returns: `nil` if the first is not stored.
    /// - Throws: What the store throws; the next caller tries again.
    func chunks(of digests: [Digest]) async throws -> ContentChunks? {
        if let known = chunks[digests] { return try await known.value }
        let task = Task { [store] () throws -> ContentChunks? in
            let contents = try await store.leadingBlobs(
                digests,
                bytesMax: Limits.contentBytesAhead
            )
            guard !contents.isEmpty else { return nil }
            return ContentChunks(
                payloads: chunkPayloads(zip(digests, contents)).map(ChunkPayload.init),
                contentCount: contents.count
            )
        }
        chunks[digests] = task
        do {
            guard let made = try await task.value else {
                chunks[digests] = nil
                return nil
            }
            trim(adding: digests, bytes: made.payloads.reduce(0) { $0 + $1.payload.readableBytes })
            return made
        } catch {
            chunks[digests] = nil
            throw error
        }
    }

    @concurrent
    private nonisolated func encode(
        _ version: SignedManifest,
        over base: Manifest
    ) async throws -> EncodedOffer {
        let delta = ManifestDelta(from: base, to: version.manifest)
        return EncodedOffer(version, delta: delta, contents: try await newContents(delta, base))
    }

    /// The contents that the base lacks, if they are few enough to go with a delta.
    private nonisolated func newContents(
        _ delta: ManifestDelta,
        _ base: Manifest
    ) async throws -> [[UInt8]] {
        let entries = delta.insertions
        let (countMax, bytesMax) = (
            FleetProtocol.Limits.deltaContentCountMax, FleetProtocol.Limits.deltaContentBytesMax
        )
        guard entries.count <= countMax else { return [] }
        let digests = Set(entries.map(\.digest)).subtracting(base.entries.lazy.map(\.digest))
        let contents = try await store.leadingBlobs(Array(digests), bytesMax: bytesMax + 1)
        let isWhole = contents.count == digests.count
        return isWhole && contents.reduce(0, { $0 + $1.count }) <= bytesMax ? contents : []
    }

    /// Forgets the oldest chunks over the limit; nodes that are being sent them keep them.
    private func trim(adding key: [Digest], bytes: Int) {
        guard !chunkOrder.contains(where: { $0.key == key }) else { return }
        chunkOrder.append((key, bytes))
        var total = chunkOrder.reduce(0) { $0 + $1.bytes }
        while total > Limits.chunkCacheBytesMax || chunkOrder.count > Limits.encodedOfferCountMax {
            let oldest = chunkOrder.removeFirst()
            chunks[oldest.key] = nil
            total -= oldest.bytes
        }
    }
}
