import FleetMessages
import FleetModel
import FleetProtocol
import NIOCore

/// A payload to be sent in chunks, shared by all nodes that are sent the same.
struct ChunkPayload: Sendable {
    let payload: ByteBuffer

    /// The header that goes before it.
    func header(correlation: UInt32) -> ByteBuffer {
        var header = ByteBuffer()
        header.reserveCapacity(FleetProtocol.Limits.frameHeaderBytes)
        header.writeInteger(UInt32(payload.readableBytes))
        header.writeInteger(FrameType.blobChunk.rawValue)
        header.writeInteger(UInt16(0))
        header.writeInteger(correlation)
        return header
    }
}

/// A head as it is sent to every node that serves the same base: encoded once, its octets shared.
struct EncodedOffer: Sendable {
    /// A whole frame.
    let frame: ByteBuffer
    /// What the frame announces, if it is too large for it.
    let chunks: [ChunkPayload]
    /// Of the frame and of the chunks.
    let correlation: UInt32

    /// The head whole, or as a delta to `base`.
    init(_ version: SignedManifest, base: Manifest?) {
        // The upper half of the numbers is ours, the lower is the nodes'.
        correlation = 1 << 31 | UInt32(truncatingIfNeeded: version.head.version) >> 1
        let (message, octets) = Self.message(version, base)
        frame = ByteBuffer(bytes: message.frame(correlation: correlation).encoded())
        if let octets {
            chunks = encodeChunks([(Digest(hashing: octets), octets)])
        } else {
            chunks = []
        }
    }

    /// The message, and the octets that have to follow it in chunks.
    private static func message(
        _ version: SignedManifest,
        _ base: Manifest?
    ) -> (FleetMessage, [UInt8]?) {
        guard let base else {
            var message = WireManifest()
            message.head = version.head.message
            let entries = WireManifestEntries(version.manifest)
            let octets = serialise(entries)
            guard octets.count > FleetProtocol.Limits.chunkBytesMax else {
                message.entries = entries
                return (.manifest(message), nil)
            }
            message.chunked = reference(octets)
            return (.manifest(message), octets)
        }
        var message = WireManifestDelta()
        message.head = version.head.message
        message.baseDigest = wireOctets(base.digest.octets)
        let operations = WireDeltaOperations(ManifestDelta(from: base, to: version.manifest))
        let octets = serialise(operations)
        guard octets.count > FleetProtocol.Limits.chunkBytesMax else {
            message.operations = operations
            return (.manifestDelta(message), nil)
        }
        message.chunked = reference(octets)
        return (.manifestDelta(message), octets)
    }

    private static func reference(_ octets: [UInt8]) -> WireBlobReference {
        var reference = WireBlobReference()
        reference.digest = wireOctets(Digest(hashing: octets).octets)
        reference.size = UInt32(octets.count)
        return reference
    }
}

/// Cuts blobs into chunks: small ones share a chunk, large ones span several.
///
/// Parts of one blob follow each other, as the receiver expects.
func encodeChunks(_ blobs: some Sequence<(Digest, [UInt8])>) -> [ChunkPayload] {
    var chunks: [ChunkPayload] = []
    var chunk = WireBlobChunk()
    var room = FleetProtocol.Limits.chunkBytesMax
    func finish() {
        guard !chunk.parts.isEmpty else { return }
        chunks.append(ChunkPayload(payload: ByteBuffer(bytes: serialise(chunk))))
        chunk = WireBlobChunk()
        room = FleetProtocol.Limits.chunkBytesMax
    }
    for (digest, octets) in blobs {
        var offset = 0
        repeat {
            // An empty blob is one empty part.
            if room == 0 || chunk.parts.count == Limits.chunkPartCountMax { finish() }
            var part = WireBlobPart()
            let count = min(room, octets.count - offset)
            part.digest = wireOctets(digest.octets)
            part.size = UInt32(octets.count)
            part.offset = UInt32(offset)
            part.octets = wireOctets(Array(octets[offset..<offset + count]))
            chunk.parts.append(part)
            room -= count
            offset += count
        } while offset < octets.count
    }
    finish()
    return chunks
}
