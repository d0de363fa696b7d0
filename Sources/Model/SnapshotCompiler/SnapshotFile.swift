internal import Bytes
internal import Cryptography
package import FleetModel

/// A version with all its contents, as a file: what a node keeps as last good, and what `proxyctl compile` makes.
///
/// ```
///  0            8   9     12                16
/// +------------+---+-----+-----------------+-----------------------------------------+
/// | "WEIRSNP1" | f | 0 0 0 | header bytes  | cluster 16, epoch 8, version 8,         |
/// |            |   |       | (32 bit)      | manifest digest 32, signature 64        |
/// +------------+---+-------+---------------+-----------------------------------------+
/// | entry count (32 bit), entries as in the digest's input                           |
/// +----------------------------------------------------------------------------------+
/// | each distinct content in the order of its first entry: digest 32, bytes (32 bit), octets |
/// +----------------------------------------------------------------------------------+
/// | SHA-256 of everything before                                                     |
/// +----------------------------------------------------------------------------------+
/// ```
/// All numbers are big-endian. Bit 0 of `f` says that the file is signed; without it the signature is zeros.
package struct SnapshotFile: Hashable, Sendable {
    /// 16 octets; zeros when the file is of no cluster.
    package let clusterID: [UInt8]
    package let epoch: UInt64
    package let version: UInt64
    /// Ed25519, 64 octets; `nil` when the file is not signed.
    ///
    /// Decoding does not verify it.
    package let signature: [UInt8]?
    package let manifest: Manifest
    /// The octets of every digest in the manifest.
    package let contents: [Digest: [UInt8]]

    /// What is wrong with a file's octets.
    package enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case tooLarge
        case truncated
        case notASnapshot
        case checksumMismatch
        case headerInvalid
        case manifestInvalid
        case contentInvalid

        /// One clause for people.
        package var description: String {
            switch self {
            case .tooLarge: "it is larger than \(SnapshotFile.bytesMax) octets"
            case .truncated: "it is truncated"
            case .notASnapshot: "it is not a snapshot"
            case .checksumMismatch: "its checksum is wrong"
            case .headerInvalid: "its header is invalid"
            case .manifestInvalid: "its manifest is invalid"
            case .contentInvalid: "a content does not have its digest"
            }
        }
    }

    /// The largest file, in octets.
    package static let bytesMax = 256 << 20

    private static let magic = Array("WEIRSNP1".utf8)
    private static let headerBytes = 16 + 8 + 8 + 32 + 64

    /// Puts a file together.
    ///
    /// - Returns: `nil` when a content of the manifest is missing.
    package init?(
        clusterID: [UInt8],
        epoch: UInt64,
        version: UInt64,
        signature: [UInt8]?,
        manifest: Manifest,
        contents: [Digest: [UInt8]]
    ) {
        precondition(clusterID.count == 16, "a cluster's identity of \(clusterID.count) octets")
        var needed: [Digest: [UInt8]] = Dictionary(minimumCapacity: manifest.entries.count)
        for entry in manifest.entries {
            guard let octets = contents[entry.digest] else { return nil }
            needed[entry.digest] = octets
        }
        (self.clusterID, self.epoch, self.version) = (clusterID, epoch, version)
        (self.signature, self.manifest, self.contents) = (signature, manifest, needed)
    }

    /// Puts the unsigned file of a configuration together, for `proxy-node run --snapshot`.
    package init(_ configuration: Configuration) {
        clusterID = [UInt8](repeating: 0, count: 16)
        (epoch, version, signature) = (0, 0, nil)
        manifest = configuration.manifest
        var contents: [Digest: [UInt8]] = [:]
        for resource in configuration.resources { contents[resource.digest] = resource.content }
        self.contents = contents
    }

    /// The resources, in manifest order.
    package var resources: [Resource] {
        manifest.entries.map { entry in
            Resource(kind: entry.kind, name: entry.name, content: contents[entry.digest] ?? [])
        }
    }

    // MARK: Encoding

    /// The file's octets.
    package func encoded() -> [UInt8] {
        var writer = BinaryWriter(capacity: 1024 + manifest.entries.count * 256)
        writer.write(Self.magic)
        writer.write(signature == nil ? 0 : 1 as UInt8)
        writer.write([0, 0, 0])
        writer.write(UInt32(Self.headerBytes))
        writer.write(clusterID)
        writer.write(epoch)
        writer.write(version)
        writer.write(manifest.digest.octets)
        writer.write(signature ?? [UInt8](repeating: 0, count: 64))
        writer.write(UInt32(manifest.entries.count))
        for entry in manifest.entries {
            let name = Array(entry.name.utf8)
            writer.write(entry.kind.number)
            writer.write(UInt16(name.count))
            writer.write(name)
            writer.write(entry.digest.octets)
        }
        var written: Set<Digest> = []
        for entry in manifest.entries where written.insert(entry.digest).inserted {
            let content = contents[entry.digest] ?? []
            writer.write(entry.digest.octets)
            writer.write(UInt32(content.count))
            writer.write(content)
        }
        return writer.octets + sha256(writer.octets)
    }

    // MARK: Decoding

    /// Reads a file and checks everything but the signature.
    ///
    /// - Throws: The first fault found; nothing of the file is to be trusted then.
    package init(octets: [UInt8]) throws(Fault) {
        guard octets.count <= Self.bytesMax else { throw .tooLarge }
        guard octets.starts(with: Self.magic) else {
            throw octets.count < Self.magic.count ? .truncated : .notASnapshot
        }
        guard octets.count > Self.magic.count + 32 else { throw .truncated }
        let body = octets.span.extracting(first: octets.count - 32)
        let sum = sha256(body)
        for index in 0..<32 where sum[index] != octets[body.count + index] {
            throw .checksumMismatch
        }
        let decoded: Result<SnapshotFile, Fault>
        do throws(BinaryError) {
            decoded = try Self.decode(body)
        } catch {
            throw .truncated
        }
        self = try decoded.get()
    }

    /// Reads what the checksum covers; the outer error is of lengths, the inner one of content.
    private static func decode(
        _ octets: Span<UInt8>
    ) throws(BinaryError) -> Result<SnapshotFile, Fault> {
        var reader = BinaryReader(at: magic.count)
        let flags = try reader.readUInt8(octets)
        let reserved = try reader.readArray(3, of: octets)
        let headerBytes = try reader.readUInt32(octets)
        guard flags <= 1, reserved == [0, 0, 0], headerBytes == UInt32(Self.headerBytes) else {
            return .failure(.headerInvalid)
        }
        let clusterID = try reader.readArray(16, of: octets)
        let epoch = try reader.readUInt64(octets)
        let version = try reader.readUInt64(octets)
        let digest = Digest(octets: try reader.readArray(32, of: octets))
        let signature = try reader.readArray(64, of: octets)
        // An entry takes at least 36 octets, so a count that is too large ends soon.
        let entryCount = try reader.readLength(octets, limit: octets.count / 36)
        var entries: [ManifestEntry] = []
        entries.reserveCapacity(entryCount)
        for _ in 0..<entryCount {
            let kind = ResourceKind(number: try reader.readUInt8(octets))
            let nameBytes = Int(try reader.readUInt16(octets))
            let name = String(
                validating: try reader.readArray(nameBytes, of: octets),
                as: UTF8.self
            )
            let content = Digest(octets: try reader.readArray(32, of: octets))
            guard let kind, let name, let content else { return .failure(.manifestInvalid) }
            entries.append(ManifestEntry(kind: kind, name: name, digest: content))
        }
        // The fault says no more than that the manifest is none.
        guard let manifest = try? Manifest(entries: entries), manifest.digest == digest else {
            return .failure(.manifestInvalid)
        }
        guard let contents = try readContents(octets, &reader, of: manifest) else {
            return .failure(.contentInvalid)
        }
        let file = SnapshotFile(
            clusterID: clusterID,
            epoch: epoch,
            version: version,
            signature: flags == 1 ? signature : nil,
            manifest: manifest,
            contents: contents
        )
        guard let file else { return .failure(.contentInvalid) }
        return .success(file)
    }

    private static func readContents(
        _ octets: Span<UInt8>,
        _ reader: inout BinaryReader,
        of manifest: Manifest
    ) throws(BinaryError) -> [Digest: [UInt8]]? {
        var contents: [Digest: [UInt8]] = Dictionary(minimumCapacity: manifest.entries.count)
        for entry in manifest.entries where contents[entry.digest] == nil {
            let digest = Digest(octets: try reader.readArray(32, of: octets))
            let length = try reader.readLength(octets, limit: bytesMax)
            let content = try reader.readArray(length, of: octets)
            guard digest == entry.digest, Digest(hashing: content) == entry.digest else {
                return nil
            }
            contents[entry.digest] = content
        }
        try reader.expectEnd(octets)
        return contents
    }
}
