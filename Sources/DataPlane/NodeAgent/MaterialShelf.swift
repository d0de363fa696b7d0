package import Certificates
internal import Cryptography
package import FleetMessages
package import FleetModel
package import FleetProtocol
package import ProxyCore
internal import TLSLibrary

/// The certificates, keys and authorities that a node holds, and which of them it is to serve.
///
/// The control plane assigns material to the certificates of a version, and says apart from versions when another
/// is to be held, and when that one is to be served:
///
///     list: serve A            held A, serving A
///     list: serve A, next B    ask for B ─▶ held A and B, serving A
///     list: serve B            serving B; A is dropped
///
/// A state machine without I/O: events in, what to ask for and what to hand over out. What it serves is worked out from
/// a version's certificates whenever that is asked for.
package struct MaterialShelf {
    /// A certificate of some version: its name, and the digest of its content there.
    package struct Assigned: Hashable, Sendable {
        package let name: String
        package let resource: Digest
    }

    /// Which material it has.
    package struct Assignment: Hashable, Sendable {
        package let serve: Digest
        package let next: Digest?
        /// What was served before and is held: it is served on until what is to be has come.
        package let fallback: Digest?
    }

    /// What a version's certificate needs.
    package struct Need: Hashable, Sendable {
        package let name: String
        /// Nil while the control plane has not said it.
        package let digest: Digest?
        package let isAuthority: Bool
    }

    /// Material that was verified: octets with the digest they are known by, a key that belongs to its chain.
    package enum Held: Sendable {
        case certificate(CertificateMaterial)
        case authority(AuthorityBundle)
    }

    /// Why material cannot be used.
    package enum Fault: Error, Hashable, Sendable {
        /// Nobody asked for it.
        case unwanted
        /// The octets have another digest.
        case digestMismatch
        /// It is no certificate with its key, and no bundle.
        case malformed
        /// The control plane does not send it.
        case refused(String)
    }

    /// Of the newest list; 0 before the first.
    package private(set) var generation: UInt64 = 0
    /// Keys of session tickets, the one for new tickets first.
    package private(set) var ticketKeys: [WireTicketKey] = []
    /// Under which sticky cookies stand for endpoints; empty where the fleet has none.
    package private(set) var affinityKey: [UInt8] = []
    private(set) var assignments: [Assigned: Assignment] = [:]
    /// Those of the newest list.
    private var listed: Set<Assigned> = []
    private(set) var held: [Digest: Held] = [:]
    /// What was asked for and has not come.
    private(set) var wanted: Set<Digest> = []
    /// Why the control plane does not send what is lacking.
    private var refusals: [Digest: String] = [:]

    package init() {}

    // MARK: Events

    /// A list came: it says all that the head needs.
    ///
    /// - Parameters:
    ///   - list: Its assignments.
    ///   - needed: What versions that are served, applied or stored need: their assignments stay.
    /// - Returns: What to ask for.
    package mutating func received(
        _ list: WireMaterialList,
        keeping needed: Set<Assigned>
    ) -> [Digest] {
        generation = list.generation
        refusals = [:]
        listed = []
        let known = assignments
        assignments = assignments.filter { needed.contains($0.key) }
        for assignment in list.assignments {
            // The lengths were checked on receipt.
            guard let resource = Digest(octets: octets(assignment.resource)),
                let serve = Digest(octets: octets(assignment.serve))
            else { continue }
            let key = Assigned(name: assignment.name, resource: resource)
            listed.insert(key)
            let before = known[key].map(effective)
            assignments[key] = Assignment(
                serve: serve,
                next: Digest(octets: octets(assignment.next)),
                fallback: before.flatMap { $0 == serve || held[$0] == nil ? nil : $0 }
            )
        }
        return ask(for: Array(listedDigests))
    }

    /// Another session began: nothing that was asked for in the one before will come.
    ///
    /// - Parameter needs: What versions that are being applied need.
    /// - Returns: What to ask for.
    package mutating func sessionBegan(_ needs: [Need]) -> [Digest] {
        wanted = []
        refusals = [:]
        return ask(for: needs.compactMap(\.digest) + listedDigests)
    }

    /// A version needs these.
    ///
    /// - Returns: What to ask for.
    package mutating func need(_ needs: [Need]) -> [Digest] {
        for need in needs { need.digest.map { refusals[$0] = nil } }
        return ask(for: needs.compactMap(\.digest))
    }

    /// What of these was not asked for yet, because the control plane had not said which it is.
    package mutating func ask(again needs: [Need]) -> [Digest] {
        ask(for: needs.compactMap(\.digest).filter { refusals[$0] == nil })
    }

    private mutating func ask(for digests: [Digest]) -> [Digest] {
        var lacking: [Digest] = []
        for digest in digests where held[digest] == nil && wanted.insert(digest).inserted {
            lacking.append(digest)
        }
        return lacking
    }

    /// Material came, or why it does not.
    ///
    /// - Throws: Why it is not taken; what is lacking stays so.
    package mutating func received(_ message: WireMaterial) throws(Fault) {
        guard let digest = Digest(octets: octets(message.digest)), wanted.remove(digest) != nil
        else { throw .unwanted }
        do throws(Fault) {
            held[digest] = try Self.verify(message, digest)
        } catch {
            refusals[digest] = error.description
            throw error
        }
    }

    private static func verify(_ message: WireMaterial, _ digest: Digest) throws(Fault) -> Held {
        guard message.refusal.isEmpty else { throw .refused(message.refusal) }
        let content = octets(message.content)
        guard Digest(hashing: content) == digest else { throw .digestMismatch }
        do throws(MaterialError) {
            guard message.kind == .certificate else {
                return .authority(try AuthorityBundle(content: content))
            }
            var key = octets(message.key)
            return .certificate(
                try CertificateMaterial(
                    chain: try ChainCoding.decode(content),
                    key: SecretBytes(taking: &key)
                )
            )
        } catch {
            throw .malformed
        }
    }

    /// Keys of session tickets came.
    package mutating func received(_ keys: WireTicketKeys) {
        ticketKeys = keys.keys
        affinityKey = octets(keys.affinityKey)
    }

    /// Drops what neither the newest list nor a version needs.
    ///
    /// - Parameter needs: What versions that are served, applied or stored need.
    /// - Returns: Whether anything was dropped.
    package mutating func tidy(keeping needs: [Need]) -> Bool {
        let needed = Set(needs.compactMap(\.digest)).union(listedDigests)
        let before = held.count
        held = held.filter { needed.contains($0.key) }
        return held.count != before
    }

    // MARK: State

    /// What a certificate is served with, or has to be; nil while the control plane has not said it.
    func served(_ assigned: Assigned) -> Digest? { assignments[assigned].map(effective) }

    /// What of an assignment can be served now, or has to come if nothing can.
    private func effective(_ assignment: Assignment) -> Digest {
        held[assignment.serve] == nil ? assignment.fallback ?? assignment.serve : assignment.serve
    }

    private var listedDigests: Set<Digest> {
        var digests: Set<Digest> = []
        for key in listed {
            guard let assignment = assignments[key] else { continue }
            digests.insert(assignment.serve)
            if let next = assignment.next { digests.insert(next) }
        }
        return digests
    }

    /// What a configuration's certificates need, those that something names, by name.
    package func needs(of configuration: Configuration) -> [Need] {
        let named = configuration.neededCertificates
        return configuration.certificates.filter { named.contains($0.name) }.map { certificate in
            let assigned = Self.assigned(certificate.name, in: configuration.manifest)
            return Need(
                name: certificate.name,
                digest: certificate.digest ?? assigned.flatMap { assignments[$0] }.map(effective),
                isAuthority: certificate.isAuthority
            )
        }
    }

    /// The certificates of a configuration under which lists speak of them.
    package static func assigned(in configuration: Configuration) -> Set<Assigned> {
        Set(
            configuration.manifest.entries.lazy.filter { $0.kind == .certificate }
                .map { Assigned(name: $0.name, resource: $0.digest) }
        )
    }

    private static func assigned(_ name: String, in manifest: Manifest) -> Assigned? {
        manifest.entries.first { $0.kind == .certificate && $0.name == name }
            .map { Assigned(name: name, resource: $0.digest) }
    }

    /// The needs that are not met.
    package func lacking(_ needs: [Need]) -> [Need] {
        needs.filter { need in
            guard let digest = need.digest else { return true }
            switch held[digest] {
            case .certificate?: return need.isAuthority
            case .authority?: return !need.isAuthority
            case nil: return true
            }
        }
    }

    /// Whether the control plane does not send it.
    package func isRefused(_ need: Need) -> Bool {
        need.digest.map { refusals[$0] != nil } ?? false
    }

    /// When certificates end, in seconds since 1970-01-01 UTC, by name; authorities have no one end.
    package func ends(_ needs: [Need]) -> [String: Int64] {
        var ends: [String: Int64] = [:]
        for need in needs {
            guard case .certificate(let material)? = need.digest.flatMap({ held[$0] }) else {
                continue
            }
            ends[need.name] = material.facts.notAfterSeconds
        }
        return ends
    }

    /// Why a need is not met, for people.
    package func reason(_ need: Need) -> String {
        guard let digest = need.digest else {
            return "the control plane has not said which certificate it is"
        }
        if let refusal = refusals[digest] { return refusal }
        guard held[digest] == nil else { return "it is of another kind" }
        return "its material \(digest.short) has not come from the control plane yet"
    }

    /// The state for the control plane.
    ///
    /// - Parameters:
    ///   - serving: What is served, by the certificate's name.
    ///   - problem: Why it could not be stored; empty when it is.
    /// - Returns: The message.
    package func status(serving: [String: Digest], problem: String) -> WireMaterialStatus {
        var status = WireMaterialStatus()
        status.generation = generation
        status.held = listedDigests.filter { held[$0] != nil }.sorted()
            .map { wireOctets($0.octets) }
        status.served = serving.sorted { $0.key < $1.key }.map { name, digest in
            var served = WireServedMaterial()
            (served.name, served.digest) = (name, wireOctets(digest.octets))
            return served
        }
        status.problem = problem
        return status
    }

    /// What the edge is to serve for these needs; what is lacking is left out.
    package func edge(_ needs: [Need]) -> EdgeMaterial {
        var edge = EdgeMaterial.none
        for need in needs {
            switch need.digest.flatMap({ held[$0] }) {
            case .certificate(let material)?:
                edge.identities[need.name] = material.key.der.withOctets { key in
                    TLSIdentity(chain: material.chain, privateKey: key)
                }
            case .authority(let bundle)?: edge.authorities[need.name] = Array(bundle.pem.utf8)
            case nil: break
            }
        }
        edge.ticketKeys = TicketKeys(
            ticketKeys.compactMap { TicketKey(name: octets($0.name), octets: octets($0.octets)) }
        )
        edge.affinityKey = affinityKey
        return edge
    }
}

