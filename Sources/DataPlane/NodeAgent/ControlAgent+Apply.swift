internal import EventLoop
internal import FleetModel
internal import FleetProtocol
internal import ProxyCore
internal import SnapshotCompiler
internal import SystemCalls
internal import Telemetry

/// A version that has been compiled, with the octets that it came from.
struct PreparedVersion: Sendable {
    let file: SnapshotFile
    let snapshot: Snapshot
    let version: SignedManifest

    /// Puts a version together and compiles it; blocks.
    ///
    /// - Parameters:
    ///   - candidate: What was sent.
    ///   - membership: Whose version it is.
    ///   - served: What supplies the contents that were not sent.
    ///   - labels: The node's.
    /// - Throws: What is wrong with its content.
    init(
        _ candidate: Candidate,
        of membership: Membership,
        over served: PreparedVersion?,
        labels: [String: String]
    ) throws(ConfigurationProblems) {
        version = candidate.version
        let head = version.head
        var contents = candidate.blobs
        for entry in version.manifest.entries where contents[entry.digest] == nil {
            contents[entry.digest] = served?.file.contents[entry.digest]
        }
        let file = SnapshotFile(
            clusterID: membership.clusterID,
            epoch: head.epoch,
            version: head.version,
            signature: head.signature,
            manifest: version.manifest,
            contents: contents
        )
        guard let file else {
            throw ConfigurationProblems([
                Problem(kind: nil, name: "", field: "", message: "a content is missing")
            ])
        }
        self.file = file
        snapshot = try Snapshot(file: file, reusing: served?.snapshot, labels: labels)
    }
}

/// How versions are compiled, made active and stored: what `ApplySequence` asks for.
extension ControlAgent {
    /// Carries out what the sequence says, in order.
    func carryOut(_ actions: [ApplySequence.Action]) {
        for action in actions {
            switch action {
            case .prepare(let candidate): prepare(candidate)
            case .activate(let candidate): activate(candidate)
            case .confirm(let candidate): confirm(candidate)
            case .discard:
                prepared = nil
                material.awaiting = nil
            case .renumber(let head): renumber(head)
            case .report(let report):
                // What the node says of itself comes first, so that the report does not contradict it.
                updateStanding()
                if let link { link.perform(link.session.report(report)) }
            case .retryAfter(let time): retryTimer?.set(after: time)
            case .cancelRetry: retryTimer?.cancel()
            }
        }
        updateStanding()
    }

    /// The time for another attempt has come, or the operator wants one.
    func retryIsDue() {
        retryTimer?.cancel()
        carryOut(sequence.retryDue())
    }

    // MARK: Prepare

