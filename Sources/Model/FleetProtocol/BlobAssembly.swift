import FleetMessages
import FleetModel

/// Puts blobs together from the parts that arrive.
///
/// Parts of one blob come in order and without another blob's in between, so at most one is incomplete. Nothing is
/// taken that was not asked for.
struct BlobAssembly {
    /// Complete blobs, each with the digest under which it was asked for.
    private(set) var blobs: [Digest: [UInt8]] = [:]
    private var missing: Set<Digest>
    private var partial: Partial?
    private var bytesReceived: Int
    private let blobBytesMax: Int

    private struct Partial {
        let digest: Digest
        let size: Int
        var octets: [UInt8]
    }

    /// - Parameters:
    ///   - missing: What was asked for.
    ///   - blobBytesMax: Largest size of one blob, in octets.
    ///   - bytesBefore: Octets of the version that were received already; they count towards its limit.
    init(missing: some Sequence<Digest>, blobBytesMax: Int, bytesBefore: Int = 0) {
        self.missing = Set(missing)
        self.blobBytesMax = blobBytesMax
        bytesReceived = bytesBefore
    }

    /// Whether everything that was asked for is here.
    var isComplete: Bool { missing.isEmpty }

    /// Takes one part.
    ///
    /// - Throws: `fieldInvalid`, `limitExceeded` or `digestMismatch`; the transfer cannot go on.
    mutating func add(_ part: WireBlobPart) throws(FleetProtocolError) {
        guard let digest = Digest(octets: octets(part.digest)), missing.contains(digest) else {
            throw .fieldInvalid(.blobChunk, field: "parts.digest")
        }
        let size = Int(part.size)
        guard size <= blobBytesMax else { throw .limitExceeded(.blobChunk, what: "parts.size") }
        bytesReceived += part.octets.count
        guard bytesReceived <= Limits.snapshotBytesMax else {
            throw .limitExceeded(.blobChunk, what: "all blobs of a version")
        }
        var current = Partial(digest: digest, size: size, octets: [])
        if let begun = partial.take() {
            guard begun.digest == digest, begun.size == size else {
                throw .fieldInvalid(.blobChunk, field: "parts.digest")
            }
            current = begun
        }
        guard Int(part.offset) == current.octets.count,
            current.octets.count + part.octets.count <= size
        else { throw .fieldInvalid(.blobChunk, field: "parts.offset") }
        current.octets.append(contentsOf: part.octets)
        guard current.octets.count == size else {
            partial = current
            return
        }
        guard Digest(hashing: current.octets) == digest else {
            throw .digestMismatch("blob \(digest.short)")
        }
        missing.remove(digest)
        blobs[digest] = current.octets
    }
}
