import FleetModel

/// How a manifest is kept in a row: per entry kind (1 octet), length of the name (2, big-endian), name,
/// digest (32), as in the input of its digest.
enum ManifestCoding {
    static func encode(_ manifest: Manifest) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(manifest.entries.count * 56)
        for entry in manifest.entries {
            let name = Array(entry.name.utf8)
            octets.append(entry.kind.number)
            octets.append(UInt8(truncatingIfNeeded: name.count >> 8))
            octets.append(UInt8(truncatingIfNeeded: name.count))
            octets.append(contentsOf: name)
            entry.digest.append(to: &octets)
        }
        return octets
    }

    /// Reads a row back; anything but the manifest with this digest is damage.
    static func decode(_ octets: [UInt8], digest: Digest) throws(StoreError) -> Manifest {
        var entries: [ManifestEntry] = []
        var index = 0
        while index < octets.count {
            guard octets.count - index >= 3, entries.count < StoreLimits.manifestEntriesMax,
                let kind = ResourceKind(number: octets[index])
            else { throw damaged(digest) }
            let nameCount = Int(octets[index + 1]) << 8 | Int(octets[index + 2])
            index += 3
            guard octets.count - index >= nameCount + Digest.octetCount,
                let name = String(validating: octets[index..<(index + nameCount)], as: UTF8.self),
                let content = Digest(
                    octets: octets[(index + nameCount)..<(index + nameCount + Digest.octetCount)]
                )
            else { throw damaged(digest) }
            entries.append(ManifestEntry(kind: kind, name: name, digest: content))
            index += nameCount + Digest.octetCount
        }
        guard let manifest = try? Manifest(entries: entries), manifest.digest == digest else {
            // Which fault it is makes no difference: the row is not what was written.
            throw damaged(digest)
        }
        return manifest
    }

    private static func damaged(_ digest: Digest) -> StoreError {
        .corrupt("manifest \(digest.short)")
    }
}
