package import ControlStore
import FleetMessages
package import FleetModel
import FleetProtocol
import Logging
import NIOCore

/// How far the adjustments of endpoints have come in the fleet.
package struct AdjustmentRollout: Sendable, Equatable {
    /// One node's part.
    package struct Node: Sendable, Equatable {
        package let name: String
        package let state: RolloutStatus.State
        package let nodeState: NodeStatus.State
        /// Why it could not store them for its next start; empty when it could.
        package let problem: String
    }

    /// What is in force.
    package let adjustments: StoredAdjustments
    package let nodes: [Node]

    /// Joins both.
    package init(adjustments: StoredAdjustments, nodes: [Node]) {
        (self.adjustments, self.nodes) = (adjustments, nodes)
    }
}

extension StoredAdjustment {
    var message: WireAdjustment {
        var message = WireAdjustment()
        message.upstream = endpoint.upstream
        message.endpoint = endpoint.address
        switch adjustment {
        case .drain: message.action = .drain
        case .disable: message.action = .disable
        case .weight(let weight):
            message.action = .weight
            message.weight = UInt32(clamping: weight)
        }
        message.untilUnixMilliseconds = untilMilliseconds ?? 0
        message.endedByVersion = endedByVersion ?? 0
        return message
    }
}

/// The fast lane: what operators want of endpoints reaches every node at once, without a version.
///
///     store ──▶ Adjustments, to all nodes and to each whose session begins ──▶ AdjustmentsStatus
///       ▲ expiry, and the end by a version
extension Fleet {
    /// Takes over what is in force, unless something newer is, and tells every node.
    ///
    /// - Parameters:
    ///   - new: All adjustments.
    ///   - reset: An endpoint of which nodes are to forget what they have seen.
    func setAdjustments(_ new: StoredAdjustments, resetting reset: EndpointName? = nil) {
        if let reset {
            var message = WireEndpointReset()
            (message.upstream, message.endpoint) = (reset.upstream, reset.address)
            message.generation = new.generation
            resets.removeAll { ($0.upstream, $0.endpoint) == (reset.upstream, reset.address) }
            resets.append(message)
            if resets.count > FleetProtocol.Limits.endpointResetCountMax { resets.removeFirst() }
        }
        let known = adjustments?.generation ?? 0
        guard new.generation > known || reset != nil && new.generation == known else { return }
        adjustments = new
        var message = WireAdjustments()
        message.generation = new.generation
        message.entries = new.entries.prefix(FleetProtocol.Limits.adjustmentCountMax).map(\.message)
        message.resets = resets
        adjustmentMessages = [.adjustments(message)]
        for connection in nodes.values.compactMap(\.connection) {
            connection.tell(adjustmentMessages)
        }
        scheduleEnd()
    }

    /// A version was stored: which adjustments it ended is told before it is offered.
    ///
    /// Nodes keep to an ended one until they serve that version.
    func headChanged(to version: SignedManifest) {
        guard let adjustments, !adjustments.entries.isEmpty else { return setHead(version) }
        owner.run({ [store = owner.store] in try await store.adjustments() }) { result in
            switch result {
            case .success(let adjustments): self.setAdjustments(adjustments)
            case .failure(let error): self.adjustmentsFailed(error)
            }
            self.setHead(version)
        }
    }

    /// A node keeps to the adjustments of a generation.
    func adjusted(_ status: WireAdjustmentsStatus, _ connection: FleetConnection) {
        updateEntry(connection.name) { entry in
            if entry.connection === connection { entry.adjusted = status }
        }
    }

    /// How far they have come.
    func adjustmentRollout() -> AdjustmentRollout {
        let now = self.now
        let all = adjustments ?? StoredAdjustments(generation: 1, entries: [])
        let holding = head.map { Holding($0.head) }
        return AdjustmentRollout(
            adjustments: all,
            nodes: nodes.values.sorted { $0.name < $1.name }.map { entry in
                let nodeState = entry.state(head: holding, now: now)
                var state = RolloutStatus.State.pending
                if entry.connection == nil || [.revoked, .unreachable].contains(nodeState) {
                    state = .excluded
                } else if let told = entry.adjusted, told.generation >= all.generation {
                    state = .applied
                }
                return .init(
                    name: entry.name,
                    state: state,
                    nodeState: nodeState,
                    problem: entry.adjusted?.problem ?? ""
                )
            }
        )
    }

    // MARK: Ends

    /// Looks again when the next one ends by itself.
    private func scheduleEnd() {
        adjustmentEnd?.cancel()
        adjustmentEnd = nil
        guard let next = adjustments?.entries.compactMap(\.untilMilliseconds).min() else { return }
        // The clock of the day may be set while it is waited for: it is looked at again after an hour at most.
        let wait = min(max(next - owner.clock(), 0), 3_600_000)
        endLater(milliseconds: wait)
    }

    private func endLater(milliseconds: Int64) {
        let bound = NIOLoopBound(self, eventLoop: owner.loop)
        adjustmentEnd = owner.loop.scheduleTask(in: .milliseconds(milliseconds + 1)) {
            bound.value.endExpired()
        }
    }

    private func endExpired() {
        owner.run({ [store = owner.store] in try await store.endExpiredAdjustments() }) { result in
            switch result {
            case .success(let adjustments):
                self.setAdjustments(adjustments)
                self.scheduleEnd()
            case .failure(let error):
                self.adjustmentsFailed(error)
                self.endLater(milliseconds: 1_000 * Limits.adjustmentRetrySeconds)
            }
        }
    }

    private func adjustmentsFailed(_ error: any Error) {
        owner.logger.error("fleet.adjustments_failed", metadata: ["error": "\(error)"])
    }
}

extension FleetDirectory {
    /// How far the adjustments of endpoints have come.
    package func adjustments() async throws -> AdjustmentRollout {
        try await fleet.read { $0.adjustmentRollout() }
    }

    /// Changes the adjustments of an endpoint and tells every node.
    ///
    /// - Throws: What the store throws; nothing is changed then.
    package func adjust(
        _ endpoint: EndpointName,
        _ change: AdjustmentChange,
        note: ChangeNote
    ) async throws -> AdjustmentRollout {
        let isDiscovered = try await fleet.read { $0.isReported(endpoint) }
        let all = try await fleet.store.adjust(
            endpoint,
            change,
            isDiscovered: isDiscovered,
            note: note
        )
        return try await fleet.read { fleet in
            fleet.setAdjustments(all, resetting: change == .reset ? endpoint : nil)
            return fleet.adjustmentRollout()
        }
    }

    /// How nodes see their upstreams, by the node's name.
    package func upstreams() async throws -> [NodeUpstreamsStatus] {
        try await fleet.read { $0.upstreamStatuses() }
    }
}
