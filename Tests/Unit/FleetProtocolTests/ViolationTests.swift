import FleetMessages
import FleetModel
import SwiftProtobuf
import Testing

@testable import FleetProtocol

/// The goodbye with which an end answers a violation, and why it closed.
private func verdict(_ actions: [NodeSession.Action]) -> (WireGoodbyeReason?, SessionEnd?) {
    var reason: WireGoodbyeReason?
    var end: SessionEnd?
    for action in actions {
        if case .send(let frame) = action, case .goodbye(let goodbye)? = try? FleetMessage(frame) {
            reason = goodbye.reason  // Only our own goodbyes are looked at: they decode.
        }
        if case .close(let closing) = action { end = closing }
    }
    return (reason, end)
}

private func verdict(_ actions: [ControlSession.Action]) -> (WireGoodbyeReason?, SessionEnd?) {
    verdict(
        actions.compactMap { action -> NodeSession.Action? in
            switch action {
            case .send(let frame): .send(frame)
            case .close(let end): .close(end)
            default: nil
            }
        }
    )
}

@Suite("Violations of the fleet protocol")
struct ViolationTests {
    private func steadyLink(active: SignedManifest? = nil) -> Link {
        var link = Link(active: active)
        link.connect()
        return link
    }

    @Test("A gauge is a number", arguments: [Double.nan, .infinity, -.infinity])
    func gauges(value: Double) throws {
        var gauge = WireGaugeValue()
        (gauge.name, gauge.value) = ("weir_connections", value)
        var report = WireMetricsReport()
        report.gauges = [gauge]
        let frame = FleetMessage.metricsReport(report).frame()
        #expect(
            throws: FleetProtocolError.fieldInvalid(.metricsReport, field: "gauges.value")
        ) {
            try FleetMessage(frame)
        }
    }

    @Test("A node ends the session over every frame that only nodes send")
    func wrongDirectionToNode() throws {
        let allowed: Set<FrameType> = [
            .notModified, .manifest, .manifestDelta, .blobChunk, .deferred, .heartbeatAnswer,
            .renewed, .command, .goodbye, .materialList, .material, .ticketKeys,
            .challenges, .trust, .adjustments,
        ]
        for (name, message) in try sampleMessages() where !allowed.contains(message.type) {
            var link = steadyLink()
            let (reason, end) = verdict(link.node.received(message.frame()))
            #expect(reason == .outOfOrder, "\(name)")
            #expect(end == .violation(.outOfOrder(message.type, state: "steady")), "\(name)")
            let isClosed = link.node.isClosed
            #expect(isClosed)
        }
    }

    @Test("The control plane ends the session over every frame that only it sends")
    func wrongDirectionToControl() throws {
        let allowed: Set<FrameType> = [
            .hello, .wantBlobs, .applyStatus, .heartbeat, .metricsReport, .renew, .goodbye,
            .wantMaterial, .materialStatus, .challengesStatus, .trustStatus,
            .adjustmentsStatus, .upstreamReport,
        ]
        for (name, message) in try sampleMessages() where !allowed.contains(message.type) {
            var link = steadyLink()
            let (reason, end) = verdict(link.control.received(message.frame()))
            #expect(reason == .outOfOrder, "\(name)")
            #expect(end == .violation(.outOfOrder(message.type, state: "steady")), "\(name)")
        }
    }

    @Test("A stranger may say Join and nothing else; a member must say Hello first")
    func firstFrames() throws {
        for (name, message) in try sampleMessages() where message.type != .goodbye {
            var stranger = ControlSession(peer: .stranger, clusterID: clusterID)
            let (reason, _) = verdict(stranger.received(message.frame()))
            #expect(reason == (message.type == .join ? nil : .outOfOrder), "\(name)")
            var member = ControlSession(peer: .member(name: "edge-1"), clusterID: clusterID)
            let (other, _) = verdict(member.received(message.frame()))
            #expect(other == (message.type == .hello ? nil : .outOfOrder), "\(name)")
        }
    }

    @Test("A node that joins takes an answer to Join and nothing else")
    func joining() throws {
        for (name, message) in try sampleMessages() where message.type != .goodbye {
            var node = NodeSession(joining: WireJoin())
            _ = node.connected()
            let (reason, end) = verdict(node.received(message.frame()))
            let isAnswer = message.type == .joinAccepted || message.type == .joinRefused
            #expect(reason == (isAnswer ? nil : .outOfOrder), "\(name)")
            if isAnswer { #expect(end == .local(.joined)) }
        }
    }

    @Test("Unknown types end the session unless they may be ignored")
    func unknownTypes() {
        var link = steadyLink()
        let ignorable = Frame(type: 999, flags: .ignorable, correlation: 0, payload: [0xff])
        // Each is a sign of life.
        #expect(link.node.received(ignorable) == [.setDeadline(.seconds(Limits.silenceSeconds))])
        #expect(link.control.received(ignorable) == [.setDeadline(.seconds(Limits.silenceSeconds))])
        let areSteady = link.node.isSteady && link.control.isSteady
        #expect(areSteady)
        let unknown = Frame(type: 999, correlation: 0, payload: [])
        #expect(verdict(link.node.received(unknown)).0 == .typeUnknown)
        #expect(verdict(link.control.received(unknown)).0 == .typeUnknown)
    }

    @Test("An ignorable frame before Welcome does not lengthen the time for it")
    func ignorableEarly() {
        let ignorable = Frame(type: 999, flags: .ignorable, correlation: 0, payload: [])
        var control = ControlSession(peer: .member(name: "edge-1"), clusterID: clusterID)
        _ = control.connected()
        #expect(control.received(ignorable).isEmpty)
    }

    @Test("After its end a session answers nothing, whatever comes")
    func afterTheEnd() throws {
        let malformed = Frame(type: FrameType.manifest.rawValue, correlation: 0, payload: [0xff])
        let unknown = Frame(type: 999, correlation: 0, payload: [])
        let frames = [malformed, unknown, goodbyeFrame(.shutdown), goodbyeFrame(.revoked)]
        var link = steadyLink()
        _ = link.node.leave(.shutdown)
        _ = link.control.leave(.shutdown)
        for frame in try frames + sampleMessages().map({ $0.message.frame() }) {
            #expect(link.node.received(frame).isEmpty)
            #expect(link.control.received(frame).isEmpty)
        }
    }

    @Test("Welcome may not ask for heartbeats so far apart that a lost one is taken for silence")
    func heartbeatInterval() throws {
        func welcome(heartbeat: UInt32, metrics: UInt32) -> Frame {
            FleetMessage.welcome(
                .with {
                    $0.heartbeatSeconds = heartbeat
                    $0.metricsSeconds = metrics
                }
            ).frame()
        }
        #expect(Int64(Limits.heartbeatSecondsMax) * 3 == Limits.silenceSeconds)
        _ = try FleetMessage(welcome(heartbeat: 10, metrics: 300))
        for frame in [
            welcome(heartbeat: 11, metrics: 10), welcome(heartbeat: 0, metrics: 10),
            welcome(heartbeat: 10, metrics: 301), welcome(heartbeat: 10, metrics: 0),
        ] {
            #expect(throws: FleetProtocolError.self) { try FleetMessage(frame) }
        }
    }

    @Test("A Hello for another cluster or under another name is refused")
    func wrongCluster() throws {
        for (cluster, name, reason) in [
            ([UInt8](repeating: 9, count: 16), "edge-1", WireGoodbyeReason.wrongCluster),
            (clusterID, "edge-2", .messageInvalid),
        ] {
            var control = ControlSession(peer: .member(name: "edge-1"), clusterID: clusterID)
            let hello = WireHello.with {
                $0.clusterID = wireOctets(cluster)
                $0.name = name
            }
            #expect(verdict(control.received(FleetMessage.hello(hello).frame())).0 == reason)
        }
    }

    @Test("A manifest with a bad signature, another digest or an older version is refused")
    func badManifests() throws {
        let version = try signed(try manifest(routes: 2), version: 5)
        let other = try manifest(routes: 3)
        var forged = version.head.message
        forged.signature = wireOctets([UInt8](repeating: 0, count: 64))
        let older = try signed(other, version: 4)
        for (head, list, reason) in [
            (forged, version.manifest, WireGoodbyeReason.signatureInvalid),
            (version.head.message, other, .digestMismatch),
            (older.head.message, other, .versionBackwards),
        ] {
            var link = steadyLink(active: version)
            let message = WireManifest.with {
                $0.head = head
                $0.entries = WireManifestEntries(list)
            }
            #expect(verdict(link.node.received(FleetMessage.manifest(message).frame())).0 == reason)
        }
    }

    @Test("A content with another digest, a part not asked for, and parts out of order are refused")
    func badChunks() throws {
        let version = try signed(try manifest(routes: 2), version: 1)
        let digest = wireOctets(version.contentDigests[0].octets)
        let good = content(0)
        typealias Change = (inout WireBlobPart) -> Void
        let cases: [(WireGoodbyeReason, Change)] = [
            (.digestMismatch, { $0.octets = wireOctets([UInt8](repeating: 1, count: good.count)) }),
            (.messageInvalid, { $0.digest = wireOctets(Digest(hashing: [1]).octets) }),
            (.messageInvalid, { $0.offset = 1 }),
            (.limitExceeded, { $0.size = UInt32(Limits.blobBytesMax + 1) }),
        ]
        for (reason, change) in cases {
            var link = steadyLink()
            _ = link.node.received(OfferEncoding(version, base: nil).frame)
            let want = link.node.lacking(version.contentDigests)
            guard case .send(let request)? = want.first else {
                Issue.record("nothing was asked for")
                return
            }
            var part = WireBlobPart.with {
                $0.digest = digest
                $0.size = UInt32(good.count)
                $0.octets = wireOctets(good)
            }
            change(&part)
            if part.octets.count + Int(part.offset) > Int(part.size) {
                part.octets = wireOctets([1])
            }
            let chunk = FleetMessage.blobChunk(.with { $0.parts = [part] })
            let frame = chunk.frame(correlation: request.correlation)
            #expect(verdict(link.node.received(frame)).0 == reason)
        }
    }

    @Test("A chunk that nobody asked for is refused; one of a replaced transfer is dropped")
    func staleChunks() throws {
        var link = steadyLink()
        let chunk = FleetMessage.blobChunk(
            .with { $0.parts = [.with { $0.digest = wireOctets(Digest(hashing: []).octets) }] }
        )
        #expect(verdict(link.node.received(chunk.frame(correlation: 77))).0 == .outOfOrder)

        var second = steadyLink()
        let version = try signed(try manifest(routes: 2), version: 1)
        _ = second.node.received(OfferEncoding(version, base: nil).frame)
        guard case .send(let request)? = second.node.lacking(version.contentDigests).first else {
            Issue.record("nothing was asked for")
            return
        }
        let newer = try signed(try manifest(routes: 3), version: 2)
        _ = second.node.received(OfferEncoding(newer, base: nil).frame)
        #expect(
            verdict(second.node.received(chunk.frame(correlation: request.correlation))).0 == nil
        )
        let isSteady = second.node.isSteady
        #expect(isSteady)
    }

    @Test("Enums that are unspecified, and lists over their limit, are refused")
    func badFields() {
        let messages: [(FleetMessage, FleetProtocolError)] = [
            (.command(WireCommand()), .fieldInvalid(.command, field: "kind")),
            (.joinRefused(WireJoinRefused()), .fieldInvalid(.joinRefused, field: "reason")),
            (
                .applyStatus(.with { $0.digest = wireOctets([UInt8](repeating: 1, count: 32)) }),
                .fieldInvalid(.applyStatus, field: "state")
            ),
            (.notModified(WireNotModified()), .fieldInvalid(.notModified, field: "head")),
            (
                .wantBlobs(
                    .with {
                        let digest = wireOctets([UInt8](repeating: 1, count: 32))
                        $0.digests = Array(
                            repeating: digest,
                            count: Limits.wantedDigestCountMax + 1
                        )
                    }
                ),
                .limitExceeded(.wantBlobs, what: "digests")
            ),
        ]
        for (message, error) in messages {
            #expect(throws: error) { try FleetMessage(message.frame()) }
        }
        #expect(throws: FleetProtocolError.messageMalformed(.hello)) {
            try FleetMessage(Frame(type: 16, correlation: 0, payload: [0xff, 0xff]))
        }
    }

    @Test("A delta brings at most 64 contents, of 16 KiB together")
    func deltaContents() throws {
        let sample = try sampleMessages().first { $0.name == "manifest_delta_contents" }?.message
        guard case .manifestDelta(var delta) = sample else {
            Issue.record("no sample")
            return
        }
        for sizes in [Array(repeating: 0, count: 65), [16 << 10, 1]] {
            delta.contents = sizes.map { wireOctets(Array(repeating: 7, count: $0)) }
            let frame = FleetMessage.manifestDelta(delta).frame()
            #expect(throws: FleetProtocolError.limitExceeded(.manifestDelta, what: "contents")) {
                try FleetMessage(frame)
            }
        }
    }

    @Test("Silence, a cut within a frame and octets that are no frames end a session once")
    func endings() {
        var link = steadyLink()
        #expect(verdict(link.node.deadlinePassed()) == (.timeout, .violation(.timeout)))
        #expect(link.node.deadlinePassed().isEmpty)
        let report = ApplyReport(subject: sample, outcome: .received, active: nil)
        #expect(link.node.report(report).isEmpty)
        #expect(
            verdict(link.control.peerClosed(isBetweenFrames: false)).1
                == .violation(.frameTruncated)
        )
        #expect(link.control.peerClosed(isBetweenFrames: true).isEmpty)
        var other = steadyLink()
        let error = FleetProtocolError.frameOversized(bytes: 9, max: 3)
        #expect(verdict(other.control.failed(error)).0 == .frameOversized)
        #expect(verdict(other.node.peerClosed(isBetweenFrames: true)) == (nil, .peerClosed))
    }

    private var sample: Holding {
        Holding(epoch: 1, version: 1, digest: Digest(hashing: []))
    }

    @Test("A revoked node is told so and its session ends")
    func revocation() {
        var link = steadyLink()
        link.perform(link.control.command(.revoke))
        link.run()
        #expect(link.commands == [.revoke])
        #expect(link.controlEnd == .local(.revoked))
        #expect(link.nodeEnd == .goodbye(.revoked, detail: "", retryAfter: nil))
    }

    @Test("Sessions that are fed mutated frames go on or end, and never trap")
    func mutatedSessions() throws {
        var random = SplitMix64(seed: 11)
        let samples = try sampleMessages().map { $0.message.frame() }
        for round in 0..<1_500 {
            var link = steadyLink()
            if round % 2 == 0 {
                link.preparing = nil
                let version = try signed(try manifest(routes: 2), version: 1)
                link.send(OfferEncoding(version, base: nil).frame)
            }
            for _ in 0..<6 {
                var frame = samples[Int.random(in: samples.indices, using: &random)]
                frame.correlation = [0, 1, 2, 5].randomElement(using: &random) ?? 0
                if !frame.payload.isEmpty, Bool.random(using: &random) {
                    let index = Int.random(in: frame.payload.indices, using: &random)
                    frame.payload[index] = UInt8.random(in: 0...255, using: &random)
                }
                if Bool.random(using: &random) { link.send(frame) }
                link.perform(link.control.received(frame))
                link.run()
            }
        }
    }
}
