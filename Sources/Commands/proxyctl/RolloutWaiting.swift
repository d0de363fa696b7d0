import AdminClient
import AdminMessages
import Foundation
import Presentation

/// What `apply --wait` and `rollback --wait` do once the version is there.
struct RolloutWaiting {
    let timeout: DurationArgument

    /// Waits, with progress on standard error.
    ///
    /// - Returns: The last state, and the code to exit with.
    func callAsFunction(
        for version: UInt64,
        client: AdminClient
    ) async throws -> (RolloutAnswer, ExitStatus) {
        var lastLine = ""
        let (outcome, rollout) = try await client.waitForRollout(
            of: version,
            timeout: timeout.duration
        ) { rollout in
            let line = RolloutReport(rollout).progressLine
            if line != lastLine, rollout.nodes.contains(where: { $0.state != .excluded }) {
                Output.note(line)
                lastLine = line
            }
        }
        for line in RolloutReport(rollout).problemLines(Output.errorPalette) {
            Output.note(line)
        }
        switch outcome {
        case .applied: return (rollout, .done)
        case .noNodes:
            Output.note("no node has an open session: nothing to wait for")
            return (rollout, .done)
        case .rejected: return (rollout, .rejected)
        case .timedOut:
            Output.error(
                "not every node serves version \(version) after \(timeout.defaultValueDescription)"
            )
            return (rollout, .timedOut)
        }
    }
}

/// Prints what an apply or a rollback did, waits if asked, and ends with the code that fits.
struct ChangeOutcome {
    let session: Session
    let client: AdminClient
    let verb: String
    let waiting: RolloutWaiting?

    /// Waits for the version of `answer`, then prints the whole.
    func finish(_ answer: ApplyAnswer) async throws {
        var value: [String: OutputValue] = [
            "version": OutputValue(answer.version as UInt64?),
            "digest": .string(answer.digest),
            "changed": .bool(answer.changed),
            "changes": ChangeReport(answer.changes).value,
        ]
        let warnings = answer.warnings ?? []
        if !warnings.isEmpty { value["warnings"] = .array(warnings.map { .string($0) }) }
        var status = ExitStatus.done
        if session.format == .table {
            Output.print([line(for: answer)])
        }
        for warning in warnings { Output.note("warning: \(visible(warning))") }
        if let waiting {
            let (rollout, ending) = try await waiting(for: answer.version, client: client)
            value["rollout"] = RolloutReport(rollout).value
            status = ending
        }
        if session.format != .table {
            session.print(.object(value)) { _ in [] }
        }
        if status != .done {
            throw Failure(status, nil)
        }
    }

    private func line(for answer: ApplyAnswer) -> String {
        let digest = Output.palette.paint(shortDigest(answer.digest), .faint)
        guard answer.changed else {
            return
                "version \(answer.version) (\(digest)) is this configuration already: nothing to do"
        }
        let summary = ChangeReport(answer.changes).summary
        return Output.palette.paint("version \(answer.version)", .strong)
            + " (\(digest)) \(verb): \(summary)"
    }
}

/// Who makes a change: `$PROXYCTL_AUTHOR`, or the user of this machine.
func author() -> String {
    let environment = ProcessInfo.processInfo.environment
    if let author = environment["PROXYCTL_AUTHOR"], !author.isEmpty {
        return author
    }
    return "\(NSUserName())@\(ProcessInfo.processInfo.hostName)"
}
