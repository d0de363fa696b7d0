package import FleetMessages
package import FleetModel

extension WireManifestEntries {
    /// The message that lists the manifest's entries.
    package init(_ manifest: Manifest) {
        self.init()
        entries = manifest.entries.map(WireManifestEntry.init)
    }

    /// The manifest that the message lists.
    ///
    /// - Throws: `fieldInvalid` if the entries are no manifest; `limitExceeded` if they are too many.
    package func manifest() throws(FleetProtocolError) -> Manifest {
        guard entries.count <= Limits.manifestEntryCountMax else {
            throw .limitExceeded(.manifest, what: "entries")
        }
        var list: [ManifestEntry] = []
        list.reserveCapacity(entries.count)
        for entry in entries { list.append(try entry.entry(of: .manifest)) }
        do {
            return try Manifest(entries: list)
        } catch {
            throw .fieldInvalid(.manifest, field: "entries")
        }
    }
}

extension WireManifestEntry {
    /// The message for one entry.
    package init(_ entry: ManifestEntry) {
        self.init()
        kind = UInt32(entry.kind.number)
        name = entry.name
        digest = wireOctets(entry.digest.octets)
    }

    /// The entry that the message says.
    ///
    /// - Throws: `fieldInvalid` for an unknown kind or a digest of another length.
    func entry(of type: FrameType) throws(FleetProtocolError) -> ManifestEntry {
        guard let number = UInt8(exactly: kind), let kind = ResourceKind(number: number) else {
            throw .fieldInvalid(type, field: "entries.kind")
        }
        guard let digest = Digest(octets: octets(digest)) else {
            throw .fieldInvalid(type, field: "entries.digest")
        }
        return ManifestEntry(kind: kind, name: name, digest: digest)
    }
}

extension WireDeltaOperations {
    /// The message that lists the delta's operations.
    package init(_ delta: ManifestDelta) {
        self.init()
        operations = delta.operations.map { operation in
            var message = WireDeltaOperation()
            switch operation {
            case .keep(let count): message.keep = UInt32(clamping: count)
            case .drop(let count): message.drop = UInt32(clamping: count)
            case .insert(let entry): message.insert = WireManifestEntry(entry)
            }
            return message
        }
    }

    /// The delta whose operations the message lists.
    ///
    /// - Throws: `fieldInvalid` for an operation that is none; `limitExceeded` if they are too many.
    package func delta(base: Digest, result: Digest) throws(FleetProtocolError) -> ManifestDelta {
        guard operations.count <= Limits.manifestEntryCountMax else {
            throw .limitExceeded(.manifestDelta, what: "operations")
        }
        var list: [ManifestDelta.Operation] = []
        list.reserveCapacity(operations.count)
        for operation in operations {
            switch operation.operation {
            case .keep(let count): list.append(.keep(Int(count)))
            case .drop(let count): list.append(.drop(Int(count)))
            case .insert(let entry): list.append(.insert(try entry.entry(of: .manifestDelta)))
            case nil: throw .fieldInvalid(.manifestDelta, field: "operations")
            }
        }
        return ManifestDelta(base: base, result: result, operations: list)
    }
}
