import FleetMessages
import FleetModel
import Testing

@testable import FleetProtocol

@Suite("Synchronisation of a node")
struct SynchronisationTests {
    private func contents(_ count: Int, changed: Int? = nil) -> [[UInt8]] {
        (0..<count).map { content($0, isChanged: $0 == changed) }
    }

    @Test("A node with nothing is sent the manifest and every content once, and reports each step")
    func firstSynchronisation() throws {
        var link = Link()
        link.connect()
        link.commit(try signed(try manifest(routes: 3), version: 1), contents: contents(3))
        #expect(link.offers == [.manifest])
        #expect(link.wanted == [3])
        let outcomes = link.reports.map(\.outcome)
        #expect(outcomes == [.received, .prepared, .active, .confirmed(lastGoodProblem: nil)])
        #expect(link.reports.last?.active?.version == 1)
        #expect(link.nodeEnd == nil && link.controlEnd == nil)
    }

    @Test("One changed route of many is sent as a delta with one content")
    func delta() throws {
        let first = try signed(try manifest(routes: 1_000), version: 1)
        var link = Link(active: first)
        link.held = Set(first.contentDigests)
        link.manifests[first.manifest.digest] = first.manifest
        link.head = first
        link.connect()
        #expect(link.offers == [.notModified])
        let before = link.bytesToNode
        let second = try signed(try manifest(routes: 1_000, changed: 500), version: 2)
        link.commit(second, contents: [content(500, isChanged: true)])
        #expect(link.offers == [.notModified, .delta(base: first.head.digest)])
        #expect(link.wanted == [1])
        #expect(link.sequence.active == second)
        #expect(link.bytesToNode - before < 512)
    }

    @Test("Versions that follow each other have correlations of their own, all in the upper half")
    func correlations() throws {
        let correlations = try [1, 2, 3, 0x7fff_ffff, 0x1_0000_0004].map { number in
            OfferEncoding(try signed(try manifest(routes: 1), version: number), base: nil)
                .frame.correlation
        }
        #expect(Set(correlations).count == correlations.count)
        #expect(correlations.allSatisfy { $0 >> 31 == 1 })
    }

    @Test("A delta of more operations than a node takes is sent as the whole manifest")
    func largeDelta() throws {
        let base = try manifest(routes: 20)
        let version = try signed(try manifest(routes: 20, changed: 7), version: 2)
        func type(_ operationCountMax: Int) -> UInt16 {
            OfferEncoding(version, base: base, operationCountMax: operationCountMax).frame.type
        }
        let count = WireDeltaOperations(ManifestDelta(from: base, to: version.manifest)).operations
            .count
        #expect(type(count) == FrameType.manifestDelta.rawValue)
        #expect(type(count - 1) == FrameType.manifest.rawValue)
    }

    @Test("A manifest that is known already is taken over; contents are asked for all the same")
    func manifestKnown() throws {
        let first = try signed(try manifest(routes: 3), version: 1)
        let second = try signed(try manifest(routes: 3, changed: 1), version: 2)
        var link = Link()
        link.node.known = [first.manifest, second.manifest]
        link.connect()
        link.commit(first, contents: contents(3))
        link.commit(second, contents: [content(1, isChanged: true)])
        link.commit(try signed(first.manifest, version: 3))
        #expect(link.offers.last == .delta(base: second.head.digest))
        #expect(link.wanted == [3, 1])
        #expect(link.sequence.active == (try signed(first.manifest, version: 3)))
        #expect(link.nodeEnd == nil && link.controlEnd == nil)
    }

    @Test("Contents that come along with a delta are not asked for, and foreign ones are dropped")
    func deltaContents() throws {
        let first = try signed(try manifest(routes: 3), version: 1)
        let second = try signed(try manifest(routes: 3, changed: 1), version: 2)
        var link = Link()
        link.connect()
        link.commit(first, contents: contents(3))
        let changed = content(1, isChanged: true)
        let offer = OfferEncoding(second, base: first.manifest, contents: [[1, 2, 3], changed])
        link.send(offer.frame)
        link.run()
        #expect(link.wanted == [3])
        #expect(link.sequence.active == second)
        let third = try signed(try manifest(routes: 3, changed: 2), version: 3)
        link.contents[Digest(hashing: content(2, isChanged: true))] = content(2, isChanged: true)
        link.send(OfferEncoding(third, base: second.manifest, contents: [[1, 2, 3]]).frame)
        link.run()
        #expect(link.wanted.last == 1 || link.wanted.last == 2)
        #expect(link.nodeEnd == nil && link.controlEnd == nil)
    }