extension MaterialShelf.Fault: CustomStringConvertible {
    /// For people.
    package var description: String {
        switch self {
        case .unwanted: "nobody asked for it"
        case .digestMismatch: "it does not have its digest"
        case .malformed: "it is no certificate with its key, and no bundle of authorities"
        case .refused(let reason): "the control plane does not send it: \(reason)"
        }
    }
}

// MARK: Storage

extension MaterialShelf {
    /// All of it as frames of the fleet protocol, for the next start; secret.
    package var archive: [UInt8] {
        var list = WireMaterialList()
        list.generation = max(generation, 1)
        // More than a list may have are there for a moment only, while versions with as many overlap.
        let kept = assignments.sorted { $0.key.name < $1.key.name }
            .prefix(FleetProtocol.Limits.materialCountMax)
        list.assignments = kept.map { key, value in
            var assignment = WireMaterialAssignment()
            assignment.name = key.name
            assignment.resource = wireOctets(key.resource.octets)
            let serve = effective(value)
            assignment.serve = wireOctets(serve.octets)
            let next = serve == value.serve ? value.next : value.serve
            if let next { assignment.next = wireOctets(next.octets) }
            return assignment
        }
        var octets = FleetMessage.materialList(list).frame().encoded()
        for (digest, held) in held.sorted(by: { $0.key < $1.key }) {
            octets += FleetMessage.material(Self.message(held, digest)).frame().encoded()
        }
        var keys = WireTicketKeys()
        keys.keys = ticketKeys
        keys.affinityKey = wireOctets(affinityKey)
        return octets + FleetMessage.ticketKeys(keys).frame().encoded()
    }

