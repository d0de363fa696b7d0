import FleetMessages
import FleetModel
import SwiftProtobuf

@testable import FleetProtocol

/// A node and a control plane in one thread: whatever one sends, the other receives, octet for octet.
struct Link: ~Copyable {
    var node: NodeSession
    var control: ControlSession
    var sequence: ApplySequence
    /// The control plane's head and all that it stores.
    var head: SignedManifest?
    var manifests: [Digest: Manifest] = [:]
    var contents: [Digest: [UInt8]] = [:]
    /// What the node has.
    var held: Set<Digest> = []
    /// How the node's preparing ends; `nil` leaves it open.
    var preparing: Preparing? = .succeeds
    /// What happened, in order.
    var offers: [ControlSession.Offer] = []
    var reports: [ApplyReport] = []
    var wanted: [Int] = []
    var nodeEnd: SessionEnd?
    var controlEnd: SessionEnd?
    var retries: [Duration] = []
    var discarded: [Digest] = []
    var commands: [WireCommandKind] = []
    var settled: [SignedHead] = []
    var bytesToNode = 0
    /// What the node is told of material when it is admitted, and what it may ask for.
    var material: [FleetMessage] = []
    var stock: [Digest: WireMaterial] = [:]
    /// Generations of challenges that the node answers.
    var answered: [UInt64] = []
    /// What the node was told and given of material, and what it said of it.
    var told: [FleetMessage] = []
    var statuses: [WireMaterialStatus] = []
    /// What the node said of adjustments and of its upstreams.
    var adjusted: [WireAdjustmentsStatus] = []
    var upstreams: [WireUpstreamReport] = []

    private var toNode: [Frame] = []
    private var toControl: [Frame] = []
    private var random = SplitMix64(seed: 1)

    enum Preparing {
        case succeeds
        case fails(ApplyReport.Cause)
    }

    init(active: SignedManifest? = nil) {
        let member = NodeSession.Member(
            clusterID: clusterID,
            name: "edge-1",
            labels: [:],
            build: "test",
            isSigned: { octets, mark in mark == signature(octets) }
        )
        node = NodeSession(member: member, standing: .init(active: active, lastGood: active?.head))
        control = ControlSession(peer: .member(name: "edge-1"), clusterID: clusterID)
        sequence = ApplySequence(active: active)
    }

    /// Establishes the session and runs until both ends are quiet.
    mutating func connect() {
        perform(control.connected())
        perform(node.connected())
        run()
    }

    /// Makes a version the head, as a commit does.
    mutating func commit(_ version: SignedManifest, contents new: [[UInt8]] = []) {
        head = version
        manifests[version.manifest.digest] = version.manifest
        for octets in new { contents[Digest(hashing: octets)] = octets }
        offerHead()
        run()
    }

    /// Delivers frames until there are none.
    mutating func run() {
        while true {
            if !toControl.isEmpty {
                perform(control.received(toControl.removeFirst()))
            } else if !toNode.isEmpty {
                perform(node.received(toNode.removeFirst()))
            } else {
                return
            }
        }
    }

    mutating func perform(_ actions: [NodeSession.Action]) {
        for action in actions {
            switch action {
            case .send(let frame): toControl.append(recoded(frame))
            case .lookUp(let version):
                perform(node.lacking(version.contentDigests.filter { !held.contains($0) }))
            case .offer(let candidate):
                for (digest, octets) in candidate.blobs where Digest(hashing: octets) == digest {
                    held.insert(digest)
                }
                perform(sequence.offered(candidate))
            case .offerQuarantined(let head): perform(sequence.offeredQuarantined(head))
            case .settled(let head):
                settled.append(head)
                perform(sequence.settled(head))
            case .command(let kind):
                commands.append(kind)
                guard kind == .retry else { continue }
                sequence.forgetQuarantine()
                updateStanding()
                perform(node.synchronise())
            case .close(let end): nodeEnd = end
            case .assign(let list):
                told.append(.materialList(list))
                let digests = list.assignments.flatMap { [$0.serve, $0.next] }
                perform(node.wantMaterial(digests.compactMap { Digest(octets: octets($0)) }))
            case .keep(let message): told.append(.material(message))
            case .useTicketKeys(let keys): told.append(.ticketKeys(keys))
            case .answerChallenges(let challenges): told.append(.challenges(challenges))
            case .trust(let message): told.append(.trust(message))
            case .adjust(let message): told.append(.adjustments(message))
            case .setPayloadLimit, .setDeadline, .joined, .joinRefused, .welcomed,
                .synchroniseAfter, .renewed:
                break
            }
        }
    }