    @Test("The same content under a newer number is not sent again, and the node says so")
    func renumbered() throws {
        let first = try signed(try manifest(routes: 2), version: 1)
        var link = Link(active: first)
        link.head = first
        link.connect()
        let third = try signed(first.manifest, version: 3)
        link.commit(third)
        #expect(link.offers == [.notModified, .notModified])
        #expect(link.settled.map(\.version) == [1, 3])
        #expect(link.sequence.active?.head.version == 3)
        #expect(link.reports.last?.active?.version == 3)
    }

    @Test("A manifest over 256 KiB and a content of several chunks arrive whole")
    func chunks() throws {
        let large = [UInt8](repeating: 3, count: Limits.chunkBytesMax * 2 + 17)
        let entry = ManifestEntry(kind: .upstream, name: "large", digest: Digest(hashing: large))
        let routes = try manifest(routes: 8_000).entries
        let version = try signed(try Manifest(entries: [entry] + routes), version: 1)
        var link = Link()
        link.connect()
        link.commit(version, contents: contents(8_000) + [large])
        #expect(link.sequence.active == version)
        #expect(link.wanted == [8_001])
        #expect(link.nodeEnd == nil)
    }

    @Test("More contents than one request may name are asked for one request after another")
    func manyContents() throws {
        let count = Limits.wantedDigestCountMax + 5
        var link = Link()
        link.connect()
        link.commit(try signed(try manifest(routes: count), version: 1), contents: contents(count))
        #expect(link.wanted == [Limits.wantedDigestCountMax, 5])
        #expect(link.sequence.active?.head.version == 1)
    }

    @Test("A content that is asked for again in one request is sent once")
    func repeatedContents() throws {
        var link = Link()
        link.connect()
        let digest = Digest(hashing: content(0))
        var message = WireWantBlobs()
        message.digests = [wireOctets(digest.octets), wireOctets(digest.octets)]
        let actions = link.control.received(FleetMessage.wantBlobs(message).frame(correlation: 7))
        #expect(actions.last == .sendBlobs([digest], correlation: 7))
    }

    @Test("A content error quarantines the digest: it is not sent again, the next one is")
    func quarantine() throws {
        var link = Link()
        link.connect()
        link.preparing = .fails(.content)
        let bad = try signed(try manifest(routes: 2), version: 1)
        link.commit(bad, contents: contents(2))
        guard case .rejected(.content, let problems)? = link.reports.last?.outcome else {
            Issue.record("not rejected: \(link.reports)")
            return
        }
        #expect(problems.first?.message == "taken")
        let sent = link.offers.count
        link.commit(try signed(bad.manifest, version: 2))
        #expect(link.offers.count == sent)
        link.preparing = .succeeds
        link.commit(try signed(try manifest(routes: 3), version: 3), contents: contents(3))
        #expect(link.sequence.active?.head.version == 3)
    }

    @Test("A node that comes back with a quarantined digest is not sent it; retry sends it again")
    func retry() throws {
        var link = Link()
        link.connect()
        link.preparing = .fails(.content)
        link.commit(try signed(try manifest(routes: 2), version: 1), contents: contents(2))
        link.perform(link.node.synchronise())
        link.run()
        #expect(link.offers.count == 1)
        link.preparing = .succeeds
        link.perform(link.control.command(.retry))
        link.run()
        #expect(link.commands == [.retry])
        #expect(link.offers.count == 2)
        #expect(link.sequence.active?.head.version == 1)
        // What had arrived before the rejection is not fetched twice.
        #expect(link.wanted == [2])
    }

