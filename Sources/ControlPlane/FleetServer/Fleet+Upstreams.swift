import FleetMessages
import FleetModel
import FleetProtocol
import Logging

/// How one node sees one endpoint.
package struct EndpointStatus: Sendable, Equatable {
    /// The word for it, the better before the worse.
    package enum Availability: String, Sendable, CaseIterable {
        case healthy
        case drained
        case disabled
        /// Too many of its answers were errors.
        case ejected
        /// Its checks fail.
        case unhealthy
        /// Its name has no address.
        case unresolved
        /// It has not been checked yet.
        case unknown
    }

    package let availability: Availability
    /// Why, for people; may be empty.
    package let reason: String
    /// Since when, in milliseconds since 1970-01-01 UTC.
    package let sinceMilliseconds: Int64
    /// When it was last checked; nil without checks.
    package let checkedMilliseconds: Int64?
    /// What came of that.
    package let check: String
    /// Its weight now.
    package let weight: Int
    package let connections: UInt64
    package let requests: UInt64
    /// Whether it came from DNS.
    package let isDiscovered: Bool
}

/// How a node sees its upstreams, at one instant.
package struct NodeUpstreamsStatus: Sendable, Equatable {
    package let node: String
    /// Whether it may be otherwise by now: the node has no session.
    package let isStale: Bool
    package let upstreams: NodeUpstreams
}

/// How a node sees its upstreams, as its reports have it.
package struct NodeUpstreams: Sendable, Equatable {
    /// Endpoints by their upstream's name, then by address.
    package var endpoints: [String: [String: EndpointStatus]] = [:]
    /// What holds for a whole upstream, by its name; those of which there is nothing to say are left out.
    package var notes: [String: String] = [:]
    /// How many endpoints are not among them, because there are too many.
    package var omitted: UInt64 = 0
    /// How many are.
    package var count = 0

    /// Of a node that said nothing.
    package init() {}

    /// Takes over a report, of which at most so many new endpoints are kept.
    mutating func take(_ report: WireUpstreamReport, room: Int) {
        if report.begins { self = NodeUpstreams() }
        omitted = report.omitted
        var room = max(0, min(room, FleetProtocol.Limits.reportedEndpointTotalMax - count))
        for upstream in report.upstreams {
            var known = endpoints.removeValue(forKey: upstream.upstream) ?? [:]
            let before = known.count
            for address in upstream.gone { known[address] = nil }
            for message in upstream.endpoints {
                guard let status = EndpointStatus(message) else { continue }
                if known[message.endpoint] == nil {
                    guard room + before - known.count > 0 else {
                        omitted &+= 1  // It is a number for people.
                        continue
                    }
                }
                known[message.endpoint] = status
            }
            count += known.count - before
            room -= known.count - before
            endpoints[upstream.upstream] = known.isEmpty ? nil : known
            // One without endpoints is worth a word above all, and counts for nothing in the limits of those.
            let isKept = !known.isEmpty || notes.count < Limits.reportedNoteCountMax
            notes[upstream.upstream] = upstream.note.isEmpty || !isKept ? nil : upstream.note
        }
    }
}

extension EndpointStatus {
    /// Nil for a state that this build does not know.
    init?(_ message: WireEndpointReport) {
        switch message.availability {
        case .healthy: availability = .healthy
        case .unhealthy: availability = .unhealthy
        case .ejected: availability = .ejected
        case .drained: availability = .drained
        case .disabled: availability = .disabled
        case .unresolved: availability = .unresolved
        case .unknown: availability = .unknown
        case .unspecified, .UNRECOGNIZED: return nil
        }
        reason = message.reason
        sinceMilliseconds = message.sinceUnixMilliseconds
        let checked = message.checkedUnixMilliseconds
        checkedMilliseconds = checked > 0 ? checked : nil
        check = message.checkResult
        weight = Int(message.weight)
        (connections, requests) = (message.connections, message.requests)
        isDiscovered = message.discovered
    }
}

/// The shared view: how every node sees the endpoints of its upstreams.
extension Fleet {
    /// A node reported on its upstreams.
    func upstreamsReported(_ report: WireUpstreamReport, _ connection: FleetConnection) {
        updateEntry(connection.name) { entry in
            guard entry.connection === connection else { return }
            reportedEndpointCount -= entry.upstreams.count
            // A report that begins anew makes room for itself.
            let kept = report.begins ? 0 : entry.upstreams.count
            let room = Limits.reportedEndpointCountMax - reportedEndpointCount - kept
            entry.upstreams.take(report, room: room)
            reportedEndpointCount += entry.upstreams.count
        }
    }

    /// The node is no more of the fleet.
    func forgetUpstreams(of name: String) {
        updateEntry(name) { entry in
            reportedEndpointCount -= entry.upstreams.count
            entry.upstreams = NodeUpstreams()
        }
    }

    /// Whether some node knows the endpoint.
    func isReported(_ endpoint: EndpointName) -> Bool {
        nodes.values.contains { entry in
            entry.upstreams.endpoints[endpoint.upstream]?[endpoint.address] != nil
        }
    }

    /// What all nodes said, by their names.
    func upstreamStatuses() -> [NodeUpstreamsStatus] {
        let now = self.now
        let holding = head.map { Holding($0.head) }
        return nodes.values.filter { !$0.isRevoked }.sorted { $0.name < $1.name }.map { entry in
            NodeUpstreamsStatus(
                node: entry.name,
                isStale: entry.connection == nil
                    || entry.state(head: holding, now: now) == .unreachable,
                upstreams: entry.upstreams
            )
        }
    }
}