    mutating func perform(_ actions: [ApplySequence.Action]) {
        for action in actions {
            switch action {
            case .report(let report):
                updateStanding()
                perform(node.report(report))
            case .prepare:
                switch preparing {
                case .succeeds?: perform(sequence.prepared())
                case .fails(let cause)?:
                    let problem = Problem(
                        kind: .listener,
                        name: "web",
                        field: "address",
                        message: "taken"
                    )
                    perform(sequence.failed(cause, [problem], using: &random))
                case nil: break
                }
            case .activate: perform(sequence.activated())
            case .confirm: perform(sequence.confirmed(lastGoodProblem: nil))
            case .retryAfter(let wait): retries.append(wait)
            case .discard(let digest): discarded.append(digest)
            case .renumber, .cancelRetry: break
            }
            updateStanding()
        }
    }

    mutating func perform(_ actions: [ControlSession.Action]) {
        for action in actions {
            switch action {
            case .send(let frame): send(frame)
            case .admit:
                let welcome = WireWelcome.with {
                    $0.heartbeatSeconds = 10
                    $0.metricsSeconds = 10
                }
                perform(control.admitted(welcome, material: material))
            case .synchronise: offerHead()
            case .sendBlobs(let digests, let correlation):
                wanted.append(digests.count)
                for payload in chunkPayloads(digests.map { ($0, contents[$0] ?? []) }) {
                    send(
                        Frame(
                            type: FrameType.blobChunk.rawValue,
                            correlation: correlation,
                            payload: payload
                        )
                    )
                }
            case .applied(let report): reports.append(report)
            case .heartbeat:
                perform(control.answerHeartbeat(head: head.map { Holding($0.head) }))
            case .close(let end): controlEnd = end
            case .challenges(let generation): answered.append(generation)
            case .sendMaterial(let digests):
                perform(control.tell(digests.map { .material(stock[$0] ?? WireMaterial()) }))
            case .material(let status): statuses.append(status)
            case .adjusted(let status): adjusted.append(status)
            case .upstreams(let report): upstreams.append(report)
            case .setPayloadLimit, .setDeadline, .decideJoin, .greeted, .metrics, .renew, .trust:
                break
            }
        }
    }

    /// Puts a frame of somebody else on the way to the node.
    mutating func send(_ frame: Frame) {
        bytesToNode += Limits.frameHeaderBytes + frame.payload.count
        toNode.append(recoded(frame))
    }

    private mutating func offerHead() {
        guard let head, let offer = control.offer(Holding(head.head)) else { return }
        offers.append(offer)
        switch offer {
        case .notModified:
            send(FleetMessage.notModified(.with { $0.head = head.head.message }).frame())
        case .manifest: send(OfferEncoding(head, base: nil))
        case .delta(let base): send(OfferEncoding(head, base: manifests[base]))
        }
    }

    private mutating func send(_ offer: OfferEncoding) {
        send(offer.frame)
        for payload in offer.chunks {
            let type = FrameType.blobChunk.rawValue
            send(Frame(type: type, correlation: offer.frame.correlation, payload: payload))
        }
    }

    private mutating func updateStanding() {
        node.standing.active = sequence.active
        node.standing.quarantined = sequence.quarantined
    }

    /// The frame after a way over the wire.
    private func recoded(_ frame: Frame) -> Frame {
        var decoder = FrameDecoder(payloadBytesMax: Limits.framePayloadBytesMax)
        var offset = 0
        let octets = frame.encoded()
        do {
            return try decoder.next(octets.span, offset: &offset) ?? frame
        } catch {
            return frame
        }
    }
}

extension OfferEncoding {
    /// The head for a node that serves `base`.
    init(
        _ version: SignedManifest,
        base: Manifest?,
        contents: [[UInt8]] = [],
        operationCountMax: Int = Limits.manifestEntryCountMax
    ) {
        let delta = base.map { ManifestDelta(from: $0, to: version.manifest) }
        self.init(version, delta, contents, operationCountMax: operationCountMax)
    }
}
