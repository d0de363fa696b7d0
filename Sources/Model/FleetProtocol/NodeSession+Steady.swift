import FleetMessages
import FleetModel

extension NodeSession {
    /// What an established session knows: above all the version being transferred.
    struct Steady {
        let member: Member
        /// The newest version that the control plane spoke of.
        private(set) var lastOffered: SignedHead?
        /// Whether a Hello has not been answered yet; the answer may be that there is nothing to send.
        private var awaitsAnswer = true
        private var transfer: Transfer = .settled
        /// Blobs of a transfer that was replaced, in case the newer version wants them too.
        private var carried: [Digest: [UInt8]] = [:]
        /// Correlations whose chunks may still be on their way.
        private var abandoned: [UInt32] = []
        private var correlationLast: UInt32 = 1

        private enum Transfer {
            case settled
            /// A manifest's or a delta's octets are arriving.
            case receivingContent(Content, BlobAssembly, correlation: UInt32)
            /// The caller is looking for what it lacks.
            case lookingUp(SignedManifest)
            /// Contents are arriving.
            ///
            /// `later` is asked for when these have come.
            case receivingBlobs(
                SignedManifest,
                BlobAssembly,
                later: [Digest],
                correlation: UInt32
            )
        }

        private struct Content {
            let head: SignedHead
            /// What the octets are a delta to; `nil` if they are the whole manifest.
            let base: Digest?
            let digest: Digest
        }

        init(member: Member) {
            self.member = member
        }
    }
}

// MARK: Offers

extension NodeSession.Steady {
    typealias Action = NodeSession.Action

    /// Checks a head's signature, and that it is not older than what is served or was offered.
    func verified(
        _ message: WireHead,
        of type: FrameType,
        _ standing: NodeSession.Standing
    ) throws(FleetProtocolError) -> SignedHead {
        guard let head = SignedHead(message) else { throw .fieldInvalid(type, field: "head") }
        guard member.isSigned(head.signedOctets(clusterID: member.clusterID), head.signature) else {
            throw .signatureInvalid
        }
        for known in [standing.active?.head, lastOffered] {
            if let known, head.isOlder(than: known) { throw .versionBackwards }
        }
        return head
    }

    /// A whole manifest, or the announcement of one in chunks.
    mutating func received(
        _ message: WireManifest,
        _ correlation: UInt32,
        _ standing: NodeSession.Standing,
        _ known: [Manifest]
    ) throws(FleetProtocolError) -> [Action] {
        let head = try verified(message.head, of: .manifest, standing)
        accept(head)
        if standing.quarantined.contains(head.digest) { return [.offerQuarantined(head)] }
        switch message.content {
        case .entries(let list):
            return try lookUp(head, list, known)
        case .chunked(let reference):
            return try receive(reference, of: .manifest, head, base: nil, correlation)
        case nil: throw .fieldInvalid(.manifest, field: "content")
        }
    }

    /// Whether the delta's base is one of the manifests that are at hand.
    func knowsBase(
        of message: WireManifestDelta,
        _ bases: [Manifest]
    ) throws(FleetProtocolError) -> Bool {
        guard let base = Digest(octets: octets(message.baseDigest)) else {
            throw .fieldInvalid(.manifestDelta, field: "base_digest")
        }
        return bases.contains { $0.digest == base }
    }

    /// A delta, or the announcement of one in chunks.
    mutating func received(
        _ message: WireManifestDelta,
        _ correlation: UInt32,
        _ standing: NodeSession.Standing,
        _ bases: [Manifest],
        _ known: [Manifest]
    ) throws(FleetProtocolError) -> [Action] {
        let head = try verified(message.head, of: .manifestDelta, standing)
        guard let base = Digest(octets: octets(message.baseDigest)) else {
            throw .fieldInvalid(.manifestDelta, field: "base_digest")
        }
        accept(head)
        if standing.quarantined.contains(head.digest) { return [.offerQuarantined(head)] }
        for content in message.contents {
            // What the version does not name is dropped with what else is not wanted.
            let content = octets(content)
            carried[Digest(hashing: content)] = content
        }
        switch message.content {
        case .operations(let list): return try lookUp(head, list, base: base, bases, known)
        case .chunked(let reference):
            return try receive(reference, of: .manifestDelta, head, base: base, correlation)
        case nil: throw .fieldInvalid(.manifestDelta, field: "content")
        }
    }

    private mutating func receive(
        _ reference: WireBlobReference,
        of type: FrameType,
        _ head: SignedHead,
        base: Digest?,
        _ correlation: UInt32
    ) throws(FleetProtocolError) -> [Action] {
        guard let digest = Digest(octets: octets(reference.digest)) else {
            throw .fieldInvalid(type, field: "chunked.digest")
        }
        let assembly = BlobAssembly(missing: [digest], blobBytesMax: Limits.manifestBytesMax)
        let content = Content(head: head, base: base, digest: digest)
        transfer = .receivingContent(content, assembly, correlation: correlation)
        return []
    }

    private mutating func lookUp(
        _ head: SignedHead,
        _ manifest: Manifest
    ) throws(FleetProtocolError) -> [Action] {
        guard let version = SignedManifest(head: head, manifest: manifest) else {
            throw .digestMismatch("the manifest of version \(head.version)")
        }
        transfer = .lookingUp(version)
        return [.lookUp(version)]
    }

    private static func find(_ digest: Digest, in manifests: [Manifest]) -> Manifest? {
        manifests.first { $0.digest == digest }
    }

