internal import Cryptography
internal import EventLoop
internal import FleetMessages
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import TLSLibrary
internal import Telemetry

/// What a node knows of its material beside the shelf.
struct MaterialState {
    var shelf = MaterialShelf()
    /// The version that is compiled and waits for material.
    var awaiting: Candidate?
    /// The version that is being activated: the edge keeps what it needs, whatever comes meanwhile.
    var activating: PreparedVersion?
    /// What the edge was given, by the certificate's name.
    var serving: [String: Digest] = [:]
    /// When what it serves ends, by the certificate's name.
    var ends: [String: Int64] = [:]
    /// What authorities that want proof of hosts are answered, while the process runs.
    var challenges: [EdgeChallenge] = []
    /// Names of the ticket keys that the edge was given.
    var ticketNames: [[UInt8]] = []
    /// Why it could not be stored; empty when it is.
    var problem = ""
    /// Whether the disk has something else.
    var isUnstored = false
}

/// How certificates and keys come to a node, and when they are served: what `MaterialShelf` asks for.
extension ControlAgent {
    // MARK: Needs

    /// What a version needs.
    private func needs(of version: PreparedVersion?) -> [MaterialShelf.Need] {
        version.map { material.shelf.needs(of: $0.snapshot.share) } ?? []
    }

    /// The certificates of all versions that are at hand.
    private var assigned: Set<MaterialShelf.Assigned> {
        [served, prepared].compactMap { $0?.snapshot.configuration }
            .reduce(into: []) { $0.formUnion(MaterialShelf.assigned(in: $1)) }
    }

    /// A version is compiled: goes on with it when all its material is here, and asks for the rest.
    func awaitMaterial(_ candidate: Candidate) {
        let needs = needs(of: prepared)
        let lacking = material.shelf.lacking(needs)
        guard !lacking.isEmpty else { return carryOut(sequence.prepared()) }
        material.awaiting = candidate
        ask(material.shelf.need(lacking))
        materialTimer?.set(after: .seconds(Limits.materialWaitSeconds))
    }

    /// Looks whether the version that waits can go on, or never can.
    private func goOnWaiting() {
        guard let candidate = material.awaiting, prepared != nil else { return }
        let lacking = material.shelf.lacking(needs(of: prepared))
        if lacking.isEmpty {
            material.awaiting = nil
            materialTimer?.cancel()
            carryOut(sequence.prepared())
        } else {
            ask(material.shelf.ask(again: lacking))
            if lacking.contains(where: material.shelf.isRefused) { giveUp(candidate, lacking) }
        }
    }

    /// Material did not come in time: the version is tried again later.
    func materialIsDue() {
        guard let candidate = material.awaiting else { return }
        giveUp(candidate, material.shelf.lacking(needs(of: prepared)))
    }

    private func giveUp(_ candidate: Candidate, _ lacking: [MaterialShelf.Need]) {
        material.awaiting = nil
        materialTimer?.cancel()
        let problems = lacking.map { need in
            Problem(
                kind: .certificate,
                name: need.name,
                field: "",
                message: material.shelf.reason(need)
            )
        }
        rejected(candidate, .environment, problems)
    }

    private func ask(_ digests: [Digest]) {
        guard let link, link.session.isSteady, !digests.isEmpty else { return }
        link.perform(link.session.wantMaterial(digests))
    }

    // MARK: Events of the session

    /// A session began.
    func materialSessionBegan() {
        let needs = needs(of: prepared) + needs(of: served)
        ask(material.shelf.sessionBegan(material.shelf.lacking(needs)))
    }

    /// Which material the certificates of the head have.
    func assign(_ list: WireMaterialList) {
        let lacking = material.shelf.received(list, keeping: assigned)
        material.isUnstored = true
        ask(lacking)
        goOnWaiting()
        refreshMaterial()
        reportMaterial()
    }

    /// Material that was asked for, or why it does not come.
    func keep(_ message: WireMaterial) {
        do throws(MaterialShelf.Fault) {
            try material.shelf.received(message)
            material.isUnstored = true
        } catch {
            node.log.write(
                .error,
                "material.refused",
                [
                    "digest": Digest(octets: octets(message.digest))?.short ?? "",
                    "reason": "\(error)",
                ]
            )
        }
        goOnWaiting()
        refreshMaterial()
        if material.shelf.wanted.isEmpty { reportMaterial() }
    }

    /// Keys of session tickets.
    func useTicketKeys(_ keys: WireTicketKeys) {
        material.shelf.received(keys)
        material.isUnstored = true
        refreshMaterial()
    }

    // MARK: The edge

    /// What is to be activated must find its material at the edge, beside that of what is served.
    func offerMaterial(of version: PreparedVersion) {
        material.activating = version
        hand(needs(of: served) + needs(of: version))
    }

    /// A version was activated, or could not be.
    func activationEnded() {
        material.activating = nil
        refreshMaterial()
    }

