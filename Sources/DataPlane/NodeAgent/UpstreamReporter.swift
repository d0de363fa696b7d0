package import FleetMessages
internal import FleetModel
internal import FleetProtocol
package import Upstreams

/// What the control plane was told of upstreams, and what it is to be told next.
package struct UpstreamReporter {
    /// What was said of each upstream.
    private var told: [String: UpstreamStatus] = [:]
    private var isBegun = false

    /// What is worth a message.
    package enum Extent: Sendable {
        /// What has changed of availability, weight and what endpoints take of it, and of those that are to become idle.
        case changes
        /// Times, results of checks and numbers too.
        case all
    }

    /// Nothing was said.
    package init() {}

    /// What is to be said now; the first time in a session all of it.
    package mutating func next(_ statuses: [UpstreamStatus], _ extent: Extent)
        -> [WireUpstreamReport]
    {
        var states: [WireUpstreamState] = []
        var room = FleetProtocol.Limits.reportedEndpointTotalMax
        var omitted = 0
        var now: [String: UpstreamStatus] = [:]
        for status in statuses {
            var kept = Array(status.endpoints.prefix(room))
            omitted += status.endpoints.count - kept.count
            room -= kept.count
            if let state = difference(status, &kept, told[status.name], extent) {
                states.append(state)
            }
            now[status.name] = status.with(kept)
        }
        for (name, before) in told where now[name] == nil {
            var state = WireUpstreamState()
            state.upstream = name
            state.gone = before.endpoints.map(\.address.description)
            states.append(state)
        }
        told = now
        let begins = !isBegun
        isBegun = true
        guard begins || !states.isEmpty else { return [] }
        return Self.pieces(states, begins: begins, omitted: omitted)
    }

    /// What is to be said of one upstream; `endpoints` become what was said of them.
    private func difference(
        _ status: UpstreamStatus,
        _ endpoints: inout [EndpointStatus],
        _ before: UpstreamStatus?,
        _ extent: Extent
    ) -> WireUpstreamState? {
        var state = WireUpstreamState()
        state.upstream = status.name
        state.note = cut(status.remark, to: FleetProtocol.Limits.endpointTextBytesMax)
        var known: [NetworkAddress: EndpointStatus] = [:]
        for endpoint in before?.endpoints ?? [] { known[endpoint.address] = endpoint }
        for index in endpoints.indices {
            let endpoint = endpoints[index]
            let old = known.removeValue(forKey: endpoint.address)
            if let old, !Self.isWorth(endpoint, old, extent) {
                // What was not said is compared again the next time.
                endpoints[index] = old
            } else {
                state.endpoints.append(Self.message(endpoint))
            }
        }
        state.gone = known.keys.map(\.description).sorted()
        let isSame =
            state.endpoints.isEmpty && state.gone.isEmpty
            && before?.remark ?? "" == status.remark
        return isSame ? nil : state
    }

    private static func isWorth(
        _ new: EndpointStatus,
        _ old: EndpointStatus,
        _ extent: Extent
    ) -> Bool {
        if extent == .all { return new != old }
        let isOut = new.availability == .drained || new.availability == .disabled
        return new.availability != old.availability || new.weight != old.weight
            || new.isDiscovered != old.isDiscovered
            || new.availability == .available && new.reason != old.reason
            || isOut && (new.requests, new.connections) != (old.requests, old.connections)
    }

    private static func message(_ endpoint: EndpointStatus) -> WireEndpointReport {
        var message = WireEndpointReport()
        message.endpoint = endpoint.address.description
        switch endpoint.availability {
        case .available: message.availability = .healthy
        case .unresolved: message.availability = .unresolved
        case .unhealthy: message.availability = .unhealthy
        case .ejected: message.availability = .ejected
        case .drained: message.availability = .drained
        case .disabled: message.availability = .disabled
        }
        message.reason = cut(endpoint.reason, to: FleetProtocol.Limits.endpointTextBytesMax)
        message.sinceUnixMilliseconds = Int64(endpoint.sinceUnixNanoseconds / 1_000_000)
        if let check = endpoint.lastCheck {
            message.checkedUnixMilliseconds = Int64(check.unixNanoseconds / 1_000_000)
            message.checkResult = cut(check.words, to: FleetProtocol.Limits.endpointTextBytesMax)
        }
        message.weight = UInt32(clamping: endpoint.weight)
        message.connections = UInt64(clamping: endpoint.connections)
        message.requests = UInt64(clamping: endpoint.requests)
        message.discovered = endpoint.isDiscovered
        return message
    }

    /// The states in messages that are within their limits; an upstream may go on in the next.
    private static func pieces(
        _ states: [WireUpstreamState],
        begins: Bool,
        omitted: Int
    ) -> [WireUpstreamReport] {
        var reports: [WireUpstreamReport] = []
        var report = WireUpstreamReport()
        report.begins = begins
        report.omitted = UInt64(omitted)
        var room = FleetProtocol.Limits.reportedEndpointCountMax
        func finish(_ report: inout WireUpstreamReport) {
            reports.append(report)
            report.begins = false
            report.upstreams = []
            room = FleetProtocol.Limits.reportedEndpointCountMax
        }
        for state in states {
            var (endpoints, gone) = (state.endpoints[...], state.gone[...])
            repeat {
                if room < 2 { finish(&report) }
                var piece = WireUpstreamState()
                (piece.upstream, piece.note) = (state.upstream, state.note)
                piece.endpoints = Array(endpoints.prefix(room - 1))
                endpoints = endpoints.dropFirst(piece.endpoints.count)
                piece.gone = Array(gone.prefix(room - 1 - piece.endpoints.count))
                gone = gone.dropFirst(piece.gone.count)
                room -= 1 + piece.endpoints.count + piece.gone.count
                report.upstreams.append(piece)
            } while !endpoints.isEmpty || !gone.isEmpty
        }
        finish(&report)
        return reports
    }
}

extension EndpointStatus.LastCheck {
    /// What it came to, for people.
    var words: String {
        failure ?? "passed in \(nanoseconds / 1_000_000).\(nanoseconds / 100_000 % 10) ms"
    }
}
