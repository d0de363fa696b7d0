import AdminMessages
import ControlStore
import FleetModel
import FleetServer

/// Upstreams of the head, put together of what it says of them, what nodes report, and what operators want.
struct UpstreamView {
    let outlines: [(name: String, outline: UpstreamOutline)]
    let nodes: [NodeUpstreamsStatus]
    /// Those that are in force.
    let adjustments: [StoredAdjustment]

    private typealias Row = (node: NodeUpstreamsStatus, status: EndpointStatus)

    /// Whether something is wanted of the endpoint.
    func adjusts(_ endpoint: EndpointName) -> Bool {
        adjustments.contains { $0.endpoint == endpoint }
    }

    /// All of them, in the head's order.
    var answers: [UpstreamAnswer] {
        let byEndpoint = Dictionary(grouping: adjustments, by: \.endpoint)
        let rowCount = nodes.reduce(0) { $0 + $1.upstreams.count }
        return outlines.map { name, outline in
            let present = addresses(name, outline)
            let absent = absent(name, Set(present.map(\.address)))
            let endpoints = (present + absent).map { address, configured in
                let wanted = byEndpoint[EndpointName(upstream: name, address: address)] ?? []
                return endpoint(
                    address,
                    configured,
                    rows(name, address),
                    wanted,
                    listsAll: rowCount <= AdminLimits.upstreamNodeRowsMax
                )
            }
            let notes = nodes.filter { !$0.isStale }.compactMap { node in
                node.upstreams.notes[name].map { UpstreamAnswer.Note(node: node.node, note: $0) }
            }
            return UpstreamAnswer(name: name, endpoints: endpoints, notes: notes)
        }
    }

    /// What an operator should know: upstreams of which no endpoint is left.
    var warnings: [String] {
        outlines.compactMap { name, outline in
            let addresses = addresses(name, outline)
            let isLeft = addresses.contains { address, configured in
                let wanted = adjustments.filter {
                    $0.endpoint == EndpointName(upstream: name, address: address)
                }
                var weight = configured?.weight ?? 1
                for case .weight(let other) in wanted.map(\.adjustment) { weight = other }
                return weight > 0 && !wanted.contains { $0.adjustment.aspect == .use }
            }
            if isLeft || addresses.isEmpty { return nil }
            return "every endpoint of the upstream \(name) is drained, disabled or of weight 0: "
                + "its requests are answered with 503"
        }
    }

    /// Those of the configuration, then those that nodes have discovered.
    private func addresses(
        _ upstream: String,
        _ outline: UpstreamOutline
    ) -> [(address: String, configured: UpstreamOutline.Endpoint?)] {
        let named = outline.endpoints.map { ($0.address, Optional($0)) }
        guard outline.discovery != nil else { return named }
        var others: Set<String> = []
        for node in nodes {
            for (address, status) in node.upstreams.endpoints[upstream] ?? [:]
            where status.isDiscovered { others.insert(address) }
        }
        others.subtract(outline.endpoints.map(\.address))
        return named + others.sorted().map { ($0, nil) }
    }

    /// Those that no node knows now, and that something is wanted of when they are found again.
    private func absent(
        _ upstream: String,
        _ present: Set<String>
    ) -> [(address: String, configured: UpstreamOutline.Endpoint?)] {
        let wanted = adjustments.lazy.map(\.endpoint).filter { $0.upstream == upstream }
        return Set(wanted.map(\.address)).subtracting(present).sorted().map { ($0, nil) }
    }

    private func rows(_ upstream: String, _ address: String) -> [Row] {
        nodes.compactMap { node in
            node.upstreams.endpoints[upstream]?[address].map { (node, $0) }
        }
    }

    private func endpoint(
        _ address: String,
        _ configured: UpstreamOutline.Endpoint?,
        _ rows: [Row],
        _ wanted: [StoredAdjustment],
        listsAll: Bool
    ) -> EndpointAnswer {
        let fresh = rows.filter { !$0.node.isStale }
        // Of a fleet that is away altogether, the last that was heard is better than nothing.
        let opinion = Opinion(fresh.isEmpty ? rows : fresh)
        let agreeing = (fresh.isEmpty ? rows : fresh).filter {
            $0.status.availability == opinion.state
        }
        let first = agreeing.min { $0.status.sinceMilliseconds < $1.status.sinceMilliseconds }
        let checked = agreeing.max {
            ($0.status.checkedMilliseconds ?? 0) < ($1.status.checkedMilliseconds ?? 0)
        }
        let shown =
            listsAll
            ? rows : rows.filter { $0.status.availability != opinion.state || $0.node.isStale }
        return EndpointAnswer(
            address: address,
            discovered: configured == nil,
            state: opinion.state.rawValue,
            reason: first.flatMap { text($0.status.reason) },
            since: first.map { timestamp($0.status.sinceMilliseconds) },
            checkedAt: checked?.status.checkedMilliseconds.map(timestamp),
            check: checked.flatMap { text($0.status.check) },
            disagreement: opinion.disagreement,
            configuredWeight: configured?.weight,
            weight: fresh.map(\.status.weight).max() ?? configured?.weight ?? 0,
            connections: fresh.reduce(0) { $0 &+ $1.status.connections },
            requests: fresh.reduce(0) { $0 &+ $1.status.requests },
            adjustments: wanted.map { AdjustmentAnswer($0) },
            nodes: shown.map { node, status in
                EndpointNode(
                    node: node.node,
                    state: status.availability.rawValue,
                    reason: text(status.reason),
                    since: timestamp(status.sinceMilliseconds),
                    checkedAt: status.checkedMilliseconds.map(timestamp),
                    check: text(status.check),
                    weight: status.weight,
                    connections: status.connections,
                    requests: status.requests,
                    stale: node.isStale
                )
            }
        )
    }

    /// The text, unless there is none.
    private func text(_ text: String) -> String? { text.isEmpty ? nil : text }

    /// What nodes make of one endpoint together.
    private struct Opinion {
        /// What most say; of as many, what is better, so that the disagreement names what is worse.
        let state: EndpointStatus.Availability
        let disagreement: String?

        init(_ rows: [Row]) {
            // A node that has not checked yet contradicts nobody.
            var told = rows.filter { $0.status.availability != .unknown }
            if told.isEmpty { told = rows }
            let groups = Dictionary(grouping: told) { $0.status.availability }
            let order = EndpointStatus.Availability.allCases.enumerated()
                .compactMap { place, state in groups[state].map { (place, state, rows: $0) } }
                .sorted { ($1.rows.count, $0.0) < ($0.rows.count, $1.0) }
            state = order.first?.1 ?? .unknown
            let others = order.dropFirst().map { _, state, rows in
                let names = rows.map(\.node.node)
                guard names.count > 3 else {
                    return "\(state.rawValue) on \(names.joined(separator: ", ")) only"
                }
                let named = names.prefix(3).joined(separator: ", ")
                return
                    "\(state.rawValue) on \(names.count) of \(told.count) nodes (\(named) and others)"
            }
            disagreement = others.isEmpty ? nil : others.joined(separator: "; ")
        }
    }
}
