import FleetMessages
package import FleetModel

/// A head as it is sent to every node that serves the same base.
package struct OfferEncoding: Sendable {
    /// Manifest or ManifestDelta.
    package let frame: Frame
    /// Payloads of the BlobChunk frames that follow at once if the content is too large for the frame; they have the
    /// frame's correlation.
    package let chunks: [[UInt8]]

    /// The head whole, or as a delta; whole too where the delta would be more than a node takes.
    ///
    /// - Parameters:
    ///   - version: The head.
    ///   - delta: From what the nodes serve to the head.
    ///   - contents: Contents that the base lacks, to go with a delta: at most `Limits.deltaContentCountMax` of
    ///     `Limits.deltaContentBytesMax` octets.
    package init(_ version: SignedManifest, delta: ManifestDelta?, contents: [[UInt8]] = []) {
        self.init(version, delta, contents, operationCountMax: Limits.manifestEntryCountMax)
    }

    init(
        _ version: SignedManifest,
        _ delta: ManifestDelta?,
        _ contents: [[UInt8]] = [],
        operationCountMax: Int
    ) {
        let (message, octets) =
            delta.flatMap { Self.delta(version, $0, contents, operationCountMax) }
            ?? Self.whole(version)
        // The upper half of the numbers is the control plane's, the lower is the nodes'.
        let number = UInt32(truncatingIfNeeded: version.head.version)
        let correlation = 1 << 31 | number & 0x7fff_ffff
        frame = message.frame(correlation: correlation)
        chunks = octets.map { chunkPayloads([(Digest(hashing: $0), $0)]) } ?? []
    }

    /// The manifest, and the octets that have to follow it in chunks.
    private static func whole(_ version: SignedManifest) -> (FleetMessage, [UInt8]?) {
        var message = WireManifest()
        message.head = version.head.message
        let entries = WireManifestEntries(version.manifest)
        let octets = serialise(entries)
        guard octets.count > Limits.chunkBytesMax else {
            message.entries = entries
            return (.manifest(message), nil)
        }
        message.chunked = reference(octets)
        return (.manifest(message), octets)
    }

    /// The delta, and the octets that have to follow it in chunks; `nil` if a node would refuse it.
    private static func delta(
        _ version: SignedManifest,
        _ delta: ManifestDelta,
        _ contents: [[UInt8]],
        _ operationCountMax: Int
    ) -> (FleetMessage, [UInt8]?)? {
        var message = WireManifestDelta()
        message.head = version.head.message
        message.contents = contents.map(wireOctets)
        message.baseDigest = wireOctets(delta.base.octets)
        let operations = WireDeltaOperations(delta)
        guard operations.operations.count <= operationCountMax else { return nil }
        let octets = serialise(operations)
        guard octets.count <= Limits.manifestBytesMax else { return nil }
        guard octets.count > Limits.chunkBytesMax else {
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

/// Cuts blobs into payloads of BlobChunk frames: small ones share a chunk, large ones span several.
///
/// Parts of one blob follow each other, as the receiver expects.
package func chunkPayloads(_ blobs: some Sequence<(Digest, [UInt8])>) -> [[UInt8]] {
    var payloads: [[UInt8]] = []
    var chunk = WireBlobChunk()
    var room = Limits.chunkBytesMax
    func finish() {
        guard !chunk.parts.isEmpty else { return }
        payloads.append(serialise(chunk))
        chunk = WireBlobChunk()
        room = Limits.chunkBytesMax
    }
    for (digest, octets) in blobs {
        var offset = 0
        repeat {
            // An empty blob is one empty part.
            if room == 0 || chunk.parts.count == Limits.chunkPartCountMax { finish() }
            let count = min(room, octets.count - offset)
            var part = WireBlobPart()
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
    return payloads
}
