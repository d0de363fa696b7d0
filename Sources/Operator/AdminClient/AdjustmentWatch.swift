package import AdminMessages

extension AdminClient {
    /// Waits until all nodes with a session keep to the adjustments of a generation, and if asked until an endpoint that
    /// was taken out of use carries nothing any more, or `timeout` is over.
    ///
    /// - Parameters:
    ///   - answer: What the change was answered.
    ///   - idle: The endpoint that is to be idle: its upstream's name and its address.
    ///   - timeout: How long to wait at most.
    ///   - report: Called with every line of progress that differs from the one before.
    /// - Returns: Whether it came so, and the last state.
    /// - Throws: `AdminClientError` of the first call that fails.
    package func waitForAdjustments(
        _ answer: AdjustmentsAnswer,
        idle: (upstream: String, address: String)?,
        timeout: Duration,
        report: (String) -> Void
    ) async throws -> (isDone: Bool, AdjustmentsAnswer) {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        var last = answer
        var lastLine = ""
        while true {
            // Nodes that keep to a later generation keep to this one too: the later one replaced it.
            let pending = last.nodes.filter { $0.state == .pending }.map(\.name)
            var line = ""
            if !pending.isEmpty {
                line = "waiting for \(pending.prefix(3).joined(separator: ", "))"
                if pending.count > 3 { line += " and \(pending.count - 3) more" }
            } else if let idle {
                let busy = try await busyNodes(at: idle.upstream, idle.address)
                if busy.isEmpty { return (true, last) }
                line = "requests are under way there from \(busy.prefix(3).joined(separator: ", "))"
            } else {
                return (true, last)
            }
            if line != lastLine {
                report(line)
                lastLine = line
            }
            let now = ContinuousClock.now
            guard now < deadline else { return (false, last) }
            try await Task.sleep(until: min(deadline, now.advanced(by: Limits.rolloutPollInterval)))
            if !pending.isEmpty { last = try await adjustments() }
        }
    }

    /// Nodes that have connections to the endpoint, or have not reported yet that it is out of use.
    ///
    /// What rests there has closed: a connection that is open carries something.
    private func busyNodes(at upstream: String, _ address: String) async throws -> [String] {
        let answer = try await self.upstream(upstream)
        let endpoint = answer.endpoints.first { $0.address == address }
        return (endpoint?.nodes ?? []).filter { node in
            let isOut = ["drained", "disabled"].contains(node.state)
            return !node.stale && (!isOut || node.connections > 0 || node.requests > 0)
        }.map(\.node)
    }
}