    /// Gives the edge what the served version needs, if that has changed, and stores what is new.
    func refreshMaterial() {
        let needs = needs(of: served) + needs(of: material.activating)
        // One that is assigned and has not come yet must not take away what is served.
        if material.shelf.lacking(needs).isEmpty { hand(needs) }
        if material.shelf.wanted.isEmpty, material.awaiting == nil {
            let serving = material.serving.map { name, digest in
                MaterialShelf.Need(name: name, digest: digest, isAuthority: false)
            }
            if material.shelf.tidy(keeping: needs + serving + self.needs(of: prepared)) {
                material.isUnstored = true
            }
            if material.isUnstored { storeMaterial() }
        }
    }

    private func hand(_ needs: [MaterialShelf.Need]) {
        var serving: [String: Digest] = [:]
        for need in needs { serving[need.name] = need.digest }
        let ticketNames = material.shelf.ticketKeys.map { octets($0.name) }
        guard serving != material.serving || ticketNames != material.ticketNames else { return }
        let isOther = serving != material.serving
        (material.serving, material.ticketNames) = (serving, ticketNames)
        material.ends = material.shelf.ends(needs)
        node.use(edge(needs))
        guard isOther else { return }
        for (name, digest) in serving.sorted(by: { $0.key < $1.key }) {
            node.log.write(
                .notice,
                "certificate.active",
                ["certificate": name, "digest": digest.short]
            )
        }
        reportMaterial()
    }

    private func edge(_ needs: [MaterialShelf.Need]) -> EdgeMaterial {
        var edge = material.shelf.edge(needs)
        edge.challenges = material.challenges
        return edge
    }

    /// Answers these challenges, and says so when every worker does.
    func answer(_ message: WireChallenges) {
        material.challenges = message.challenges.map { challenge in
            if challenge.certificate.isEmpty {
                return .file(
                    token: Array(challenge.token.utf8),
                    content: Array(challenge.authorization.utf8)
                )
            }
            let identity = TLSIdentity(
                chain: [octets(challenge.certificate)],
                privateKey: octets(challenge.key)
            )
            return .certificate(host: challenge.host.lowercased(), identity)
        }
        let serving = material.serving.map { name, digest in
            MaterialShelf.Need(name: name, digest: digest, isAuthority: false)
        }
        let generation = message.generation
        node.use(edge(serving)) { [weak self] in
            guard let link = self?.link else { return }
            link.perform(link.session.reportChallenges(generation))
        }
    }

    private func reportMaterial() {
        guard material.shelf.generation > 0, let link, link.session.isSteady else { return }
        let status = material.shelf.status(serving: material.serving, problem: material.problem)
        link.perform(link.session.report(status))
    }

    // MARK: The disk

    private func wrappingKey(_ membership: Membership) -> SecretBytes? {
        guard let identity = membership.identity else { return nil }
        return MaterialFile.key(
            privateKey: identity.privateKey,
            context: membership.clusterID + Array(membership.name.utf8)
        )
    }

    /// Reads what the disk has; what cannot be used is asked for again.
    func restoreMaterial(_ membership: Membership) {
        guard let key = wrappingKey(membership) else { return }
        do throws(NodeError) {
            guard let file = try directory.readMaterial() else { return }
            material.shelf = try Self.open(file, key)
        } catch {
            node.log.write(
                .error,
                "material.damaged",
                [
                    "file": directory.materialPath, "reason": error.description,
                    "remedy": "none is needed: the control plane sends it again",
                ]
            )
        }
    }

    private static func open(_ file: [UInt8], _ key: SecretBytes) throws(NodeError) -> MaterialShelf
    {
        var archive: [UInt8]
        do throws(MaterialFile.Fault) {
            archive = try MaterialFile.open(file, key: key)
        } catch {
            throw NodeError(error.description)
        }
        defer { erase(&archive) }
        do throws(FleetProtocolError) {
            return try MaterialShelf(archive: archive)
        } catch {
            throw NodeError(error.description)
        }
    }

    /// Stores the shelf, sealed.
    ///
    /// - Parameter next: Who the node is about to be: its key opens the file too.
    func storeMaterial(before next: Membership? = nil) {
        let keys = [membership, next].compactMap { $0.flatMap(wrappingKey) }
        guard !keys.isEmpty else { return }
        material.isUnstored = false
        let archive = material.shelf.archive
        bench.run({ [directory] () -> String in
            var archive = archive
            defer { erase(&archive) }
            do {
                try directory.write(material: try MaterialFile.seal(archive, keys: keys))
                return ""
            } catch {
                return "\(error)"
            }
        }) { [weak self] problem in
            self?.materialStored(problem)
        }
    }

    private func materialStored(_ problem: String) {
        guard problem != material.problem else { return }
        material.problem = problem
        if !problem.isEmpty {
            node.log.write(
                .error,
                "material.unstored",
                [
                    "directory": settings.directory, "reason": problem,
                    "remedy": "make room: a restart without the control plane would lack it",
                ]
            )
        }
        reportMaterial()
    }

    /// The node is no member any more: nothing of it stays on the disk.
    func eraseMaterial() {
        bench.run({ [directory] () -> SystemCallError? in
            do throws(SystemCallError) {
                try directory.eraseMaterial()
                return nil
            } catch {
                return error
            }
        }) { [weak self] error in
            guard let self, let error else { return }
            self.node.log.write(
                .error,
                "material.unerased",
                ["file": self.directory.materialPath, "reason": "\(error)"]
            )
        }
    }
}