    @Test(
        "An error of the environment is tried again by the node alone, without anything being sent"
    )
    func environment() throws {
        var link = Link()
        link.connect()
        link.preparing = .fails(.environment)
        link.commit(try signed(try manifest(routes: 2), version: 1), contents: contents(2))
        let bytes = link.bytesToNode
        link.perform(link.sequence.retryDue())
        link.perform(link.sequence.retryDue())
        #expect(link.retries.count == 3)
        #expect(link.retries.allSatisfy { $0 >= .seconds(1) && $0 <= .seconds(30) })
        link.preparing = .succeeds
        link.perform(link.sequence.retryDue())
        link.run()
        #expect(link.reports.last?.outcome == .confirmed(lastGoodProblem: nil))
        #expect(link.bytesToNode == bytes)
        #expect(link.offers.count == 1)
    }

    @Test("A version that is overtaken while it is prepared is never served")
    func overtaken() throws {
        var link = Link()
        link.connect()
        link.preparing = nil
        let first = try signed(try manifest(routes: 2), version: 1)
        link.commit(first, contents: contents(2))
        link.preparing = .succeeds
        let second = try signed(try manifest(routes: 3), version: 2)
        link.commit(second, contents: contents(3))
        let third = try signed(try manifest(routes: 4), version: 3)
        link.commit(third, contents: contents(4))
        link.perform(link.sequence.prepared())
        link.run()
        #expect(link.discarded == [first.head.digest])
        #expect(link.sequence.active == third)
        #expect(!link.reports.contains { $0.outcome == .active && $0.subject.version < 3 })
    }

    @Test("A delta to a base that the node does not know makes it say Hello again, and it recovers")
    func unknownBase() throws {
        var link = Link()
        link.connect()
        link.commit(try signed(try manifest(routes: 2), version: 1), contents: contents(2))
        let stranger = try manifest(routes: 9)
        let second = try signed(try manifest(routes: 3), version: 2)
        link.manifests[stranger.digest] = stranger
        link.send(OfferEncoding(second, base: stranger).frame)
        link.head = second
        link.contents[Digest(hashing: content(2))] = content(2)
        link.run()
        #expect(link.sequence.active?.head.version == 2)
        #expect(link.nodeEnd == nil)
    }

    @Test("A lost notice heals with the next heartbeat, once")
    func lostNotice() throws {
        var link = Link()
        link.connect()
        link.commit(try signed(try manifest(routes: 2), version: 1), contents: contents(2))
        link.head = try signed(try manifest(routes: 3), version: 2)
        link.contents[Digest(hashing: content(2))] = content(2)
        link.perform(link.node.heartbeat(WireHeartbeat()))
        link.run()
        #expect(link.sequence.active?.head.version == 2)
        let offers = link.offers.count
        link.perform(link.node.heartbeat(WireHeartbeat()))
        link.run()
        #expect(link.offers.count == offers)
    }

    @Test("A node told to wait says Hello again when its time has come")
    func deferred() throws {
        var link = Link()
        link.connect()
        link.perform(link.control.postpone(retryAfter: .milliseconds(700)))
        link.run()
        let version = try signed(try manifest(routes: 2), version: 1)
        link.head = version
        link.contents[Digest(hashing: content(0))] = content(0)
        link.contents[Digest(hashing: content(1))] = content(1)
        link.perform(link.node.heartbeat(WireHeartbeat()))
        link.perform(link.node.synchronise())
        link.run()
        #expect(link.sequence.active == version)
    }

    @Test("A restored store with a higher epoch may offer a lower number")
    func epoch() throws {
        var link = Link()
        link.connect()
        link.commit(try signed(try manifest(routes: 2), version: 9), contents: contents(2))
        let restored = try signed(try manifest(routes: 3), version: 4, epoch: 2)
        link.commit(restored, contents: contents(3))
        #expect(link.sequence.active == restored)
    }

