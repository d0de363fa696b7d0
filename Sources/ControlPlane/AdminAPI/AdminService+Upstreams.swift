import AdminMessages
import ControlStore
import FleetModel
import FleetServer

/// Upstreams as the fleet sees them, and what operators want of their endpoints.
extension AdminService {
    func upstreams(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(try await upstreamView().answers)
    }

    func upstream(_ request: AdminRequest) async throws -> AdminAnswer {
        let name = try request.name("name")
        guard let answer = try await upstreamView(of: name).answers.first else {
            throw AdminError.notFound("the configuration has no upstream \(shown(name))")
        }
        return try .json(answer)
    }

    func adjustments(_ request: AdminRequest) async throws -> AdminAnswer {
        try .json(AdjustmentsAnswer(try await fleet.adjustments()))
    }

    /// Changes the adjustments of an endpoint; the same again changes nothing.
    func adjust(
        _ request: AdminRequest,
        _ word: String,
        _ change: @Sendable (_ weight: Int?, _ until: Int64?) -> AdjustmentChange
    ) async throws -> AdminAnswer {
        let upstream = try request.name("name")
        var body = try BodyReader(request.body)
        let text = try body.string("endpoint", bytesMax: AdminLimits.bodyBytesMax)
        let weight = try body.number("weight")
        let seconds = try body.number("forSeconds")
        let note = try note(&body, requestID: request.requestID)
        try body.finish()
        let change = change(try checked(weight, for: word), try end(after: seconds, of: word))
        guard let address = text.flatMap(EndpointName.canonicalAddress) else {
            throw AdminError.badRequest(
                "the field endpoint must be an address: host:port, [v6]:port or unix:/path"
            )
        }
        let endpoint = EndpointName(upstream: upstream, address: address)
        let view = try await upstreamView(of: upstream)
        guard let known = view.answers.first else {
            throw AdminError.notFound("the configuration has no upstream \(shown(upstream))")
        }
        guard known.endpoints.contains(where: { $0.address == address }) || view.adjusts(endpoint)
        else {
            throw AdminError.notFound(
                "the upstream \(upstream) has no endpoint \(shown(address))"
            )
        }
        var answer = AdjustmentsAnswer(try await fleet.adjust(endpoint, change, note: note))
        if case .put = change {
            let warnings = try await upstreamView(of: upstream).warnings
            if !warnings.isEmpty { answer.warnings = warnings }
        }
        return try .json(answer)
    }

    private func checked(_ weight: UInt64?, for word: String) throws -> Int? {
        guard word == "weight" else {
            if weight != nil { throw AdminError.badRequest("\(word) takes no weight") }
            return nil
        }
        let most = EndpointAdjustment.weightMax
        guard let weight, weight <= UInt64(most) else {
            throw AdminError.badRequest("the field weight must be a number from 0 to \(most)")
        }
        return Int(weight)
    }

    private func end(after seconds: UInt64?, of word: String) throws -> Int64? {
        guard let seconds else { return nil }
        guard word != "undrain", word != "reset" else {
            throw AdminError.badRequest("\(word) takes no forSeconds: it is done at once")
        }
        let most = ModelLimits.adjustmentSecondsMax
        guard (1...UInt64(most)).contains(seconds) else {
            throw AdminError.badRequest("the field forSeconds must be a number from 1 to \(most)")
        }
        return clock() + Int64(seconds) * 1_000
    }

    // MARK: The view

    /// The head's upstreams, or one of them, as the fleet sees them.
    private func upstreamView(of name: String? = nil) async throws -> UpstreamView {
        var outlines: [(name: String, outline: UpstreamOutline)] = []
        if let head = try await store.head(),
            let manifest = try await store.manifest(digest: head.digest)
        {
            let entries = manifest.entries.filter { entry in
                entry.kind == .upstream && (name == nil || entry.name == name)
            }
            let contents = try await store.blobs(entries.map(\.digest))
            outlines = entries.map { entry in
                (entry.name, UpstreamOutline(content: contents[entry.digest] ?? []))
            }
        }
        return UpstreamView(
            outlines: outlines,
            nodes: try await fleet.upstreams(),
            adjustments: try await fleet.adjustments().adjustments.inForce
        )
    }

    /// What the metrics say of upstreams.
    struct UpstreamSums {
        var countByState: [EndpointStatus.Availability: UInt64] = [:]
        var disputed: UInt64 = 0
        var adjustments: UInt64 = 0
    }

    func upstreamSums() async throws -> UpstreamSums {
        let view = try await upstreamView()
        var sums = UpstreamSums()
        sums.adjustments = UInt64(view.adjustments.count)
        for endpoint in view.answers.flatMap(\.endpoints) {
            if let state = EndpointStatus.Availability(rawValue: endpoint.state) {
                sums.countByState[state, default: 0] += 1
            }
            if endpoint.disagreement != nil { sums.disputed += 1 }
        }
        return sums
    }
}

extension AdjustmentAnswer {
    init(_ stored: StoredAdjustment) {
        var weight: Int?
        if case .weight(let wanted) = stored.adjustment { weight = wanted }
        self.init(
            upstream: stored.endpoint.upstream,
            endpoint: stored.endpoint.address,
            action: stored.adjustment.word,
            weight: weight,
            until: stored.untilMilliseconds.map(timestamp),
            author: stored.author,
            time: timestamp(stored.createdMilliseconds)
        )
    }
}

extension AdjustmentsAnswer {
    init(_ rollout: AdjustmentRollout) {
        self.init(
            generation: rollout.adjustments.generation,
            adjustments: rollout.adjustments.inForce.map { AdjustmentAnswer($0) },
            nodes: rollout.nodes.map { node in
                Node(
                    name: node.name,
                    state: .init(node.state),
                    reason: node.state != .excluded
                        ? nil : node.nodeState == .revoked ? "revoked" : "unreachable",
                    problem: node.problem.isEmpty ? nil : node.problem
                )
            }
        )
    }
}
