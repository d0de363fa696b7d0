/// One line of a manifest.
package struct ManifestEntry: Hashable, Sendable {
    /// What the resource is.
    package let kind: ResourceKind
    /// Its name.
    package let name: String
    /// SHA-256 of its content.
    package let digest: Digest

    /// Names a resource and its content.
    package init(kind: ResourceKind, name: String, digest: Digest) {
        (self.kind, self.name, self.digest) = (kind, name, digest)
    }
}

/// What a version consists of: an ordered list of resources with the digests of their content.
///
/// Entries stand by kind number; within a kind by name, except routes and tests, which keep file
/// order because it has a meaning.
package struct Manifest: Hashable, Sendable {
    /// The entries, in order.
    package let entries: [ManifestEntry]
    /// The version's digest: SHA-256 over `"weir manifest 1\0"` and, per entry, kind (1 octet),
    /// length of the name (2, big-endian), name, digest (32).
    package let digest: Digest

    /// What makes entries no manifest.
    package enum Fault: Error, Hashable, Sendable {
        /// Entries are not in manifest order.
        case outOfOrder(kind: ResourceKind, name: String)
        /// Two entries have one kind and name.
        case duplicate(kind: ResourceKind, name: String)
        /// A name is empty, too long, or a singleton's that is not its kind's word.
        case badName(kind: ResourceKind, name: String)
    }

    /// Longest name of a resource, in octets.
    package static let nameBytesMax = 255

    /// Takes entries that are in manifest order.
    ///
    /// - Parameter entries: The entries; they may come from a peer.
    /// - Throws: The first fault found.
    package init(entries: [ManifestEntry]) throws(Fault) {
        try Self.check(entries)
        self.init(checked: entries)
    }

    /// Takes entries whose order is known to be right.
    init(checked entries: [ManifestEntry]) {
        self.entries = entries
        digest = Digest(hashing: Self.digestInput(entries))
    }

    /// Two or more configurations without resources have one manifest.
    package static let empty = Manifest(checked: [])

    /// The octets whose SHA-256 is the manifest's digest.
    package static func digestInput(_ entries: [ManifestEntry]) -> [UInt8] {
        var octets = Array("weir manifest 1\0".utf8)
        octets.reserveCapacity(octets.count + entries.count * 64)
        for entry in entries {
            octets.append(entry.kind.number)
            let name = Array(entry.name.utf8)
            octets.append(UInt8(truncatingIfNeeded: name.count >> 8))
            octets.append(UInt8(truncatingIfNeeded: name.count))
            octets.append(contentsOf: name)
            entry.digest.append(to: &octets)
        }
        return octets
    }

    private static func check(_ entries: [ManifestEntry]) throws(Fault) {
        var seen: Set<String> = []
        var previous: ManifestEntry?
        for entry in entries {
            try checkName(entry)
            if let previous {
                try check(entry, after: previous)
                if previous.kind != entry.kind { seen.removeAll(keepingCapacity: true) }
            }
            // Where entries stand by name, their order leaves no room for a duplicate.
            if entry.kind.keepsOrder && !seen.insert(entry.name).inserted {
                throw .duplicate(kind: entry.kind, name: entry.name)
            }
            previous = entry
        }
    }

    /// Checks entries of which only some are new, and the others stand in a manifest in this order.
    static func check(_ entries: [ManifestEntry], new: [Int]) throws(Fault) {
        var names: Set<ResourceIdentity> = []
        for index in new {
            let entry = entries[index]
            try checkName(entry)
            let identity = ResourceIdentity(kind: entry.kind, name: entry.name)
            if !names.insert(identity).inserted {
                throw .duplicate(kind: entry.kind, name: entry.name)
            }
            if index > 0 { try check(entry, after: entries[index - 1]) }
            if index + 1 < entries.count { try check(entries[index + 1], after: entry) }
        }
        guard new.contains(where: { entries[$0].kind.keepsOrder }) else { return }
        var next = new[...]
        for (index, entry) in entries.enumerated() where entry.kind.keepsOrder {
            while let first = next.first, first < index { next.removeFirst() }
            if next.first == index { continue }
            if names.contains(ResourceIdentity(kind: entry.kind, name: entry.name)) {
                throw .duplicate(kind: entry.kind, name: entry.name)
            }
        }
    }

    private static func checkName(_ entry: ManifestEntry) throws(Fault) {
        let isNamed = (1...nameBytesMax).contains(entry.name.utf8.count)
        if !isNamed || entry.kind.isSingleton && entry.name != entry.kind.rawValue {
            throw .badName(kind: entry.kind, name: entry.name)
        }
    }

    private static func check(
        _ entry: ManifestEntry,
        after previous: ManifestEntry
    ) throws(Fault) {
        if previous.kind < entry.kind { return }
        if previous.kind == entry.kind {
            if entry.kind.keepsOrder || isName(previous.name, before: entry.name) { return }
            if previous.name == entry.name {
                throw .duplicate(kind: entry.kind, name: entry.name)
            }
        }
        throw .outOfOrder(kind: entry.kind, name: entry.name)
    }

    /// Orders names by their octets.
    static func isName(_ left: String, before right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

/// A resource's kind and name: what one is known by across versions.
package struct ResourceIdentity: Hashable, Sendable {
    /// What it is.
    package let kind: ResourceKind
    /// Its name.
    package let name: String

    /// Names a resource.
    package init(kind: ResourceKind, name: String) {
        (self.kind, self.name) = (kind, name)
    }
}
