import FleetModel
import FleetProtocol
import NIOCore

extension Fleet {
    private var headHolding: Holding? { head.map { Holding($0.head) } }

    /// All nodes by name.
    func statuses() -> [NodeStatus] {
        let now = self.now
        return nodes.values.sorted { $0.name < $1.name }
            .map { $0.status(head: headHolding, now: now) }
    }

    /// One node.
    func status(of name: String) -> NodeStatus? {
        nodes[name]?.status(head: headHolding, now: now)
    }

    /// The fleet on one screen.
    func fleetStatus() -> FleetStatus {
        let now = self.now
        let all = statuses()
        var byState: [NodeStatus.State: Int] = [:]
        var byVersion: [UInt64: Int] = [:]
        for node in all {
            byState[node.state, default: 0] += 1
            if node.state != .revoked { byVersion[node.active?.version ?? 0, default: 0] += 1 }
        }
        let fresh = nodes.values.compactMap(\.traffic).filter { summary in
            now - NIODeadline.uptimeNanoseconds(summary.receivedNanoseconds)
                <= .seconds(Limits.metricsStaleSeconds)
        }
        return FleetStatus(
            head: headHolding,
            nodeCount: all.count,
            countByState: byState,
            countByVersion: byVersion,
            drifting: all.filter { node in
                node.isConnected && headHolding != nil && node.active?.digest != headHolding?.digest
            }.map(\.name),
            rejections: all.filter { $0.failed != nil && $0.state != .revoked },
            traffic: TrafficRates(fresh)
        )
    }

    /// How far a version has come.
    func rollout(of version: Holding) -> RolloutStatus {
        let now = self.now
        return RolloutStatus(
            version: version,
            nodes: nodes.values.sorted { $0.name < $1.name }
                .map { $0.rollout(of: version, head: headHolding, now: now) }
        )
    }
}