    private mutating func lookUp(
        _ head: SignedHead,
        _ list: WireManifestEntries,
        _ known: [Manifest]
    ) throws(FleetProtocolError) -> [Action] {
        if let same = Self.find(head.digest, in: known) { return try lookUp(head, same) }
        return try lookUp(head, try list.manifest())
    }

    private mutating func lookUp(
        _ head: SignedHead,
        _ list: WireDeltaOperations,
        base: Digest,
        _ bases: [Manifest],
        _ known: [Manifest]
    ) throws(FleetProtocolError) -> [Action] {
        guard let old = Self.find(base, in: bases) else {
            throw .fieldInvalid(.manifestDelta, field: "base_digest")
        }
        if let same = Self.find(head.digest, in: known) { return try lookUp(head, same) }
        let delta = try list.delta(base: base, result: head.digest)
        do {
            return try lookUp(head, try delta.apply(to: old))
        } catch let error as FleetProtocolError {
            throw error
        } catch {
            throw .digestMismatch("the delta to version \(head.version)")
        }
    }
}

// MARK: Chunks

extension NodeSession.Steady {
    /// Parts of what was announced or asked for.
    mutating func received(
        _ message: WireBlobChunk,
        _ correlation: UInt32,
        _ standing: NodeSession.Standing,
        _ bases: [Manifest],
        _ known: [Manifest]
    ) throws(FleetProtocolError) -> [Action] {
        // Taken out while it changes, so that the blobs so far are not copied.
        let current = transfer
        transfer = .settled
        switch current {
        case .receivingContent(let content, var assembly, correlation):
            for part in message.parts { try assembly.add(part) }
            guard assembly.isComplete, let octets = assembly.blobs[content.digest] else {
                transfer = .receivingContent(content, assembly, correlation: correlation)
                return []
            }
            guard let base = content.base else {
                let list: WireManifestEntries = try decodeContent(octets, of: .manifest)
                return try lookUp(content.head, list, known)
            }
            let list: WireDeltaOperations = try decodeContent(octets, of: .manifestDelta)
            return try lookUp(content.head, list, base: base, bases, known)
        case .receivingBlobs(let version, var assembly, let later, correlation):
            for part in message.parts { try assembly.add(part) }
            guard assembly.isComplete else {
                transfer = .receivingBlobs(
                    version,
                    assembly,
                    later: later,
                    correlation: correlation
                )
                return []
            }
            carried.merge(assembly.blobs) { old, _ in old }
            return want(later, for: version)
        case .settled, .lookingUp, .receivingContent, .receivingBlobs:
            guard abandoned.contains(correlation) else {
                throw .outOfOrder(.blobChunk, state: "no transfer has its correlation")
            }
            transfer = current
            return []
        }
    }

    /// The caller has looked up what it lacks of the version being transferred.
    mutating func lacking(_ missing: [Digest]) -> [Action] {
        guard case .lookingUp(let version) = transfer else { return [] }
        if !carried.isEmpty {
            let wanted = Set(missing)
            carried = carried.filter { wanted.contains($0.key) }
        }
        return want(missing.filter { carried[$0] == nil }, for: version)
    }

    private mutating func want(_ missing: [Digest], for version: SignedManifest) -> [Action] {
        guard !missing.isEmpty else {
            transfer = .settled
            let candidate = Candidate(version: version, blobs: carried)
            carried = [:]
            return [.offer(candidate)]
        }
        correlationLast &+= 1  // Wraps after 2^32 requests; only the newest few are compared.
        let now = missing.prefix(Limits.wantedDigestCountMax)
        transfer = .receivingBlobs(
            version,
            BlobAssembly(
                missing: now,
                blobBytesMax: Limits.blobBytesMax,
                bytesBefore: carried.values.reduce(0) { $0 + $1.count }
            ),
            later: Array(missing.dropFirst(now.count)),
            correlation: correlationLast
        )
        var message = WireWantBlobs()
        message.digests = now.map { wireOctets($0.octets) }
        return [.send(FleetMessage.wantBlobs(message).frame(correlation: correlationLast))]
    }

    /// Gives up the version being transferred; what has arrived of it is kept for the next.
    mutating func abandonTransfer() {
        switch transfer {
        case .settled, .lookingUp: break
        case .receivingContent(_, _, let correlation): abandon(correlation)
        case .receivingBlobs(_, let assembly, _, let correlation):
            carried.merge(assembly.blobs) { old, _ in old }
            abandon(correlation)
        }
        transfer = .settled
    }

    /// A Hello is being sent: what comes next answers it.
    mutating func greets() {
        abandonTransfer()
        lastOffered = nil
        awaitsAnswer = true
    }

    /// The head that the control plane speaks of now replaces any other.
    mutating func accept(_ head: SignedHead) {
        abandonTransfer()
        lastOffered = head
        awaitsAnswer = false
    }

    private mutating func abandon(_ correlation: UInt32) {
        if abandoned.count == Limits.abandonedTransferCountMax { abandoned.removeFirst() }
        abandoned.append(correlation)
    }

    /// Whether the answer names a head that this node was not told of: a notice was lost.
    func misses(_ answer: WireHeartbeatAnswer, _ standing: NodeSession.Standing) -> Bool {
        guard let digest = Digest(octets: octets(answer.headDigest)) else { return false }
        if awaitsAnswer || standing.quarantined.contains(digest) { return false }
        let head = lastOffered ?? standing.active?.head
        guard let head else { return true }
        return (answer.epoch, answer.headVersion) > (head.epoch, head.version)
    }
}