    @Test("What takes a version back quarantines it, and the one before is served")
    func reverted() throws {
        var sequence = ApplySequence(active: nil)
        let first = try signed(try manifest(routes: 1), version: 1)
        let second = try signed(try manifest(routes: 2), version: 2)
        _ = sequence.offered(Candidate(version: first, blobs: [:]))
        _ = sequence.prepared()
        _ = sequence.activated()
        _ = sequence.confirmed(lastGoodProblem: "disk full")
        _ = sequence.offered(Candidate(version: second, blobs: [:]))
        _ = sequence.prepared()
        _ = sequence.activated()
        #expect(sequence.active == second)
        let problem = Problem(kind: nil, name: "", field: "", message: "workers crashed")
        let actions = sequence.reverted(.content, [problem])
        #expect(sequence.active == first)
        #expect(sequence.quarantined == [second.head.digest])
        guard case .report(let report)? = actions.first else {
            Issue.record("no report")
            return
        }
        #expect(report.active?.version == 1)
    }
}

@Suite("Versions that are offered again while they are applied")
struct RepeatedOfferTests {
    private let first: SignedManifest
    private let again: SignedManifest
    private let other: SignedManifest

    init() throws {
        first = try signed(try manifest(routes: 1), version: 1)
        other = try signed(try manifest(routes: 2), version: 2)
        again = try signed(try manifest(routes: 1), version: 3)
    }

    private func candidate(_ version: SignedManifest) -> Candidate {
        Candidate(version: version, blobs: [:])
    }

    private func isReceived(_ actions: [ApplySequence.Action], _ version: SignedManifest) -> Bool {
        guard actions.count == 1, case .report(let report) = actions[0] else { return false }
        return report.outcome == .received && report.subject == Holding(version.head)
    }

    @Test("the same offer in each state neither discards the work nor starts it again")
    func sameOffer() {
        var sequence = ApplySequence(active: nil)
        _ = sequence.offered(candidate(first))
        #expect(isReceived(sequence.offered(candidate(first)), first))
        let prepared = sequence.prepared()
        #expect(prepared.last == .activate(candidate(first)))
        #expect(isReceived(sequence.offered(candidate(first)), first))
        let activated = sequence.activated()
        #expect(activated.last == .confirm(candidate(first)))
        #expect(isReceived(sequence.offered(candidate(first)), first))
        let confirmed = sequence.confirmed(lastGoodProblem: nil)
        #expect(confirmed.count == 1)
        #expect(sequence.active == first)
        #expect(sequence.pending == nil)
    }

    @Test("a newer number of the same content is served in the end")
    func newerNumber() {
        var sequence = ApplySequence(active: nil)
        _ = sequence.offered(candidate(first))
        #expect(isReceived(sequence.offered(candidate(again)), again))
        #expect(sequence.prepared().last == .activate(candidate(first)))
        _ = sequence.activated()
        let actions = sequence.confirmed(lastGoodProblem: nil)
        #expect(actions.contains(.renumber(again.head)))
        #expect(sequence.active == again)
    }

    @Test("what came in between and was taken back is not applied")
    func takenBack() {
        var sequence = ApplySequence(active: nil)
        _ = sequence.offered(candidate(first))
        _ = sequence.offered(candidate(other))
        _ = sequence.offered(candidate(again))
        #expect(sequence.prepared().last == .activate(candidate(first)))
        _ = sequence.activated()
        _ = sequence.confirmed(lastGoodProblem: nil)
        #expect(sequence.active == again)
        #expect(sequence.pending == nil)
    }

    @Test("a failure of the environment is tried again under the newest number")
    func environment() {
        var random = SplitMix64(seed: 1)
        var sequence = ApplySequence(active: nil)
        _ = sequence.offered(candidate(first))
        _ = sequence.offered(candidate(again))
        _ = sequence.prepared()
        let failed = sequence.failed(.environment, [], using: &random)
        guard case .retryAfter? = failed.last else {
            Issue.record("it is not tried again: \(failed)")
            return
        }
        #expect(sequence.retryDue() == [.prepare(candidate(again))])
    }

    @Test("a rejection of the content ends it, whatever its number")
    func content() {
        var random = SplitMix64(seed: 1)
        var sequence = ApplySequence(active: nil)
        _ = sequence.offered(candidate(first))
        _ = sequence.offered(candidate(again))
        let failed = sequence.failed(.content, [], using: &random)
        #expect(failed.count == 1)
        #expect(sequence.quarantined == [first.head.digest])
        #expect(sequence.pending == nil)
    }
}
