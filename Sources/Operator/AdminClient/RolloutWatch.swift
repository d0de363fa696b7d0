package import AdminMessages

/// Follows a version to the nodes that have to serve it.
///
/// The server says which nodes those are: the ones with an open session when the version was made and those
/// that join meanwhile. Unreachable, draining and revoked ones are excluded, and reported as such.
package struct RolloutWatch: Sendable {
    /// How it ended.
    package enum Outcome: Sendable, Equatable {
        /// Every node that counts serves the version.
        case applied
        /// There is no node that counts.
        case noNodes
        /// All answered, and at least one rejected the version.
        case rejected
        /// Some did not answer in time.
        case timedOut
    }

    /// The state of the rollout at one moment, as far as the watch cares.
    package enum Progress: Sendable, Equatable {
        /// Some nodes have not answered yet.
        case waiting
        /// Nothing is left to wait for.
        case ended(Outcome)
    }

    /// What `rollout` means for somebody who waits for it.
    package static func progress(of rollout: RolloutAnswer) -> Progress {
        let counted = rollout.nodes.filter { $0.state != .excluded }
        if counted.isEmpty {
            return .ended(.noNodes)
        }
        // A rejection is told after the others answered, so that the report is complete.
        if counted.contains(where: { $0.state == .pending }) {
            return .waiting
        }
        return .ended(counted.contains { $0.state == .rejected } ? .rejected : .applied)
    }
}

extension AdminClient {
    /// Waits until the nodes serve `version`, or one rejects it, or `timeout` is over.
    ///
    /// - Parameters:
    ///   - version: The version to wait for.
    ///   - timeout: How long to wait at most.
    ///   - report: Called with every state that differs from the one before.
    /// - Returns: How it ended, and the last state.
    /// - Throws: `AdminClientError` of the first call that fails.
    package func waitForRollout(
        of version: UInt64,
        timeout: Duration,
        report: (RolloutAnswer) -> Void
    ) async throws -> (RolloutWatch.Outcome, RolloutAnswer) {
        let deadline = ContinuousClock.now.advanced(by: timeout)
        var last: RolloutAnswer?
        while true {
            let rollout = try await rollout(version)
            if rollout != last {
                report(rollout)
                last = rollout
            }
            if case .ended(let outcome) = RolloutWatch.progress(of: rollout) {
                return (outcome, rollout)
            }
            let now = ContinuousClock.now
            guard now < deadline else {
                return (.timedOut, rollout)
            }
            try await Task.sleep(until: min(deadline, now.advanced(by: Limits.rolloutPollInterval)))
        }
    }
}
