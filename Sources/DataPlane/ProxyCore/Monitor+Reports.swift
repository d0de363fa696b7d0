internal import EventLoop
internal import FleetModel
internal import Resolution
internal import Telemetry
internal import Upstreams

/// What the monitor tells of names.
extension Monitor {
    /// Tells what has become of a name: once for each change, not for each lookup.
    func report(_ followed: FollowedName, _ change: NameChange) {
        let state = names.state(of: followed)
        let wanted = followed.wanted == .services ? "services" : "addresses"
        switch change {
        case .answered, .healed:
            let answer = state.answer
            log.write(
                .debug,
                "name.resolved",
                ["name": followed.name, "wanted": wanted, "found": found(answer)]
            )
            if let dropped = answer?.droppedCount, dropped > 0 {
                log.write(
                    .warning,
                    "name.answer_too_long",
                    ["name": followed.name, "wanted": wanted, "left_out": "\(dropped)"]
                )
            }
            guard change == .healed else { return }
            log.write(.notice, "name.heals", ["name": followed.name, "wanted": wanted])
        case .failing:
            log.write(
                .warning,
                "name.lookup_failed",
                [
                    "name": followed.name, "wanted": wanted,
                    "reason": state.failure?.description ?? "",
                    "kept": found(state.answer),
                ]
            )
        case .emptied:
            log.write(
                .warning,
                "name.given_up",
                [
                    "name": followed.name, "wanted": wanted,
                    "reason": state.failure?.description ?? "",
                ]
            )
        }
    }

    /// An upstream's circuit has opened, or closed.
    func circuitChanged(_ upstream: String, _ change: CircuitBreaker.Change) {
        switch change {
        case .opened: log.write(.warning, "upstream.circuit_open", ["upstream": upstream])
        case .closed: log.write(.notice, "upstream.circuit_closed", ["upstream": upstream])
        }
        onChange?()
    }

    /// Tells which endpoints have come and gone.
    func report(_ change: UpstreamMonitor.EndpointChange, of monitor: UpstreamMonitor) {
        guard !change.added.isEmpty || !change.removed.isEmpty else { return }
        func listed(_ addresses: [String]) -> String {
            let shown = addresses.prefix(8).joined(separator: ",")
            return addresses.count > 8 ? "\(shown),…" : shown
        }
        log.write(
            monitor.endpoints.isEmpty ? .warning : .notice,
            "upstream.endpoints_changed",
            [
                "upstream": monitor.upstream.name, "endpoints": "\(monitor.endpoints.count)",
                "added": listed(change.added), "removed": listed(change.removed),
            ]
        )
    }

    /// Shows what lookups have come to.
    func countNames() {
        let (lookups, failures) = resolver.counts
        metrics.set(.nameLookupsAnswered, lookups - min(failures, lookups))
        metrics.set(.nameLookupsFailed, failures)
        let summary = names.summary
        metrics.set(.namesFailing, summary.failing)
        metrics.set(.nameAnswerAge, summary.oldestNanoseconds)
    }

    /// How much of it there is.
    private func found(_ answer: NameAnswer?) -> String {
        guard let answer else { return "nothing" }
        return answer.services.isEmpty
            ? "\(answer.addresses.count) addresses" : "\(answer.services.count) services"
    }
}
