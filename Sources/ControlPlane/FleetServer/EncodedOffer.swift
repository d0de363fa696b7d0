import FleetModel
import FleetProtocol
import NIOCore

/// A payload to be sent in chunks, shared by all nodes that are sent the same.
struct ChunkPayload: Sendable {
    let payload: ByteBuffer

    init(_ octets: [UInt8]) {
        payload = ByteBuffer(bytes: octets)
    }

    /// The header that goes before it.
    func header(correlation: UInt32) -> ByteBuffer {
        var header = ByteBuffer()
        header.reserveCapacity(FleetProtocol.Limits.frameHeaderBytes)
        header.writeInteger(UInt32(payload.readableBytes))
        header.writeInteger(FrameType.blobChunk.rawValue)
        header.writeInteger(FrameFlags().rawValue)
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

    /// The head whole, or as a delta with the contents that its base lacks.
    init(_ version: SignedManifest, delta: ManifestDelta?, contents: [[UInt8]] = []) {
        let encoding = OfferEncoding(version, delta: delta, contents: contents)
        frame = ByteBuffer(bytes: encoding.frame.encoded())
        chunks = encoding.chunks.map(ChunkPayload.init)
        correlation = encoding.frame.correlation
    }
}