    private func prepare(_ candidate: Candidate) {
        guard let membership else { return }
        bench.run({ [served, labels] () -> Result<PreparedVersion, ConfigurationProblems> in
            do throws(ConfigurationProblems) {
                return .success(
                    try PreparedVersion(candidate, of: membership, over: served, labels: labels)
                )
            } catch {
                return .failure(error)
            }
        }) { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let version):
                self.prepared = version
                self.awaitMaterial(candidate)
            case .failure(let error):
                self.rejected(candidate, .content, error.problems)
            }
        }
    }

    func rejected(
        _ candidate: Candidate,
        _ cause: ApplyReport.Cause,
        _ problems: [Problem]
    ) {
        prepared = nil
        node.server.metrics.process.add(.activationFailures)
        node.succession?.note(problems)
        for problem in problems.prefix(8) {
            node.log.write(
                .error,
                "version.rejected",
                [
                    "problem": "\(problem)", "version": "\(candidate.version.head.version)",
                    "tries_again": cause == .environment ? "yes" : "no",
                ]
            )
        }
        carryOut(sequence.failed(cause, problems, using: &random))
        node.announce()
    }

    // MARK: Activate

    private func activate(_ candidate: Candidate) {
        guard let version = prepared, version.version.head == candidate.version.head else {
            return rejected(
                candidate,
                .content,
                [Problem(kind: nil, name: "", field: "", message: "it was not prepared")]
            )
        }
        offerMaterial(of: version)
        node.activate(version.snapshot) { [weak self] result in
            guard let self else { return }
            switch result {
            case .active:
                self.prepared = nil
                self.served = version
                self.activationEnded()
                self.carryOutAdjustments()
                self.node.log.write(
                    .notice,
                    "version.active",
                    [
                        "version": "\(version.snapshot.version)",
                        "digest": candidate.digest.short,
                    ]
                )
                self.carryOut(self.sequence.activated())
                self.node.announce()
            case .failed(let problems):
                self.activationEnded()
                self.rejected(candidate, .environment, problems)
            }
        }
    }

    // MARK: Confirm

    private func confirm(_ candidate: Candidate) {
        guard let served else { return }
        // What was read from the disk is there already.
        if lastGood == candidate.version.head, isNewestGood {
            return carryOut(sequence.confirmed(lastGoodProblem: nil))
        }
        store(served) { [weak self] problem in
            guard let self else { return }
            self.carryOut(self.sequence.confirmed(lastGoodProblem: problem))
        }
    }

    private func store(_ version: PreparedVersion, then completion: @escaping (String?) -> Void) {
        let head = version.version.head
        let keepsNewest = isNewestGood && lastGood?.digest != head.digest
        bench.run({ [directory] () -> SystemCallError? in
            do throws(SystemCallError) {
                try directory.storeLastGood(version.file, keepsNewest: keepsNewest)
                return nil
            } catch {
                return error
            }
        }) { [weak self] error in
            guard let self else { return }
            if let error {
                self.node.log.write(
                    .error,
                    "version.unstored",
                    [
                        "directory": self.settings.directory, "reason": "\(error)",
                        "version": "\(head.version)",
                    ]
                )
                self.unstoredReason = "\(error)"
                self.storeTimer?.set(after: .seconds(Limits.storeRetrySeconds))
                return completion("\(error)")
            }
            self.unstoredReason = nil
            self.storeTimer?.cancel()
            self.lastGood = head
            self.isNewestGood = true
            completion(nil)
        }
    }

    /// There may be room on the disk by now: stores what is served, and tells the control plane.
    func storeAgain() {
        guard let served, lastGood != served.version.head else { return }
        store(served) { [weak self] problem in
            guard let self, problem == nil, let link = self.link else { return }
            self.updateStanding()
            let subject = Holding(served.version.head)
            let report = ApplyReport(
                subject: subject,
                outcome: .confirmed(lastGoodProblem: nil),
                active: self.sequence.active.map { Holding($0.head) }
            )
            link.perform(link.session.report(report))
        }
    }

    /// The same content has a newer number: logs and the next start are to say so.
    private func renumber(_ head: SignedHead) {
        guard let membership, let served else { return }
        let version = SignedManifest(head: head, manifest: served.version.manifest)
        guard let version else { return }
        let candidate = Candidate(version: version, blobs: [:])
        // Its content is that of the version that is served, which was compiled before.
        let renumbered = try? PreparedVersion(
            candidate,
            of: membership,
            over: served,
            labels: labels
        )
        guard let renumbered else { return }
        self.served = renumbered
        node.activate(renumbered.snapshot) { _ in }
        carryOutAdjustments()
        store(renumbered) { _ in }
    }

    // MARK: The start

    /// Serves what was served last, without asking anybody.
    func restoreLastGood(_ membership: Membership) {
        let log = node.log
        let kept = directory.loadLastGood(membership) { path, reason in
            log.write(.error, "last_good.damaged", ["file": path, "reason": reason])
        }
        guard let kept, let signature = kept.file.signature else { return }
        let file = kept.file
        let head = SignedHead(
            epoch: file.epoch,
            version: file.version,
            digest: file.manifest.digest,
            signature: signature
        )
        guard let version = SignedManifest(head: head, manifest: file.manifest) else { return }
        lastGood = head
        isNewestGood = kept.isNewest
        carryOut(sequence.offered(Candidate(version: version, blobs: file.contents)))
    }
}