    private static func message(_ held: Held, _ digest: Digest) -> WireMaterial {
        var message = WireMaterial()
        message.digest = wireOctets(digest.octets)
        switch held {
        case .certificate(let material):
            message.kind = .certificate
            message.content = wireOctets(material.publicContent)
            message.key = material.key.der.withOctets { wireOctets($0) }
        case .authority(let bundle):
            message.kind = .authority
            message.content = wireOctets(bundle.content)
        }
        return message
    }

    /// Reads what `archive` made.
    ///
    /// - Throws: What is wrong with it; nothing of it is to be used then.
    package init(archive octets: [UInt8]) throws(FleetProtocolError) {
        self.init()
        var decoder = FrameDecoder(payloadBytesMax: FleetProtocol.Limits.framePayloadBytesMax)
        var offset = 0
        while let frame = try decoder.next(octets.span, offset: &offset) {
            switch try FleetMessage(frame) {
            case .materialList(let list)?:
                _ = received(list, keeping: [])
                wanted = []
            case .material(let message)?:
                let digest = Digest(octets: FleetMessages.octets(message.digest))
                if let digest { wanted.insert(digest) }
                do throws(Fault) {
                    try received(message)
                } catch {
                    throw .fieldInvalid(.material, field: "content")
                }
            case .ticketKeys(let keys)?: received(keys)
            case let other: throw .outOfOrder(other?.type ?? .goodbye, state: "an archive")
            }
        }
        guard decoder.isBetweenFrames else { throw .frameTruncated }
    }
}
